"""The similarity of two located objects, by the geometry of the view: the one function that
matching, causes, comparison and review rest on."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from pellucid.core.masks import Masks
from pellucid.core.tables import BoolArray, Float64Array
from pellucid.evaluation.boxes import pairwise_iou
from pellucid.evaluation.mask_runs import measure_masks, pairwise_mask_iou
from pellucid.evaluation.object_keypoints import pairwise_oks
from pellucid.evaluation.oriented_boxes import pairwise_oriented_iou


class Located(Protocol):
    """Annotations or predictions of a detection view. box: float64 (n, 4) · mask, corners,
    keypoints: of every row, or None; a version has them on both sides or on none · area: None for
    that of the box."""

    @property
    def box(self) -> Float64Array | None: ...
    @property
    def mask(self) -> Masks | None: ...
    @property
    def corners(self) -> Float64Array | None: ...
    @property
    def keypoints(self) -> Float64Array | None: ...
    @property
    def area(self) -> Float64Array | None: ...


def pairwise_similarity(
    predicted: Located,
    predicted_rows: Any,
    annotated: Located,
    annotated_rows: Any,
    is_ignored: BoolArray | None = None,
) -> Float64Array:
    """Similarity (0 to 1) of the objects predicted_rows[i] and annotated_rows[i]: OKS of their
    keypoints, IoU of their masks or oriented boxes if both sides have them, else of their boxes.

    Args:
        is_ignored: bool (n,), whether the annotation is an ignored region; there the union is the
            prediction's area. None: none is.
    """
    if is_ignored is None:
        is_ignored = np.zeros(len(predicted_rows), bool)
    assert predicted.box is not None
    assert annotated.box is not None
    if predicted.keypoints is not None and annotated.keypoints is not None:
        box = np.asarray(annotated.box[annotated_rows])
        area = annotated.area
        return pairwise_oks(
            np.asarray(predicted.keypoints[predicted_rows]),
            np.asarray(annotated.keypoints[annotated_rows]),
            box,
            box[:, 2] * box[:, 3] if area is None else np.asarray(area[annotated_rows]),
        )
    if predicted.corners is not None and annotated.corners is not None:
        return pairwise_oriented_iou(
            np.asarray(predicted.corners[predicted_rows]),
            np.asarray(annotated.corners[annotated_rows]),
            is_ignored,
        )
    if predicted.mask is None or annotated.mask is None:
        return pairwise_iou(
            np.asarray(predicted.box[predicted_rows]),
            np.asarray(annotated.box[annotated_rows]),
            is_ignored,
        )
    predicted_masks, annotated_masks = predicted.mask, annotated.mask
    similarity = np.zeros(len(predicted_rows))
    is_near = boxes_touch(predicted_masks, predicted_rows, annotated_masks, annotated_rows)
    near = np.flatnonzero(is_near)
    similarity[near] = pairwise_mask_iou(
        predicted_masks,
        np.asarray(predicted_rows)[near],
        annotated_masks,
        np.asarray(annotated_rows)[near],
        is_ignored[near],
    )
    return similarity


def boxes_touch(
    predicted: Masks, predicted_rows: Any, annotated: Masks, annotated_rows: Any
) -> BoolArray:
    """Whether the boxes around two masks overlap: only then their pixels need to be compared."""
    return np.asarray(
        pairwise_iou(
            mask_boxes(predicted, predicted_rows),
            mask_boxes(annotated, annotated_rows),
            np.zeros(len(predicted_rows), bool),
        )
        > 0
    )


def mask_boxes(masks: Masks, rows: Any) -> Float64Array:
    """The box around the mask of each of these rows; rows may be repeated."""
    distinct, position = np.unique(np.asarray(rows, np.int64), return_inverse=True)
    return measure_masks(masks[distinct]).box[position]
