"""Box columns of a table: the layouts that their names state, and the numbers of each row."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np

from pellucid.core.tables import Float64Array
from pellucid.formats.dataset import BoxShapes
from pellucid.formats.tabular.column_names import (
    BOX_LIST_NAMES,
    BOX_TOKENS,
    PREDICTED_TOKENS,
    TRUE_TOKENS,
    ColumnName,
    normalize_column_name,
)

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
    ("mincol", "minrow", "maxcol", "maxrow"),
    ("c1", "r1", "c2", "r2"),
    ("col1", "row1", "col2", "row2"),
    ("colmin", "rowmin", "colmax", "rowmax"),
    ("xfrom", "yfrom", "xto", "yto"),
    ("xtopleft", "ytopleft", "xbottomright", "ybottomright"),
    ("x", "y", "xmax", "ymax"),
    ("x", "y", "x2", "y2"),
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
    ("bx", "by"),
    ("px", "py"),
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
SIZE_NAMES = (
    *(("width", "height"), ("w", "h"), ("boxwidth", "boxheight"), ("boxw", "boxh")),
    *(("bw", "bh"), ("bbw", "bbh"), ("wbox", "hbox"), ("objw", "objh"), ("dx", "dy")),
    *(("pw", "ph"), ("wd", "ht"), ("sizew", "sizeh")),
)
LAYOUTS: tuple[tuple[LayoutShape, tuple[str, ...]], ...] = (
    *(("xyxy", names) for names in CORNER_NAMES),
    *(("xywh", (*origin, *size)) for origin, size in product(ORIGIN_NAMES, SIZE_NAMES)),
    *(("cxcywh", (*center, *size)) for center, size in product(CENTER_NAMES, SIZE_NAMES)),
)
COORDINATE_NAMES = {name for _, names in LAYOUTS for name in names}
COORDINATE_TOKEN = re.compile(
    r"[xy](\d|min|max|tl|br|c|cent|center|centre|start|end)?|(min|max|top|bottom|left|right|c|d)[xy]"
)
"""Words of names that suggest an x or y coordinate."""
SIDE_TOKENS = {
    *("left", "right", "links", "rechts", "gauche", "droite", "izquierda", "derecha"),
    *("sinistra", "destra"),
}
LEVEL_TOKENS = {
    *("top", "bottom", "upper", "lower", "oben", "unten", "haut", "bas", "arriba", "abajo"),
    "basso",
}
"""Words of names of the edges at the sides, and of those above and below."""
EDGE_TOKENS = SIDE_TOKENS | LEVEL_TOKENS | {"west", "east", "north", "south"}
EXTENT_TOKENS = {
    *("width", "height", "breite", "hoehe", "höhe", "largeur", "hauteur", "ancho", "alto"),
    *("anchura", "altura", "larghezza", "altezza"),
}
"""Words of names that suggest the size of a box, beside two of its edges."""
ANGLE_TOKENS = {"angle", "theta", "rotation", "rot", "orientation", "yaw"} | (
    {"rad", "rads", "radian", "radians", "deg", "degree", "degrees", "r"}
)
UNIT_TOKENS = {"px", "pixel", "pixels", "norm", "normalized", "normalised", "rel", "abs"}
POLYGON_NAMES = (("x3", "y3"), ("trx", "try"), ("topright", "bottomleft"))
"""Columns of a third corner: four points, not two."""
SHAPE_TOKENS = {"polygon", "polygons", "segmentation", "obb", "rbox", "quad", "wkt", "geometry"} | (
    {"outline", "contour", "points", "boxes", "bboxes", "xyxy", "xywh", "cxcywh", "corners"}
    | {"shape", "shapes", "region", "mask", "masks", "rle"}
    | {"encoding"}
)
"""Words of names of columns whose cells may hold a box or an outline."""
OUTSIDE_TOLERANCE = 1.05
"""How far boxes may reach beyond their image, as a factor of its size."""
FOUR_NUMBERS = re.compile(
    r"[\[(]?\s*-?[\d.]+(e-?\d+)?([\s,;|\x1f]+-?[\d.]+(e-?\d+)?){3}\s*[\])]?", re.I
)


@dataclass(frozen=True)
class BoxLayout:
    """The columns of a box.

    Attributes:
        shape: what the four numbers mean
        columns: four columns, or one whose cells list four numbers
        is_certain: whether the names alone state the shape
    """

    shape: LayoutShape
    columns: tuple[str, ...]
    is_certain: bool = True


Y_FIRST_NAMES = ("detectionbox", "detectionboxes")
"""Lists of TensorFlow's object detection: [top, left, bottom, right]."""


