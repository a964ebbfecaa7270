"""Names and values as SQL writes them."""

from __future__ import annotations

from pathlib import Path


def quote_identifier(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def quote_string(string: str) -> str:
    return "'" + string.replace("'", "''") + "'"


def escape_glob(path: Path | str) -> str:
    """The path without the meaning that `*`, `?` and `[` have in DuckDB's file names, in
    object stores too."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in str(path))
