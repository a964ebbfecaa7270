"""Files of a workspace: Parquet tables and JSON manifests, each written whole or not at all.

A manifest names the data files that belong to it, each with its generation in its name. New data files are
written and synced first, then the manifest is replaced by one rename: a killed process leaves the old state
or the new one. Files that no manifest names are leftovers and are removed by the next writer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar
from weakref import WeakValueDictionary

import msgspec
import numpy as np

from pellucid.core.errors import MalformedFileError, WriteError
from pellucid.formats.tabular.reader import escape_glob
from pellucid.storage.errors import WorkspaceLockedError

PATIENCE = 60.0
"""Seconds to wait for another writer."""

T = TypeVar("T")


class Mirror(Protocol):
    """A folder that stands for one in an object store; see `mirror`."""

    def follow(self, at_once: bool = False) -> None: ...
    def fetch(self, path: Path) -> None: ...
    def columns(self, path: Path) -> dict[str, Any] | None: ...
    def location(self, path: Path) -> str: ...
    def push(self) -> None: ...


mirrors: WeakValueDictionary[Path, Mirror] = WeakValueDictionary()
"""By their folders: whoever reads or writes a file knows its path alone."""


def mirror_of(path: Path) -> Mirror | None:
    """The mirror that a file or folder is of; None for what is this machine's own."""
    return next((mirrors[folder] for folder in (path, *path.parents) if folder in mirrors), None) if mirrors else None


def follow(path: Path, at_once: bool = False) -> None:
    """Before manifests are looked at: see whether others wrote some."""
    if mirror := mirror_of(path):
        mirror.follow(at_once)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Hold the workspace's one write lock; it falls with the process that holds it."""
    import filelock

    mirror = mirror_of(folder)
    lock = folder / ".lock"
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(lock, timeout=PATIENCE):
            if mirror:
                mirror.follow(at_once=True)
            yield
            if mirror:
                mirror.push()
    except filelock.Timeout as error:
        raise WorkspaceLockedError(folder, PATIENCE) from error
    except OSError as error:
        raise WriteError(error.filename or folder, (error.strerror or str(error)).lower()) from error
    finally:
        if new:
            remove_if_empty(folder, lock)


def remove_if_empty(folder: Path, lock: Path) -> None:
    """A new workspace into which nothing could be written leaves no trace."""
    if folder.is_dir() and [child.name for child in folder.iterdir()] in ([], [lock.name]):
        lock.unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()


def write_table(path: Path, columns: Mapping[str, Any]) -> None:
    """Write columns (NumPy arrays of one length) as Parquet, synced to disk."""
    import duckdb

    half = path.with_name(f"{path.name}.tmp")
    try:
        with duckdb.connect() as connection:
            connection.register("given", dict(columns))
            target = str(half).replace("'", "''")
            connection.execute(f"COPY (SELECT * FROM given) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
    except duckdb.Error as error:
        half.unlink(missing_ok=True)
        raise WriteError(path, str(error).split("\n", maxsplit=1)[0]) from error
    sync(half)
    half.replace(path)


def read_table(path: Path) -> dict[str, Any]:
    """The columns of a Parquet file, as NumPy arrays in the order of its rows; NaN where a number is absent."""
    import duckdb

    if mirror := mirror_of(path):
        mirror.fetch(path)
    try:
        with duckdb.connect() as connection:
            columns = connection.execute("SELECT * FROM read_parquet(?, hive_partitioning = false)", [escape_glob(path)]).fetchnumpy()
            return {name: column.filled(np.nan) if np.ma.isMaskedArray(column) else column for name, column in columns.items()}
    except duckdb.Error as error:
        raise MalformedFileError(path, f"is no readable table: {str(error).split(chr(10), maxsplit=1)[0]}") from error


def write_manifest(path: Path, manifest: Any) -> None:
    """Replace a manifest: the moment at which a change takes place."""
    replace_file(path, msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")


def replace_file(path: Path, text: bytes) -> None:
    """Write a small file, synced, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f"{path.name}.tmp")
    try:
        half.write_bytes(text)
        sync(half)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
    sync(path.parent)


def read_manifest(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError as error:
        raise MalformedFileError(path, f"is no manifest of Pellucid: {error}") from error


def sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_leftovers(folder: Path, named: set[str]) -> None:
    """Remove data files that the manifest beside them does not name."""
    for ending in ("parquet", "mapped"):
        for file in folder.glob(f"*.{ending}*"):
            if file.name not in named:
                file.unlink(missing_ok=True)
