"""Replacing files atomically, and opening regular files only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EINVAL
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO
from uuid import uuid4

from pellucid.core.errors import SpecialFileError


@contextmanager
def atomic_write(path: Path, *, locked: bool) -> Iterator[Path]:
    """Yield a temporary path in the same folder, which replaces `path` when the block succeeds.

    Args:
        locked: the caller holds the write lock of the folder. The temporary name is then fixed, so
            that the next writer overwrites what a killed process left; otherwise it is unique.
    """
    suffix = "tmp" if locked else f"{uuid4().hex}.tmp"
    temp_path = path.with_name(f"{path.name}.{suffix}")
    try:
        yield temp_path
        temp_path.replace(path)
    finally:
        temp_path.unlink(missing_ok=True)


def open_regular(path: Path) -> BinaryIO:
    """Open for reading, without waiting for the other end of a named pipe.

    Raises:
        OSError: not a regular file, or unreadable.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    if not S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(EINVAL, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def check_regular(path: Path) -> Path:
    """The path; raises SpecialFileError if it is neither a regular file nor a folder."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise SpecialFileError(path)
    return path


def sync_to_disk(path: Path) -> None:
    """Flush a file or folder to disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
