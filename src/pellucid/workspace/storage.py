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
from typing import Any, TypeVar

import msgspec
import numpy as np

from pellucid.errors import CannotWrite, FileMalformed, WorkspaceBusy
from pellucid.formats.cells import exactly

PATIENCE = 60.0
"""Seconds to wait for another writer."""

T = TypeVar("T")


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Hold the workspace's one write lock; it falls with the process that holds it."""
    import filelock

    lock = folder / ".lock"
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(lock, timeout=PATIENCE):
            yield
    except filelock.Timeout as error:
        raise WorkspaceBusy(folder, PATIENCE) from error
    except OSError as error:
        raise CannotWrite(error.filename or folder, (error.strerror or str(error)).lower()) from error
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
        raise CannotWrite(path, str(error).split("\n", maxsplit=1)[0]) from error
    sync(half)
    half.replace(path)


def read_table(path: Path) -> dict[str, Any]:
    """The columns of a Parquet file, as NumPy arrays in the order of its rows; NaN where a number is absent."""
    import duckdb

    try:
        with duckdb.connect() as connection:
            columns = connection.execute("SELECT * FROM read_parquet(?, hive_partitioning = false)", [exactly(path)]).fetchnumpy()
            return {name: column.filled(np.nan) if np.ma.isMaskedArray(column) else column for name, column in columns.items()}
    except duckdb.Error as error:
        raise FileMalformed(path, f"is no readable table: {str(error).split(chr(10), maxsplit=1)[0]}") from error


def write_manifest(path: Path, manifest: Any) -> None:
    """Replace a manifest: the moment at which a change takes place."""
    half = path.with_name(f"{path.name}.tmp")
    try:
        half.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
        sync(half)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
    sync(path.parent)


def read_manifest(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError as error:
        raise FileMalformed(path, f"is no manifest of Pellucid: {error}") from error


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
