"""Outcome counts at the thresholds, per concept, and score histograms."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pellucid.core.tables import SPLITS, Float64Array, Int8Array, Int64Array
from pellucid.evaluation.evaluation import Evaluation, EvaluationIndex
from pellucid.evaluation.match_result import MATCHED, WRONG
from pellucid.evaluation.sorted_runs import IndirectColumn


@dataclass(frozen=True, eq=False)
class OutcomeCounts:
    """Per concept, int64 (concepts,): items of the tab All, those at or above the threshold, and
    TP, FP, FN there."""

    total: Int64Array
    above_threshold: Int64Array
    tp: Int64Array
    fp: Int64Array
    fn: Int64Array


def count_outcomes(evaluation: Evaluation, split: int, thresholds: Float64Array) -> OutcomeCounts:
    """The sizes of the four tabs for every concept, by binary search in each run."""
    tp, fp = (
        evaluation.count_above_thresholds(runs_name, split, thresholds)
        for runs_name in ("matched", "wrong")
    )
    fn = evaluation.annotation_counts(split) - tp
    totals = evaluation.all_predictions.lengths(split)
    return OutcomeCounts(
        totals, evaluation.count_above_thresholds("all_predictions", split, thresholds), tp, fp, fn
    )


def precompute(evaluation: Evaluation) -> Evaluation:
    """The evaluation with all derived data computed, as it is saved with a version."""
    return replace(
        evaluation,
        index=EvaluationIndex(
            evaluation.row_index,
            evaluation.thresholds,
            evaluation.unmatched_index,
            evaluation.optimal_counts,
            split_histograms(evaluation),
        ),
    )


def ratio(numerator: float, denominator: float) -> float | None:
    """numerator / denominator; None if undefined."""
    return float(numerator / denominator) if denominator else None


def precision(tp: int, fp: int) -> float | None:
    """TP / (TP + FP); None without predictions."""
    return ratio(tp, tp + fp)


def recall(tp: int, fn: int) -> float | None:
    """TP / (TP + FN); None without annotations."""
    return ratio(tp, tp + fn)


def f1(tp: int, fp: int, fn: int) -> float | None:
    """The harmonic mean of precision and recall; None without any item."""
    return ratio(2 * tp, 2 * tp + fp + fn)


@dataclass(frozen=True, eq=False)
class Histogram:
    """Items of the tab All by score: edges float64 (bins + 1,), ascending; right, wrong, other
    int64 (bins,).

    Bins are half-open [lower, upper); the last one includes its upper edge.
    """

    edges: Float64Array
    right: Int64Array
    wrong: Int64Array
    other: Int64Array


SCORE_BAR_BINS = 120
"""Bins of the score histogram next to the gallery; the one over all concepts is saved with a
version."""


def histogram(evaluation: Evaluation, split: int, concept: int | None, bins: int) -> Histogram:
    """Histogram of the scores of the tab All: matches, errors, and others (ignored); empty without
    scores."""
    if not evaluation.has_scores:
        none = np.zeros(bins, np.int64)
        return Histogram(np.linspace(0, 1, bins + 1), none, none, none)
    if concept is None and bins == SCORE_BAR_BINS and evaluation.index is not None:
        edges, match_counts, error_counts, other_counts = (
            evaluation.index.histograms[histogram_key][split]
            for histogram_key in ("edges", "right", "wrong", "other")
        )
        return Histogram(edges, match_counts, error_counts, other_counts)
    runs = evaluation.predicted_concepts if concept is None else evaluation.all_predictions
    begin, end = runs.split_span(split) if concept is None else runs.span(split, concept)
    positions = slice(begin, end)
    score, state = (
        runs.score[positions],
        IndirectColumn(evaluation.state, runs.table_rows)[positions],
    )
    return outcome_histogram(score, state, bin_edges(score, bins))


def histogram_of_rows(evaluation: Evaluation, rows: Int64Array, edges: Float64Array) -> Histogram:
    """Histogram of the scores of some predictions, in given bins; empty without scores."""
    if not evaluation.has_scores:
        rows = rows[:0]
    return outcome_histogram(evaluation.predictions.score[rows], evaluation.state[rows], edges)


def outcome_histogram(score: Float64Array, state: Int8Array, edges: Float64Array) -> Histogram:
    """How many predictions are right, wrong and ignored in each bin of scores.

    Args:
        score, state: of each prediction
        edges: float64 (bins + 1,), ascending; the last bin contains its upper edge
    """
    right, wrong, total = (
        np.histogram(scores, edges)[0]
        for scores in (score[state == MATCHED], score[state == WRONG], score)
    )
    return Histogram(edges, right, wrong, total - right - wrong)


def split_histograms(evaluation: Evaluation) -> dict[str, np.ndarray]:
    """Histograms over all concepts, one row per split, by column name."""
    if evaluation.index is not None:
        return evaluation.index.histograms
    histograms = [
        histogram(evaluation, split, None, SCORE_BAR_BINS) for split in range(len(SPLITS))
    ]
    return {
        histogram_key: np.stack(
            [getattr(split_histogram, histogram_key) for split_histogram in histograms]
        )
        for histogram_key in ("edges", "right", "wrong", "other")
    }


def bin_edges(score: Float64Array, bins: int) -> Float64Array:
    """Equally spaced bin edges over the scores; the range is 0 to 1 for probabilities."""
    low, high = (float(score.min()), float(score.max())) if len(score) else (0.0, 1.0)
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    return np.linspace(low, high, bins + 1)
