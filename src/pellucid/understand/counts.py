"""How many: the figures at the thresholds, per concept, and the score histogram."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pellucid.columns import SPLITS, Floats, Longs
from pellucid.understand.evaluation import Evaluation, Kept
from pellucid.understand.outcomes import MATCHED, WRONG
from pellucid.understand.runs import Through


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
    tp, fp = (evaluation.at_or_over(name, split, thresholds) for name in ("matched", "wrong"))
    fn = evaluation.annotation_counts(split) - tp
    everything = evaluation.all_predictions.lengths(split)
    return Counts(everything, evaluation.at_or_over("all_predictions", split, thresholds), tp, fp, fn)


def with_all_kept(evaluation: Evaluation) -> Evaluation:
    """The same, with all that follows from it worked out: what is written beside a version."""
    return replace(evaluation, kept=Kept(evaluation.derived, evaluation.thresholds, evaluation.extra, evaluation.over, strips(evaluation)))


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


STRIP = 120
"""Bins of the histogram beside the wall; over all concepts it is kept with a version."""


def histogram(evaluation: Evaluation, split: int, concept: int | None, bins: int) -> Histogram:
    """Scores of the tab All: those that match, those that do not, those that take no part."""
    if concept is None and bins == STRIP and evaluation.kept is not None:
        edges, right, wrong, other = (evaluation.kept.strips[name][split] for name in ("edges", "right", "wrong", "other"))
        return Histogram(edges, right, wrong, other)
    runs = evaluation.predicted_concepts if concept is None else evaluation.all_predictions
    begin, end = runs.whole(split) if concept is None else runs.span(split, concept)
    places = slice(begin, end)
    score, state = runs.score[places], Through(evaluation.state, runs.rows)[places]
    edges = bin_edges(score, bins)
    sides = [np.histogram(score[chosen], edges)[0] for chosen in (state == MATCHED, state == WRONG)]
    everything = np.histogram(score, edges)[0]
    return Histogram(edges, sides[0], sides[1], everything - sides[0] - sides[1])


def strips(evaluation: Evaluation) -> dict[str, np.ndarray]:
    """The histograms of all concepts together, a row a split, by the names of their columns."""
    if evaluation.kept is not None:
        return evaluation.kept.strips
    found = [histogram(evaluation, split, None, STRIP) for split in range(len(SPLITS))]
    return {name: np.stack([getattr(one, name) for one in found]) for name in ("edges", "right", "wrong", "other")}


def bin_edges(score: Floats, bins: int) -> Floats:
    """Even edges over the scores; probabilities keep the whole scale of 0 to 1."""
    low, high = (float(score.min()), float(score.max())) if len(score) else (0.0, 1.0)
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    return np.linspace(low, high, bins + 1)
