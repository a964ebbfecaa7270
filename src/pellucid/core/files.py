"""Replacing files atomically."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def atomic_write(path: Path, *, locked: bool) -> Iterator[Path]:
    """Yield a temporary path in the same folder, which replaces `path` when the block succeeds.

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


def sync_to_disk(path: Path) -> None:
    """Flush a file or folder to disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
