"""The object on the other side that an error is about: the one it overlaps most."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pellucid.core.tables import BoolArray, Float64Array, Int64Array
from pellucid.evaluation.error_causes import (
    MIN_LOCALIZATION_IOU,
    image_pair_ious,
    image_pairs,
    is_active_prediction,
    pair_ious,
)
from pellucid.evaluation.evaluation import Evaluation

PairFilter = Callable[[Int64Array, Int64Array], BoolArray]
"""Which pairs (items, objects of their images) count."""
PairSimilarity = Callable[[Int64Array, Int64Array], Float64Array]


def cause_annotations(
    evaluation: Evaluation, prediction_rows: Int64Array, is_other_concept: BoolArray
) -> tuple[Int64Array, Float64Array]:
    """Per false positive, the row of the annotation that makes it one, and their IoU; row -1 where
    no such annotation is overlapped by MIN_LOCALIZATION_IOU.

    Args:
        is_other_concept: bool (n,), whether the cause is an annotation of another concept, not
            of its own
    """
    predictions, annotations = evaluation.predictions, evaluation.annotations

    def is_candidate(items: Int64Array, rows: Int64Array) -> BoolArray:
        is_other = annotations.concept[rows] != predictions.concept[prediction_rows[items]]
        is_matchable = annotations.positive[rows] & ~annotations.ignore[rows]
        return np.asarray(is_matchable & (is_other == is_other_concept[items]))

    return reject_distant(
        *find_nearest(
            predictions.image[prediction_rows],
            evaluation.row_index.annotation_image_start,
            evaluation.row_index.annotation_of_image,
            is_candidate,
            lambda items, rows: pair_ious(evaluation, prediction_rows[items], rows),
        )
    )


def cause_predictions(
    evaluation: Evaluation,
    annotation_rows: Int64Array,
    is_other_concept: BoolArray,
    thresholds: Float64Array,
) -> tuple[Int64Array, Float64Array]:
    """Per false negative, the counted prediction that makes it one (taken, badly placed, other
    concept): its position in `Evaluation.predictions_by_image`, and their IoU; as in
    `cause_annotations`."""
    predictions, annotations = evaluation.predictions_by_image, evaluation.annotations

    def is_candidate(items: Int64Array, positions: Int64Array) -> BoolArray:
        is_other = predictions.concept[positions] != annotations.concept[annotation_rows[items]]
        is_active = is_active_prediction(evaluation, positions, thresholds)
        return np.asarray(is_active & (is_other == is_other_concept[items]))

    return reject_distant(*nearest_predictions(evaluation, annotation_rows, is_candidate))


def scored_predictions(
    evaluation: Evaluation, annotation_rows: Int64Array, scores: Float64Array
) -> Int64Array:
    """Per annotation, the position in `Evaluation.predictions_by_image` of the prediction of its
    concept with this score that overlaps it most; -1 if there is none."""
    predictions, annotations = evaluation.predictions_by_image, evaluation.annotations

    def is_candidate(items: Int64Array, positions: Int64Array) -> BoolArray:
        is_same = predictions.concept[positions] == annotations.concept[annotation_rows[items]]
        return np.asarray(is_same & (predictions.score[positions] == scores[items]))

    return nearest_predictions(evaluation, annotation_rows, is_candidate)[0]


def nearest_predictions(
    evaluation: Evaluation, annotation_rows: Int64Array, is_candidate: PairFilter
) -> tuple[Int64Array, Float64Array]:
    """The prediction of highest IoU for each annotation, among candidates in its image.

    Returns:
        Rows of predictions, -1 for none, and the IoUs.
    """
    return find_nearest(
        evaluation.annotations.image[annotation_rows],
        evaluation.row_index.prediction_image_start,
        None,
        is_candidate,
        lambda items, positions: image_pair_ious(evaluation, positions, annotation_rows[items]),
    )


def find_nearest(
    images: np.ndarray,
    image_start: Int64Array,
    rows_of_image: np.ndarray | None,
    is_candidate: PairFilter,
    similarity: PairSimilarity,
) -> tuple[Int64Array, Float64Array]:
    """Per item, of the candidates in its image, the one of highest similarity, the first of equal
    ones, and that similarity; -1 and -1.0 if there is none.

    Args:
        images: of the items
        image_start, rows_of_image: see `image_pairs`
    """
    nearest, highest = np.full(len(images), -1, np.int64), np.full(len(images), -1.0)
    for item_positions, pair_items, others in image_pairs(images, image_start, rows_of_image):
        items = item_positions[pair_items]
        is_pair = is_candidate(items, others)
        items, others = items[is_pair], others[is_pair]
        pair_similarity = similarity(items, others)
        np.maximum.at(highest, items, pair_similarity)
        is_highest = pair_similarity == highest[items]
        nearest[items[is_highest][::-1]] = others[is_highest][::-1]
    return nearest, highest


def reject_distant(nearest: Int64Array, highest: Float64Array) -> tuple[Int64Array, Float64Array]:
    """Rows with -1 in place of those whose IoU is below that of a badly placed object."""
    return np.where(highest >= MIN_LOCALIZATION_IOU, nearest, -1), highest
