"""Whether the shapes of objects lie in the boxes that a file states for them."""

from __future__ import annotations

import numpy as np

from pellucid.core.tables import Float64Array
from pellucid.evaluation.boxes import pairwise_iou
from pellucid.formats.dataset import Note

MIN_SHAPES = 10
"""Shapes needed to say anything."""
MAX_SHAPES = 1_000
"""Shapes that are compared."""
MIN_IOU, MIN_SHARE = 0.5, 0.5
"""IoU of a box and the extent of its shape, and the share of shapes that must reach it."""


def shape_notes(boxes: Float64Array, extents: Float64Array) -> list[Note]:
    """A warning if most shapes do not fill their boxes.

    Args:
        boxes: float64 (n, 4), stated
        extents: float64 (n, 4), the boxes around the shapes
    """
    if len(boxes) < MIN_SHAPES:
        return []
    rows = np.linspace(0, len(boxes) - 1, min(MAX_SHAPES, len(boxes))).astype(np.int64)
    overlaps = pairwise_iou(boxes[rows], extents[rows], np.zeros(len(rows), bool))
    share = float((overlaps >= MIN_IOU).mean())
    if share >= MIN_SHARE:
        return []
    message = (
        f"only {share:.0%} of the outlines and masks lie where their own boxes are: one of the two "
        "may be in another unit or order (fractions, y before x, another image size, run lengths "
        "by rows). Masks are compared as they are; --geometry box compares the boxes"
    )
    return [Note("shapes_disagree", message, round((1 - share) * len(boxes)))]
