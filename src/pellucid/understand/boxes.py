"""Intersection over union of boxes."""

from __future__ import annotations

import numpy as np

from pellucid.columns import Flags, Floats


def iou_of_pairs(predicted: Floats, annotated: Floats, ignored_region: Flags) -> Floats:
    """IoU of predicted[i] with annotated[i].

    predicted, annotated: float64 (n, 4), [left, top, width, height] in pixels. ignored_region: bool (n,);
    there the union is the predicted box's area alone, so that a box inside a crowd counts fully.
    The operations and their order are those of pycocotools' `bbIou`, so that equal input gives equal bits.
    """
    left = np.maximum(predicted[:, 0], annotated[:, 0])
    top = np.maximum(predicted[:, 1], annotated[:, 1])
    width = np.minimum(predicted[:, 0] + predicted[:, 2], annotated[:, 0] + annotated[:, 2]) - left
    height = np.minimum(predicted[:, 1] + predicted[:, 3], annotated[:, 1] + annotated[:, 3]) - top
    overlap = width * height
    area = predicted[:, 2] * predicted[:, 3]
    union = np.where(ignored_region, area, area + annotated[:, 2] * annotated[:, 3] - overlap)
    apart = (width <= 0) | (height <= 0)
    return np.asarray(np.divide(overlap, union, out=np.zeros(len(overlap)), where=~apart & (union > 0)))
