"""Tables with one row per image whose cells list its boxes, `[[1, 2, 3, 4], ...]`, and their
concepts. They are read as one row for each box."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pellucid.core.errors import format_count
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.tabular.box_columns import list_shape
from pellucid.formats.tabular.box_layout_choice import plain_numbers
from pellucid.formats.tabular.cell_lists import is_list_cell, parse_list_cell
from pellucid.formats.tabular.column_names import (
    CONCEPT_NAMES,
    SCORE_NAMES,
    name_tier,
    parse_column_name,
)
from pellucid.formats.tabular.open_tables import open_columns, open_table
from pellucid.formats.tabular.reader import TableReader

NUMBER = r"-?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
BOX_PATTERN = re.compile(rf"[\[(]\s*({NUMBER}(?:[\s,]+{NUMBER}){{3}})\s*[\])]", re.IGNORECASE)
NESTED_TYPE = re.compile(r"^[A-Z][^\[]*\[\d*\]\[\d*\]$")
"""SQL types of lists of lists of numbers."""
EMPTY_CELLS = ("", "[]", "()")


def open_rows(path: Path, row_limit: int | None = None) -> TableReader:
    """The table of a file, with a row for each box where its cells list several."""
    return split_box_lists(open_table(path, row_limit))


def split_box_lists(reader: TableReader) -> TableReader:
    """The table with a row for each box; the table itself if its cells do not list boxes.

    Raises:
        InvalidRecordError: a row has another number of concepts or scores than of boxes.
    """
    column = box_list_column(reader)
    if column is None:
        return reader
    box_texts = [parse_box_list(cell) or [] for cell in reader.cell_values(column)]
    counts = [len(boxes) for boxes in box_texts]
    columns = {column: expand(box_texts)}
    for name in reader.column_types:
        if name == column:
            continue
        lists = item_lists(reader, name, counts)
        texts = reader.text_column(name).tolist() if lists is None else []
        columns[name] = (
            expand(lists)
            if lists is not None
            else [text for text, n in zip(texts, counts, strict=True) for _ in range(max(1, n))]
        )
    ordered = {name: columns[name] for name in reader.column_types}
    return open_columns(reader.path, ordered, "box", 1)


def expand(lists: Sequence[Sequence[str]]) -> list[str]:
    """The items of all lists; one empty text for a list without any."""
    return [item for items in lists for item in items or [""]]


def box_list_column(reader: TableReader) -> str | None:
    """The only column whose cells list boxes, of which one lists several or none."""
    columns = [
        column
        for column in reader.column_types
        if list_shape(parse_column_name(column)) is not None
        and may_hold_lists(reader, column)
        and are_lists(reader.cell_values(column), parse_box_list)
    ]
    return columns[0] if len(columns) == 1 else None


def may_hold_lists(reader: TableReader, column: str) -> bool:
    """Whether the first cells look like lists, without reading all."""
    if NESTED_TYPE.search(reader.column_types[column]):
        return True
    cells = [cell for cell in reader.first_texts(column) if cell not in EMPTY_CELLS]
    return bool(cells) and all(cell[:1] in "[(" and cell[1:].lstrip()[:1] in "[(" for cell in cells)


def are_lists(cells: Sequence[Any], parse: Callable[[Any], list[str] | None]) -> bool:
    lists = [parse(cell) for cell in cells]
    return all(items is not None for items in lists) and any(lists)


def parse_box_list(cell: Any) -> list[str] | None:
    """The boxes of a cell, each as the text of four numbers; None if it is no list of them."""
    if cell is None:
        return []
    if not isinstance(cell, str):
        cell = str([[float(number) for number in box] for box in cell])
    text = plain_numbers(cell.strip())
    if text in EMPTY_CELLS:
        return []
    boxes = BOX_PATTERN.findall(text[1:-1])
    rest = BOX_PATTERN.sub("", text[1:-1])
    is_complete = text[:1] in "[(" and text[-1:] in "])" and not rest.strip(" ,\n")
    return boxes if boxes and is_complete else None


def item_lists(reader: TableReader, column: str, counts: Sequence[int]) -> list[list[str]] | None:
    """The items of each row of a column with as many as there are boxes; None if it has one value
    for each image."""
    cells = reader.cell_values(column)
    if not are_lists(cells, parse_items):
        return None
    lists = [parse_items(cell) or [] for cell in cells]
    for row, (items, count) in enumerate(zip(lists, counts, strict=True)):
        if len(items) == count:
            continue
        if not is_of_boxes(column):
            return None
        raise InvalidRecordError(
            reader.path,
            reader.row_location(row),
            f"{format_count(count, 'box', 'boxes')}, and {format_count(len(items), 'value')} in "
            f"'{column}'",
            "Write one value for each box.",
        )
    return lists


def is_of_boxes(column: str) -> bool:
    """Whether a column is named like concepts or scores: `labels`, `pred_scores`."""
    rest = parse_column_name(column).rest
    is_concept = any(name_tier(word, CONCEPT_NAMES) is not None for word in (rest, rest[:-1]))
    return is_concept or rest in SCORE_NAMES or rest[:-1] in SCORE_NAMES


def parse_items(cell: Any) -> list[str] | None:
    """The items of a list, as texts; None if the cell is no list."""
    if cell is None:
        return []
    if isinstance(cell, str):
        text = plain_numbers(cell.strip())
        is_list = is_list_cell(text) or (text[:1], text[-1:]) == ("(", ")")
        return [] if text in EMPTY_CELLS else parse_list_cell(text) if is_list else None
    if isinstance(cell, Mapping) or not hasattr(cell, "__len__"):
        return None
    return [str(item) for item in cell]
