"""The region of an image that a crop displays."""

from __future__ import annotations

CONTEXT_FACTOR = 1.5
"""Side of a crop, as a multiple of the longer side of the box."""
MIN_CROP_SIDE = 40.0
"""Minimum side of a crop in pixels, so that small boxes have context."""

MAX_CROP_COORDINATE = 1e9
"""Box coordinates are clamped to this magnitude."""

Region = tuple[int, int, int, int]


def box_crop_region(box: tuple[float, float, float, float], width: int, height: int) -> Region:
    """A square around a box, shifted into the image and clipped where it exceeds it.

    Returns the same in integer pixels.

    Args:
        box: [left, top, width, height] in pixels, may extend beyond the image
    """
    side = max(MIN_CROP_SIDE, CONTEXT_FACTOR * max(box[2], box[3]))
    box = tuple(
        min(max(coordinate, -MAX_CROP_COORDINATE), MAX_CROP_COORDINATE) for coordinate in box
    )  # type: ignore[assignment]
    left, region_width = clamp_span(box[0] + box[2] / 2, side, width)
    top, region_height = clamp_span(box[1] + box[3] / 2, side, height)
    return left, top, region_width, region_height


def clamp_span(centre: float, side: float, length: int) -> tuple[int, int]:
    side = round(min(side, length))
    start = round(centre - side / 2)
    return max(0, min(start, length - side)), max(1, side)
