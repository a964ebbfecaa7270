"""Serving from an object store that takes its time: pages of a workspace behind an HTTP server
with 30 ms of latency added."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import numpy as np

import pellucid
from benchmarks.data import (
    COCO,
    MILLION,
    SMALL,
    TEN_TIMES,
    Size,
    generate_dataset,
    write_coco,
    write_parquet,
)
from benchmarks.load import READERS, run_clients
from benchmarks.serving import fetch, running_server

LATENCY = 0.03
"""Seconds from a request to the first byte of its answer, as a bucket in the same region takes."""
REPEATS = 30
CROWD = 200
LOAD_SECONDS = 60


class Store(BaseHTTPRequestHandler):
    """Files and ranges of them, and folders as lists of links, of the folder that the server
    was given."""

    protocol_version = "HTTP/1.1"
    folder: Path
    requests = 0
    sent = 0

    def do_GET(self) -> None:
        time.sleep(LATENCY)
        path = self.folder / unquote(self.path).lstrip("/")
        type(self).requests += 1
        if path.is_dir():
            links = "".join(
                f'<a href="{child.name}{"/" * child.is_dir()}">{child.name}</a>\n'
                for child in sorted(path.iterdir())
            )
            return self.answer(200, links.encode())
        if not path.is_file():
            return self.answer(404, b"")
        size = path.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        begin, end = (
            (int(asked[1]), min(int(asked[2] or size - 1), size - 1)) if asked else (0, size - 1)
        )
        with path.open("rb") as file:
            file.seek(begin)
            body = file.read(end - begin + 1)
        if asked:
            return self.answer(206, body, **{"Content-Range": f"bytes {begin}-{end}/{size}"})
        return self.answer(200, body, **{"Accept-Ranges": "bytes"})

    do_HEAD = do_GET

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {
            **headers,
            "Content-Length": str(len(body)),
            "Content-Type": "text/html" if self.path.endswith("/") else "application/octet-stream",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
            type(self).sent += len(body)

    def log_message(self, *words: object) -> None:
        pass


@contextmanager
def store(folder: Path) -> Iterator[str]:
    patient = type("Patient", (ThreadingHTTPServer,), {"request_queue_size": 512})
    server = patient(("127.0.0.1", 0), type("Here", (Store,), {"folder": folder}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()


def prepare(size: Size, folder: Path) -> None:
    """A workspace that was written through a store, so that its columns lie there as stores
    have them."""
    large = size.predictions > 2_000_000
    annotations, predictions = (
        write_parquet(size, folder) if large else write_coco(generate_dataset(size), folder)
    )
    view, _ = pellucid.open((folder / "bucket" / "team").as_uri()).add("made", annotations)
    view.start("model").add_predictions(predictions)


def rows(size: Size, folder: Path) -> list[list[str]]:
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    if not (folder / "bucket").exists():
        prepare(size, folder)
    shutil.rmtree(folder / "cache", ignore_errors=True)
    with (
        store(folder / "bucket") as address,
        running_server(f"{address}/team") as (page, started, _),
    ):  # type: ignore[arg-type]
        base = f"{page}api/v1/views/made/versions/model"
        first = fetch(f"{base}/page?limit=100")[0]
        random = np.random.default_rng(2)
        found: dict[str, list[float]] = {}
        for _ in range(REPEATS):
            offset, concept = (
                int(random.integers(size.predictions)),
                int(random.integers(size.concepts)),
            )
            questions = {
                "page of All, all concepts, any offset": f"page?limit=100&offset={offset}",
                "page of All, one concept, any "
                "offset": f"page?limit=100&offset={offset % max(1, size.predictions // size.concepts // 8)}&concept={concept}",
                "page of Missing, all "
                "concepts": f"page?tab=missing&limit=100&offset={offset // 60}",
                "page of Extra, all concepts": f"page?tab=extra&limit=100&offset={offset // 80}",
                "a picture with all its boxes": f"images/{int(random.integers(size.images))}",
                "counts of all concepts": "figures",
            }
            for name, question in questions.items():
                found.setdefault(name, []).append(fetch(f"{base}/{question}")[0])
        crowds = {
            readers: run_clients(page, size, LOAD_SECONDS, readers, 0).summary("readers")
            for readers in (READERS, CROWD)
        }
    table = [
        ["server started", f"{started:.1f} s"],
        ["first page (the version is opened)", f"{first:.0f} ms"],
    ]
    for name, times in found.items():
        table.append(
            [
                name,
                f"median {statistics.median(times):.0f} ms, p95 {np.quantile(times, 0.95):.0f} ms",
            ]
        )
    table += [[f"{readers} readers at once", summary] for readers, summary in crowds.items()]
    return table


if __name__ == "__main__":
    chosen = {"small": SMALL, "coco": COCO, "million": MILLION, "five": TEN_TIMES}[sys.argv[1]]
    for line in rows(chosen, Path(sys.argv[2])):
        print(*line, sep=": ")
