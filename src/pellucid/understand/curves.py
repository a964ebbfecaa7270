"""Figures against the threshold, exact at every point drawn; only which points are drawn is thinned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.columns import Floats, Longs
from pellucid.understand.counts import bin_edges
from pellucid.understand.evaluation import Evaluation
from pellucid.understand.runs import at_or_over

EVEN, BY_RANK = 200, 200
"""Points evenly spread over the scores, and points with as many predictions between them."""
SAMPLED = 50_000


@dataclass(frozen=True, eq=False)
class Curve:
    """threshold: float64 (n,) rising · tp, fp: int64 (n,), at or over it · annotations: that can be found."""

    threshold: Floats
    tp: Longs
    fp: Longs
    annotations: int

    @property
    def fn(self) -> Longs:
        return self.annotations - self.tp

    @property
    def errors(self) -> Longs:
        return self.fp + self.fn

    @property
    def precision(self) -> Floats:
        """NaN where nothing is predicted."""
        return ratios(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> Floats:
        """NaN without annotations."""
        return ratios(self.tp, np.full(len(self.tp), self.annotations))

    @property
    def f1(self) -> Floats:
        return ratios(2 * self.tp, self.tp + self.fp + self.annotations)


def ratios(part: Longs, whole: Longs) -> Floats:
    return np.asarray(np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0))


def curve(evaluation: Evaluation, split: int, concept: int | None) -> Curve:
    """Of one concept, or of all held to one and the same threshold (None)."""
    return curve_at(evaluation, split, concept, drawn(evaluation, split, concept))


def curve_at(evaluation: Evaluation, split: int, concept: int | None, thresholds: Floats) -> Curve:
    """At these thresholds, rising. Costs bisections, not the predictions."""
    chosen = np.arange(len(evaluation.concepts)) if concept is None else np.array([concept])
    every = np.zeros(len(evaluation.concepts))
    tp, fp = np.zeros(len(thresholds), np.int64), np.zeros(len(thresholds), np.int64)
    for place, value in enumerate(thresholds):
        every[chosen] = value
        tp[place] = at_or_over(evaluation.matched, split, chosen, every).sum()
        fp[place] = at_or_over(evaluation.wrong, split, chosen, every).sum()
    return Curve(thresholds, tp, fp, int(evaluation.annotation_counts(split)[chosen].sum()))


def drawn(evaluation: Evaluation, split: int, concept: int | None) -> Floats:
    """Thresholds worth drawing: evenly over the scores, and evenly over their ranks."""
    runs = evaluation.predicted_concepts if concept is None else evaluation.all_predictions
    begin, end = runs.whole(split) if concept is None else runs.span(split, concept)
    places = np.unique(np.linspace(begin, max(begin, end - 1), min(SAMPLED, end - begin)).astype(np.int64))
    score = np.sort(np.asarray(runs.score[places], np.float64))
    even = bin_edges(score, EVEN)
    by_rank = score[np.unique(np.linspace(0, len(score) - 1, min(BY_RANK, len(score))).astype(int))] if len(score) else score
    return np.unique(np.concatenate([even, by_rank]))
