"""Thresholds chosen for something else than fewest errors: F1, a price for each kind of error, a least precision or recall.

All are found exactly, by the same sweep over the distinct scores of validation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pellucid.columns import Floats, Longs
from pellucid.errors import InvalidObjectiveError
from pellucid.understand.thresholds import Counted, Threshold, cut_including, fewest_errors

Aim = Literal["errors", "f1", "cost", "precision", "recall"]
AIMS: tuple[Aim, ...] = ("errors", "f1", "cost", "precision", "recall")


@dataclass(frozen=True)
class Objective:
    """errors: the fewest · f1: the highest · cost: the lowest FP * false_alarm + FN * miss · precision, recall: at least `least`, and of
    the cuts that reach it the one that finds the most, or that is most precise."""

    aim: Aim = "errors"
    least: float = 0.9
    false_alarm: float = 1.0
    miss: float = 1.0


def worth(objective: Objective, tp: Floats, predicted: Floats, annotations: float) -> Floats:
    """How good each cut is: the highest is chosen, of equals the lowest cut; -inf where it is out of the question."""
    fp, fn = predicted - tp, annotations - tp
    if objective.aim == "errors":
        return -(fp + fn)
    if objective.aim == "cost":
        return -(objective.false_alarm * fp + objective.miss * fn)
    if objective.aim == "f1":
        return np.divide(2 * tp, predicted + annotations, out=np.zeros(len(tp)), where=predicted + annotations > 0)
    if objective.aim == "precision":
        enough = tp >= objective.least * predicted - 1e-12 * predicted
        return np.where(enough & (predicted > 0), tp, -np.inf)
    precision = np.divide(tp, predicted, out=np.zeros(len(tp)), where=predicted > 0)
    return np.where(tp >= objective.least * annotations * (1 - 1e-12), precision, -np.inf)


def best_for(counted: Counted, objective: Objective) -> Threshold | None:
    """The concept's threshold; None where no cut reaches what is asked, or nothing was predicted."""
    if not len(counted.score):
        return None
    if objective.aim == "errors":
        return fewest_errors(counted)
    included, tp = sweep(counted)
    value = worth(objective, tp.astype(float), included.astype(float), counted.annotations)
    best = len(value) - 1 - int(np.argmax(value[::-1]))
    if np.isneginf(value[best]):
        return None
    cut = cut_including(counted.score, int(included[best]))
    hits, false = int(tp[best]), int(included[best] - tp[best])
    missed = counted.annotations - hits
    return Threshold(cut, false + missed, hits, false, missed, "validation", (cut, cut), counted.annotations)


def sweep(counted: Counted) -> tuple[Longs, Longs]:
    """At every distinct cut, from predicting nothing down: how many are predicted, and how many of these match."""
    score, right = counted.score, counted.right
    last = np.append(np.flatnonzero(score[1:] != score[:-1]), len(score) - 1)
    return np.concatenate([[0], last + 1]), np.concatenate([[0], np.cumsum(right)[last]])


def parsed(words: str) -> Objective:
    """`errors`, `f1`, `cost:FALSE_ALARM,MISS`, `precision:LEAST`, `recall:LEAST`. Raises ObjectiveBad."""
    aim, _, rest = words.partition(":")
    try:
        numbers = [float(part) for part in rest.split(",")] if rest else []
    except ValueError:
        numbers = [np.nan]
    if aim in ("errors", "f1") and not numbers:
        return Objective("f1" if aim == "f1" else "errors")
    if aim == "cost" and len(numbers) == 2 and all(0 <= number < np.inf for number in numbers) and any(numbers):
        return replace(Objective("cost"), false_alarm=numbers[0], miss=numbers[1])
    if aim in ("precision", "recall") and len(numbers) == 1 and 0 < numbers[0] <= 1:
        return Objective("precision" if aim == "precision" else "recall", numbers[0])
    raise InvalidObjectiveError(words)
