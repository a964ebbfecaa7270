"""Memory-mapped column files: a version of any size opens at once and only the accessed pages
are read.

A file is derived from the Parquet tables next to it and is rebuilt if deleted. It starts with
the length of a JSON index (8 bytes, little-endian), the index (name: [dtype, shape, offset]),
and then the raw column data. The last column holds the checksums of the others.
"""

from __future__ import annotations

import mmap
import threading
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from weakref import WeakSet

import msgspec
import numpy as np

from pellucid.core.errors import WriteError
from pellucid.core.files import atomic_write, sync_to_disk
from pellucid.storage.column_checksums import (
    CHECKSUM_COLUMN,
    column_blocks,
    empty_checksums,
    is_intact,
)

ALIGNMENT = 64

ColumnIndex = dict[str, tuple[str, list[int], int]]


def write_mapped(path: Path, columns: Mapping[str, Any]) -> None:
    """Write NumPy columns atomically, synced to disk."""
    checksums = empty_checksums(columns)
    column_index, header = compute_layout({**columns, CHECKSUM_COLUMN: checksums})
    checksums[0] = zlib.crc32(header)
    position = 1
    try:
        with atomic_write(path, locked=False) as temp_path:
            with temp_path.open("wb") as file:
                file.write(len(header).to_bytes(8, "little") + header)
                for name, column in columns.items():
                    file.seek(column_index[name][2])
                    for block in column_blocks(column):
                        file.write(block.data)
                        checksums[position] = zlib.crc32(block)
                        position += 1
                file.seek(column_index[CHECKSUM_COLUMN][2])
                file.write(checksums.data)
                file.truncate(mapped_file_size(column_index))
            sync_to_disk(temp_path)
    except OSError as error:
        raise WriteError(path, (error.strerror or str(error)).lower()) from error


def compute_layout(columns: Mapping[str, Any]) -> tuple[ColumnIndex, bytes]:
    """Compute column offsets and the header, padded so that its length is independent of the
    offsets."""
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
    return max(
        offset + -(-byte_size(dtype_name, shape) // ALIGNMENT) * ALIGNMENT
        for dtype_name, shape, offset in column_index.values()
    )


def byte_size(dtype_name: str, shape: list[int]) -> int:
    return int(np.dtype(dtype_name).itemsize * np.prod(shape, dtype=np.int64))


MAX_RESIDENT_BYTES = 256 << 20
"""Resident bytes of mapped files above which pages are released."""
mappings: WeakSet[mmap.mmap] = WeakSet()
mappings_lock = threading.Lock()
"""Protects `mappings`: threads map files while others release pages."""


def register_mapping(mapping: mmap.mmap) -> None:
    """Register a mapping whose pages `release_pages` releases."""
    with mappings_lock:
        mappings.add(mapping)


def release_pages() -> None:
    """Release the resident pages of mapped files if they exceed the limit. They are mapped
    again on access.

    Otherwise the memory of a process that serves tens of millions of rows grows with every page
    accessed.
    """
    if hasattr(mmap, "MADV_DONTNEED") and resident_file_bytes() > MAX_RESIDENT_BYTES:
        with mappings_lock:
            open_mappings = list(mappings)
        for mapping in open_mappings:
            mapping.madvise(mmap.MADV_DONTNEED)


def resident_file_bytes() -> int:
    """Resident bytes of mapped files of this process on Linux; else 0."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[2]) * mmap.PAGESIZE
    except OSError:
        return 0


def load_mapped(path: Path) -> dict[str, Any] | None:
    """The columns, read-only and loaded lazily; None if the file is missing, incomplete or
    damaged."""
    try:
        with path.open("rb") as file:
            length, size = int.from_bytes(file.read(8), "little"), path.stat().st_size
            if length > size:
                return None
            header = file.read(length)
            column_index = msgspec.json.decode(header, type=ColumnIndex)
            if size != mapped_file_size(column_index):
                return None
            mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        columns = {
            column_name: np.frombuffer(
                mapping, np.dtype(dtype_name), int(np.prod(shape, dtype=np.int64)), offset
            ).reshape(shape)
            for column_name, (dtype_name, shape, offset) in column_index.items()
        }
        checksums = columns.pop(CHECKSUM_COLUMN, None)  # absent in files of 0.1 before them
        if checksums is not None and not is_intact(path, header, columns, checksums):
            return None
    except (OSError, ValueError, TypeError, msgspec.MsgspecError):
        return None
    register_mapping(mapping)
    return columns
