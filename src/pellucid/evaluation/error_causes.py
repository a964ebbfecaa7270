"""Error causes: why an annotation has no match, or a prediction no annotation. Each error has one
cause."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np

from pellucid.core.tables import BoolArray, Float64Array, Int8Array, Int64Array
from pellucid.evaluation.boxes import pairwise_iou
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.match_result import MATCHED, WRONG
from pellucid.evaluation.similarity import pairwise_similarity

Cause = Literal[
    "below_threshold",
    "other_concept",
    "badly_placed",
    "taken",
    "nothing_there",
    "duplicate",
    "background",
]
CAUSES: tuple[Cause, ...] = get_args(Cause)
BELOW_THRESHOLD, OTHER_CONCEPT, BADLY_PLACED, TAKEN, NOTHING_THERE, DUPLICATE, BACKGROUND = range(
    len(CAUSES)
)

MIN_LOCALIZATION_IOU = 0.1
"""Minimum IoU of a localisation error, from the TIDE paper (Bolya et al., 2020)."""
MAX_PAIRS_PER_CHUNK = 1 << 22
"""Box pairs processed at a time."""


class ImageRows:
    """Rows of the predictions and annotations of an image, without a scan of the whole version."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._row_index = evaluation.row_index

    def predictions(self, image: int) -> Int64Array:
        """Rows of the image's predictions, in gallery order."""
        first, last = self._row_index.prediction_image_start[[image, image + 1]]
        return np.asarray(self._row_index.prediction_of_image[first:last], np.int64)

    def prediction_positions(self, image: int) -> Int64Array:
        """Positions of the image's predictions in image order; see
        Evaluation.predictions_by_image."""
        return np.arange(*self._row_index.prediction_image_start[[image, image + 1]].tolist())

    def annotations(self, image: int) -> Int64Array:
        """Rows of the image's annotations, in input order."""
        first, last = self._row_index.annotation_image_start[[image, image + 1]]
        return np.asarray(self._row_index.annotation_of_image[first:last], np.int64)


def false_negative_causes(
    evaluation: Evaluation, annotation_rows: Int64Array, thresholds: Float64Array
) -> Int8Array:
    """Causes (indices into CAUSES) of annotations without a match at or above the threshold. Reads
    the boxes of their images only."""
    causes = np.full(len(annotation_rows), NOTHING_THERE, np.int8)
    annotations, predictions = evaluation.annotations, evaluation.predictions_by_image
    for item_positions, pair_items, other_positions in image_pairs(
        annotations.image[annotation_rows], evaluation.row_index.prediction_image_start, None
    ):
        is_active = is_active_prediction(evaluation, other_positions, thresholds)
        has_active_prediction = np.zeros(len(item_positions), bool)
        if evaluation.kind != "detection":
            has_active_prediction[pair_items[is_active]] = True
            if evaluation.kind == "classification":
                has_prediction = np.zeros(len(item_positions), bool)
                has_prediction[pair_items] = True
                causes[item_positions[has_prediction]] = BELOW_THRESHOLD
                causes[item_positions[has_active_prediction]] = OTHER_CONCEPT
            continue
        pair_items, other_positions = pair_items[is_active], other_positions[is_active]
        is_same_concept = (
            predictions.concept[other_positions]
            == annotations.concept[annotation_rows[item_positions[pair_items]]]
        )
        pair_iou = image_pair_ious(
            evaluation, other_positions, annotation_rows[item_positions[pair_items]]
        )
        is_close = pair_iou >= evaluation.iou_threshold
        causes[item_positions[pair_items[is_same_concept & is_close]]] = TAKEN
        causes[
            item_positions[
                pair_items[is_same_concept & (pair_iou >= MIN_LOCALIZATION_IOU) & ~is_close]
            ]
        ] = BADLY_PLACED
        causes[item_positions[pair_items[~is_same_concept & is_close]]] = OTHER_CONCEPT
    causes[evaluation.matched_by[annotation_rows] >= 0] = BELOW_THRESHOLD
    return causes


