"""Outlines of annotations as they are kept in tables: polygons or encoded masks, as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from pellucid.core.masks import Masks, Shape

MIN_POLYGON_NUMBERS = 6


def parse_outline(outline: str) -> Shape:
    """The polygons of at least three points, or the encoded mask; None if there is neither."""
    if not outline:
        return None
    shape: Any = msgspec.json.decode(outline)
    if isinstance(shape, dict):
        return shape
    return [polygon for polygon in shape if len(polygon) >= MIN_POLYGON_NUMBERS] or None


def encode_outline(masks: Masks | None, row: int) -> str:
    """A mask as an outline; '' without masks."""
    if masks is None:
        return ""
    size = [int(masks.height[row]), int(masks.width[row])]
    shape = {"size": size, "counts": masks.counts(row).decode("ascii")}
    return msgspec.json.encode(shape).decode()


def parse_outlines(outlines: Iterable[str] | None, count: int) -> list[Shape]:
    """The shape of each of `count` rows. outlines: None if no row has any."""
    return [None] * count if outlines is None else [parse_outline(text) for text in outlines]
