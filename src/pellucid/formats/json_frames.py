"""Data frames in the JSON of pandas: `to_json` writes them by column unless told otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pellucid.formats.tabular.column_names import IMAGE_NAMES, name_tier, parse_column_name

SPLIT_KEYS = {"columns", "index", "data"}


def frame_records(document: Any) -> list[dict[str, Any]] | None:
    """The records of a data frame that is written by column (`{"image": {"0": "a.jpg", ...}, ...}`)
    or with `orient="split"`; None of other documents. One by column has a column of images."""
    if not isinstance(document, Mapping) or not document:
        return None
    if {*document} <= SPLIT_KEYS and {"columns", "data"} <= {*document}:
        names, rows = document["columns"], document["data"]
        is_named = isinstance(names, list) and all(isinstance(name, str) for name in names)
        is_frame = (
            is_named
            and isinstance(rows, list)
            and all(isinstance(row, list) and len(row) == len(names) for row in rows)
        )
        return [dict(zip(names, row, strict=True)) for row in rows] if is_frame else None
    return column_records(document)


def column_records(document: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    columns = list(document.values())
    if not all(isinstance(column, Mapping) for column in columns):
        return None
    index = list(columns[0])
    has_one_index = all(list(column) == index for column in columns)
    if not has_one_index or not any(map(is_image_column, document, columns)):
        return None
    return [{name: column[row] for name, column in document.items()} for row in index]


def is_image_column(name: str, column: Mapping[str, Any]) -> bool:
    is_named = name_tier(parse_column_name(name).rest, IMAGE_NAMES) is not None
    return is_named and all(isinstance(value, str | int) for value in column.values())
