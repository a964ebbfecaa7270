"""Figures against the threshold, exact at every point drawn; only which points are drawn is thinned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.core.tables import Float64Array, Int64Array
from pellucid.evaluation.counts import bin_edges
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.sorted_runs import count_above_thresholds

EVEN, BY_RANK = 200, 200
"""Points evenly spread over the scores, and points with as many predictions between them."""
SAMPLED = 50_000


@dataclass(frozen=True, eq=False)
class Curve:
    """threshold: float64 (n,) rising · tp, fp: int64 (n,), at or over it · annotations: that can be found."""

    threshold: Float64Array
    tp: Int64Array
    fp: Int64Array
    annotations: int

    @property
    def fn(self) -> Int64Array:
        return self.annotations - self.tp

    @property
    def errors(self) -> Int64Array:
        return self.fp + self.fn

    @property
    def precision(self) -> Float64Array:
        """NaN where nothing is predicted."""
        return ratios(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> Float64Array:
        """NaN without annotations."""
        return ratios(self.tp, np.full(len(self.tp), self.annotations))

    @property
    def f1(self) -> Float64Array:
        return ratios(2 * self.tp, self.tp + self.fp + self.annotations)


def ratios(part: Int64Array, whole: Int64Array) -> Float64Array:
    return np.asarray(np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0))


def curve(evaluation: Evaluation, split: int, concept: int | None) -> Curve:
    """Of one concept, or of all held to one and the same threshold (None)."""
    return curve_at(evaluation, split, concept, drawn(evaluation, split, concept))


def curve_at(evaluation: Evaluation, split: int, concept: int | None, thresholds: Float64Array) -> Curve:
    """At these thresholds, rising. Costs bisections, not the predictions."""
    chosen = np.arange(len(evaluation.concepts)) if concept is None else np.array([concept])
    every = np.zeros(len(evaluation.concepts))
    tp, fp = np.zeros(len(thresholds), np.int64), np.zeros(len(thresholds), np.int64)
    for place, value in enumerate(thresholds):
        every[chosen] = value
        tp[place] = count_above_thresholds(evaluation.matched, split, chosen, every).sum()
        fp[place] = count_above_thresholds(evaluation.wrong, split, chosen, every).sum()
    return Curve(thresholds, tp, fp, int(evaluation.annotation_counts(split)[chosen].sum()))


def drawn(evaluation: Evaluation, split: int, concept: int | None) -> Float64Array:
    """Thresholds worth drawing: evenly over the scores, and evenly over their ranks."""
    runs = evaluation.predicted_concepts if concept is None else evaluation.all_predictions
    begin, end = runs.split_span(split) if concept is None else runs.span(split, concept)
    places = np.unique(np.linspace(begin, max(begin, end - 1), min(SAMPLED, end - begin)).astype(np.int64))
    score = np.sort(np.asarray(runs.score[places], np.float64))
    even = bin_edges(score, EVEN)
    by_rank = score[np.unique(np.linspace(0, len(score) - 1, min(BY_RANK, len(score))).astype(int))] if len(score) else score
    return np.unique(np.concatenate([even, by_rank]))
