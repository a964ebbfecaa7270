"""Metrics by threshold: exact at each sampled threshold; only the samples are thinned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.core.tables import Float64Array, Int64Array
from pellucid.evaluation.counts import bin_edges
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.sorted_runs import count_above_thresholds

EVEN_POINTS, RANK_POINTS = 200, 200
"""Number of points spaced evenly over the scores, and over the ranks of the predictions."""
MAX_SAMPLED_SCORES = 50_000


@dataclass(frozen=True, eq=False)
class Curve:
    """Outcomes at each distinct score of a concept.

    Attributes:
        threshold: float64 (n,), ascending
        tp, fp: int64 (n,), at or above it
        annotation_count: total
    """

    threshold: Float64Array
    tp: Int64Array
    fp: Int64Array
    annotation_count: int

    @property
    def fn(self) -> Int64Array:
        """False negatives at each threshold."""
        return self.annotation_count - self.tp

    @property
    def errors(self) -> Int64Array:
        """FP + FN at each threshold."""
        return self.fp + self.fn

    @property
    def precision(self) -> Float64Array:
        """NaN without predictions."""
        return ratios(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> Float64Array:
        """NaN without annotations."""
        return ratios(self.tp, np.full(len(self.tp), self.annotation_count))

    @property
    def f1(self) -> Float64Array:
        """F1 at each threshold; NaN where it is undefined."""
        return ratios(2 * self.tp, self.tp + self.fp + self.annotation_count)


def ratios(numerators: Int64Array, denominators: Int64Array) -> Float64Array:
    """Quotients; NaN where the denominator is 0."""
    return np.asarray(
        np.divide(
            numerators, denominators, out=np.full(len(numerators), np.nan), where=denominators > 0
        )
    )


def build_curve(evaluation: Evaluation, split: int, concept: int | None) -> Curve:
    """The curve of one concept, or of all concepts at a common threshold (None)."""
    return curve_at_thresholds(
        evaluation, split, concept, curve_thresholds(evaluation, split, concept)
    )


def curve_at_thresholds(
    evaluation: Evaluation, split: int, concept: int | None, thresholds: Float64Array
) -> Curve:
    """The curve at these ascending thresholds. Uses bisection; does not scan the predictions."""
    concept_indices = (
        np.arange(len(evaluation.concepts)) if concept is None else np.array([concept])
    )
    concept_thresholds = np.zeros(len(evaluation.concepts))
    tp, fp = np.zeros(len(thresholds), np.int64), np.zeros(len(thresholds), np.int64)
    for position, threshold in enumerate(thresholds):
        concept_thresholds[concept_indices] = threshold
        tp[position] = count_above_thresholds(
            evaluation.matched, split, concept_indices, concept_thresholds
        ).sum()
        fp[position] = count_above_thresholds(
            evaluation.wrong, split, concept_indices, concept_thresholds
        ).sum()
    return Curve(
        thresholds, tp, fp, int(evaluation.annotation_counts(split)[concept_indices].sum())
    )


def curve_thresholds(evaluation: Evaluation, split: int, concept: int | None) -> Float64Array:
    """Thresholds to sample: evenly spaced over the scores and over their ranks."""
    runs = evaluation.predicted_concepts if concept is None else evaluation.all_predictions
    begin, end = runs.split_span(split) if concept is None else runs.span(split, concept)
    sample_positions = np.unique(
        np.linspace(begin, max(begin, end - 1), min(MAX_SAMPLED_SCORES, end - begin)).astype(
            np.int64
        )
    )
    scores = np.sort(np.asarray(runs.score[sample_positions], np.float64))
    even_thresholds = bin_edges(scores, EVEN_POINTS)
    rank_thresholds = (
        scores[
            np.unique(np.linspace(0, len(scores) - 1, min(RANK_POINTS, len(scores))).astype(int))
        ]
        if len(scores)
        else scores
    )
    return np.unique(np.concatenate([even_thresholds, rank_thresholds]))
