"""Indexes derived from an evaluation and saved with a version, so that opening it computes
nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.tables import (
    NOT_RUN,
    SPLITS,
    Annotations,
    Float64Array,
    Images,
    Int8Array,
    Int32Array,
    Int64Array,
    Kind,
    Predictions,
)
from pellucid.evaluation.match_result import MATCHED, NOT_HIGHEST, WRONG
from pellucid.evaluation.sorted_runs import strided_index
from pellucid.evaluation.sorting import counting_sort, run_keys


@dataclass(frozen=True, eq=False)
class PredictionsByImage:
    """Prediction columns sorted by image, used for error causes, so that the rows of an image are
    contiguous. See RowIndex."""

    concept: Any
    score: Any
    box: Any
    state: Any


@dataclass(frozen=True, eq=False)
class RowIndex:
    """Row lists, int32, each with the start of its groups, int64.

    Attributes:
        start: of the runs (split and concept) of all predictions
        matched, wrong, predicted: prediction rows by run; predicted has each image once in
            classification, and is empty otherwise
        annotated: annotation rows that a prediction can match, by run, image and input order
        matched_score: float64, per annotation the score of the prediction that matched it, -inf if
            none
        prediction_of_image, annotation_of_image: rows by image (stable)
        index, matched_index, ...: every 64th score (see `sorted_runs`)
    """

    start: Int64Array
    matched: Int32Array
    matched_start: Int64Array
    wrong: Int32Array
    wrong_start: Int64Array
    predicted: Int32Array
    predicted_start: Int64Array
    annotated: Int32Array
    annotated_start: Int64Array
    matched_score: Float64Array
    prediction_of_image: Int32Array
    prediction_image_start: Int64Array
    annotation_of_image: Int32Array
    annotation_image_start: Int64Array
    index: Float64Array
    matched_index: Float64Array
    wrong_index: Float64Array
    predicted_index: Float64Array


def build_row_index(
    kind: Kind,
    concept_count: int,
    images: Images,
    coverage: Int8Array,
    annotations: Annotations,
    predictions: Predictions,
    state: Int8Array,
    matched_by: Int32Array,
) -> RowIndex:
    """predictions: in gallery order; state, matched_by: as in Matching."""
    prediction_starts = prediction_run_starts(concept_count, images, predictions)
    matched_rows, wrong_rows = (
        np.flatnonzero(state == outcome).astype(np.int32) for outcome in (MATCHED, WRONG)
    )
    is_predicted_concept = (
        state != NOT_HIGHEST if kind == "classification" else np.zeros(len(state), bool)
    )
    predicted_rows = np.flatnonzero(is_predicted_concept).astype(np.int32)
    prediction_order, prediction_image_starts = counting_sort(predictions.image, len(images))
    annotation_order, annotation_image_starts = counting_sort(annotations.image, len(images))
    is_matchable = (
        annotations.positive & ~annotations.ignore & (coverage[annotations.image] != NOT_RUN)
    )
    matchable_rows = annotation_order[is_matchable[annotation_order]]
    run_order, matchable_starts = counting_sort(
        run_keys(
            concept_count,
            images,
            annotations.image[matchable_rows],
            annotations.concept[matchable_rows],
        ),
        len(SPLITS) * concept_count,
    )
    matched_score = np.full(len(matched_by), -np.inf)
    matched_score[matched_by >= 0] = predictions.score[matched_by[matched_by >= 0]]
    return RowIndex(
        prediction_starts,
        matched_rows,
        np.searchsorted(matched_rows, prediction_starts),
        wrong_rows,
        np.searchsorted(wrong_rows, prediction_starts),
        predicted_rows,
        np.searchsorted(predicted_rows, prediction_starts),
        matchable_rows[run_order],
        matchable_starts,
        matched_score,
        prediction_order,
        prediction_image_starts,
        annotation_order,
        annotation_image_starts,
        *(
            strided_index(predictions.score, run_rows)
            for run_rows in (None, matched_rows, wrong_rows, predicted_rows)
        ),
    )


def prediction_run_starts(
    concept_count: int, images: Images, predictions: Predictions
) -> Int64Array:
    """Start of each run of predictions in gallery order."""
    run_lengths = np.zeros(len(SPLITS) * concept_count, np.int64)
    for block_start in range(0, len(predictions), 1 << 22):
        block = slice(block_start, block_start + (1 << 22))
        run_lengths += np.bincount(
            run_keys(concept_count, images, predictions.image[block], predictions.concept[block]),
            minlength=len(run_lengths),
        )
    return np.concatenate([[0], np.cumsum(run_lengths)])
