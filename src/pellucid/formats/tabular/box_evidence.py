"""What the numbers of boxes say about their meaning, whatever their columns are called."""

from __future__ import annotations

import numpy as np

from pellucid.core.tables import Float64Array

FRACTIONS_MESSAGE = "boxes interpreted as fractions of the image size: no coordinate exceeds 1"
MAX_FRACTION = 1.05
"""Boxes in fractions of their image may reach a little beyond it."""
MIN_CORNERS = 20
MIN_CORNER_CORRELATION = 0.5
"""Number of boxes, and correlation of the left with the right edge, from which numbers called sizes
may be corners."""


def look_like_corners(boxes: Float64Array) -> bool:
    """Whether the last two numbers are larger than the first two in each row, and grow with them:
    widths do not grow with the left edge, as boxes end within their image."""
    if len(boxes) < MIN_CORNERS or not (boxes[:, 2:] > boxes[:, :2]).all():
        return False
    if not boxes.std(axis=0).all():
        return False
    return all(
        float(np.corrcoef(boxes[:, axis], boxes[:, axis + 2])[0, 1]) > MIN_CORNER_CORRELATION
        for axis in (0, 1)
    )


def are_fractions(boxes: Float64Array) -> bool:
    """Whether no coordinate is far beyond 1 and some box is not empty."""
    complete_boxes = boxes[~np.isnan(boxes).any(axis=1)]
    return bool(len(complete_boxes)) and bool(
        (complete_boxes.max() <= MAX_FRACTION) and (complete_boxes[:, 2:].max() > 0)
    )
