"""The threshold of each concept: the one with the fewest errors on validation, found exactly.

One sweep over the sorted scores computes errors(t) = FP(t) + FN(t) at every distinct score.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pellucid.core.tables import NO_SCORE, BoolArray, Float64Array, Int64Array

ThresholdSource = Literal["validation", "fallback", "user", "no scores"]

DEFAULT_THRESHOLD = 0.5
"""The default threshold if no concept has a prediction that counts on validation."""


@dataclass(frozen=True)
class Threshold:
    """A concept's threshold and its errors on validation.

    Attributes:
        value: a prediction is positive if score >= value
        errors, tp, fp, fn: at value
        source: `validation`, `fallback` (the concept has no predictions of its own), `user`, or `no
            scores`: the value is then NO_SCORE, and every prediction counts
        equally_good: the closed range of values around it with the same number of errors
        annotations: number of validation annotations it is based on
    """

    value: float
    errors: int
    tp: int
    fp: int
    fn: int
    source: ThresholdSource
    equally_good: tuple[float, float]
    annotations: int


@dataclass(frozen=True, eq=False)
class ScoredPredictions:
    """The predictions of a concept that count: descending scores, and whether each is a match."""

    score: Float64Array
    is_match: BoolArray
    annotation_count: int


@dataclass(frozen=True, eq=False)
class CandidateThresholds:
    """Candidate thresholds: every distinct score, descending.

    Attributes:
        prediction_counts, tp: int64, number of predictions and of true positives at or above it
        has_gap_before: True if non-candidates were left out before it
    """

    score: Float64Array
    prediction_counts: Int64Array
    tp: Int64Array
    has_gap_before: BoolArray


def min_error_threshold(predictions: ScoredPredictions) -> Threshold:
    """The threshold that minimises FP + FN; ties: the lowest. At least one prediction is required.

    It is midway between the lowest score it includes and the next distinct score below; if there
    is none, at the lowest score; if predicting nothing is best, just above the highest.
    """
    score, is_match = predictions.score, predictions.is_match
    last_of_score = np.append(np.flatnonzero(score[1:] != score[:-1]), len(score) - 1)
    return best_threshold(
        CandidateThresholds(
            score[last_of_score],
            last_of_score + 1,
            np.cumsum(is_match)[last_of_score],
            np.zeros(len(last_of_score), bool),
        ),
        predictions.annotation_count,
    )


def best_threshold(candidates: CandidateThresholds, annotation_count: int) -> Threshold:
    """The best of these candidates, or predicting nothing; see `min_error_threshold`."""
    score = candidates.score
    prediction_counts, tp = (
        np.concatenate([[0], candidates.prediction_counts]),
        np.concatenate([[0], candidates.tp]),
    )
    errors = annotation_count - tp + prediction_counts - tp
    min_errors = errors.min()
    lowest_best = len(errors) - 1 - int(np.argmin(errors[::-1]))
    highest_best = lowest_best
    while (
        highest_best > 0
        and errors[highest_best - 1] == min_errors
        and not candidates.has_gap_before[highest_best - 1]
    ):
        highest_best -= 1
    tp_count, fp_count = int(tp[lowest_best]), int(prediction_counts[lowest_best] - tp[lowest_best])
    equivalent_range = (
        lowest_equivalent(score, lowest_best),
        highest_equivalent(score, highest_best),
    )
    return Threshold(
        threshold_including(score, lowest_best),
        int(min_errors),
        tp_count,
        fp_count,
        annotation_count - tp_count,
        "validation",
        equivalent_range,
        annotation_count,
    )


def threshold_including(score: Float64Array, prediction_count: int) -> float:
    """The threshold that includes exactly the first `prediction_count` of the descending scores."""
    if prediction_count == 0:
        return float(np.nextafter(score[0], np.inf))
    if prediction_count == len(score):
        return float(score[-1])
    above, below = score[prediction_count - 1], score[prediction_count]
    middle = above / 2 + below / 2 if np.isinf(above + below) else (above + below) / 2
    return float(middle if middle > below else above)


def lowest_equivalent(score: Float64Array, prediction_count: int) -> float:
    """The lowest threshold that includes exactly `prediction_count` scores; 0 (or the lowest
    score) if it includes all."""
    if prediction_count == len(score):
        return float(min(0.0, score[-1]))
    return float(np.nextafter(score[prediction_count], np.inf))


def highest_equivalent(score: Float64Array, prediction_count: int) -> float:
    """The highest threshold that includes `prediction_count` scores; 1 (or just above the highest
    score) for none."""
    if prediction_count == 0:
        return float(max(1.0, np.nextafter(score[0], np.inf)))
    return float(score[prediction_count - 1])


def unscored_threshold(predictions: ScoredPredictions) -> Threshold:
    """Of predictions without scores: all of them count."""
    tp = int(predictions.is_match.sum())
    fp, fn = len(predictions.score) - tp, predictions.annotation_count - tp
    return Threshold(
        NO_SCORE,
        fp + fn,
        tp,
        fp,
        fn,
        "no scores",
        (NO_SCORE, NO_SCORE),
        predictions.annotation_count,
    )


def min_error_thresholds(concept_predictions: list[ScoredPredictions]) -> list[Threshold]:
    """The threshold of every concept; those without predictions get the best common threshold of
    all concepts."""
    if all(len(predictions.score) for predictions in concept_predictions):
        return [min_error_threshold(predictions) for predictions in concept_predictions]
    shared_threshold = pool_threshold(concept_predictions)
    return [
        min_error_threshold(predictions)
        if len(predictions.score)
        else fallback_threshold(predictions, shared_threshold)
        for predictions in concept_predictions
    ]


def pool_threshold(concept_predictions: list[ScoredPredictions]) -> Threshold | None:
    """The common threshold with the fewest errors over all concepts; None without any
    prediction."""
    if not any(len(predictions.score) for predictions in concept_predictions):
        return None
    score = np.concatenate([predictions.score for predictions in concept_predictions])
    is_match = np.concatenate([predictions.is_match for predictions in concept_predictions])
    order = np.argsort(-score, kind="stable")
    return min_error_threshold(
        ScoredPredictions(
            score[order],
            is_match[order],
            sum(predictions.annotation_count for predictions in concept_predictions),
        )
    )


def fallback_threshold(
    predictions: ScoredPredictions, shared_threshold: Threshold | None
) -> Threshold:
    """The threshold of a concept without predictions: that of all concepts, or the default.

    Args:
        predictions: of the concept; only the number of its annotations counts
        shared_threshold: the best one of all concepts, if there is one
    """
    threshold, equivalent_range = (
        (shared_threshold.value, shared_threshold.equally_good)
        if shared_threshold
        else (DEFAULT_THRESHOLD, (DEFAULT_THRESHOLD, DEFAULT_THRESHOLD))
    )
    return Threshold(
        threshold,
        predictions.annotation_count,
        0,
        0,
        predictions.annotation_count,
        "fallback",
        equivalent_range,
        predictions.annotation_count,
    )


def apply_user_threshold(
    optimal_threshold: Threshold, predictions: ScoredPredictions, threshold: float
) -> Threshold:
    """The concept's threshold at the user's value; equally_good remains that of the optimum."""
    is_above = predictions.score >= threshold
    tp = int((is_above & predictions.is_match).sum())
    fp = int(is_above.sum()) - tp
    fn = predictions.annotation_count - tp
    return replace(
        optimal_threshold,
        value=float(threshold),
        errors=fp + fn,
        tp=tp,
        fp=fp,
        fn=fn,
        source="user",
    )
