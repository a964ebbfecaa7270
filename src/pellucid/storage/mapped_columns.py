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
from pellucid.storage.files import sync_to_disk

ALIGNMENT = 64
ROWS_PER_WRITE = 1 << 20
"""Rows written at a time where a column does not lie in one piece."""

ColumnIndex = dict[str, tuple[str, list[int], int]]


def write_mapped(path: Path, columns: Mapping[str, Any]) -> None:
    """Write NumPy columns, synced, whole or not at all."""
    column_index, header = compute_layout(columns)
    try:
        descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".tmp", dir=path.parent)
    except OSError as error:
        raise WriteError(path, (error.strerror or str(error)).lower()) from error
    temp_path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(len(header).to_bytes(8, "little") + header)
            for name, column in columns.items():
                file.seek(column_index[name][2])
                for start in range(0, len(column), ROWS_PER_WRITE):
                    file.write(np.ascontiguousarray(column[start : start + ROWS_PER_WRITE]).data)
            file.truncate(mapped_file_size(column_index))
        sync_to_disk(temp_path)
        temp_path.replace(path)
    except OSError as error:
        temp_path.unlink(missing_ok=True)
        raise WriteError(path, (error.strerror or str(error)).lower()) from error


def compute_layout(columns: Mapping[str, Any]) -> tuple[ColumnIndex, bytes]:
    """Where each column goes; the index is padded, so that its length does not depend on the offsets."""
    header_size = 4096
    while True:
        column_index: ColumnIndex = {}
        offset = header_size
        for column_name, column in columns.items():
            column_index[column_name] = (column.dtype.str, list(column.shape), offset)
            offset += -(-column.nbytes // ALIGNMENT) * ALIGNMENT
        header = msgspec.json.encode(column_index)
        if len(header) + 8 <= header_size:
            return column_index, header.ljust(header_size - 8)
        header_size *= 2


def mapped_file_size(column_index: ColumnIndex) -> int:
    return max(offset + -(-byte_size(dtype_name, shape) // ALIGNMENT) * ALIGNMENT for dtype_name, shape, offset in column_index.values())


def byte_size(dtype_name: str, shape: list[int]) -> int:
    return int(np.dtype(dtype_name).itemsize * np.prod(shape, dtype=np.int64))


MAX_RESIDENT_BYTES = 256 << 20
"""Bytes of files that a process may hold before it lets them go."""
mappings: WeakSet[mmap.mmap] = WeakSet()
mappings_lock = threading.Lock()
"""Threads map files while others let go of them."""


def register_mapping(mapping: mmap.mmap) -> None:
    """Of what is to be given back by `let_go`."""
    with mappings_lock:
        mappings.add(mapping)


def release_pages() -> None:
    """Give back the pages that reading has brought in, where they are many; the system still has them, and reading brings them again.

    Without this a process that serves tens of millions of rows comes to hold whatever was ever looked at.
    """
    if hasattr(mmap, "MADV_DONTNEED") and resident_file_bytes() > MAX_RESIDENT_BYTES:
        with mappings_lock:
            open_mappings = list(mappings)
        for mapping in open_mappings:
            mapping.madvise(mmap.MADV_DONTNEED)


def resident_file_bytes() -> int:
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
            column_index = msgspec.json.decode(file.read(length), type=ColumnIndex)
            if size != mapped_file_size(column_index):
                return None
            mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        columns = {
            column_name: np.frombuffer(mapping, np.dtype(dtype_name), int(np.prod(shape, dtype=np.int64)), offset).reshape(shape)
            for column_name, (dtype_name, shape, offset) in column_index.items()
        }
    except (OSError, ValueError, TypeError, msgspec.MsgspecError):
        return None
    register_mapping(mapping)
    return columns
