"""Records of JSON files that a field marks as no part of the data: deleted, rejected, crowds under
a name that the format does not have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from pellucid.core.errors import format_count
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.parsing import decode_utf8
from pellucid.formats.tabular.column_names import parse_column_name
from pellucid.formats.tabular.flags import NEGATIVE_WORDS, TRUE_WORDS
from pellucid.formats.tabular.marking_words import (
    ACCEPTING_WORDS,
    ANSWER_NAMES,
    DELETED_WORDS,
    KEPT_WORDS,
    REJECTING_WORDS,
    marking_word,
)

CROWD_WORDS = {"crowd", "groupof", "ignored", "dontcare"}
READ_KEYS = {"iscrowd", "ignore", "difficult", "deleted"}
"""Keys that the readers know."""
LIST_KEYS = ("images", "annotations")
NESTED_KEYS = ("attributes", "flags", "extra", "meta", "metadata")
KEY_PATTERN = re.compile(rb'"([A-Za-z_]{2,24})"\s*:')
WINDOW_BYTES, WINDOWS = 1 << 19, 16
"""Records of one program have the same keys: in a large file they are looked for in windows at
equal distances, and if one is found, every record is read."""


def reject_marked_records(path: Path, are_predictions: bool = False) -> None:
    """Raise InvalidRecordError if fields of images, annotations or predictions that are not read
    say of some that they do not count."""
    keys = {key for key in keys_of(path) if is_mark(key, are_predictions)}
    if not keys:
        return
    document = msgspec.json.decode(decode_utf8(path))
    for key in sorted(keys):
        marked = [(location, value) for location, value in fields(document, key)]
        values = {text_of(value) for _, value in marked}
        if parse_column_name(key).rest in ANSWER_NAMES and not is_answer(values):
            continue
        left_out = [(place, value) for place, value in marked if does_not_count(key, value)]
        if left_out:
            location, value = left_out[0]
            raise InvalidRecordError(
                path,
                f"{location}.{key}",
                f"it is {str(value).lower()!r}, as in {format_count(len(left_out), 'record')}: "
                "they may not count",
                remedy_for(key, are_predictions),
            )


def remedy_for(key: str, are_predictions: bool) -> str:
    if marking_word(key) in CROWD_WORDS and not are_predictions:
        return "Write `iscrowd` or `ignore` for regions that are not evaluated."
    return f"Leave these records out, or remove the field `{key}`."


def keys_of(path: Path) -> set[str]:
    """The keys in windows of a file; in all of a small one."""
    size = path.stat().st_size
    step = max(WINDOW_BYTES, size // WINDOWS)
    keys: set[bytes] = set()
    with path.open("rb") as file:
        for start in range(0, size, step):
            file.seek(start)
            keys.update(KEY_PATTERN.findall(file.read(WINDOW_BYTES)))
    return {key.decode() for key in keys}


def is_mark(key: str, are_predictions: bool) -> bool:
    word = marking_word(key)
    if key in READ_KEYS or (word == "correct" and are_predictions):
        return False
    is_answer_name = parse_column_name(key).rest in ANSWER_NAMES
    return is_answer_name or word in DELETED_WORDS | KEPT_WORDS | CROWD_WORDS


def fields(document: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Each record that has the key, with its value."""
    if isinstance(document, Mapping):
        lists: Sequence[tuple[str, Any]] = [(f"$.{k}", document.get(k)) for k in LIST_KEYS]
    else:
        lists = [("$", document)]
    for location, records in lists:
        for index, record in enumerate(records if isinstance(records, list) else ()):
            if not isinstance(record, Mapping):
                continue
            for where in (record, *(record.get(nested) for nested in NESTED_KEYS)):
                if isinstance(where, Mapping) and key in where:
                    yield f"{location}[{index}]", where[key]


def text_of(value: Any) -> str:
    return str(value).strip().lower()


def is_answer(values: set[str]) -> bool:
    """Whether all values are those of somebody who accepts and rejects records."""
    return values <= {*REJECTING_WORDS, *ACCEPTING_WORDS, "none"}


def does_not_count(key: str, value: Any) -> bool:
    text = text_of(value)
    if parse_column_name(key).rest in ANSWER_NAMES:
        return text in REJECTING_WORDS
    return text in (NEGATIVE_WORDS if marking_word(key) in KEPT_WORDS else TRUE_WORDS)
