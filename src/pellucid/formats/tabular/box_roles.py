"""Find the columns of boxes in a table, and read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pellucid.core.tables import Float64Array
from pellucid.formats.errors import AmbiguousColumnsError, InvalidRecordError, UnreadBoxColumnsError
from pellucid.formats.tabular.box_columns import (
    BoxLayout,
    are_image_sizes,
    corners_of,
    find_layouts,
    find_list_layout,
    is_box_like,
)
from pellucid.formats.tabular.column_names import (
    BOX_LIST_NAMES,
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
            raise UnreadBoxColumnsError(reader.path, list(named.values()))
        return layouts[0], None, ()
    if "box" in forced:
        return BoxLayout("xywh", (forced["box"][0],), is_certain=False), None, ()
    box_like: list[str] = []
    for marker in markers:
        marked = [name for name in names if name.marker == marker]
        column_by_part: dict[str, str] = {}
        for name in marked:
            column_by_part.setdefault(name.box_part, name.column)
        layouts = [
            layout
            for layout in find_layouts(column_by_part)
            if all(reader.is_numeric_or_empty(column) for column in layout.columns)
        ]
        if layouts:
            layout, size = choose_layout(reader, layouts, column_by_part, image)
            return layout, size, ()
        if list_layout := find_list_layout(marked):
            return list_layout, image_size_columns(column_by_part), ()
        box_like += [name.column for name in marked if is_box_like(name)]
    return None, None, tuple(box_like)


def image_size_columns(column_by_part: Mapping[str, str]) -> tuple[str, str] | None:
    for width, height in (("imagewidth", "imageheight"), ("imgw", "imgh"), ("width", "height")):
        if width in column_by_part and height in column_by_part:
            return column_by_part[width], column_by_part[height]
    return None


def choose_layout(
    reader: TableReader,
    layouts: Sequence[BoxLayout],
    column_by_part: Mapping[str, str],
    image: str | None,
) -> tuple[BoxLayout, tuple[str, str] | None]:
    """The layout that the names state best. `width` and `height` beside corners may be of the
    image; other layouts must say the same boxes."""
    image_size = image_size_columns(column_by_part)
    independent = [layout for layout in layouts if not set(image_size or ()) & set(layout.columns)]
    chosen = independent[0] if independent else layouts[0]
    boxes = layout_boxes(reader, chosen)
    if image_size and not (independent and image):
        image_size = None
    if image_size and image:
        corners = boxes.copy()
        corners[:, 2:] += corners[:, :2]
        sizes = np.stack([reader.number_column(column) for column in image_size], axis=1)
        if not are_image_sizes(reader.encoded_column(image)[1], sizes, corners):
            image_size = None
    for rival in layouts:
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
                "xmin=..,ymin=..,xmax=..,ymax=.. or x=..,y=..,width=..,height=..",
            )
    return chosen, image_size


def layout_boxes(reader: TableReader, layout: BoxLayout) -> Float64Array:
    """[left, top, width, height] of every row, NaN where a cell is empty."""
    return corners_of(layout, raw_boxes(reader, layout))


def raw_boxes(reader: TableReader, layout: BoxLayout) -> Float64Array:
    """The four numbers of every row as written, NaN where a cell is empty."""
    if len(layout.columns) == 4:
        return np.stack([reader.number_column(column) for column in layout.columns], axis=1)
    boxes = np.full((reader.row_count, 4), np.nan)
    for row_index, cell in enumerate(reader.text_column(layout.columns[0])):
        numbers = cell.strip("[]() ").replace(",", " ").replace("|", " ").replace(";", " ").split()
        if not numbers:
            continue
        try:
            boxes[row_index] = [float(number) for number in numbers]
        except ValueError:
            raise InvalidRecordError(
                reader.path,
                reader.row_location(row_index),
                f"{layout.columns[0]} is '{cell}'",
                "Expected four numbers, one box per row.",
            ) from None
    return boxes


def reject_unread_boxes(
    reader: TableReader, layout: BoxLayout | None, coordinates: Sequence[str]
) -> None:
    """Raise UnreadBoxColumnsError if columns look like boxes and no layout was found."""
    numeric = [column for column in coordinates if reader.is_numeric(column)]
    lists = [c for c in coordinates if parse_column_name(c).rest in BOX_LIST_NAMES]
    if layout is None and (len(numeric) >= 3 or lists):
        raise UnreadBoxColumnsError(reader.path, numeric or lists)
