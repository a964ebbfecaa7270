"""Names of classes that a JSON document states beside records with their numbers:
`{"names": ["cat", "dog"], "items": [{"image": "a.jpg", "class_id": 1}]}`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pellucid.core.errors import summarize_names
from pellucid.formats.dataset import Note
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.json_rows import cell
from pellucid.formats.tabular.column_names import (
    CONCEPT_ID_NAMES,
    CONCEPT_NAMES,
    MARKED_CONCEPT_NAMES,
    parse_column_name,
)

NAMES_KEYS = (
    *("names", "classes", "class_names", "categories", "category_names", "labels", "label_names"),
    *("concepts", "id2label", "label_map", "labelmap", "CLASSES"),
)
"""Keys of the list, or the table by number, of the names of the classes."""
NESTING_KEYS = ("metainfo", "meta", "info", "metadata", "dataset_meta")
"""Keys of objects about the whole document."""
NUMBER_FIELDS = {*CONCEPT_NAMES[0], *CONCEPT_ID_NAMES}
"""Compact names of the fields that may hold the number of a class."""
NUMBER_LIST = re.compile(r"\[\s*\d+(\s*,\s*\d+)*\s*\]")


@dataclass(frozen=True)
class ClassNames:
    """Names of classes that a JSON document states.

    Attributes:
        key: where the document states them
        name_by_number: by the number as text
    """

    key: str
    name_by_number: Mapping[str, str]


def find_class_names(document: Any) -> ClassNames | None:
    """The names that a document states beside its records, None if it states none."""
    if not isinstance(document, Mapping):
        return None
    nested = [document.get(key) for key in NESTING_KEYS]
    for parent in [document, *(item for item in nested if isinstance(item, Mapping))]:
        for key in NAMES_KEYS:
            if names := names_by_number(parent.get(key)):
                return ClassNames(key, names)
    return None


def names_by_number(stated: Any) -> dict[str, str]:
    """The names of a list, of `{"0": "cat"}`, `{"cat": 0}` or `[{"id": 0, "name": "cat"}]`."""
    if isinstance(stated, Mapping):
        pairs = list(stated.items())
        if is_numbering([number for _, number in pairs]) and not all(map(is_number, stated)):
            pairs = [(number, name) for name, number in pairs]
    elif isinstance(stated, list) and all(isinstance(item, Mapping) for item in stated):
        pairs = [(item.get("id"), item.get("name")) for item in stated]
    else:
        pairs = list(enumerate(stated)) if isinstance(stated, list) else []
    is_table = all(is_number(number) and isinstance(name, str) for number, name in pairs)
    return {str(number): name for number, name in pairs} if is_table else {}


def is_numbering(numbers: Sequence[Any]) -> bool:
    """Whether numbers count from 0 or 1 on, in any order."""
    if not numbers or not all(map(is_number, numbers)):
        return False
    ordered = sorted(map(int, numbers))
    return ordered[0] in (0, 1) and ordered == list(range(ordered[0], ordered[0] + len(ordered)))


def is_number(value: Any) -> bool:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return is_integer or (isinstance(value, str) and value.isdecimal())


def with_class_names(
    path: Path, document: Any, rows: Sequence[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[Note]]:
    """The rows with the names of their classes in place of their numbers, and a note on it.

    Raises:
        InvalidRecordError: a number has no name.
    """
    stated = find_class_names(document)
    fields = [] if stated is None else number_fields(rows)
    if stated is None or not fields:
        return list(rows), []
    named = []
    for row in rows:
        named.append({**row})
        for field in fields:
            if row.get(field) is None:
                continue
            names = [stated.name_by_number.get(str(number)) for number in numbers_of(row[field])]
            if None in names:
                raise class_name_error(path, stated, field, row[field])
            named[-1][field] = cell(names) if is_number_list(row[field]) else names[0]
    first = min(map(int, stated.name_by_number))
    message = f"numbers in {summarize_names(fields)} named by '{stated.key}', from {first}"
    return named, [Note("class_names", message, len(rows), "info")]


def number_fields(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The fields of the number of a class: whole numbers alone; none if another one names it."""
    names = {field for row in rows for field in row}
    fields = {field for field in names if compact_name(field) in NUMBER_FIELDS}
    values = {field: [row[field] for row in rows if row.get(field) is not None] for field in fields}
    numbered = [
        field
        for field in fields
        if values[field] and all(is_number(v) or is_number_list(v) for v in values[field])
    ]
    return sorted(numbered) if len(numbered) == len(fields) else []


def is_number_list(value: Any) -> bool:
    """Whether a cell is a list of whole numbers as text: `[0, 2]`."""
    return isinstance(value, str) and NUMBER_LIST.fullmatch(value) is not None


def numbers_of(value: Any) -> list[Any]:
    return json.loads(value) if is_number_list(value) else [value]


@cache
def compact_name(field: str) -> str:
    name = parse_column_name(field)
    return "label" if name.marker and name.rest in MARKED_CONCEPT_NAMES else name.rest


def class_name_error(path: Path, stated: ClassNames, field: str, number: Any) -> InvalidRecordError:
    names = summarize_names(list(stated.name_by_number.values()))
    return InvalidRecordError(
        path,
        f"{field} {number}",
        f"'{stated.key}' has no name for it ({len(stated.name_by_number)} names: {names}, numbered "
        f"from {min(map(int, stated.name_by_number), default=0)})",
        f"Write the name in each record, or correct '{stated.key}'.",
    )
