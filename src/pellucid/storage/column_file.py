"""Column files, local or in an object store: written atomically, read in part."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pellucid.core.errors import FileMissingError, MalformedFileError, StoreUnavailableError
from pellucid.core.urls import is_remote
from pellucid.storage.mapped_columns import (
    ColumnIndex,
    byte_size,
    load_mapped,
    mapped_file_size,
    write_mapped,
)
from pellucid.storage.object_store import open_store, send

HEADER_READ_SIZE = 1 << 16
"""Bytes read first from a remote file to get its index; a longer index needs a second request."""


def write_column_file(location: str, columns: Mapping[str, Any]) -> None:
    """Write a column file atomically."""
    if not is_remote(location):
        path = Path(location)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_mapped(path, columns)
        return
    with tempfile.TemporaryDirectory(prefix="pellucid-") as temp_folder:
        temp_path = Path(temp_folder) / "columns"
        write_mapped(temp_path, columns)
        send(temp_path, location)


def list_existing(folder: str, file_names: Iterable[str]) -> set[str]:
    """Which of these files exist in the folder. Atomic writes make existing files complete."""
    if not is_remote(folder):
        return {file_name for file_name in file_names if (Path(folder) / file_name).is_file()}
    store, path = open_store(folder)
    store.invalidate_cache()
    listed_names: set[str] = set()
    with suppress(FileNotFoundError):
        listed_names = {
            entry.rstrip("/").rsplit("/", 1)[-1] for entry in store.ls(path, detail=False)
        }
    return listed_names & set(file_names)


def remove_folder(folder: str) -> None:
    """Remove a folder and its content, if it exists."""
    import shutil

    if not is_remote(folder):
        shutil.rmtree(folder, ignore_errors=True)
        return
    store, path = open_store(folder)
    with suppress(FileNotFoundError):
        if any(wildcard in path for wildcard in "*?["):  # `rm` would expand wildcards in it
            for file in store.find(path):
                store.rm_file(file)
        else:
            store.rm(path, recursive=True)


class ColumnFile:
    """The columns of one file, read on demand; only the index is read first. Raises
    FileMissingError, MalformedFileError."""

    def __init__(self, location: str) -> None:
        self.location = location

    @cached_property
    def _local_columns(self) -> dict[str, Any] | None:
        if is_remote(self.location):
            return None
        columns = load_mapped(Path(self.location))
        if columns is None:
            raise MalformedFileError(self.location, "is missing or incomplete")
        return columns

    @cached_property
    def _store(self) -> tuple[Any, str]:
        return open_store(self.location)

    @property
    def size(self) -> int:
        return mapped_file_size(self.index)

    @cached_property
    def index(self) -> ColumnIndex:
        """The column offsets of a remote file."""
        store, path = self._store
        try:
            head = store.cat_file(path, start=0, end=HEADER_READ_SIZE)
            length = int.from_bytes(head[:8], "little")
            if length + 8 > len(head):
                head = store.cat_file(path, start=0, end=length + 8)
            return msgspec.json.decode(head[8 : length + 8], type=ColumnIndex)
        except FileNotFoundError as error:
            raise FileMissingError(self.location) from error
        except msgspec.MsgspecError as error:
            raise MalformedFileError(self.location, f"is not a column file: {error}") from error

    def column_type(self, column_name: str) -> tuple[np.dtype[Any], list[int]]:
        if self._local_columns is not None:
            return self._local_columns[column_name].dtype, list(
                self._local_columns[column_name].shape
            )
        dtype_name, shape, _ = self.index[column_name]
        return np.dtype(dtype_name), shape

    def read(
        self, column_names: Iterable[str], first_row: int = 0, end_row: int | None = None
    ) -> dict[str, Any]:
        """Rows first_row to end_row of these columns, fetched concurrently from a remote file."""
        column_names = list(column_names)
        if self._local_columns is not None:
            return {
                column_name: self._local_columns[column_name][first_row:end_row]
                for column_name in column_names
            }
        spans = []
        for column_name in column_names:
            dtype_name, shape, offset = self.index[column_name]
            last_row = shape[0] if end_row is None else min(end_row, shape[0])
            row_size = byte_size(dtype_name, [1, *shape[1:]])
            spans.append(
                (offset + first_row * row_size, offset + max(last_row, first_row) * row_size)
            )
        return {
            column_name: self._decode_column(column_name, content)
            for column_name, content in zip(column_names, self.fetch_spans(spans), strict=True)
        }

    def fetch_spans(self, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        """Fetch byte ranges of a remote file concurrently. Raises StoreUnavailableError."""
        store, path = self._store
        nonempty_spans = [span for span in spans if span[1] > span[0]]
        starts, stops = [start for start, _ in nonempty_spans], [stop for _, stop in nonempty_spans]
        try:
            responses = iter(
                store.cat_ranges([path] * len(nonempty_spans), starts, stops, on_error="raise")
                if nonempty_spans
                else ()
            )
        except (
            Exception
        ) as error:  # exceptions depend on the store; a replaced file is found at the next refresh
            raise StoreUnavailableError(self.location, type(error).__name__) from error
        contents = [bytes(next(responses)) if stop > start else b"" for start, stop in spans]
        if any(
            len(content) != stop - start
            for content, (start, stop) in zip(contents, spans, strict=True)
        ):
            raise StoreUnavailableError(
                self.location, "unexpected response length; the server must support Range requests"
            )
        return contents

    def _decode_column(self, column_name: str, content: bytes) -> Any:
        dtype_name, shape, _ = self.index[column_name]
        return np.frombuffer(content, np.dtype(dtype_name)).reshape(-1, *shape[1:])


class ConcatColumnFiles:
    """A column concatenated from several files, read lazily by slice so that it is never fully
    in memory."""

    def __init__(self, files: list[ColumnFile], column_name: str) -> None:
        self._files, self._column_name = files, column_name
        column_types = [file.column_type(column_name) for file in files]
        self.dtype = column_types[0][0]
        self._file_starts = np.concatenate(
            [[0], np.cumsum([shape[0] for _, shape in column_types])]
        )
        self.shape = (int(self._file_starts[-1]), *column_types[0][1][1:])
        self.nbytes = byte_size(self.dtype.str, list(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, row_slice: slice) -> Any:
        first_row, end_row, _ = row_slice.indices(len(self))
        first_file, last_file = (
            np.searchsorted(self._file_starts, [first_row, end_row - 1], side="right") - 1
        )
        pieces = []
        for file_index in range(int(first_file), int(last_file) + 1):
            file_start = int(self._file_starts[file_index])
            pieces.append(
                self._files[file_index].read(
                    [self._column_name], max(0, first_row - file_start), end_row - file_start
                )[self._column_name]
            )
        return np.concatenate(pieces)
