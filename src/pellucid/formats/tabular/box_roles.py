"""Find the columns of boxes in a table, and read them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NoReturn

import numpy as np

from pellucid.formats.errors import AmbiguousColumnsError, InvalidRecordError, UnreadBoxColumnsError
from pellucid.formats.image_files import is_image_file
from pellucid.formats.tabular.box_columns import (
    EXTENT_TOKENS,
    FOUR_NUMBERS,
    LEVEL_TOKENS,
    SHAPE_TOKENS,
    SIDE_TOKENS,
    BoxLayout,
    find_layouts,
    is_angle,
    is_coordinate,
    is_edge,
    layout_parts,
    list_shape,
)
from pellucid.formats.tabular.box_layout_choice import (
    LAYOUT_OPTIONS,
    choose_layout,
    has_zero_and_one_alone,
    image_size_columns,
    plain_numbers,
    reject_image_sizes,
    reject_points,
)
from pellucid.formats.tabular.box_mappings import mapping_layout
from pellucid.formats.tabular.column_names import (
    BOX_LIST_NAMES,
    BOX_TOKENS,
    ColumnName,
    Marker,
    parse_column_name,
)
from pellucid.formats.tabular.reader import TableReader

COORDINATE_ROLES = (
    "x",
    "y",
    "width",
    "height",
    "xmin",
    "ymin",
    "xmax",
    "ymax",
    "xcenter",
    "ycenter",
)
"""Coordinates that a user can name with `--columns`."""


def find_box_columns(
    reader: TableReader,
    names: Sequence[ColumnName],
    markers: Sequence[Marker],
    image: str | None,
    forced: Mapping[str, Sequence[str]],
) -> tuple[BoxLayout | None, tuple[str, str] | None, tuple[str, ...]]:
    """The layout of the boxes, the columns of the image size, and the columns that look like
    coordinates."""
    if named := {role: forced[role][0] for role in COORDINATE_ROLES if role in forced}:
        layouts = find_layouts(named)
        if not layouts:
            refuse_unread(reader, list(named.values()))
        return layouts[0], None, ()
    if "box" in forced:
        return BoxLayout("xywh", (forced["box"][0],), is_certain=False), None, ()
    names = without_split_names(names)
    unread: list[str] = []
    for marker in markers:
        marked = [name for name in names if name.marker == marker]
        found = find_named_layouts(reader, marked)
        if found is not None:
            layouts, parts = found
            reject_rotated_boxes(reader, marked)
            layout, image_size = choose_layout(reader, layouts, parts, image)
            reject_points(reader, layout)
            reject_image_sizes(reader, layout, marked, image)
            return layout, image_size, ()
        mapped = [each for name in marked if (each := mapping_layout(reader, name.column))]
        if len(mapped) == 1:
            return mapped[0], image_size_columns(plain_parts(marked)), ()
        lists = [name for name in marked if has_list_cells(reader, name.column)]
        shapes = [shape for name in lists if (shape := list_shape(name)) is not None]
        if len(shapes) == 1:
            angles = [name for name in marked if {*name.tokens} & {"angle", "theta", "yaw"}]
            reject_rotated_boxes(reader, angles)
            return shapes[0], image_size_columns(plain_parts(marked)), ()
        if len(shapes) > 1:
            raise AmbiguousColumnsError(reader.path, "box", [shape.columns[0] for shape in shapes])
        unread += [c for parts in layout_parts(marked) for c in text_box_columns(reader, parts)]
        unread += [name.column for name in lists]
        unread += unread_coordinates(reader, marked)
        unread += [name.column for name in marked if holds_shapes(reader, name)]
        if image is not None and not reader.is_unique(image):
            unread += [name.column for name in marked if names_masks(reader, name)]
    return None, None, tuple(dict.fromkeys(unread))


def without_split_names(names: Sequence[ColumnName]) -> list[ColumnName]:
    """The columns without those of one name that had commas: `spacing[x,y]`. Of `box[x,y,w,h]` the
    four parts are columns."""
    split: set[str] = set()
    for index, name in enumerate(names):
        if name.column.count("[") > name.column.count("]"):
            ends = (
                end
                for end, other in enumerate(names[index:], index)
                if other.column.count("]") > other.column.count("[")
            )
            parts = names[index : next(ends, index) + 1]
            if len(parts) < 4:
                split |= {part.column for part in parts}
    return [name for name in names if name.column not in split]


def find_named_layouts(
    reader: TableReader, names: Sequence[ColumnName]
) -> tuple[list[BoxLayout], dict[str, str]] | None:
    """The layouts that the names state, and all columns by their names; None if there are none.

    Raises:
        AmbiguousColumnsError: boxes of several kinds of objects, behind different prefixes.
    """
    boxed, merged, plain, *prefixed = layout_parts(names)
    by_reading = [
        layouts
        for parts in (boxed, merged, plain, *prefixed)
        if (layouts := [lay for lay in find_layouts(parts) if have_numbers(reader, lay.columns)])
    ]
    if not by_reading:
        return None
    if not any(find_layouts(parts) for parts in (boxed, merged, plain)):
        distinct = list(dict.fromkeys(layouts[0].columns for layouts in by_reading))
        if len(distinct) > 1:
            raise AmbiguousColumnsError(
                reader.path, "box", [", ".join(columns) for columns in distinct], LAYOUT_OPTIONS
            )
    return by_reading[0], {**merged, **plain}


def text_box_columns(reader: TableReader, parts: Mapping[str, str]) -> list[str]:
    """The columns that are named like the four of a box and hold texts, such as `12px`."""
    layouts = find_layouts(parts)
    columns = layouts[0].columns if layouts else ()
    texts = [c for c in columns if not reader.is_numeric_or_empty(c) and has_digit(reader, c)]
    return list(columns) if len(columns) == 4 and len(texts) == 4 else []


def has_digit(reader: TableReader, column: str) -> bool:
    cells = [cell for cell in reader.first_texts(column) if cell]
    return bool(cells) and all(cell[0].isdigit() for cell in cells)


def have_numbers(reader: TableReader, columns: Sequence[str]) -> bool:
    return all(reader.has_number(column) or reader.is_empty(column) for column in columns)


def has_list_cells(reader: TableReader, column: str) -> bool:
    """Whether the cells of a column list four numbers."""
    if reader.is_numeric_or_empty(column):
        return False
    cells = [cell for cell in reader.first_texts(column) if cell]
    return bool(cells) and all(FOUR_NUMBERS.fullmatch(plain_numbers(cell)) for cell in cells)


def holds_shapes(reader: TableReader, name: ColumnName) -> bool:
    """Whether a column is named like a box or an outline, and most cells hold four numbers or
    more (mappings, lists of lists, WKT), or run lengths."""
    if not (set(name.tokens) | {name.rest}) & (BOX_TOKENS | SHAPE_TOKENS | set(BOX_LIST_NAMES)):
        return False
    if reader.is_numeric_or_empty(name.column):
        return False
    cells = [cell for cell in reader.first_texts(name.column) if cell]
    if cells and all(RUN_LENGTHS.search(cell) for cell in cells):
        return True
    if "encoding" in name.tokens:
        return bool(cells) and all(START_AND_LENGTH.fullmatch(cell) for cell in cells)
    numerous = [cell for cell in cells if len(re.findall(NUMBER, cell)) >= 4]
    return len(numerous) * 2 > len(cells)


NUMBER = r"-?\d+\.?\d*"
RUN_LENGTHS = re.compile(r"""["']counts["']\s*:""")
MASK_TOKENS = {"mask", "masks", "seg", "segmentation"}


def names_masks(reader: TableReader, name: ColumnName) -> bool:
    """Whether a column has the files of masks; beside several rows of an image they are of its
    objects."""
    if not {*name.tokens} & MASK_TOKENS or reader.is_numeric_or_empty(name.column):
        return False
    cells = [cell for cell in reader.first_texts(name.column) if cell]
    return bool(cells) and all(map(is_image_file, cells))


def plain_parts(names: Sequence[ColumnName]) -> dict[str, str]:
    return {name.rest: name.column for name in names}


def unread_coordinates(reader: TableReader, names: Sequence[ColumnName]) -> list[str]:
    """Columns that look like the coordinates of a box: numbers named x and y, or three edges."""
    numeric = [name for name in names if reader.has_number(name.column)]
    coordinates = [name.column for name in numeric if is_coordinate(name)]
    edges = [name.column for name in numeric if is_edge(name)]
    boxes = [name.column for name in numeric if name.rest in BOX_LIST_NAMES]
    if boxes:
        return boxes
    measured = [n for n in numeric if not has_zero_and_one_alone(reader, n.column)]
    sides, levels, extents = (
        [n.column for n in measured if tokens & {*n.tokens}]
        for tokens in (SIDE_TOKENS, LEVEL_TOKENS, EXTENT_TOKENS)
    )
    if sides and levels and len(extents) > 1:
        return [*sides, *levels, *extents]
    edges = [column for column in edges if not has_zero_and_one_alone(reader, column)]
    return coordinates if len(coordinates) > 1 else edges if len(edges) > 2 else []


def reject_rotated_boxes(reader: TableReader, names: Sequence[ColumnName]) -> None:
    """Raise InvalidRecordError if a column of angles beside the boxes is not all zero."""
    for name in names:
        has_angles = is_angle(name) and reader.is_numeric(name.column)
        if has_angles and np.nan_to_num(reader.number_column(name.column)).any():
            raise InvalidRecordError(
                reader.path,
                f"column {name.column}",
                "rotated boxes, which are not read from tables",
                "Write DOTA's text files, or YOLO labels with four corners.",
            )


OUTLINE_TOKENS = {"polygon", "polygons", "segmentation", "outline", "contour", "points", "shape"}
COCO_REMEDY = "Convert them to COCO, with a segmentation for each object."


def are_points(cells: Sequence[str]) -> bool:
    """Whether cells are lists of three points or more."""
    counts = [len(re.findall(NUMBER, cell)) for cell in cells if cell.lstrip()[:1] in "[("]
    return len(counts) == len(cells) and all(n >= 6 and n % 2 == 0 for n in counts)


RUN_LENGTH_TOKENS = {"rle", "mask", "encoding", "encoded", "segmentation"}
START_AND_LENGTH = re.compile(r"\d+ \d+( \d+ \d+)*")


def refuse_unread(
    reader: TableReader, columns: Sequence[str], may_have_none: bool = False
) -> NoReturn:
    """Raise UnreadBoxColumnsError about columns that look like boxes; InvalidRecordError for masks
    as pairs of a start and a length, as Kaggle has them, and for outlines."""
    for column in columns:
        cells = [cell for cell in reader.first_texts(column) if cell]
        is_named = bool({*parse_column_name(column).tokens} & RUN_LENGTH_TOKENS)
        if cells and is_named and all(START_AND_LENGTH.fullmatch(cell) for cell in cells):
            raise InvalidRecordError(
                reader.path,
                f"column {column}",
                "masks as run lengths (a start and a length, as in Kaggle's competitions), which "
                "are not read from tables",
                COCO_REMEDY,
            )
        if cells and {*parse_column_name(column).tokens} & OUTLINE_TOKENS and are_points(cells):
            raise InvalidRecordError(
                reader.path,
                f"column {column}",
                "outlines as lists of points, which are not read from tables and records",
                f"{COCO_REMEDY} If boxes are enough, write the bounding box of each.",
            )
    raise UnreadBoxColumnsError(reader.path, columns, may_have_none)


def reject_unread_boxes(
    reader: TableReader,
    layout: BoxLayout | None,
    coordinates: Sequence[str],
    may_have_none: bool = False,
) -> None:
    """Raise UnreadBoxColumnsError if columns look like boxes and no layout was found.

    Args:
        may_have_none: whether the kind of the view is open
    """
    if layout is None and coordinates:
        refuse_unread(reader, coordinates, may_have_none)
