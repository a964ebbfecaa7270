"""Which of several layouts of columns is the box, and which columns are the size of the image."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from pellucid.core.tables import Float64Array
from pellucid.formats.errors import AmbiguousColumnsError, InvalidRecordError
from pellucid.formats.parsing import is_number
from pellucid.formats.tabular.box_columns import BoxLayout, are_image_sizes, corners_of
from pellucid.formats.tabular.box_mappings import mapping_numbers
from pellucid.formats.tabular.column_names import (
    CONCEPT_ID_NAMES,
    CONCEPT_NAMES,
    SCORE_NAMES,
    ColumnName,
    looks_like_metadata,
)
from pellucid.formats.tabular.reader import TableReader

MIN_POINTS = 3
"""Fewest different points to tell from."""
LAYOUT_OPTIONS = (
    "xmin=..,ymin=..,xmax=..,ymax=.. or x=..,y=..,width=..,height=.. "
    "or xcenter=..,ycenter=..,width=..,height=.."
)
IMAGE_SIZE_NAMES = (
    ("imagewidth", "imageheight"),
    ("imgwidth", "imgheight"),
    ("imgw", "imgh"),
    ("width", "height"),
    ("w", "h"),
)
PRINTED_ARRAY = re.compile(
    r"(?:torch\.)?\b(?:tensor|array|(?:np|numpy)\.\w+)\(([^()]*?)(?:,\s*[a-z_]+=[^()]*)?\)"
)


def plain_numbers(cell: str) -> str:
    """The cell without what NumPy and PyTorch print around numbers: `np.float64(10.0)`,
    `tensor([1., 2.], device='cuda:0')`."""
    return PRINTED_ARRAY.sub(r"\1", cell)


MIN_IMAGE_SIDE = 200
"""Least width and height, in pixels, that may be those of an image where they never change."""


def reject_points(reader: TableReader, layout: BoxLayout) -> None:
    """Raise InvalidRecordError if the width and height are the same in all rows, and beyond every
    x and y: those of the images, in a table of points."""
    if layout.shape != "xywh" or len(layout.columns) != 4 or reader.row_count < MIN_POINTS:
        return
    boxes = raw_boxes(reader, layout)
    sizes = boxes[:, 2:]
    is_constant = bool((sizes == sizes[0]).all()) and sizes[0].min() >= MIN_IMAGE_SIDE
    if not is_constant or sizes[0][0] == sizes[0][1] or not (boxes[:, :2] < sizes[0]).all():
        return  # square boxes of one size may be cut out around points
    if len(np.unique(boxes[:, :2], axis=0)) >= MIN_POINTS:
        x, y, width, height = layout.columns
        raise InvalidRecordError(
            reader.path,
            f"columns {width}, {height}",
            f"they are {sizes[0][0]:g} and {sizes[0][1]:g} in all rows, and every {x} and {y} is "
            "smaller: they may be the size of the images, and the rows points",
            f"If they are of the boxes, specify --columns x={x},y={y},width={width},"
            f"height={height}.",
        )


def has_zero_and_one_alone(reader: TableReader, column: str) -> bool:
    return {*reader.encode_column(column)[0]} <= {"0", "1", "0.0", "1.0", ""}


def image_size_columns(column_by_part: Mapping[str, str]) -> tuple[str, str] | None:
    return next(iter(all_image_size_columns(column_by_part)), None)


def all_image_size_columns(column_by_part: Mapping[str, str]) -> list[tuple[str, str]]:
    """The pairs of columns that may hold the size of the image, the best named first."""
    return [
        (column_by_part[width], column_by_part[height])
        for width, height in IMAGE_SIZE_NAMES
        if width in column_by_part and height in column_by_part
    ]


def choose_layout(
    reader: TableReader,
    layouts: Sequence[BoxLayout],
    column_by_part: Mapping[str, str],
    image: str | None,
) -> tuple[BoxLayout, tuple[str, str] | None]:
    """The layout that the names state best. `width` and `height` beside corners may be of the
    image; other layouts must say the same boxes."""
    for image_size in all_image_size_columns(column_by_part) if image else ():
        independent = [layout for layout in layouts if not {*image_size} & {*layout.columns}]
        if independent and image and has_image_sizes(reader, independent[0], image, image_size):
            chosen = independent[0]
            break
    else:
        image_size = None
        chosen = unsized_layout(layouts, column_by_part)
    rivals = [layout for layout in layouts if layout.columns != chosen.columns]
    if not rivals:
        return chosen, image_size
    boxes = layout_boxes(reader, chosen)
    for rival in rivals:
        if image_size and set(image_size) & set(rival.columns):
            continue
        rival_boxes = layout_boxes(reader, rival)
        tolerance = max(1.0, float(np.nanmax(np.abs(boxes), initial=0)) / 50)
        is_same = np.isclose(boxes, rival_boxes, atol=tolerance, equal_nan=True)
        if not is_same.all() and rival.is_certain:
            raise AmbiguousColumnsError(
                reader.path,
                "box",
                [", ".join(chosen.columns), ", ".join(rival.columns)],
                LAYOUT_OPTIONS,
            )
    return chosen, image_size


def unsized_layout(layouts: Sequence[BoxLayout], column_by_part: Mapping[str, str]) -> BoxLayout:
    """The layout that is chosen where no column is the size of the image: if possible one without
    those that could be by their names."""
    named = {*(image_size_columns(column_by_part) or ())}
    return next((layout for layout in layouts if not named & {*layout.columns}), layouts[0])


def has_image_sizes(
    reader: TableReader, layout: BoxLayout, image: str, image_size: tuple[str, str]
) -> bool:
    """Whether columns hold the size of the image around the boxes of a layout."""
    corners = layout_boxes(reader, layout)
    corners[:, 2:] += corners[:, :2]
    sizes = np.stack([reader.number_column(column) for column in image_size], axis=1)
    return are_image_sizes(reader.encode_column(image)[1], sizes, corners)


def reject_image_sizes(
    reader: TableReader, layout: BoxLayout, names: Sequence[ColumnName], image: str | None
) -> None:
    """Raise AmbiguousColumnsError if all boxes of an image have one size, and columns that are not
    read could hold the true one: the size is that of the image."""
    if image is None or layout.shape == "xyxy" or len(layout.columns) != 4:
        return
    size = layout.columns[2:]
    images, indexes = reader.encode_column(image)
    rows_by_image = np.bincount(indexes, minlength=len(images))
    is_repeated = int((rows_by_image > 1).sum()) > 1
    if not is_repeated or not all(reader.determines(image, column) for column in size):
        return
    unread = [
        name.column
        for name in names
        if name.column not in (image, *layout.columns)
        and may_be_length(name)
        and reader.has_number(name.column)
        and not has_zero_and_one_alone(reader, name.column)
        and not reader.determines(image, name.column)
    ]
    if len(unread) > 1:
        raise AmbiguousColumnsError(reader.path, "box", [*layout.columns, *unread], LAYOUT_OPTIONS)


def may_be_length(name: ColumnName) -> bool:
    """Whether a name may be of a side or an edge of a box, not of a score, class or number."""
    concept_names = {each for tier in CONCEPT_NAMES for each in tier}
    known = {*SCORE_NAMES, *CONCEPT_ID_NAMES, *concept_names, "id", "area"}
    return name.rest not in known and not looks_like_metadata(name.column)


def layout_boxes(reader: TableReader, layout: BoxLayout) -> Float64Array:
    """[left, top, width, height] of every row, NaN where a cell is empty."""
    return corners_of(layout, raw_boxes(reader, layout))


def raw_boxes(reader: TableReader, layout: BoxLayout) -> Float64Array:
    """The four numbers of every row as written, NaN where a cell is empty."""
    if len(layout.columns) == 4:
        columns = [reader.number_column(column, True) for column in layout.columns]
        return np.stack(columns, axis=1)
    boxes = np.full((reader.row_count, 4), np.nan)
    for row_index, cell in enumerate(reader.text_column(layout.columns[0])):
        mapping = mapping_numbers(cell)
        numbers = re.split(r"[\s,;|\x1f]+", plain_numbers(cell).strip("[]() "))
        if mapping is not None and mapping[0] == layout.shape:
            numbers = mapping[1]
        if numbers == [""]:
            continue
        if len(numbers) != 4 or not all(is_number(number) for number in numbers):
            raise InvalidRecordError(
                reader.path,
                reader.row_location(row_index),
                f"{layout.columns[0]} is '{cell}'",
                "Expected four numbers, one box per row.",
            )
        boxes[row_index] = [float(number) for number in numbers]
    return boxes
