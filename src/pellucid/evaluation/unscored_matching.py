"""Matching of objects without scores: the pairs of highest total similarity."""

from __future__ import annotations

import numpy as np

from pellucid.core.tables import Annotations, Float64Array, Int64Array, Predictions
from pellucid.evaluation.greedy_numpy import best_overlap_steps, overlapping_pairs
from pellucid.evaluation.match_result import IGNORED, MATCHED, WRONG, Matching
from pellucid.evaluation.object_keypoints import takes_one


def match_unscored(
    annotations: Annotations, predictions: Predictions, iou_threshold: float, concept_count: int
) -> Matching:
    """Match within an image and concept so that the total similarity of the pairs is highest, of
    pairs whose similarity is >= iou_threshold; equal: in input order. A prediction without a
    partner may then match an ignored region.

    No order of the predictions is better than another, so that none is assigned first; A
    against B is the same as B against A.
    """
    state = np.full(len(predictions), WRONG, np.int8)
    partner = np.full(len(predictions), -1, np.int32)
    overlap = np.full(len(predictions), np.nan)
    matched_by = np.full(len(annotations), -1, np.int32)
    is_single = takes_one(annotations)
    for prediction, annotation, similarity in overlapping_pairs(
        annotations, predictions, concept_count
    ):
        is_close = similarity >= iou_threshold
        is_ignored = annotations.ignore[annotation]
        group = group_keys(annotations, annotation, concept_count)
        counted, regions = is_close & ~is_ignored, is_close & is_ignored
        for rows in group_rows(group, counted):
            pairs = rows[best_pairs(prediction[rows], annotation[rows], similarity[rows])]
            predicted, annotated = prediction[pairs], annotation[pairs]
            state[predicted], partner[predicted] = MATCHED, annotated
            overlap[predicted], matched_by[annotated] = similarity[pairs], predicted
        used: set[int] = set()
        for row in sorted(
            np.flatnonzero(regions), key=lambda row: (prediction[row], -similarity[row])
        ):
            region = int(annotation[row])
            if state[prediction[row]] == WRONG and region not in used:
                state[prediction[row]], partner[prediction[row]] = IGNORED, region
                overlap[prediction[row]] = similarity[row]
                if is_single[region]:
                    used.add(region)
    steps = best_overlap_steps([], predictions.score, len(annotations))
    none = np.full(len(annotations), -1, np.int32)
    return Matching(state, partner, overlap, matched_by, none, steps)


def group_keys(annotations: Annotations, annotation: Int64Array, concept_count: int) -> Int64Array:
    """The image and concept of each pair."""
    image = annotations.image[annotation].astype(np.int64)
    return np.asarray(image * concept_count + annotations.concept[annotation])


def group_rows(group: Int64Array, is_used: np.ndarray) -> list[Int64Array]:
    """The rows of each group, of those that are used."""
    rows = np.flatnonzero(is_used)
    rows = rows[np.argsort(group[rows], kind="stable")]
    if not len(rows):
        return []
    return np.split(rows, np.flatnonzero(np.diff(group[rows])) + 1)


def best_pairs(
    prediction: Int64Array, annotation: Int64Array, similarity: Float64Array
) -> Int64Array:
    """Which of these pairs together have the highest similarity, each object in one at most."""
    predicted, row = np.unique(prediction, return_inverse=True)
    annotated, column = np.unique(annotation, return_inverse=True)
    gain = np.zeros((len(predicted), len(annotated)))
    from scipy.optimize import linear_sum_assignment  # takes longer to import than all the rest

    gain[row, column] = similarity
    pair = np.full(gain.shape, -1, np.int64)
    pair[row, column] = np.arange(len(prediction))
    chosen = pair[linear_sum_assignment(gain, maximize=True)]
    return np.asarray(chosen[chosen >= 0])
