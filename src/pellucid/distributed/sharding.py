"""Distributed evaluation in two steps: match a shard of images, then merge a batch of runs.

Images are independent, so a shard of them is matched separately (`match_shard`). The part of a run
from one shard is sorted already; the whole run is merged from these parts (`merge_runs`). Shards
hold consecutive images in path order: of equal scores, which the gallery orders by image, those of
an earlier shard therefore come first, and nothing but scores is compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.core.tables import (
    SPLITS,
    Annotations,
    Float64Array,
    Images,
    Int8Array,
    Int32Array,
    Int64Array,
    Predictions,
    string_column,
)
from pellucid.distributed.histogram_thresholds import ScoreBins
from pellucid.distributed.job import Job
from pellucid.evaluation.evaluation import Evaluation, build_evaluation
from pellucid.evaluation.match_result import MATCHED, WRONG, BestOverlapSteps
from pellucid.evaluation.sorting import counting_sort
from pellucid.evaluation.thresholds import ScoredPredictions


@dataclass(frozen=True, eq=False)
class Shard:
    """Consecutive images with their annotations and predictions.

    Attributes:
        first_image: its index among all images
        split, completeness: of its images, as in Images
        annotations, predictions: their images are indices among all; predictions in any order
        annotation_rows: int32, global rows of its annotations, ascending
    """

    first_image: int
    split: Int8Array
    completeness: Int8Array
    annotations: Annotations
    annotation_rows: Int32Array
    predictions: Predictions


@dataclass(frozen=True, eq=False)
class MatchedShard:
    """The predictions of a shard, matched with its annotations.

    Attributes:
        predictions: in gallery order, images as global indices
        run_starts: int64 (splits * concepts + 1,), where its runs begin
        state, iou: as in Matching
        partner: as global row
        same_concept_annotation: int32, global row of the annotation of the prediction's image and
            concept, -1 for none; None in detection
        annotation_rows, staircase: of its annotations
    """

    predictions: Predictions
    run_starts: Int64Array
    state: Int8Array
    partner: Int32Array
    iou: Float64Array
    same_concept_annotation: Int32Array | None
    annotation_rows: Int32Array
    staircase: BestOverlapSteps | None


def plan_shards(predictions: Int64Array, max_rows: int) -> Int64Array:
    """Image indices at which shards begin and end, int64 (shards + 1,). A shard has at most
    `max_rows` predictions or one image.

    Args:
        predictions: int64 (images,), how many each image has
    """
    cumulative_counts = np.concatenate([[0], np.cumsum(predictions)])
    edges, image_count = [0], len(predictions)
    while edges[-1] < image_count:
        end_image = (
            int(
                np.searchsorted(
                    cumulative_counts, cumulative_counts[edges[-1]] + max_rows, side="right"
                )
            )
            - 1
        )
        edges.append(max(edges[-1] + 1, end_image))
    return np.array(edges if image_count else [0, 0], np.int64)


def match_shard(job: Job, shard: Shard) -> MatchedShard:
    """Sort a shard's predictions in gallery order and match them for all thresholds at once."""
    image_count, first_image = len(shard.split), np.int32(shard.first_image)
    empty_texts = string_column([""] * image_count)
    zeros = np.zeros(image_count, np.int32)
    images = Images(
        empty_texts, shard.split, zeros, zeros, zeros, empty_texts, shard.completeness, empty_texts
    )
    annotations = shard.annotations.replace(image=shard.annotations.image - first_image)
    predictions = shard.predictions.replace(image=shard.predictions.image - first_image)
    evaluation = build_evaluation(
        job.kind,
        ("",) * job.concept_count,
        images,
        np.zeros(image_count, np.int8),
        annotations,
        predictions,
        job.iou,
        job.unannotated_concepts,
        reuse_boxes=True,
    )
    same_concept_annotation = (
        None
        if job.kind == "detection"
        else same_concept_annotations(evaluation, shard.annotation_rows)
    )
    global_rows = np.append(shard.annotation_rows, -1).astype(np.int32)
    global_predictions = evaluation.predictions.replace(
        image=evaluation.predictions.image + first_image
    )
    return MatchedShard(
        global_predictions,
        find_run_starts(evaluation),
        evaluation.state,
        global_rows[evaluation.partner],
        evaluation.iou,
        same_concept_annotation,
        shard.annotation_rows,
        evaluation.overlap_steps,
    )


def find_run_starts(evaluation: Evaluation) -> Int64Array:
    concept_count = len(evaluation.concepts)
    run_indices = (
        evaluation.images.split[evaluation.predictions.image].astype(np.int64) * concept_count
        + evaluation.predictions.concept
    )
    return np.asarray(
        np.searchsorted(run_indices, np.arange(len(SPLITS) * concept_count + 1)), np.int64
    )


