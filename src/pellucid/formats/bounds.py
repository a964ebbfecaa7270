"""How large what is read may be: a file must not take the machine down by what it unpacks to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pellucid.errors import TooLarge

MOST_TEXT = 8 << 30
"""Bytes of a JSON or text file that is read as a whole; COCO's largest annotations are half a gigabyte."""
MOST_XML = 256 << 20
"""Bytes of an XML file: as a tree it takes some ten times as much."""
MOST_UNPACKED = 4 << 30
"""Bytes that any table may unpack to."""
MOST_TIMES = 2_000
"""How many times its own size a larger one may unpack to: real tables stay under a hundred."""


def bounded(path: Path, most: int) -> Path:
    """The same path; raises TooLarge."""
    size = path.stat().st_size
    if size > most:
        raise TooLarge(path, f"has {size:,} bytes", f"at most {most:,} are read at once", "Split it, or bring it as Parquet.")
    return path


def bounded_table(path: Path, name: str, connection: Any) -> None:
    """Raises TooLarge where a Parquet file unpacks to what no honest one does. name: the path as DuckDB is to take it."""
    words = "SELECT sum(total_uncompressed_size), sum(num_values) FROM parquet_metadata(?)"
    told, values = connection.execute(words, [name]).fetchone()
    unpacked = max(int(told or 0), 4 * int(values or 0))
    if unpacked > max(MOST_UNPACKED, MOST_TIMES * path.stat().st_size):
        found = f"unpacks from {path.stat().st_size:,} to {unpacked:,} bytes"
        most = f"at most {MOST_TIMES:,} times a file's size is unpacked, beyond {MOST_UNPACKED:,}"
        raise TooLarge(path, found, most, "Write it again without rows that only repeat.")
