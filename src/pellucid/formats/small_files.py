"""Small text files that options name: their text, and JSON in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pellucid.core.errors import MalformedFileError
from pellucid.formats.limits import check_file_size
from pellucid.formats.parsing import UTF16_MARKS

MAX_BYTES = 16 << 20


def load_small_text(path: str | Path) -> str:
    """The text of a UTF-8 or UTF-16 file. Raises MalformedFileError, FileTooLargeError."""
    data = check_file_size(Path(path), MAX_BYTES).read_bytes()
    encoding = "utf-16" if data[:2] in UTF16_MARKS else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise MalformedFileError(
            path, f"invalid {encoding.removesuffix('-sig').upper()} at byte {error.start:,}"
        ) from error


def parse_small_json(path: str | Path, text: str) -> Any:
    """The document, whose objects have no key twice. Raises MalformedFileError."""

    def unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries = dict(pairs)
        if len(entries) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise MalformedFileError(path, f"'{twice}' is given twice")
        return entries

    try:
        return json.loads(text, object_pairs_hook=unique_pairs)
    except json.JSONDecodeError as error:
        raise MalformedFileError(path, f"invalid JSON: {error}") from error
    except RecursionError as error:
        raise MalformedFileError(path, "JSON is nested too deeply") from error
