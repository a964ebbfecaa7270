"""SHA-256 of the tables of a workspace. The manifest that names a table holds its checksum, and a
process verifies a table when it first uses it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from pellucid.storage.errors import DamagedFileError
from pellucid.storage.files import find_mirror

FileState = tuple[Path, int, int, int]
"""A file as it is now: its path, modification time, inode and size."""

verified_tables: set[tuple[FileState, str]] = set()


def hash_file(path: Path) -> str:
    """SHA-256, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_tables(folder: Path, file_names: Iterable[str | None]) -> dict[str, str]:
    """The SHA-256 of these files by name, for the manifest that names them."""
    return {name: hash_file(folder / name) for name in file_names if name is not None}


def verify_tables(
    folder: Path, checksums: Mapping[str, str], file_names: Iterable[str | None]
) -> None:
    """Compare these files with the checksums of their manifest, once a process. Files written
    before Pellucid stored checksums are not verified.

    Raises:
        DamagedFileError: a file was changed or cut after it was written.
    """
    for name in file_names:
        if name is not None and name in checksums:
            verify_table(folder / name, checksums[name])


def verify_table(path: Path, checksum: str) -> None:
    """Raises DamagedFileError. A missing file is left to its reader."""
    if mirror := find_mirror(path):
        mirror.fetch(path)
    if not path.is_file() or (file_state(path), checksum) in verified_tables:
        return
    state = file_state(path)
    if hash_file(path) != checksum:
        raise DamagedFileError(path)
    verified_tables.add((state, checksum))


def file_state(path: Path) -> FileState:
    status = path.stat()
    return path, status.st_mtime_ns, status.st_ino, status.st_size