def false_positive_causes(
    evaluation: Evaluation, prediction_rows: Int64Array, thresholds: Float64Array
) -> Int8Array:
    """Causes (indices into CAUSES) of predictions at or above their thresholds without a match.
    Reads the boxes of their images only."""
    has_boxes = evaluation.kind == "detection"
    causes = np.full(len(prediction_rows), BACKGROUND if has_boxes else NOTHING_THERE, np.int8)
    if evaluation.kind == "tagging":
        return causes
    predictions, annotations, row_index = (
        evaluation.predictions,
        evaluation.annotations,
        evaluation.row_index,
    )
    for item_positions, pair_items, other_rows in image_pairs(
        predictions.image[prediction_rows],
        row_index.annotation_image_start,
        row_index.annotation_of_image,
    ):
        is_matchable = annotations.positive[other_rows] & ~annotations.ignore[other_rows]
        pair_items, other_rows = pair_items[is_matchable], other_rows[is_matchable]
        if not has_boxes:
            causes[item_positions[pair_items]] = OTHER_CONCEPT
            continue
        is_same_concept = (
            annotations.concept[other_rows]
            == predictions.concept[prediction_rows[item_positions[pair_items]]]
        )
        is_matched = (
            evaluation.matched_score[other_rows] >= thresholds[annotations.concept[other_rows]]
        )
        pair_iou = pair_ious(evaluation, prediction_rows[item_positions[pair_items]], other_rows)
        is_close = pair_iou >= evaluation.iou_threshold
        causes[
            item_positions[
                pair_items[is_same_concept & (pair_iou >= MIN_LOCALIZATION_IOU) & ~is_close]
            ]
        ] = BADLY_PLACED
        causes[item_positions[pair_items[~is_same_concept & is_close]]] = OTHER_CONCEPT
        causes[item_positions[pair_items[is_same_concept & is_close & is_matched]]] = DUPLICATE
    return causes


def image_pairs(
    images: np.ndarray, image_starts: Int64Array, rows_of_image: np.ndarray | None
) -> Iterator[tuple[Int64Array, Int64Array, Int64Array]]:
    """Yield pairs of each item with the rows of its image, in chunks of items: the items'
    positions; and per pair its item (an index into the chunk) and row.

    Args:
        image_starts, rows_of_image: rows grouped by image; None: yield positions instead of rows
    """
    first_positions = image_starts[images]
    pair_counts = image_starts[np.asarray(images, np.int64) + 1] - first_positions
    pair_ends = np.cumsum(pair_counts)
    begin = 0
    while begin < len(images):
        pairs_before = pair_ends[begin - 1] if begin else 0
        end = max(
            begin + 1,
            int(np.searchsorted(pair_ends, pairs_before + MAX_PAIRS_PER_CHUNK, side="right")),
        )
        item_positions = np.arange(begin, end)
        pair_items = np.repeat(np.arange(end - begin), pair_counts[item_positions])
        offset = np.arange(len(pair_items)) - np.repeat(
            np.cumsum(pair_counts[item_positions]) - pair_counts[item_positions],
            pair_counts[item_positions],
        )
        positions = np.repeat(first_positions[item_positions], pair_counts[item_positions]) + offset
        yield (
            item_positions,
            pair_items,
            positions if rows_of_image is None else np.asarray(rows_of_image[positions], np.int64),
        )
        begin = end


def is_active_prediction(
    evaluation: Evaluation, positions: Int64Array, thresholds: Float64Array
) -> BoolArray:
    """At or above the threshold and not ignored; positions: see Evaluation.predictions_by_image."""
    ordered_predictions = evaluation.predictions_by_image
    state = ordered_predictions.state[positions]
    is_above = (
        ordered_predictions.score[positions] >= thresholds[ordered_predictions.concept[positions]]
    )
    return np.asarray(is_above & ((state == MATCHED) | (state == WRONG)))


def pair_ious(
    evaluation: Evaluation, prediction_rows: Int64Array, annotation_rows: Int64Array
) -> Float64Array:
    """IoU of each of these predictions with the annotation at the same index."""
    return pairwise_similarity(
        evaluation.predictions, prediction_rows, evaluation.annotations, annotation_rows
    )


def image_pair_ious(
    evaluation: Evaluation, positions: Int64Array, annotation_rows: Int64Array
) -> Float64Array:
    """As `pair_ious`; positions: of the predictions, see Evaluation.predictions_by_image."""
    if evaluation.geometry != "box":
        prediction_rows = np.asarray(evaluation.row_index.prediction_of_image[positions], np.int64)
        return pair_ious(evaluation, prediction_rows, annotation_rows)
    annotated_boxes = evaluation.annotations.box
    assert annotated_boxes is not None
    return pairwise_iou(
        evaluation.predictions_by_image.box[positions],
        annotated_boxes[annotation_rows],
        np.zeros(len(positions), bool),
    )


def prediction_ious(
    evaluation: Evaluation, prediction_row: int, annotation_rows: Int64Array
) -> Float64Array:
    """The IoU of a prediction with each of some annotations, float64 (n,)."""
    return pair_ious(evaluation, np.full(len(annotation_rows), prediction_row), annotation_rows)
