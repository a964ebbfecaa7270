"""Unmatched annotations (tab Extra) as sorted runs: precomputed at the optimal thresholds,
recomputed for changed ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pellucid.core.tables import (
    SPLITS,
    Annotations,
    Float64Array,
    Images,
    Int32Array,
    Int64Array,
    Kind,
    Predictions,
)
from pellucid.evaluation.indexes import RowIndex
from pellucid.evaluation.match_result import BestOverlapSteps
from pellucid.evaluation.sorted_runs import ConcatColumn, IndirectColumn, SortedRuns, strided_index
from pellucid.evaluation.sorting import counting_sort, sort_runs_by_score


class EvaluatedAnnotations(Protocol):
    """What these functions read of an `Evaluation`, which itself builds on them."""

    @property
    def kind(self) -> Kind: ...
    @property
    def concepts(self) -> tuple[str, ...]: ...
    @property
    def images(self) -> Images: ...
    @property
    def annotations(self) -> Annotations: ...
    @property
    def predictions(self) -> Predictions: ...
    @property
    def same_concept_prediction(self) -> Int32Array: ...
    @property
    def overlap_steps(self) -> BestOverlapSteps | None: ...
    @property
    def row_index(self) -> RowIndex: ...
    @property
    def matchable_annotations(self) -> Int32Array: ...
    @property
    def matched_score(self) -> Float64Array: ...
    @property
    def optimal_thresholds(self) -> Float64Array: ...


@dataclass(frozen=True, eq=False)
class UnmatchedIndex:
    """Annotations without a match at or above the threshold, by split and concept, in the order of
    the tab Extra.

    Attributes:
        rows: int32, annotation rows
        surprise: float64, descending: minus the best IoU (boxes), or the image's score
        start: int64 (splits * concepts + 1,), the start of each list
        index: of surprise, see `sorted_runs`
    """

    rows: Int32Array
    surprise: Float64Array
    start: Int64Array
    index: Float64Array


def build_unmatched_index(
    evaluation: EvaluatedAnnotations,
    split: int | None,
    concepts: Int64Array,
    thresholds: Float64Array,
) -> UnmatchedIndex:
    """Index these concepts at thresholds (one per concept of the version); other concepts have
    empty lists. split None: all splits.

    Boxes: by ascending best IoU. Images: by descending score for the concept (0 if none).
    Ties: image path, then input order.
    """
    concept_count = len(evaluation.concepts)
    run_starts = evaluation.row_index.annotated_start
    splits = range(len(SPLITS)) if split is None else [split]
    run_spans = [
        range(int(run_starts[run]), int(run_starts[run + 1]))
        for split_index in splits
        for run in (split_index * concept_count + concepts).tolist()
    ]
    positions = np.concatenate(
        [
            np.zeros(0, np.int64),
            *(np.arange(span.start, span.stop) for span in run_spans if len(span)),
        ]
    )
    annotation_rows = evaluation.matchable_annotations[positions]
    annotations = evaluation.annotations
    annotation_rows = annotation_rows[
        evaluation.matched_score[annotation_rows] < thresholds[annotations.concept[annotation_rows]]
    ]
    surprise = (
        -best_overlaps(evaluation, annotation_rows, thresholds)[0]
        if evaluation.kind == "detection"
        else concept_scores(evaluation, annotation_rows)
    )
    image, concept = annotations.image[annotation_rows], annotations.concept[annotation_rows]
    run_key = evaluation.images.split[image].astype(np.int32) * np.int32(concept_count) + concept
    order, run_offsets = counting_sort(run_key, len(SPLITS) * concept_count)
    sort_runs_by_score(
        order, run_offsets, Predictions(image, concept, surprise, None, annotation_rows)
    )
    surprise = surprise[order]
    return UnmatchedIndex(annotation_rows[order], surprise, run_offsets, strided_index(surprise))


def concept_scores(
    evaluation: EvaluatedAnnotations, annotation_rows: Int64Array | Int32Array
) -> Float64Array:
    """The image's score for the annotated concept; 0 if the model gave none."""
    prediction_rows = evaluation.same_concept_prediction[annotation_rows]
    if not len(evaluation.predictions):
        return np.zeros(len(annotation_rows))
    return np.where(prediction_rows >= 0, evaluation.predictions.score[prediction_rows], 0.0)


def best_overlaps(
    evaluation: EvaluatedAnnotations,
    annotation_rows: Int64Array | Int32Array,
    thresholds: Float64Array,
) -> tuple[Float64Array, Float64Array]:
    """Per annotation, the highest IoU with a same-concept prediction below the threshold, and its
    score.

    IoU 0 and score NaN if there is none. Ties: the higher score.
    """
    overlap_steps = evaluation.overlap_steps
    if overlap_steps is None or not len(overlap_steps.score):
        return np.zeros(len(annotation_rows)), np.full(len(annotation_rows), np.nan)
    low, end = (
        overlap_steps.start[annotation_rows],
        overlap_steps.start[np.asarray(annotation_rows) + 1],
    )
    first, high = low.copy(), end.copy()
    row_thresholds = thresholds[evaluation.annotations.concept[annotation_rows]]
    while (active := low < high).any():
        middle = (low + high) // 2
        is_below = (
            overlap_steps.score[np.minimum(middle, len(overlap_steps.score) - 1)] < row_thresholds
        )
        low, high = (
            np.where(active & is_below, middle + 1, low),
            np.where(active & ~is_below, middle, high),
        )
    step = np.maximum(low - 1, 0)
    has_overlap = low > first
    return np.where(has_overlap, overlap_steps.iou[step], 0.0), np.where(
        has_overlap, overlap_steps.score[step], np.nan
    )


def build_unmatched_runs(
    evaluation: EvaluatedAnnotations,
    optimal_index: UnmatchedIndex,
    split: int,
    concepts: Int64Array,
    thresholds: Float64Array,
) -> SortedRuns:
    """Runs of the tab Extra

    Args:
        optimal_index: at the optimal thresholds. Lists of concepts with other thresholds are
            recomputed.
    """
    concept_count = len(evaluation.concepts)
    run_keys = split * concept_count + np.arange(concept_count)
    begin, end = optimal_index.start[run_keys], optimal_index.start[run_keys + 1]
    run_bounds = np.zeros((2, len(SPLITS), concept_count), np.int64)
    run_bounds[:, split] = begin, end
    changed = concepts[thresholds[concepts] != evaluation.optimal_thresholds[concepts]]
    if not len(changed):
        image = IndirectColumn(evaluation.annotations.image, optimal_index.rows)
        return SortedRuns(
            optimal_index.rows,
            IndirectColumn(optimal_index.surprise, index=optimal_index.index),
            image,
            IndirectColumn(optimal_index.rows),
            *run_bounds,
        )
    changed_index = build_unmatched_index(evaluation, split, changed, thresholds)
    table_rows = ConcatColumn(optimal_index.rows, changed_index.rows)
    run_bounds[:, split, changed] = (
        changed_index.start[run_keys[changed]] + table_rows.second_start,
        changed_index.start[run_keys[changed] + 1] + table_rows.second_start,
    )
    surprise = ConcatColumn(
        optimal_index.surprise,
        changed_index.surprise,
        np.concatenate([optimal_index.index, changed_index.index]),
    )
    return SortedRuns(
        table_rows,
        surprise,
        IndirectColumn(evaluation.annotations.image, table_rows),
        table_rows,
        *run_bounds,
    )
