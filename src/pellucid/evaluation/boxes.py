"""Intersection over union of boxes."""

from __future__ import annotations

import numpy as np

from pellucid.core.tables import BoolArray, Float64Array


def pairwise_iou(
    predicted_boxes: Float64Array, annotated_boxes: Float64Array, is_ignored: BoolArray
) -> Float64Array:
    """IoU of predicted_boxes[i] with annotated_boxes[i].

    Args:
        predicted_boxes, annotated_boxes: float64 (n, 4), [left, top, width, height] in pixels
        is_ignored: bool (n,); there the union is the area of the predicted box, so a box inside a
            crowd region has IoU 1. The operations and their order are those of pycocotools'
            `bbIou`, so results are bitwise equal.
    """
    overlap_x = np.maximum(predicted_boxes[:, 0], annotated_boxes[:, 0])
    overlap_y = np.maximum(predicted_boxes[:, 1], annotated_boxes[:, 1])
    overlap_width = (
        np.minimum(
            predicted_boxes[:, 0] + predicted_boxes[:, 2],
            annotated_boxes[:, 0] + annotated_boxes[:, 2],
        )
        - overlap_x
    )
    overlap_height = (
        np.minimum(
            predicted_boxes[:, 1] + predicted_boxes[:, 3],
            annotated_boxes[:, 1] + annotated_boxes[:, 3],
        )
        - overlap_y
    )
    intersection = overlap_width * overlap_height
    predicted_area = predicted_boxes[:, 2] * predicted_boxes[:, 3]
    union = np.where(
        is_ignored,
        predicted_area,
        predicted_area + annotated_boxes[:, 2] * annotated_boxes[:, 3] - intersection,
    )
    is_disjoint = (overlap_width <= 0) | (overlap_height <= 0)
    return np.asarray(
        np.divide(
            intersection, union, out=np.zeros(len(intersection)), where=~is_disjoint & (union > 0)
        )
    )
