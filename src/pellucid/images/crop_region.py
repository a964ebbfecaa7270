"""Which part of a picture a crop shows."""

from __future__ import annotations

CONTEXT_FACTOR = 1.5
"""A crop's side, in multiples of the box's longer side."""
MIN_CROP_SIDE = 40.0
"""The least side of a crop, in pixels: a speck needs surroundings to be understood."""

MAX_CROP_COORDINATE = 1e9
"""Boxes that reach further are nonsense, but must not break the page."""

Region = tuple[int, int, int, int]


def box_crop_region(box: tuple[float, float, float, float], width: int, height: int) -> Region:
    """The square around a box, slid to stay inside the picture and cut where it is larger than it.

    box: [left, top, width, height] in pixels, possibly reaching out of the picture. Returns the same in whole pixels.
    """
    side = max(MIN_CROP_SIDE, CONTEXT_FACTOR * max(box[2], box[3]))
    box = tuple(min(max(coordinate, -MAX_CROP_COORDINATE), MAX_CROP_COORDINATE) for coordinate in box)  # type: ignore[assignment]
    left, region_width = clamp_span(box[0] + box[2] / 2, side, width)
    top, region_height = clamp_span(box[1] + box[3] / 2, side, height)
    return left, top, region_width, region_height


def clamp_span(centre: float, side: float, length: int) -> tuple[int, int]:
    side = round(min(side, length))
    start = round(centre - side / 2)
    return max(0, min(start, length - side)), max(1, side)
