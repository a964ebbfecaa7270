"""Files of renamed concepts (`--map-file`)."""

from __future__ import annotations

import csv
from pathlib import Path

from pellucid.core.errors import MalformedFileError
from pellucid.formats.small_files import load_small_text, parse_small_json


def load_map_file(path: str | Path) -> dict[str, str]:
    """The new name of each concept: a JSON object, or CSV with two columns (a header `from,to` is
    skipped).

    Raises:
        MalformedFileError: it is neither, or renames a concept twice.
    """
    text = load_small_text(path)
    if text.lstrip().startswith("{"):
        document = parse_small_json(path, text)
        if not all(isinstance(name, str) for name in document.values()):
            raise MalformedFileError(path, 'expected an object of strings, {"FROM": "TO"}')
        renamed: dict[str, str] = document
        return renamed
    return parse_csv_map(path, text)


def parse_csv_map(path: str | Path, text: str) -> dict[str, str]:
    renamed: dict[str, str] = {}
    for line, cells in enumerate(csv.reader(text.splitlines()), 1):
        names = [cell.strip() for cell in cells]
        if not cells or (not renamed and [name.lower() for name in names] == ["from", "to"]):
            continue
        if len(names) != 2 or not all(names):
            raise MalformedFileError(path, f"line {line}: expected two names, FROM,TO")
        if renamed.setdefault(names[0], names[1]) != names[1]:
            raise MalformedFileError(path, f"line {line}: '{names[0]}' is renamed twice")
    return renamed
