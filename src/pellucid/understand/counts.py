"""How many: the figures at the thresholds, per concept, and the score histogram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.columns import Floats, Longs
from pellucid.understand.evaluation import Evaluation
from pellucid.understand.matching import MATCHED, WRONG
from pellucid.understand.runs import at_or_over


@dataclass(frozen=True, eq=False)
class Counts:
    """Per concept, int64 (concepts,): items of the tab All, those at or over the threshold, and TP, FP, FN there."""

    all: Longs
    over: Longs
    tp: Longs
    fp: Longs
    fn: Longs


def count(evaluation: Evaluation, split: int, thresholds: Floats) -> Counts:
    """The four tabs' sizes for every concept at once, by bisection in each run."""
    tp = at_or_over(evaluation.matched, split, thresholds)
    fp = at_or_over(evaluation.wrong, split, thresholds)
    fn = evaluation.annotation_counts(split) - tp
    everything = evaluation.all_predictions
    return Counts(np.diff(everything.start[split]), at_or_over(everything, split, thresholds), tp, fp, fn)


def ratio(part: float, whole: float) -> float | None:
    """part / whole; None where it is undefined."""
    return float(part / whole) if whole else None


def precision(tp: int, fp: int) -> float | None:
    return ratio(tp, tp + fp)


def recall(tp: int, fn: int) -> float | None:
    return ratio(tp, tp + fn)


def f1(tp: int, fp: int, fn: int) -> float | None:
    return ratio(2 * tp, 2 * tp + fp + fn)


@dataclass(frozen=True, eq=False)
class Histogram:
    """Items of All by score: edges float64 (bins + 1,) rising; right, wrong, other int64 (bins,).

    A bin holds scores from its lower edge up to, not including, its upper one; the last includes it.
    """

    edges: Floats
    right: Longs
    wrong: Longs
    other: Longs


def histogram(evaluation: Evaluation, split: int, concept: int | None, bins: int) -> Histogram:
    """Scores of the tab All: those that match, those that do not, those that take no part."""
    runs = evaluation.predicted_concepts if concept is None else evaluation.all_predictions
    begin, end = (0, len(evaluation.concepts)) if concept is None else (concept, concept + 1)
    span = slice(int(runs.start[split, begin]), int(runs.start[split, end]))
    score, state = runs.score[span], evaluation.state[runs.rows[span]]
    edges = bin_edges(score, bins)
    sides = [np.histogram(score[chosen], edges)[0] for chosen in (state == MATCHED, state == WRONG)]
    everything = np.histogram(score, edges)[0]
    return Histogram(edges, sides[0], sides[1], everything - sides[0] - sides[1])


def bin_edges(score: Floats, bins: int) -> Floats:
    """Even edges over the scores; probabilities keep the whole scale of 0 to 1."""
    low, high = (float(score.min()), float(score.max())) if len(score) else (0.0, 1.0)
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    return np.linspace(low, high, bins + 1)
