"""Box columns of a table: the layouts that their names state, and the numbers of each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np

from pellucid.core.tables import Float64Array
from pellucid.formats.tabular.column_names import BOX_LIST_NAMES, ColumnName

LayoutShape = Literal["xywh", "xyxy", "cxcywh"]

CORNER_NAMES = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("minx", "miny", "maxx", "maxy"),
    ("x1", "y1", "x2", "y2"),
    ("x0", "y0", "x1", "y1"),
    ("left", "top", "right", "bottom"),
    ("left", "upper", "right", "lower"),
    ("l", "t", "r", "b"),
    ("xtl", "ytl", "xbr", "ybr"),
    ("tlx", "tly", "brx", "bry"),
    ("topleftx", "toplefty", "bottomrightx", "bottomrighty"),
    ("lefttopx", "lefttopy", "rightbottomx", "rightbottomy"),
    ("upperleftx", "upperlefty", "lowerrightx", "lowerrighty"),
    ("ulx", "uly", "lrx", "lry"),
    ("xleft", "ytop", "xright", "ybottom"),
    ("leftx", "topy", "rightx", "bottomy"),
    ("xstart", "ystart", "xend", "yend"),
    ("startx", "starty", "endx", "endy"),
    ("xlo", "ylo", "xhi", "yhi"),
)
ORIGIN_NAMES = (
    ("left", "top"),
    ("l", "t"),
    ("xmin", "ymin"),
    ("minx", "miny"),
    ("xtl", "ytl"),
    ("tlx", "tly"),
    ("topleftx", "toplefty"),
    ("upperleftx", "upperlefty"),
    ("xleft", "ytop"),
    ("leftx", "topy"),
    ("xstart", "ystart"),
    ("startx", "starty"),
    ("originx", "originy"),
    ("x1", "y1"),
    ("x0", "y0"),
    ("x", "y"),
)
CENTER_NAMES = (
    ("xcenter", "ycenter"),
    ("centerx", "centery"),
    ("xcentre", "ycentre"),
    ("centrex", "centrey"),
    ("cx", "cy"),
    ("xc", "yc"),
    ("ctrx", "ctry"),
    ("xmid", "ymid"),
    ("midx", "midy"),
)
SIZE_NAMES = (("width", "height"), ("w", "h"), ("boxwidth", "boxheight"))
LAYOUTS: tuple[tuple[LayoutShape, tuple[str, ...]], ...] = (
    *(("xyxy", names) for names in CORNER_NAMES),
    *(("xywh", (*origin, *size)) for origin, size in product(ORIGIN_NAMES, SIZE_NAMES)),
    *(("cxcywh", (*center, *size)) for center, size in product(CENTER_NAMES, SIZE_NAMES)),
)
COORDINATE_NAMES = {name for _, names in LAYOUTS for name in names} - {"width", "height", "h", "w"}
POLYGON_NAMES = ("x3", "y3")
"""Columns of a third corner: four points, not two."""


@dataclass(frozen=True)
class BoxLayout:
    """The columns of a box. shape: what the four numbers mean · columns: four columns, or one
    whose cells list four numbers · is_certain: whether the names alone state the shape."""

    shape: LayoutShape
    columns: tuple[str, ...]
    is_certain: bool = True


def find_layouts(column_by_part: Mapping[str, str]) -> list[BoxLayout]:
    """All complete layouts among the columns. column_by_part: column by its name without
    `bbox_`."""
    if all(name in column_by_part for name in POLYGON_NAMES):
        return []
    return [
        BoxLayout(
            shape,
            tuple(column_by_part[name] for name in names),
            is_certain=shape != "xywh" or names[0] != "x",
        )
        for shape, names in LAYOUTS
        if all(name in column_by_part for name in names)
    ]


def find_list_layout(names: Sequence[ColumnName]) -> BoxLayout | None:
    """The layout of a column whose cells list four numbers; its name may state their meaning."""
    for name in names:
        if name.rest not in BOX_LIST_NAMES:
            continue
        shape = next((s for s in ("cxcywh", "xyxy", "xywh") if name.rest.endswith(s)), None)
        return BoxLayout(shape or "xywh", (name.column,), shape is not None)  # type: ignore[arg-type]
    return None


def is_box_like(name: ColumnName) -> bool:
    """Whether a name suggests a coordinate of a box. `width` and `height` alone do not: they may
    be of the image."""
    part = name.box_part
    return (
        part in COORDINATE_NAMES
        or name.rest in BOX_LIST_NAMES
        or (len(part) == 2 and part[0] in "xy" and part[1].isdigit())
        or (len(name.tokens) > 1 and any(token in ("bbox", "bndbox") for token in name.tokens))
        or name.rest in ("bx", "by", "bw", "bh")
        or (name.rest[:-1] in ("bbox", "box", "coord", "coords", "b") and name.rest[-1].isdigit())
    )


def corners_of(layout: BoxLayout, raw_boxes: Float64Array) -> Float64Array:
    """[left, top, width, height] of the numbers as written."""
    boxes = raw_boxes.copy()
    if layout.shape == "xyxy":
        boxes[:, 2:] -= boxes[:, :2]
    elif layout.shape == "cxcywh":
        boxes[:, :2] -= boxes[:, 2:] / 2
    return boxes


def are_image_sizes(image_indexes: np.ndarray, sizes: Float64Array, corners: Float64Array) -> bool:
    """Whether columns named width and height describe the image: they are constant per image and
    no corner lies outside. sizes: (n, 2); corners: (n, 4), left, top, right, bottom."""
    is_known = ~np.isnan(sizes).any(axis=1)
    if not is_known.any():
        return False
    first_rows = np.unique(image_indexes, return_index=True)[1]
    size_by_image = np.zeros((int(image_indexes.max()) + 1, 2))
    size_by_image[image_indexes[first_rows]] = sizes[first_rows]
    is_constant = np.isclose(size_by_image[image_indexes], sizes, equal_nan=True).all()
    inside = (corners[:, 2:] <= sizes + 1) | np.isnan(corners[:, 2:])
    return bool(is_constant and inside[is_known].all())
