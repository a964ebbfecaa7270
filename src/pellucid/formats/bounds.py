"""How large what is read may be: a file must not take the machine down by what it unpacks to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pellucid.errors import FileTooLargeError

MAX_TEXT_BYTES = 8 << 30
"""Bytes of a JSON or text file that is read as a whole; COCO's largest annotations are half a gigabyte."""
MAX_XML_BYTES = 256 << 20
"""Bytes of an XML file: as a tree it takes some ten times as much."""
MAX_UNPACKED_BYTES = 4 << 30
"""Bytes that any table may unpack to."""
MAX_UNPACKED_RATIO = 2_000
"""How many times its own size a larger one may unpack to: real tables stay under a hundred."""


def check_file_size(path: Path, max_bytes: int) -> Path:
    """The same path; raises TooLarge."""
    size = path.stat().st_size
    if size > max_bytes:
        raise FileTooLargeError(path, f"has {size:,} bytes", f"at most {max_bytes:,} are read at once", "Split it, or bring it as Parquet.")
    return path


def check_unpacked_size(path: Path, duckdb_path: str, connection: Any) -> None:
    """Raises TooLarge where a Parquet file unpacks to what no honest one does. name: the path as DuckDB is to take it."""
    query = "SELECT sum(total_uncompressed_size), sum(num_values) FROM parquet_metadata(?)"
    declared_bytes, value_count = connection.execute(query, [duckdb_path]).fetchone()
    unpacked_bytes = max(int(declared_bytes or 0), 4 * int(value_count or 0))
    if unpacked_bytes > max(MAX_UNPACKED_BYTES, MAX_UNPACKED_RATIO * path.stat().st_size):
        size_description = f"unpacks from {path.stat().st_size:,} to {unpacked_bytes:,} bytes"
        limit_description = f"at most {MAX_UNPACKED_RATIO:,} times a file's size is unpacked, beyond {MAX_UNPACKED_BYTES:,}"
        raise FileTooLargeError(path, size_description, limit_description, "Write it again without rows that only repeat.")
