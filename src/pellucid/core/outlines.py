"""Outlines of annotations as they are kept in tables: polygons or encoded masks, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from pellucid.core.keypoints import VISIBLE, StatedKeypoints
from pellucid.core.masks import Masks, Shape
from pellucid.core.tables import Predictions

MIN_POLYGON_NUMBERS = 6
MAX_COORDINATE = 1e6
"""Largest coordinate in pixels: an edge is walked step by step."""


KEYPOINTS_START = '{"keypoints":'
"""How the outline of an object with keypoints begins."""


def parse_keypoints(outline: str) -> StatedKeypoints | None:
    if not outline.startswith(KEYPOINTS_START):
        return None
    return msgspec.json.decode(outline, type=StatedKeypoints)


def encode_keypoints(stated: StatedKeypoints) -> str:
    """keypoints come first: see KEYPOINTS_START."""
    stated_fields = {key: value for key, value in vars(stated).items() if value is not None}
    return msgspec.json.encode(stated_fields).decode()


def parse_outline(outline: str) -> Shape:
    """The polygons of at least three points with possible coordinates, or the encoded mask; None if
    there is neither."""
    if not outline:
        return None
    shape: Any = msgspec.json.decode(outline)
    if outline.startswith(KEYPOINTS_START):
        shape = shape.get("segmentation") or []
    if isinstance(shape, dict):
        return shape
    return [polygon for polygon in shape if is_drawable(polygon)] or None


def is_drawable(polygon: list[float]) -> bool:
    return len(polygon) >= MIN_POLYGON_NUMBERS and max(map(abs, polygon)) <= MAX_COORDINATE


def polygon_area(polygon: Sequence[float]) -> float:
    """The area inside a polygon `x, y, x, y, ...` that does not cross itself."""
    xs, ys = polygon[::2], polygon[1::2]
    previous = zip([xs[-1], *xs[:-1]], [ys[-1], *ys[:-1]], strict=True)
    corners = zip(previous, zip(xs, ys, strict=True), strict=True)
    return abs(sum(x * other_y - other_x * y for (x, y), (other_x, other_y) in corners)) / 2


def encode_outline(predictions: Predictions, row: int) -> str:
    """The shape of a prediction as an outline; '' if boxes are compared."""
    masks, corners = predictions.mask, predictions.corners
    if predictions.keypoints is not None:
        points = predictions.keypoints[row].reshape(-1, 5)
        points = points[points[:, 3] > 0, :3]
        points[:, 2] = VISIBLE
        return encode_keypoints(StatedKeypoints(points.ravel().tolist()))
    if corners is not None:
        return msgspec.json.encode([corners[row].tolist()]).decode()
    return "" if masks is None else encode_mask(masks, row)


def encode_mask(masks: Masks, row: int) -> str:
    size = [int(masks.height[row]), int(masks.width[row])]
    shape = {"size": size, "counts": masks.counts(row).decode("ascii")}
    return msgspec.json.encode(shape).decode()


def parse_outlines(outlines: Iterable[str] | None, count: int) -> list[Shape]:
    """The shape of each of `count` rows. outlines: None if no row has any."""
    return [None] * count if outlines is None else [parse_outline(text) for text in outlines]
