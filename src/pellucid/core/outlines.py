"""Outlines of annotations as they are kept in tables: polygons or encoded masks, as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from pellucid.core.masks import Masks, Shape
from pellucid.core.tables import Predictions

MIN_POLYGON_NUMBERS = 6
MAX_COORDINATE = 1e6
"""Largest coordinate in pixels: an edge is walked step by step."""


def parse_outline(outline: str) -> Shape:
    """The polygons of at least three points with possible coordinates, or the encoded mask; None if
    there is neither."""
    if not outline:
        return None
    shape: Any = msgspec.json.decode(outline)
    if isinstance(shape, dict):
        return shape
    return [polygon for polygon in shape if is_drawable(polygon)] or None


def is_drawable(polygon: list[float]) -> bool:
    return len(polygon) >= MIN_POLYGON_NUMBERS and max(map(abs, polygon)) <= MAX_COORDINATE


def encode_outline(predictions: Predictions, row: int) -> str:
    """The shape of a prediction as an outline; '' if boxes are compared."""
    masks, corners = predictions.mask, predictions.corners
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
