"""Containers for the columns of a version: `python -m benchmarks.column_files FOLDER [ROWS]`.

Our mapped file, a folder of `.npy` files and an Arrow IPC file hold the same columns of ROWS (10
million) predictions. On disk: opening, and one page of items at random places, in a process of its
own, five times. Behind an HTTP server with 30 ms added to
every request: the same through our blocks, and through fsspec's cache of blocks of the same size.
"""

from __future__ import annotations

import http.server
import importlib
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.__main__ import format_table
from pellucid.storage.column_checksums import CHECKSUM_COLUMN
from pellucid.storage.column_file import ColumnFile
from pellucid.storage.mapped_columns import load_mapped, write_mapped
from pellucid.storage.remote_columns import BLOCK_SIZE, BlockCache, FileBlocks, RemoteColumn

PAGE, PAGES, REMOTE_PAGES = 60, 20, 3
LATENCY = 0.03
"""Seconds from a request to the first byte of its answer."""


def make_columns(rows: int) -> dict[str, Any]:
    draw = np.random.default_rng(0)
    return {
        "score": draw.random(rows),
        "image": draw.integers(0, 1 << 20, rows, np.int32),
        "concept": draw.integers(0, 80, rows, np.int32),
        "box": draw.random((rows, 4)),
        "iou": draw.random(rows),
        "partner": draw.integers(0, rows, rows, np.int32),
        "state": draw.integers(0, 4, rows, np.int8),
    }


def write_npy(path: Path, columns: dict[str, Any]) -> None:
    path.mkdir()
    for name, column in columns.items():
        np.save(path / f"{name}.npy", column)


def read_npy(path: Path) -> dict[str, Any]:
    return {file.stem: np.load(file, mmap_mode="r") for file in sorted(path.glob("*.npy"))}


def write_arrow(path: Path, columns: dict[str, Any]) -> None:
    import pyarrow as pa

    arrays = {
        name: pa.array(column)
        if column.ndim == 1
        else pa.FixedSizeListArray.from_arrays(pa.array(column.ravel()), column.shape[1])
        for name, column in columns.items()
    }
    table = pa.table(arrays)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def read_arrow(path: Path) -> dict[str, Any]:
    import pyarrow as pa

    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    columns = {}
    for name in table.column_names:
        (chunk,) = table.column(name).chunks
        is_list = pa.types.is_fixed_size_list(chunk.type)
        column = (chunk.flatten() if is_list else chunk).to_numpy(zero_copy_only=True)
        columns[name] = column.reshape(-1, chunk.type.list_size) if is_list else column
    return columns


def read_ours(path: Path) -> dict[str, Any]:
    columns = load_mapped(path)
    assert columns is not None
    return columns


FORMATS: dict[str, tuple[str, Callable[..., None], Callable[..., dict[str, Any]]]] = {
    "one mapped file (ours)": ("columns.mapped", write_mapped, read_ours),
    "folder of .npy": ("columns", write_npy, read_npy),
    "Arrow IPC": ("columns.arrow", write_arrow, read_arrow),
}


def read_pages(columns: dict[str, Any], pages: int = PAGES) -> float:
    """Seconds for one page of items at random places, the median."""
    draw = np.random.default_rng(1)
    row_count = len(columns["score"])
    durations = []
    for _ in range(pages):
        rows = draw.integers(0, row_count, PAGE)
        begin = time.perf_counter()
        for column in columns.values():
            np.asarray(column[rows])
        durations.append(time.perf_counter() - begin)
    return statistics.median(durations)


def measure_reading(name: str, folder: str) -> None:
    """In a process of its own: prints the seconds to open and for a page."""
    file_name, _, read = FORMATS[name]
    path = Path(folder) / file_name
    importlib.import_module("pyarrow")  # not part of opening
    begin = time.perf_counter()
    columns = read(path)
    opened = time.perf_counter() - begin
    print(json.dumps([opened, read_pages(columns)]))


