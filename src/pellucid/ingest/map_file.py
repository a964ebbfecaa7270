"""Files of renamed concepts (`--map-file`)."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from pellucid.core.errors import MalformedFileError


def read_map_file(path: str | Path) -> dict[str, str]:
    """The new name of each concept: a JSON object, or CSV with two columns (a header `from,to` is
    skipped).

    Raises:
        MalformedFileError: it is neither, or renames a concept twice.
    """
    text = Path(path).read_text(encoding="utf-8-sig")
    pairs = read_json_pairs(path, text) if text.lstrip().startswith("{") else csv_pairs(path, text)
    renamed: dict[str, str] = {}
    for line, (old_name, new_name) in enumerate(pairs, 1):
        if renamed.setdefault(old_name, new_name) != new_name:
            raise MalformedFileError(path, f"entry {line}: '{old_name}' is renamed twice")
    return renamed


def read_json_pairs(path: str | Path, text: str) -> list[tuple[str, str]]:
    try:
        document = json.loads(text, object_pairs_hook=list)
    except json.JSONDecodeError as error:
        raise MalformedFileError(path, f"invalid JSON: {error}") from error
    if not all(isinstance(name, str) for pair in document for name in pair):
        raise MalformedFileError(path, 'expected an object of strings, {"FROM": "TO"}')
    return [(old_name, new_name) for old_name, new_name in document]


def csv_pairs(path: str | Path, text: str) -> list[tuple[str, str]]:
    pairs = []
    for line, cells in enumerate(csv.reader(text.splitlines()), 1):
        if not cells:
            continue
        if len(cells) != 2 or not all(cell.strip() for cell in cells):
            raise MalformedFileError(path, f"line {line}: expected two names, FROM,TO")
        pairs.append((cells[0].strip(), cells[1].strip()))
    return pairs[1:] if pairs[:1] == [("from", "to")] else pairs
