"""Workspace files: Parquet tables and JSON manifests, each written atomically.

A manifest lists its data files, whose names contain the generation. New data files are written
and synced first, then the manifest is replaced by one rename: a killed process leaves either
the old or the new state. Files that no manifest lists are removed by the next writer.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar
from weakref import WeakValueDictionary

import msgspec
import numpy as np

from pellucid.core.duckdb_cursor import open_cursor, query_errors
from pellucid.core.errors import MalformedFileError, WriteError
from pellucid.core.files import atomic_write, sync_to_disk
from pellucid.core.sql_quoting import escape_glob, quote_string
from pellucid.storage.errors import (
    ManifestError,
    RemoteChangeError,
    TableMissingError,
    WorkspaceLockedError,
)
from pellucid.storage.file_names import UNFINISHED_FILE
from pellucid.storage.manifest_checksums import (
    MANIFEST_CHECKSUM,
    is_manifest_intact,
    stamp_manifest,
)

LOCK_TIMEOUT = 60.0
"""Seconds to wait for the write lock."""

REMOVED_PREFIX = ".removed-"

ManifestT = TypeVar("ManifestT")


class FolderMirror(Protocol):
    """A local folder that mirrors one in an object store; see `remote_workspace`."""

    def refresh(self, blocking: bool = False) -> None: ...
    def fetch(self, path: Path) -> None: ...
    def load_columns(self, path: Path) -> dict[str, Any] | None: ...
    def store_url(self, path: Path) -> str: ...
    def push(self) -> None: ...


mirrors: WeakValueDictionary[Path, FolderMirror] = WeakValueDictionary()
"""Active mirrors by folder, as readers and writers of a file only know its path."""


def find_mirror(path: Path) -> FolderMirror | None:
    """The mirror that contains a file or folder; None for local workspaces."""
    return (
        next((mirrors[folder] for folder in (path, *path.parents) if folder in mirrors), None)
        if mirrors
        else None
    )


def refresh_mirror(path: Path, blocking: bool = False) -> None:
    """Refresh the mirror of a path, if any, before manifests are read."""
    if mirror := find_mirror(path):
        mirror.refresh(blocking)


@contextmanager
def write_lock(folder: Path) -> Iterator[None]:
    """Hold the write lock; released if the process dies. Raises WorkspaceLockedError."""
    import filelock

    mirror = find_mirror(folder)
    lock = folder / ".lock"
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(lock, timeout=LOCK_TIMEOUT):
            if mirror:
                mirror.refresh(blocking=True)
            yield
            if mirror:
                mirror.push()
    except filelock.Timeout as error:
        raise WorkspaceLockedError(folder, LOCK_TIMEOUT) from error
    except OSError as error:
        raise WriteError(
            error.filename or folder, (error.strerror or str(error)).lower()
        ) from error
    finally:
        if is_new:
            remove_if_empty(folder, lock)


def remove_if_empty(folder: Path, lock: Path) -> None:
    """Remove the folder of a new workspace if nothing was written to it."""
    if folder.is_dir() and [child.name for child in folder.iterdir()] in ([], [lock.name]):
        lock.unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()


def rename_folder(folder: Path, new_folder: Path) -> None:
    """Rename a folder of a local workspace, atomically. Call it under the write lock."""
    reject_remote(folder)
    new_folder.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(new_folder)
    sync_to_disk(new_folder.parent)


def delete_folder(folder: Path, workspace_folder: Path) -> None:
    """Delete a folder of a local workspace: all of it disappears at once. Call it under the write
    lock."""
    reject_remote(folder)
    for leftover in workspace_folder.glob(f"{REMOVED_PREFIX}*"):  # of a process that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    removed = workspace_folder / f"{REMOVED_PREFIX}{uuid.uuid4().hex}"
    folder.rename(removed)
    sync_to_disk(folder.parent)
    shutil.rmtree(removed, ignore_errors=True)


def reject_remote(folder: Path) -> None:
    """Raise RemoteChangeError in a workspace of an object store."""
    if mirror := find_mirror(folder):
        raise RemoteChangeError(mirror.store_url(folder))


def write_table(path: Path, columns: Mapping[str, Any]) -> None:
    """Write columns (NumPy arrays of equal length) as Parquet, synced to disk."""
    try:
        with atomic_write(path, locked=True) as temp_path, open_cursor() as connection:
            connection.register("given", dict(columns))
            connection.execute(
                f"COPY (SELECT * FROM given) TO {quote_string(str(temp_path))} "
                "(FORMAT parquet, COMPRESSION zstd)"
            )
            sync_to_disk(temp_path)
    except query_errors() as error:
        raise WriteError(path, str(error).split("\n", maxsplit=1)[0]) from error


def load_table(path: Path) -> dict[str, Any]:
    """The columns of a Parquet file as NumPy arrays, in row order; NaN for NULL."""
    if mirror := find_mirror(path):
        mirror.fetch(path)
    try:
        with open_cursor() as connection:
            columns = connection.execute(
                "SELECT * FROM read_parquet(?, hive_partitioning = false)", [escape_glob(path)]
            ).fetchnumpy()
            return {
                column_name: column.filled(np.nan) if np.ma.isMaskedArray(column) else column
                for column_name, column in columns.items()
            }
    except query_errors() as error:
        if not path.exists():
            raise TableMissingError(path) from error
        raise MalformedFileError(
            path, f"is not a readable Parquet table: {str(error).split(chr(10), maxsplit=1)[0]}"
        ) from error


def write_manifest(path: Path, manifest: Any) -> None:
    """Replace a manifest atomically, which commits the change."""
    encoded = stamp_manifest(msgspec.json.encode(manifest))
    replace_file(path, msgspec.json.format(encoded, indent=2) + b"\n")


@contextmanager
def mark_unfinished(manifest_path: Path) -> Iterator[None]:
    """Mark the folder of a manifest that is written for the first time, until it is: what a killed
    process leaves is then known from a folder that lost its manifest."""
    mark = manifest_path.parent / UNFINISHED_FILE
    is_new = not manifest_path.is_file()
    if is_new:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    yield
    if is_new:
        mark.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes) -> None:
    """Write a small file atomically, synced to disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path, locked=True) as temp_path:
        temp_path.write_bytes(content)
        sync_to_disk(temp_path)
    sync_to_disk(path.parent)


def load_manifest(path: Path, manifest_type: type[ManifestT]) -> ManifestT:
    content = path.read_bytes()
    try:
        manifest = msgspec.json.decode(content, type=manifest_type)
        is_intact = is_manifest_intact(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ManifestError(path, f"damaged: not a valid Pellucid manifest ({error})") from error
    if not is_intact:
        raise ManifestError(
            path,
            "damaged: it differs from its checksum (if you changed it yourself, remove its key "
            f"'{MANIFEST_CHECKSUM}')",
        )
    return manifest


def remove_unreferenced_files(folder: Path, referenced_names: set[str]) -> None:
    """Remove data files of the folder that are not listed in its manifest."""
    for suffix in ("parquet", "mapped"):
        for file in folder.glob(f"*.{suffix}*"):
            if file.name not in referenced_names:
                file.unlink(missing_ok=True)
