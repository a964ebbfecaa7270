"""Thresholds for other objectives than fewest errors: F1, error costs, a minimum precision or
recall.

All are found exactly, by one sweep over the distinct validation scores.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pellucid.core.tables import Float64Array, Int64Array
from pellucid.evaluation.errors import InvalidObjectiveError
from pellucid.evaluation.thresholds import (
    ScoredPredictions,
    Threshold,
    highest_equivalent,
    lowest_equivalent,
    min_error_threshold,
    threshold_including,
)

ObjectiveName = Literal["errors", "f1", "cost", "precision", "recall"]


@dataclass(frozen=True)
class Objective:
    """errors: the fewest · f1: the highest · cost: the lowest total cost of FP and FN · precision,
    recall: at least `minimum`; of the thresholds that reach it, the one with the most true
    positives, or the highest precision."""

    criterion: ObjectiveName = "errors"
    minimum: float = 0.9
    false_positive_cost: float = 1.0
    false_negative_cost: float = 1.0


def objective_values(
    objective: Objective, tp: Float64Array, prediction_counts: Float64Array, annotation_count: float
) -> Float64Array:
    """Objective value of each threshold, to be maximised (ties: the lowest threshold); -inf if it
    is not feasible."""
    fp, fn = prediction_counts - tp, annotation_count - tp
    if objective.criterion == "errors":
        return -(fp + fn)
    if objective.criterion == "cost":
        return -(objective.false_positive_cost * fp + objective.false_negative_cost * fn)
    if objective.criterion == "f1":
        return np.divide(
            2 * tp,
            prediction_counts + annotation_count,
            out=np.zeros(len(tp)),
            where=prediction_counts + annotation_count > 0,
        )
    if objective.criterion == "precision":
        meets_precision = tp >= objective.minimum * prediction_counts - 1e-12 * prediction_counts
        return np.where(meets_precision & (prediction_counts > 0), tp, -np.inf)
    precision = np.divide(tp, prediction_counts, out=np.zeros(len(tp)), where=prediction_counts > 0)
    return np.where(tp >= objective.minimum * annotation_count * (1 - 1e-12), precision, -np.inf)


def optimize_objective(predictions: ScoredPredictions, objective: Objective) -> Threshold | None:
    """The concept's threshold; None if no threshold reaches the objective or there are no
    predictions."""
    if not len(predictions.score):
        return None
    if objective.criterion == "errors":
        return min_error_threshold(predictions)
    prediction_counts, tp = sweep_thresholds(predictions)
    distinct_scores = predictions.score[prediction_counts[1:] - 1]
    objective_value = objective_values(
        objective, tp.astype(float), prediction_counts.astype(float), predictions.annotation_count
    )
    best_index = len(objective_value) - 1 - int(np.argmax(objective_value[::-1]))
    best = objective_value[best_index]
    if np.isneginf(best):
        return None
    highest = best_index
    while highest > 0 and objective_value[highest - 1] == best:
        highest -= 1
    threshold = threshold_including(predictions.score, int(prediction_counts[best_index]))
    tp_count, fp_count = int(tp[best_index]), int(prediction_counts[best_index] - tp[best_index])
    fn_count = predictions.annotation_count - tp_count
    return Threshold(
        threshold,
        fp_count + fn_count,
        tp_count,
        fp_count,
        fn_count,
        "validation",
        (
            lowest_equivalent(distinct_scores, best_index),
            highest_equivalent(distinct_scores, highest),
        ),
        predictions.annotation_count,
    )


def sweep_thresholds(predictions: ScoredPredictions) -> tuple[Int64Array, Int64Array]:
    """At every distinct threshold, from the highest (no prediction) down: number of predictions
    and of matches."""
    score, is_match = predictions.score, predictions.is_match
    last_of_score = np.append(np.flatnonzero(score[1:] != score[:-1]), len(score) - 1)
    return np.concatenate([[0], last_of_score + 1]), np.concatenate(
        [[0], np.cumsum(is_match)[last_of_score]]
    )


def parse_objective(spec: str) -> Objective:
    """`errors`, `f1`, `cost:FALSE_ALARM,MISS`, `precision:LEAST`, `recall:LEAST`. Raises
    InvalidObjectiveError."""
    criterion, _, arguments = spec.partition(":")
    try:
        numbers = [float(argument) for argument in arguments.split(",")] if arguments else []
    except ValueError:
        numbers = [np.nan]
    if criterion in ("errors", "f1") and not numbers:
        return Objective("f1" if criterion == "f1" else "errors")
    if (
        criterion == "cost"
        and len(numbers) == 2
        and all(0 <= cost < np.inf for cost in numbers)
        and any(numbers)
    ):
        return replace(
            Objective("cost"), false_positive_cost=numbers[0], false_negative_cost=numbers[1]
        )
    if criterion in ("precision", "recall") and len(numbers) == 1 and 0 < numbers[0] <= 1:
        return Objective("precision" if criterion == "precision" else "recall", numbers[0])
    raise InvalidObjectiveError(spec)
