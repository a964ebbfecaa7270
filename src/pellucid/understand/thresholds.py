"""The threshold of each concept: the cut with the fewest errors on validation, found exactly.

One sweep over the sorted scores counts errors(t) = FP(t) + FN(t) at every distinct cut.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pellucid.columns import Flags, Floats, Longs

Source = Literal["validation", "fallback", "user"]

NO_EVIDENCE = 0.5
"""The threshold where validation holds no counted prediction of any concept."""


@dataclass(frozen=True)
class Threshold:
    """A concept's threshold and what it costs on validation.

    value: a prediction counts when score >= value · errors, tp, fp, fn: at value · source: `validation`,
    `fallback` (nothing of its own to cut between) or `user` · equally_good: the closed range of values
    around the chosen one that make as few errors · annotations: how many validation annotations stand behind it.
    """

    value: float
    errors: int
    tp: int
    fp: int
    fn: int
    source: Source
    equally_good: tuple[float, float]
    annotations: int


@dataclass(frozen=True, eq=False)
class Counted:
    """One concept's counted predictions on validation: scores descending, and which of them match."""

    score: Floats
    right: Flags
    annotations: int


@dataclass(frozen=True, eq=False)
class Cuts:
    """Where one can cut: at every distinct score, falling. included, tp: int64, how many predictions, and right ones, are at or over
    it · gap: True where cuts that are no candidates were left out before it."""

    score: Floats
    included: Longs
    tp: Longs
    gap: Flags


def fewest_errors(counted: Counted) -> Threshold:
    """The cut that minimises FP + FN; of several, the lowest. At least one counted prediction is needed.

    It lies midway between the lowest score it includes and the next distinct score below; if there is none,
    at the lowest score; if nothing should be predicted, just above the highest.
    """
    score, right = counted.score, counted.right
    last = np.append(np.flatnonzero(score[1:] != score[:-1]), len(score) - 1)
    return best_cut(Cuts(score[last], last + 1, np.cumsum(right)[last], np.zeros(len(last), bool)), counted.annotations)


def best_cut(cuts: Cuts, annotations: int) -> Threshold:
    """The best of these cuts, or of predicting nothing; see `fewest_errors`."""
    score = cuts.score
    included, tp = np.concatenate([[0], cuts.included]), np.concatenate([[0], cuts.tp])
    errors = annotations - tp + included - tp
    fewest = errors.min()
    best = len(errors) - 1 - int(np.argmin(errors[::-1]))
    highest = best
    while highest > 0 and errors[highest - 1] == fewest and not cuts.gap[highest - 1]:
        highest -= 1
    hits, false = int(tp[best]), int(included[best] - tp[best])
    around = (lowest_value(score, best), highest_value(score, highest))
    return Threshold(cut_including(score, best), int(fewest), hits, false, annotations - hits, "validation", around, annotations)


def cut_including(score: Floats, count: int) -> float:
    """Where to cut so that exactly the first `count` of the descending scores are at or over."""
    if count == 0:
        return float(np.nextafter(score[0], np.inf))
    if count == len(score):
        return float(score[-1])
    above, below = score[count - 1], score[count]
    middle = above / 2 + below / 2 if np.isinf(above + below) else (above + below) / 2
    return float(middle if middle > below else above)


def lowest_value(score: Floats, count: int) -> float:
    """The lowest cut that still includes `count` scores alone; 0 (or the lowest score) where nothing is below."""
    if count == len(score):
        return float(min(0.0, score[-1]))
    return float(np.nextafter(score[count], np.inf))


def highest_value(score: Floats, count: int) -> float:
    """The highest cut that still includes `count` scores; 1 (or just above the highest score) for none."""
    if count == 0:
        return float(max(1.0, np.nextafter(score[0], np.inf)))
    return float(score[count - 1])


def thresholds_of(concepts: list[Counted]) -> list[Threshold]:
    """Every concept's threshold; those without a counted prediction take the cut that is best for all together."""
    if all(len(counted.score) for counted in concepts):
        return [fewest_errors(counted) for counted in concepts]
    shared = pooled(concepts)
    return [fewest_errors(counted) if len(counted.score) else fallback(counted, shared) for counted in concepts]


def pooled(concepts: list[Counted]) -> Threshold | None:
    """The one cut that minimises the errors of all concepts together; None without any counted prediction."""
    if not any(len(counted.score) for counted in concepts):
        return None
    score = np.concatenate([counted.score for counted in concepts])
    right = np.concatenate([counted.right for counted in concepts])
    order = np.argsort(-score, kind="stable")
    return fewest_errors(Counted(score[order], right[order], sum(counted.annotations for counted in concepts)))


def fallback(counted: Counted, shared: Threshold | None) -> Threshold:
    value, around = (shared.value, shared.equally_good) if shared else (NO_EVIDENCE, (NO_EVIDENCE, NO_EVIDENCE))
    return Threshold(value, counted.annotations, 0, 0, counted.annotations, "fallback", around, counted.annotations)


def chosen_by_user(optimal: Threshold, counted: Counted, value: float) -> Threshold:
    """The same concept held to the user's value; the range of equally good cuts stays that of the optimum."""
    over = counted.score >= value
    tp = int((over & counted.right).sum())
    fp = int(over.sum()) - tp
    fn = counted.annotations - tp
    return replace(optimal, value=float(value), errors=fp + fn, tp=tp, fp=fp, fn=fn, source="user")
