"""Columns in one file that is mapped into memory, so that a version of any size opens at once and only what is asked for is read.

Such a file follows from the Parquet tables beside it and may be deleted: it is made again. It begins with the length of a JSON
index (8 bytes, little-endian), the index (name: [dtype, shape, offset]), and then the columns as they lie in memory.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from weakref import WeakSet

import msgspec
import numpy as np

from pellucid.core.errors import WriteError
from pellucid.storage.files import sync

ALIGNED = 64
AT_ONCE = 1 << 20
"""Rows written at a time where a column does not lie in one piece."""

Index = dict[str, tuple[str, list[int], int]]


def write_mapped(path: Path, columns: Mapping[str, Any]) -> None:
    """Write NumPy columns, synced, whole or not at all."""
    index, header = laid_out(columns)
    try:
        handle, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".tmp", dir=path.parent)
    except OSError as error:
        raise WriteError(path, (error.strerror or str(error)).lower()) from error
    half = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(len(header).to_bytes(8, "little") + header)
            for name, column in columns.items():
                file.seek(index[name][2])
                for begin in range(0, len(column), AT_ONCE):
                    file.write(np.ascontiguousarray(column[begin : begin + AT_ONCE]).data)
            file.truncate(end_of(index))
        sync(half)
        half.replace(path)
    except OSError as error:
        half.unlink(missing_ok=True)
        raise WriteError(path, (error.strerror or str(error)).lower()) from error


def laid_out(columns: Mapping[str, Any]) -> tuple[Index, bytes]:
    """Where each column goes; the index is padded, so that its length does not depend on the offsets."""
    room = 4096
    while True:
        index: Index = {}
        offset = room
        for name, column in columns.items():
            index[name] = (column.dtype.str, list(column.shape), offset)
            offset += -(-column.nbytes // ALIGNED) * ALIGNED
        header = msgspec.json.encode(index)
        if len(header) + 8 <= room:
            return index, header.ljust(room - 8)
        room *= 2


def end_of(index: Index) -> int:
    return max(offset + -(-bytes_of(kind, shape) // ALIGNED) * ALIGNED for kind, shape, offset in index.values())


def bytes_of(kind: str, shape: list[int]) -> int:
    return int(np.dtype(kind).itemsize * np.prod(shape, dtype=np.int64))


RESIDENT = 256 << 20
"""Bytes of files that a process may hold before it lets them go."""
mappings: WeakSet[mmap.mmap] = WeakSet()
guard = threading.Lock()
"""Threads map files while others let go of them."""


def keep_track(whole: mmap.mmap) -> None:
    """Of what is to be given back by `let_go`."""
    with guard:
        mappings.add(whole)


def let_go() -> None:
    """Give back the pages that reading has brought in, where they are many; the system still has them, and reading brings them again.

    Without this a process that serves tens of millions of rows comes to hold whatever was ever looked at.
    """
    if hasattr(mmap, "MADV_DONTNEED") and resident() > RESIDENT:
        with guard:
            several = list(mappings)
        for whole in several:
            whole.madvise(mmap.MADV_DONTNEED)


def resident() -> int:
    """Bytes of files in this process's memory, on Linux; else 0."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[2]) * mmap.PAGESIZE
    except OSError:
        return 0


def read_mapped(path: Path) -> dict[str, Any] | None:
    """The columns, read-only and not yet read; None where the file is absent or not whole."""
    try:
        with path.open("rb") as file:
            length, size = int.from_bytes(file.read(8), "little"), path.stat().st_size
            if length > size:
                return None
            index = msgspec.json.decode(file.read(length), type=Index)
            if size != end_of(index):
                return None
            whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        columns = {
            name: np.frombuffer(whole, np.dtype(kind), int(np.prod(shape, dtype=np.int64)), offset).reshape(shape)
            for name, (kind, shape, offset) in index.items()
        }
    except (OSError, ValueError, TypeError, msgspec.MsgspecError):
        return None
    keep_track(whole)
    return columns
