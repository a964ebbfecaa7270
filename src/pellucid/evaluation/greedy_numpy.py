"""Greedy box matching in NumPy: the fallback if the kernel was not built, and its reference in
tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.core.tables import Annotations, BoolArray, Float64Array, Int64Array, Predictions
from pellucid.evaluation.match_result import IGNORED, MATCHED, WRONG, BestOverlapSteps, Matching
from pellucid.evaluation.object_keypoints import takes_one
from pellucid.evaluation.similarity import pairwise_similarity

MAX_PAIRS_PER_BATCH = 2_000_000
"""Box pairs in memory at a time: about 400 MB at the peak."""


def match_boxes_numpy(
    annotations: Annotations, predictions: Predictions, iou_threshold: float, concept_count: int
) -> Matching:
    """Greedy matching within an image and concept, as pycocotools' `evaluateImg` at one IoU.

    Predictions by descending score (ties: input order) each take the free annotation of highest
    IoU (ties: the one listed last) where IoU >= iou_threshold. Only a prediction without one may
    match an ignored region, which can match any number of predictions.
    """
    state = np.full(len(predictions), WRONG, np.int8)
    partner = np.full(len(predictions), -1, np.int32)
    overlap = np.full(len(predictions), np.nan)
    matched_by = np.full(len(annotations), -1, np.int32)
    steps = []
    is_single = takes_one(annotations)
    for prediction, annotation, pair_iou in overlapping_pairs(
        annotations, predictions, concept_count
    ):
        is_ignored = annotations.ignore[annotation]
        steps.append(
            tuple(pair_array[~is_ignored] for pair_array in (prediction, annotation, pair_iou))
        )
        is_close = pair_iou >= iou_threshold
        predicted_rows, assigned, assigned_iou = assign_greedily(
            prediction[is_close],
            annotation[is_close],
            pair_iou[is_close],
            is_ignored[is_close],
            (is_ignored & ~is_single[annotation])[is_close],
        )
        partner[predicted_rows], overlap[predicted_rows] = assigned, assigned_iou
        is_absorbed = annotations.ignore[assigned]
        state[predicted_rows] = np.where(is_absorbed, IGNORED, MATCHED)
        matched_by[assigned[~is_absorbed]] = predicted_rows[~is_absorbed]
    overlap_steps = best_overlap_steps(steps, predictions.score, len(annotations))
    return Matching(
        state, partner, overlap, matched_by, np.full(len(annotations), -1, np.int32), overlap_steps
    )


def overlapping_pairs(
    annotations: Annotations, predictions: Predictions, concept_count: int
) -> Iterator[tuple[Int64Array, Int64Array, Float64Array]]:
    """Yield the pairs of the same image and concept with IoU above 0, in batches of whole groups.

    Args:
        predictions: each concept's by descending score, ties within an image in input order
            (gallery order). Within a group they keep that order; annotations keep input order.
            Groups without annotations are skipped.
    """
    if annotations.box is None or predictions.box is None or not len(annotations):
        return
    annotated_keys = annotations.image.astype(np.int64) * concept_count + annotations.concept
    predicted_keys = predictions.image.astype(np.int64) * concept_count + predictions.concept
    annotation_order = np.argsort(annotated_keys, kind="stable")
    group_keys, group_starts, group_sizes = np.unique(
        annotated_keys[annotation_order], return_index=True, return_counts=True
    )
    group_index = np.minimum(np.searchsorted(group_keys, predicted_keys), len(group_keys) - 1)
    predicted_rows = np.flatnonzero(group_keys[group_index] == predicted_keys)
    predicted_rows = predicted_rows[np.argsort(group_index[predicted_rows], kind="stable")]
    group_index = group_index[predicted_rows]
    pair_offsets = np.concatenate([[0], np.cumsum(group_sizes[group_index])])
    begin = 0
    while begin < len(predicted_rows):
        end = (
            int(
                np.searchsorted(
                    pair_offsets, pair_offsets[begin] + MAX_PAIRS_PER_BATCH, side="right"
                )
            )
            - 1
        )
        end = max(end, begin + 1)
        end = int(np.searchsorted(group_index, group_index[end - 1], side="right"))
        pair_counts = group_sizes[group_index[begin:end]]
        prediction = np.repeat(predicted_rows[begin:end], pair_counts)
        offset = np.arange(len(prediction)) - np.repeat(
            np.cumsum(pair_counts) - pair_counts, pair_counts
        )
        annotation = annotation_order[
            np.repeat(group_starts[group_index[begin:end]], pair_counts) + offset
        ]
        pair_iou = pairwise_similarity(
            predictions, prediction, annotations, annotation, annotations.ignore[annotation]
        )
        is_overlapping = pair_iou > 0
        yield prediction[is_overlapping], annotation[is_overlapping], pair_iou[is_overlapping]
        begin = end


def assign_greedily(
    prediction: Int64Array,
    annotation: Int64Array,
    pair_iou: Float64Array,
    is_fallback: BoolArray,
    is_ignored: BoolArray,
) -> tuple[Int64Array, Int64Array, Float64Array]:
    """Assign pairs greedily, best first within each prediction; ignored regions can be assigned
    repeatedly.

    Pairs are grouped by prediction, in order of assignment.

    Args:
        is_fallback: annotations that are assigned only if no other is free. Pairs whose two boxes
            have no alternative are assigned without the loop.
    """
    prediction_index = np.zeros(len(prediction), np.int64)
    prediction_index[1:] = np.cumsum(prediction[1:] != prediction[:-1])
    is_uncontested = (
        (np.bincount(prediction_index)[prediction_index] == 1)
        & (is_ignored | (np.bincount(annotation)[annotation] == 1))
        if len(prediction_index)
        else prediction_index == 0
    )
    contested = np.flatnonzero(~is_uncontested)
    order = contested[
        np.lexsort(
            (
                -annotation[contested],
                -pair_iou[contested],
                is_fallback[contested],
                prediction_index[contested],
            )
        )
    ]
    assigned_pairs: list[int] = []
    used_annotations: set[int] = set()
    last_prediction = -1
    candidates = zip(
        order.tolist(),
        prediction_index[order].tolist(),
        annotation[order].tolist(),
        is_ignored[order].tolist(),
        strict=True,
    )
    for pair, current_prediction, candidate_annotation, is_ignored_region in candidates:
        if current_prediction == last_prediction or candidate_annotation in used_annotations:
            continue
        last_prediction = current_prediction
        assigned_pairs.append(pair)
        if not is_ignored_region:
            used_annotations.add(candidate_annotation)
    assigned = np.concatenate([np.flatnonzero(is_uncontested), np.array(assigned_pairs, np.int64)])
    return prediction[assigned], annotation[assigned], pair_iou[assigned]


def best_overlap_steps(
    pair_batches: list[tuple[NDArray[Any], ...]], scores: Float64Array, annotation_count: int
) -> BestOverlapSteps:
    """For each annotation and score keep the best pair, and of these the ones that reach the
    running maximum IoU."""
    if not pair_batches:
        return BestOverlapSteps(np.zeros(annotation_count + 1, np.int64), np.zeros(0), np.zeros(0))
    prediction, annotation, pair_iou = (
        np.concatenate(arrays) for arrays in zip(*pair_batches, strict=True)
    )
    score = scores[prediction]
    order = np.lexsort((pair_iou, score, annotation))
    is_best = np.ones(len(order), bool)
    is_best[:-1] = (annotation[order][1:] != annotation[order][:-1]) | (
        score[order][1:] != score[order][:-1]
    )
    order = order[is_best]
    annotation, pair_iou, score = annotation[order], pair_iou[order], score[order]
    distinct_ious, iou_rank = np.unique(pair_iou, return_inverse=True)
    sort_key = annotation.astype(np.int64) * (len(distinct_ious) + 1) + iou_rank
    is_step = sort_key >= np.maximum.accumulate(sort_key) if len(sort_key) else np.zeros(0, bool)
    start = np.zeros(annotation_count + 1, np.int64)
    np.cumsum(np.bincount(annotation[is_step], minlength=annotation_count), out=start[1:])
    return BestOverlapSteps(start, score[is_step], pair_iou[is_step])
