"""Mapped columns wherever they lie: on this machine or in an object store, written whole and read in part."""

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
from pellucid.storage.mapped_columns import Index, bytes_of, end_of, read_mapped, write_mapped
from pellucid.storage.object_store import send, store_of

FIRST_LOOK = 1 << 16
"""Bytes read of a remote file for its index; a longer index costs a second look."""


def put(location: str, columns: Mapping[str, Any]) -> None:
    """Write columns; a reader sees all of them or none."""
    if not is_remote(location):
        path = Path(location)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_mapped(path, columns)
        return
    with tempfile.TemporaryDirectory(prefix="pellucid-") as room:
        half = Path(room) / "columns"
        write_mapped(half, columns)
        send(half, location)


def present(folder: str, names: Iterable[str]) -> set[str]:
    """Which of these files lie in the folder. They are written whole, so that what is there is done."""
    if not is_remote(folder):
        return {name for name in names if (Path(folder) / name).is_file()}
    store, path = store_of(folder)
    store.invalidate_cache()
    found: set[str] = set()
    with suppress(FileNotFoundError):
        found = {entry.rstrip("/").rsplit("/", 1)[-1] for entry in store.ls(path, detail=False)}
    return found & set(names)


def remove(folder: str) -> None:
    """Remove a folder and all in it, if it is there."""
    import shutil

    if not is_remote(folder):
        shutil.rmtree(folder, ignore_errors=True)
        return
    store, path = store_of(folder)
    with suppress(FileNotFoundError):
        if any(sign in path for sign in "*?["):  # `rm` would look for patterns in it
            for file in store.find(path):
                store.rm_file(file)
        else:
            store.rm(path, recursive=True)


class Stored:
    """The columns of one file; nothing but the index is read until it is asked for. Raises FileMissingError, MalformedFileError."""

    def __init__(self, location: str) -> None:
        self.location = location

    @cached_property
    def _local(self) -> dict[str, Any] | None:
        if is_remote(self.location):
            return None
        columns = read_mapped(Path(self.location))
        if columns is None:
            raise MalformedFileError(self.location, "is not there or not whole")
        return columns

    @cached_property
    def _store(self) -> tuple[Any, str]:
        return store_of(self.location)

    @property
    def size(self) -> int:
        return end_of(self.index)

    @cached_property
    def index(self) -> Index:
        """Of a remote file: where each column lies."""
        store, path = self._store
        try:
            head = store.cat_file(path, start=0, end=FIRST_LOOK)
            length = int.from_bytes(head[:8], "little")
            if length + 8 > len(head):
                head = store.cat_file(path, start=0, end=length + 8)
            return msgspec.json.decode(head[8 : length + 8], type=Index)
        except FileNotFoundError as error:
            raise FileMissingError(self.location) from error
        except msgspec.MsgspecError as error:
            raise MalformedFileError(self.location, f"is no file of columns: {error}") from error

    def shape(self, name: str) -> tuple[np.dtype[Any], list[int]]:
        if self._local is not None:
            return self._local[name].dtype, list(self._local[name].shape)
        kind, shape, _ = self.index[name]
        return np.dtype(kind), shape

    def read(self, names: Iterable[str], begin: int = 0, end: int | None = None) -> dict[str, Any]:
        """Rows begin to end of these columns; those of a remote file are fetched side by side."""
        names = list(names)
        if self._local is not None:
            return {name: self._local[name][begin:end] for name in names}
        spans = []
        for name in names:
            kind, shape, offset = self.index[name]
            last = shape[0] if end is None else min(end, shape[0])
            each = bytes_of(kind, [1, *shape[1:]])
            spans.append((offset + begin * each, offset + max(last, begin) * each))
        return {name: self._column(name, text) for name, text in zip(names, self.fetch(spans), strict=True)}

    def fetch(self, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        """Spans of bytes of a remote file, side by side; raises StoreUnavailableError."""
        store, path = self._store
        some = [span for span in spans if span[1] > span[0]]
        begins, ends = [first for first, _ in some], [last for _, last in some]
        try:
            found = iter(store.cat_ranges([path] * len(some), begins, ends, on_error="raise") if some else ())
        except Exception as error:  # each store has its own; a file that was replaced is gone, and is found anew at the next look
            raise StoreUnavailableError(self.location, type(error).__name__) from error
        texts = [bytes(next(found)) if last > first else b"" for first, last in spans]
        if any(len(text) != last - first for text, (first, last) in zip(texts, spans, strict=True)):
            raise StoreUnavailableError(self.location, "it sends other than the part of a file that was asked for; Range requests are needed")
        return texts

    def _column(self, name: str, text: bytes) -> Any:
        kind, shape, _ = self.index[name]
        return np.frombuffer(text, np.dtype(kind)).reshape(-1, *shape[1:])


class Chained:
    """Columns of several files one after another, read as they are written elsewhere: never all in memory."""

    def __init__(self, files: list[Stored], name: str) -> None:
        self._files, self._name = files, name
        kinds = [file.shape(name) for file in files]
        self.dtype = kinds[0][0]
        self._start = np.concatenate([[0], np.cumsum([shape[0] for _, shape in kinds])])
        self.shape = (int(self._start[-1]), *kinds[0][1][1:])
        self.nbytes = bytes_of(self.dtype.str, list(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Any:
        begin, end, _ = rows.indices(len(self))
        first, last = np.searchsorted(self._start, [begin, end - 1], side="right") - 1
        pieces = []
        for place in range(int(first), int(last) + 1):
            low = int(self._start[place])
            pieces.append(self._files[place].read([self._name], max(0, begin - low), end - low)[self._name])
        return np.concatenate(pieces)
