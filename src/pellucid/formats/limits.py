"""Input size limits, so that a file or its decompressed content cannot exhaust memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pellucid.core.errors import FileTooLargeError
from pellucid.core.files import check_regular

MAX_TEXT_BYTES = 8 << 30
"""Maximum size of a JSON or text file that is read as a whole; COCO's largest annotations are half
a gigabyte."""
MAX_XML_BYTES = 256 << 20
"""Maximum size of an XML file; its tree takes about ten times as much memory."""
MAX_UNPACKED_BYTES = 4 << 30
"""Decompressed size that is allowed for every table."""
MAX_UNPACKED_RATIO = 2_000
"""Maximum ratio of decompressed size to file size for larger tables; real tables stay under 100."""


def check_file_size(path: Path, max_bytes: int) -> Path:
    """Return the path; raises FileTooLargeError, and SpecialFileError for a named pipe or the
    like."""
    size = check_regular(path).stat().st_size
    if size > max_bytes:
        raise FileTooLargeError(
            path,
            f"has {size:,} bytes",
            f"the limit is {max_bytes:,}",
            "Split it, or convert it to Parquet.",
        )
    return path


def check_unpacked_size(path: Path, duckdb_path: str, connection: Any) -> None:
    """Raise FileTooLargeError for a decompression bomb in Parquet.

    Args:
        duckdb_path: the path escaped for DuckDB
    """
    query = "SELECT sum(total_uncompressed_size), sum(num_values) FROM parquet_metadata(?)"
    declared_bytes, value_count = connection.execute(query, [duckdb_path]).fetchone()
    unpacked_bytes = max(int(declared_bytes or 0), 4 * int(value_count or 0))
    if unpacked_bytes > max(MAX_UNPACKED_BYTES, MAX_UNPACKED_RATIO * path.stat().st_size):
        size_description = f"decompresses from {path.stat().st_size:,} to {unpacked_bytes:,} bytes"
        limit_description = (
            f"above {MAX_UNPACKED_BYTES:,} bytes, the limit is {MAX_UNPACKED_RATIO:,} times the "
            "file size"
        )
        raise FileTooLargeError(
            path, size_description, limit_description, "Write it again without repeated rows."
        )
