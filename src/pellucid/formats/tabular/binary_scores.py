"""Scores of a classifier of two classes, where they are the probability of one of them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from pellucid.core.tables import BoolArray
from pellucid.formats.dataset import Note, ParsedPredictions
from pellucid.formats.errors import InvalidRecordError

MIN_ROWS = 5
"""Rows of a class needed to say that their scores are not its own."""
MIN_ORDERS = 100
"""With fewer rows: ways to choose them among all, of which one has the lowest scores."""


def parse_positive_scores(
    predictions: ParsedPredictions, column: str, is_stated: bool
) -> ParsedPredictions:
    """Of a classifier of two classes, the score of the predicted class. It cannot be below 0.5:
    scores that are lower are the probability of one class, whichever is predicted.

    is_stated: whether the user named the columns.

    Raises:
        InvalidRecordError: the scores fit neither reading, as where the concept is the true one.
    """
    score, concept = predictions.score, predictions.concept
    names, image_count = predictions.concept_keys, len(np.unique(predictions.image))
    if len(names) != 2 or image_count < len(score) or not has_low_probabilities(predictions):
        return predictions
    for positive in (0, 1):
        is_positive = concept == positive
        if not (is_positive.any() and not is_positive.all()):
            continue
        high, low = float(score[is_positive].min()), float(score[~is_positive].max())
        if low < high and are_enough(int((~is_positive).sum()), len(score), low):
            message = (
                f"{column} read as the probability of '{names[positive]}': where "
                f"'{names[1 - positive]}' is predicted it is at most {low:.3g}; its score is 1 - "
                f"{column}"
            )
            note = Note("positive_class", message, int((~is_positive).sum()), "info")
            scores = np.where(is_positive, score, 1 - score)
            return replace(predictions, score=scores, notes=[*predictions.notes, note])
    if not is_stated:
        reject_true_concepts(predictions, column)
    return predictions


def are_enough(low_count: int, count: int, highest: float) -> bool:
    """Whether it is no accident that `low_count` rows of a class have the lowest of all scores.

    Args:
        highest: of these
    """
    is_rare = math.comb(count, low_count) >= MIN_ORDERS and highest < 0.5
    return low_count >= MIN_ROWS or is_rare


def has_low_probabilities(predictions: ParsedPredictions) -> bool:
    """Whether all scores are from 0 to 1, and some below 0.5."""
    score = predictions.score
    if not len(score) or np.isnan(score).any():
        return False
    return bool(0 <= score.min() < 0.5 and score.max() <= 1)


def reject_true_concepts(predictions: ParsedPredictions, column: str) -> None:
    """Raise InvalidRecordError where most scores of one of two classes are below 0.5."""
    score, concept = predictions.score, predictions.concept
    for index, name in enumerate(predictions.concept_keys):
        is_low: BoolArray = score[concept == index] < 0.5
        if len(is_low) < MIN_ROWS or is_low.mean() <= 0.5:
            continue
        other = predictions.concept_keys[1 - index]
        row = int(np.flatnonzero((concept == index) & (score < 0.5))[0])
        raise InvalidRecordError(
            predictions.path,
            predictions.row_location(row),
            f"'{column}' is {score[row]:.3g} for '{name}', and below 0.5 on {int(is_low.sum()):,} "
            f"of {len(is_low):,} images with '{name}': it is not the score of one of two classes "
            "that was chosen",
            f"If '{column}' is the probability of '{other}' and the concept beside it the true "
            f"one, remove that column and rename '{column}' to '{other}'. If it is what the model "
            f"chose, name the columns with --columns concept=COLUMN,score={column}.",
        )
