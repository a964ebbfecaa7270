"""Cells with a box whose numbers are named: `{'x1': 10, 'y1': 20, 'x2': 30, 'y2': 40}`."""

from __future__ import annotations

import re

from pellucid.formats.tabular.box_columns import BoxLayout, LayoutShape
from pellucid.formats.tabular.reader import TableReader

NAMED_NUMBER = re.compile(r"""["']?([A-Za-z]\w*)["']?\s*[:=]\s*(-?\d+\.?\d*(?:[eE][+-]?\d+)?)""")
KEYS_BY_SHAPE: tuple[tuple[LayoutShape, tuple[str, ...]], ...] = (
    ("xyxy", ("x1", "y1", "x2", "y2")),
    ("xyxy", ("xmin", "ymin", "xmax", "ymax")),
    ("xyxy", ("x_min", "y_min", "x_max", "y_max")),
    ("xyxy", ("left", "top", "right", "bottom")),
    ("xywh", ("x", "y", "width", "height")),
    ("xywh", ("x", "y", "w", "h")),
    ("xywh", ("left", "top", "width", "height")),
    ("cxcywh", ("cx", "cy", "width", "height")),
    ("cxcywh", ("cx", "cy", "w", "h")),
)


def mapping_numbers(cell: str) -> tuple[LayoutShape, list[str]] | None:
    """The meaning and the four numbers of a cell, as texts; None of other cells."""
    if not cell.startswith("{"):
        return None
    numbers = {key.lower(): number for key, number in NAMED_NUMBER.findall(cell)}
    for shape, keys in KEYS_BY_SHAPE:
        if set(numbers) == set(keys):
            return shape, [numbers[key] for key in keys]
    return None


def mapping_layout(reader: TableReader, column: str) -> BoxLayout | None:
    """The layout of a column whose cells name the numbers of their boxes, all in one way."""
    if reader.is_numeric_or_empty(column):
        return None
    parsed = [mapping_numbers(cell) for cell in reader.first_texts(column) if cell]
    shapes = {each[0] for each in parsed if each is not None}
    return BoxLayout(shapes.pop(), (column,)) if len(shapes) == 1 and all(parsed) else None