def same_concept_annotations(evaluation: Evaluation, annotation_rows: Int32Array) -> Int32Array:
    annotation_by_prediction = np.full(len(evaluation.predictions), -1, np.int32)
    has_prediction = evaluation.same_concept_prediction >= 0
    annotation_by_prediction[evaluation.same_concept_prediction[has_prediction]] = annotation_rows[
        has_prediction
    ]
    return annotation_by_prediction


@dataclass(frozen=True)
class RunBatch:
    """Adjacent runs merged together, first_run to end_run (exclusive); or part of one run: scores
    >= `min_score` and < `max_score`."""

    first_run: int
    end_run: int
    min_score: float = -np.inf
    max_score: float = np.inf

    @property
    def is_partial_run(self) -> bool:
        return not (np.isneginf(self.min_score) and np.isposinf(self.max_score))


def plan_run_batches(run_counts: Int64Array, max_rows: int) -> list[RunBatch]:
    """Batches of at most `max_rows` rows, in run order

    Args:
        run_counts: int64 (runs,). A longer run forms its own batch.
    """
    batches, first_run, batch_rows = [], 0, 0
    for run, row_count in enumerate(run_counts.tolist()):
        if batch_rows and batch_rows + row_count > max_rows:
            batches.append(RunBatch(first_run, run))
            first_run, batch_rows = run, 0
        batch_rows += row_count
    batches.append(RunBatch(first_run, len(run_counts)))
    return [batch for batch in batches if run_counts[batch.first_run : batch.end_run].any()]


def plan_score_batches(
    run_counts: Int64Array,
    max_rows: int,
    bin_counts_by_run: dict[int, tuple[ScoreBins, Int64Array]],
) -> list[RunBatch]:
    """Batches of all runs; runs longer than `max_rows` are split by score.

    Args:
        bin_counts_by_run: their numbers of rows per bin
    """
    batches: list[RunBatch] = []
    for batch in plan_run_batches(run_counts, max_rows):
        if batch.first_run in bin_counts_by_run and batch.end_run == batch.first_run + 1:
            batches += split_run_by_score(
                batch.first_run, *bin_counts_by_run[batch.first_run], max_rows
            )
        else:
            batches.append(batch)
    return batches


def split_run_by_score(
    run: int, score_bins: ScoreBins, bin_counts: Int64Array, max_rows: int
) -> list[RunBatch]:
    """Split a run into score ranges, highest first, each of at most `max_rows` rows unless a
    single bin has more."""
    batches, max_score, batch_rows = [], np.inf, 0
    for bin_index in np.flatnonzero(bin_counts).tolist():
        if batch_rows and batch_rows + bin_counts[bin_index] > max_rows:
            min_score = score_bins.upper_bound(bin_index)
            batches.append(RunBatch(run, run + 1, min_score, max_score))
            max_score, batch_rows = min_score, 0
        batch_rows += int(bin_counts[bin_index])
    return [*batches, RunBatch(run, run + 1, -np.inf, max_score)]


def merge_runs(
    run_indices: Int32Array, score: Float64Array, run_count: int
) -> tuple[Int32Array, Int64Array]:
    """The order that sorts rows by run, then by descending score (stable); and the starts of the
    runs.

    Args:
        run_indices: int32, ascending within a shard
        score: descending within a shard's run; shards are concatenated. The sort of each run is a
            stable merge sort, which is fast on presorted rows.
    """
    order, start = counting_sort(run_indices, run_count)
    for begin, end in zip(start[:-1].tolist(), start[1:].tolist(), strict=True):
        if end - begin > 1:
            run_order = order[begin:end]
            order[begin:end] = run_order[np.argsort(-score[run_order], kind="stable")]
    return order, start


def select_countable(score: Float64Array, state: Int8Array, annotations: int) -> ScoredPredictions:
    """The true and false positives of a run, for threshold sweeps."""
    is_countable = (state == MATCHED) | (state == WRONG)
    return ScoredPredictions(score[is_countable], state[is_countable] == MATCHED, annotations)


def concat_steps(
    shard_steps: Sequence[tuple[Int32Array, BestOverlapSteps]], annotation_count: int
) -> BestOverlapSteps:
    """Concatenate the staircases of shards; each comes with the global rows of its annotations."""
    step_counts = np.zeros(annotation_count, np.int64)
    for annotation_rows, steps in shard_steps:
        step_counts[annotation_rows] = np.diff(steps.start)
    start = np.concatenate([[0], np.cumsum(step_counts)])
    score, iou = np.empty(start[-1]), np.empty(start[-1])
    for annotation_rows, steps in shard_steps:
        step_counts_in_shard = np.diff(steps.start)
        target_indices = np.repeat(
            start[annotation_rows] - steps.start[:-1], step_counts_in_shard
        ) + np.arange(len(steps.score))
        score[target_indices], iou[target_indices] = steps.score, steps.iou
    return BestOverlapSteps(start, score, iou)
