"""COCO metrics of masks by boundary IoU (Cheng et al., CVPR 2021): how well outlines agree.

The boundary of a mask is its pixels within a distance of the background that is 2 % of the
image's diagonal. Two masks are as similar as the smaller of their IoU and that of their
boundaries, as in the authors' API.
"""

from __future__ import annotations

import math

import numpy as np

from pellucid.core.masks import Masks, create_masks, decode_counts, encode_counts
from pellucid.core.tables import BoolArray, Float64Array, Int64Array
from pellucid.evaluation.coco_metrics import (
    CocoMetrics,
    close_pairs,
    coco_inputs,
    metrics_of_tally,
    tally_pairs,
    undefined_metrics,
    within_limit,
)
from pellucid.evaluation.errors import MasksMissingError
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.mask_runs import counts_of_runs, object_runs, pairwise_mask_iou

DILATION_RATIO = 0.02
"""Width of a boundary as a share of the image's diagonal."""


def compute_boundary_metrics(evaluation: Evaluation, split: int) -> CocoMetrics:
    """AP and AR of masks by boundary IoU over the covered images of a split.

    Raises:
        MasksMissingError: annotations or predictions have no masks.
    """
    if evaluation.geometry != "mask":
        raise MasksMissingError
    if not evaluation.has_scores:
        return undefined_metrics(evaluation)
    concept_count, image_count = len(evaluation.concepts), len(evaluation.images)
    inputs, rank = within_limit(coco_inputs(evaluation, split), concept_count, image_count)
    predicted, annotated, iou = (
        np.concatenate(arrays) for arrays in zip(*close_pairs(inputs, concept_count), strict=True)
    )
    predicted_masks, annotated_masks = inputs.predictions.mask, inputs.annotations.mask
    assert predicted_masks is not None
    assert annotated_masks is not None
    boundary_iou = pairwise_boundary_iou(
        predicted_masks,
        predicted,
        annotated_masks,
        annotated,
        inputs.annotations.ignore[annotated],
    )
    pairs = [predicted, annotated, np.minimum(iou, boundary_iou)]
    return metrics_of_tally(tally_pairs(inputs, rank, pairs, concept_count))


def pairwise_boundary_iou(
    predicted: Masks,
    predicted_rows: Int64Array,
    annotated: Masks,
    annotated_rows: Int64Array,
    is_ignored: BoolArray,
) -> Float64Array:
    """IoU of the boundaries of the masks predicted[predicted_rows[i]] and
    annotated[annotated_rows[i]].

    Args:
        is_ignored: there the union is that of the predicted alone
    """
    own_rows, own = np.unique(predicted_rows, return_inverse=True)
    other_rows, other = np.unique(annotated_rows, return_inverse=True)
    return pairwise_mask_iou(
        boundaries(predicted, own_rows),
        own.astype(np.int64),
        boundaries(annotated, other_rows),
        other.astype(np.int64),
        is_ignored,
    )


def boundaries(masks: Masks, rows: Int64Array) -> Masks:
    """The boundaries of some masks."""
    height, width = masks.height[rows], masks.width[rows]
    texts = [
        encode_counts(boundary_counts(decode_counts(masks.counts(row)), h, w))
        for row, h, w in zip(rows.tolist(), height.tolist(), width.tolist(), strict=True)
    ]
    return create_masks(texts, height, width)


def boundary_counts(counts: list[int], height: int, width: int) -> list[int]:
    """Run lengths, down the columns, of the pixels of a mask that are no farther from the
    background or the edge of the image than the width of a boundary (in steps that may be
    diagonal)."""
    begins, ends = object_runs(counts)
    if not len(begins):
        return counts
    distance = max(1, round(DILATION_RATIO * math.hypot(height, width)))
    first, last = int(begins[0]) // height, (int(ends[-1]) - 1) // height
    flat = np.zeros((last - first + 1) * height, np.int8)
    flat[begins - first * height] += 1
    inside_ends = ends - first * height
    np.subtract.at(flat, inside_ends[inside_ends < len(flat)], 1)
    mask = np.cumsum(flat).astype(bool).reshape(-1, height)
    boundary = mask & ~erode(erode(mask, distance, 0), distance, 1)
    changes = np.flatnonzero(np.diff(boundary.ravel().astype(np.int8), prepend=0, append=0))
    changes += first * height
    return counts_of_runs(changes[::2], changes[1::2], height * width)


def erode(mask: BoolArray, distance: int, axis: int) -> BoolArray:
    """The pixels of which all within a distance along an axis are set; none are beyond the edge."""
    length = mask.shape[axis]
    eroded = np.zeros_like(mask)
    if length <= 2 * distance:
        return eroded
    sums = np.cumsum(mask, axis=axis, dtype=np.int32)
    zero = np.zeros_like(np.take(sums, [0], axis=axis))
    sums = np.concatenate([zero, sums], axis=axis)
    window = 2 * distance + 1
    ends = np.take(sums, range(window, length + 1), axis=axis)
    begins = np.take(sums, range(length + 1 - window), axis=axis)
    middle = [slice(None), slice(None)]
    middle[axis] = slice(distance, length - distance)
    eroded[tuple(middle)] = ends - begins == window
    return eroded
