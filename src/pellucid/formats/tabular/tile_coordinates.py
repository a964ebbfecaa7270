"""Boxes in the coordinates of a tile, beside columns with the place of the tile in its image."""

from __future__ import annotations

import re

import numpy as np

from pellucid.core.tables import Float64Array, Int32Array
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.tabular.box_layout_choice import layout_boxes
from pellucid.formats.tabular.column_names import parse_column_name
from pellucid.formats.tabular.column_roles import ColumnRoles
from pellucid.formats.tabular.reader import TableReader

TILE_TOKENS = {
    *("tile", "offset", "off", "crop", "window", "win", "slice", "patch", "shift", "chip"),
    *("translate", "translation", "origin", "grid", "block", "subimage"),
}
X_PATTERN = re.compile(r"x\d?|xoff|xoffset|offsetx|xshift|col|column|left|xmin|minx|xstart|startx")
Y_PATTERN = re.compile(r"y\d?|yoff|yoffset|offsety|yshift|row|top|ymin|miny|ystart|starty")
TOLERANCE = 1.0
"""By how many pixels a box may reach beyond the tile in which it was found."""


def reject_tile_coordinates(reader: TableReader, roles: ColumnRoles, images: Int32Array) -> None:
    """Raise InvalidRecordError if boxes of several tiles of an image are in the coordinates of
    their tile. An image that has one tile alone is taken for the tile itself.

    Args:
        images: the index of each row's image
    """
    assert roles.layout is not None
    columns = tile_columns(reader, roles)
    if columns is None:
        return
    places = np.stack([reader.number_column(column) for column in columns], axis=1)
    boxes = layout_boxes(reader, roles.layout)
    is_known = ~np.isnan(places).any(axis=1) & ~np.isnan(boxes).any(axis=1)
    places, boxes, images = places[is_known], boxes[is_known], images[is_known]
    if not has_several_tiles(places, images) or not lie_outside(places, boxes):
        return
    names = " and ".join(f"'{column}'" for column in columns)
    raise InvalidRecordError(
        reader.path,
        f"columns {names}",
        "images have several tiles, and the boxes are in the coordinates of their tile",
        f"Add the place of the tile to each box, or remove {names} if the boxes are in the whole "
        "image already.",
    )


def tile_columns(reader: TableReader, roles: ColumnRoles) -> tuple[str, str] | None:
    """The columns with the place of a tile, x and y; None if there are none."""
    by_axis: dict[str, str] = {}
    for column in roles.unassigned_columns(reader):
        tokens = parse_column_name(column).tokens
        rest = "".join(token for token in tokens if token not in TILE_TOKENS)
        is_tile = bool(TILE_TOKENS & {*tokens}) or "off" in rest or "shift" in rest
        axis = "x" if X_PATTERN.fullmatch(rest) else "y" if Y_PATTERN.fullmatch(rest) else None
        if is_tile and axis is not None and reader.is_numeric(column):
            by_axis.setdefault(axis, column)
    return (by_axis["x"], by_axis["y"]) if len(by_axis) == 2 else None


def has_several_tiles(places: Float64Array, images: Int32Array) -> bool:
    tiles = np.unique(np.column_stack([images, places]), axis=0)
    return len(tiles) > len(np.unique(images))


def lie_outside(places: Float64Array, boxes: Float64Array) -> bool:
    """Whether boxes lie outside their tiles, or those of the last tiles are no further to the right
    or below than those of the first. The places may be pixels or the numbers of rows and columns.

    Args:
        places: (n, 2)
        boxes: (n, 4), left, top, width, height
    """
    ends = boxes[:, :2] + boxes[:, 2:]
    if (ends < places - TOLERANCE).any():
        return True
    centers = boxes[:, :2] + boxes[:, 2:] / 2
    for axis in range(2):
        first = places[:, axis] == places[:, axis].min()
        last = places[:, axis] == places[:, axis].max()
        is_compared = not first.all() and min(first.sum(), last.sum()) >= 3
        if is_compared and centers[last, axis].min() < np.median(centers[first, axis]):
            return True
    return False
