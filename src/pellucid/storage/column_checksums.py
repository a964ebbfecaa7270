"""CRC-32 of the blocks of a mapped column file, verified when a process first uses the file."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator, Mapping
from logging import getLogger
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.tables import UInt32Array
from pellucid.storage.table_checksums import FileState, file_state

CHECKSUM_COLUMN = "checksums"
"""uint32[1 + blocks]: of the header, then of the blocks in the order of the columns."""
ROWS_PER_BLOCK = 1 << 20
"""Rows of a column that are written at a time and have one checksum."""
MAX_BYTES_VERIFIED_FIRST = 256 << 20
"""Mapped files up to this size are verified before their first use (about 3 GB/s), larger ones
while they are in use."""

logger = getLogger("pellucid")
verified_files: set[FileState] = set()
damaged_files: set[FileState] = set()


def column_blocks(column: Any) -> Iterator[Any]:
    for start in range(0, len(column), ROWS_PER_BLOCK):
        yield np.ascontiguousarray(column[start : start + ROWS_PER_BLOCK])


def empty_checksums(columns: Mapping[str, Any]) -> UInt32Array:
    block_count = sum(-(-len(column) // ROWS_PER_BLOCK) for column in columns.values())
    return np.zeros(1 + block_count, np.uint32)


def is_intact(
    path: Path, header: bytes, columns: Mapping[str, Any], checksums: UInt32Array
) -> bool:
    """Whether a mapped file equals its checksums; a large file is taken to do so until a thread
    has found a difference."""
    state = file_state(path)
    if state in damaged_files or state in verified_files:
        return state in verified_files
    arguments = (state, header, columns, checksums)
    if state[3] <= MAX_BYTES_VERIFIED_FIRST:
        return verify_columns(*arguments)
    threading.Thread(target=verify_columns, args=arguments, daemon=True).start()
    return True


def verify_columns(
    state: FileState, header: bytes, columns: Mapping[str, Any], checksums: UInt32Array
) -> bool:
    """Whether the columns equal their checksums; if not, the file is not used again."""
    damaged_column = find_damaged_column(header, columns, checksums)
    (verified_files if damaged_column is None else damaged_files).add(state)
    if damaged_column is not None:
        logger.warning(
            "%s: damaged (wrong checksum of %s); it is rebuilt from the tables. Check the disk.",
            state[0],
            damaged_column,
        )
    return damaged_column is None


def find_damaged_column(
    header: bytes, columns: Mapping[str, Any], checksums: UInt32Array
) -> str | None:
    """The first column with a block that differs from its checksum; `the index` for the header."""
    expected = checksums.tolist()
    if len(expected) != len(empty_checksums(columns)) or zlib.crc32(header) != expected[0]:
        return "the index"
    position = 1
    for name, column in columns.items():
        for block in column_blocks(column):
            if zlib.crc32(block) != expected[position]:
                return name
            position += 1
    return None


def count_damaged(folder: Path) -> int:
    """How many mapped files of a folder this process has found to be damaged."""
    return sum(state[0].parent == folder for state in tuple(damaged_files))