def measure_local(folder: Path, columns: dict[str, Any]) -> list[list[str]]:
    importlib.import_module("pyarrow")
    table = []
    for name, (file_name, write, _) in FORMATS.items():
        begin = time.perf_counter()
        write(folder / file_name, columns)
        written = time.perf_counter() - begin
        runs = [
            json.loads(
                subprocess.run(
                    [sys.executable, "-m", "benchmarks.column_files", "--read", name, folder],
                    check=True,
                    capture_output=True,
                ).stdout
            )
            for _ in range(5)
        ]
        opened, page = (statistics.median(run[part] for run in runs) for part in (0, 1))
        table.append([name, f"{written:.1f} s", f"{opened * 1000:.1f} ms", f"{page * 1e6:.0f} µs"])
    return table


class SlowFiles(http.server.SimpleHTTPRequestHandler):
    """Ranges of files, each after LATENCY."""

    protocol_version = "HTTP/1.1"
    requests = 0

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, with_body: bool) -> None:
        time.sleep(LATENCY)
        type(self).requests += 1
        path = Path(self.translate_path(self.path))
        size = path.stat().st_size
        first, last = 0, size - 1
        if wanted := self.headers.get("Range"):
            start, _, end = wanted.removeprefix("bytes=").partition("-")
            first, last = int(start), min(int(end or last), last)
        self.send_response(206 if wanted else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last - first + 1))
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        if with_body:
            with path.open("rb") as file:
                file.seek(first)
                self.wfile.write(file.read(last - first + 1))

    def log_message(self, *_: Any) -> None:
        return


def open_blocks(url: str, cache: Path) -> dict[str, Any]:
    """The columns through our cache of blocks, without the copies row by row that versions have."""
    column_file = ColumnFile(url)
    blocks = FileBlocks(column_file, column_file.size, BlockCache(cache))
    return {
        name: RemoteColumn(blocks, np.dtype(dtype_name), tuple(shape), offset)
        for name, (dtype_name, shape, offset) in column_file.index.items()
        if name != CHECKSUM_COLUMN
    }


class FsspecColumn:
    """Rows of a `.npy` file through fsspec's cache of blocks, one read a row."""

    def __init__(self, url: str) -> None:
        import fsspec

        store, path = fsspec.core.url_to_fs(url)
        self._file = store.open(path, "rb", cache_type="blockcache", block_size=BLOCK_SIZE)
        version = np.lib.format.read_magic(self._file)
        assert version == (1, 0)
        self.shape, _, self.dtype = np.lib.format.read_array_header_1_0(self._file)
        self._start = self._file.tell()
        self._row_bytes = self.dtype.itemsize * int(np.prod(self.shape[1:], dtype=np.int64))

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: Any) -> np.ndarray:
        parts = []
        for row in rows.tolist():
            self._file.seek(self._start + row * self._row_bytes)
            parts.append(self._file.read(self._row_bytes))
        return np.frombuffer(b"".join(parts), self.dtype).reshape(-1, *self.shape[1:])


def measure_remote(folder: Path) -> list[list[str]]:
    handler = partial(SlowFiles, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    openers: dict[str, Callable[[], dict[str, Any]]] = {
        "our blocks": lambda: open_blocks(f"{address}/columns.mapped", folder / "cache"),
        "fsspec's blocks of .npy": lambda: {
            file.stem: FsspecColumn(f"{address}/columns/{file.name}")
            for file in sorted((folder / "columns").glob("*.npy"))
        },
    }
    table = []
    for name, open_columns in openers.items():
        SlowFiles.requests = 0
        begin = time.perf_counter()
        columns = open_columns()
        opened, opening = time.perf_counter() - begin, SlowFiles.requests
        page = read_pages(columns, REMOTE_PAGES)
        requests = (SlowFiles.requests - opening) / REMOTE_PAGES
        table.append([name, f"{opened:.2f} s", f"{page * 1000:.0f} ms", f"{requests:.0f}"])
    server.shutdown()
    return table


def main(folder: Path, rows: int) -> None:
    columns = make_columns(rows)
    print(f"{rows:,} rows, {sum(column.nbytes for column in columns.values()) / 1e6:,.0f} MB\n")
    local = measure_local(folder, columns)
    print(format_table(["on disk", "write", "open", f"a page of {PAGE}"], local))
    print()
    headings = [f"behind {LATENCY * 1000:.0f} ms", "open", f"a page of {PAGE}", "requests a page"]
    print(format_table(headings, measure_remote(folder)))


if __name__ == "__main__":
    if sys.argv[1] == "--read":
        measure_reading(*sys.argv[2:4])
    else:
        main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10_000_000)