def list_shapes(layout: BoxLayout) -> BoxShapes:
    """What the numbers of a list may mean."""
    name = "".join(normalize_column_name(layout.columns[0]).split("_"))
    return BoxShapes(("yxyx",) if name in Y_FIRST_NAMES else ("xywh", "xyxy", "cxcywh", "yxyx"))


def find_layouts(column_by_part: Mapping[str, str]) -> list[BoxLayout]:
    """All complete layouts among the columns.

    Args:
        column_by_part: column by its name without `bbox_`
    """
    if any(all(part in column_by_part for part in names) for names in POLYGON_NAMES):
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


def layout_parts(names: Sequence[ColumnName]) -> list[dict[str, str]]:
    """Columns by what their names say of a box, in several readings of the names: those with a
    word such as `bbox`, these before plain ones, plain ones, and those behind any shared prefix."""
    boxed: dict[str, str] = {}
    plain: dict[str, str] = {}
    prefixed: dict[tuple[str, ...], dict[str, str]] = {}
    for name in names:
        tokens = coordinate_tokens(name)
        if len(tokens) > 1 and tokens[0] in BOX_TOKENS:
            boxed.setdefault(name.box_part, name.column)
            continue
        plain.setdefault("".join(tokens), name.column)
        for length in range(1, len(tokens)):
            parts = prefixed.setdefault(tokens[:length], {})
            parts.setdefault("".join(tokens[length:]), name.column)
    return [boxed, {**plain, **boxed}, plain, *prefixed.values()]


def coordinate_tokens(name: ColumnName) -> tuple[str, ...]:
    """The words of a name without markers and units; of one that is a unit alone, that."""
    ignored = PREDICTED_TOKENS | TRUE_TOKENS | UNIT_TOKENS
    return tuple(token for token in name.tokens if token not in ignored) or name.tokens


def list_shape(name: ColumnName) -> BoxLayout | None:
    """The layout of a column whose cells list four numbers; None if its name does not say that
    they are a box. The name may state their meaning."""
    compact = "".join(coordinate_tokens(name))
    shape = next((s for s in ("cxcywh", "xyxy", "xywh") if s in compact), None)
    is_named = name.rest in BOX_LIST_NAMES or any(token in BOX_TOKENS for token in name.tokens)
    if shape is None and not is_named:
        return None
    if shape is None and "yolo" in name.tokens:
        shape = "cxcywh"
    return BoxLayout(shape or "xywh", (name.column,), shape is not None)  # type: ignore[arg-type]


def is_coordinate(name: ColumnName) -> bool:
    """Whether a name suggests an x or y coordinate of a box."""
    return any(COORDINATE_TOKEN.fullmatch(token) for token in coordinate_tokens(name)) or (
        name.rest in ("bx", "by", "bw", "bh")
        or (name.rest[:-1] in ("bbox", "box", "coord", "coords", "b") and name.rest[-1].isdigit())
    )


def is_edge(name: ColumnName) -> bool:
    return any(token in EDGE_TOKENS for token in name.tokens)


def is_angle(name: ColumnName) -> bool:
    return any(token in ANGLE_TOKENS for token in name.tokens)


def corners_of(layout: BoxLayout, raw_boxes: Float64Array) -> Float64Array:
    """[left, top, width, height] of the numbers as written."""
    boxes = raw_boxes.copy()
    if layout.shape == "xyxy":
        boxes[:, 2:] -= boxes[:, :2]
    elif layout.shape == "cxcywh":
        boxes[:, :2] -= boxes[:, 2:] / 2
    return boxes


def are_image_sizes(image_indexes: np.ndarray, sizes: Float64Array, corners: Float64Array) -> bool:
    """Whether columns named width and height describe the image: they are constant per image and no
    corner lies far outside.

    Args:
        sizes: (n, 2)
        corners: (n, 4), left, top, right, bottom
    """
    is_known = ~np.isnan(sizes).any(axis=1)
    if not is_known.any():
        return False
    first_rows = np.unique(image_indexes, return_index=True)[1]
    size_by_image = np.zeros((int(image_indexes.max()) + 1, 2))
    size_by_image[image_indexes[first_rows]] = sizes[first_rows]
    is_constant = np.isclose(size_by_image[image_indexes], sizes, equal_nan=True).all()
    inside = (corners[:, 2:] <= sizes * OUTSIDE_TOLERANCE + 1) | np.isnan(corners[:, 2:])
    return bool(is_constant and inside[is_known].all())
