"""What follows from an evaluation and every question needs: kept with a version, so that opening it works nothing out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.columns import NOT_RUN, SPLITS, Annotations, Bytes, Floats, Images, Integers, Kind, Longs, Predictions
from pellucid.understand.orders import order_by_key, run_keys
from pellucid.understand.outcomes import MATCHED, NOT_HIGHEST, WRONG
from pellucid.understand.runs import index_of


@dataclass(frozen=True, eq=False)
class ByImage:
    """Of the predictions, image after image, what tells why others are errors: so that an image's lie at one place. See Derived."""

    concept: Any
    score: Any
    box: Any
    state: Any


@dataclass(frozen=True, eq=False)
class Derived:
    """Lists of rows, int32, each with where its parts begin, int64.

    start: of the runs (split and concept) of all predictions · matched, wrong, predicted: rows of predictions by run; predicted holds
    each classified image once, and is empty for other kinds · annotated: rows of annotations that a prediction can answer, by run,
    image and place in the input · answer_score: float64, per annotation the score of the prediction that matched it, -inf where none ·
    prediction_of_image, annotation_of_image: rows by image, else as they lie · index, matched_index, ...: every 64th score (see runs).
    """

    start: Longs
    matched: Integers
    matched_start: Longs
    wrong: Integers
    wrong_start: Longs
    predicted: Integers
    predicted_start: Longs
    annotated: Integers
    annotated_start: Longs
    answer_score: Floats
    prediction_of_image: Integers
    prediction_image_start: Longs
    annotation_of_image: Integers
    annotation_image_start: Longs
    index: Floats
    matched_index: Floats
    wrong_index: Floats
    predicted_index: Floats


def derive(
    kind: Kind, concepts: int, images: Images, coverage: Bytes, annotations: Annotations, predictions: Predictions, state: Bytes,
    answer: Integers,
) -> Derived:  # fmt: skip
    """predictions in gallery order, with their states; answer: of the annotations, as in Matching."""
    start = run_starts(concepts, images, predictions)
    matched, wrong = (np.flatnonzero(state == kept).astype(np.int32) for kept in (MATCHED, WRONG))
    highest = state != NOT_HIGHEST if kind == "classification" else np.zeros(len(state), bool)
    predicted = np.flatnonzero(highest).astype(np.int32)
    by_image, image_start = order_by_key(predictions.image, len(images))
    annotation_by_image, annotation_image_start = order_by_key(annotations.image, len(images))
    counted = annotations.positive & ~annotations.ignore & (coverage[annotations.image] != NOT_RUN)
    rows = annotation_by_image[counted[annotation_by_image]]
    within, annotated_start = order_by_key(
        run_keys(concepts, images, annotations.image[rows], annotations.concept[rows]), len(SPLITS) * concepts
    )
    score = np.full(len(answer), -np.inf)
    score[answer >= 0] = predictions.score[answer[answer >= 0]]
    return Derived(
        start, matched, np.searchsorted(matched, start), wrong, np.searchsorted(wrong, start), predicted, np.searchsorted(predicted, start),
        rows[within], annotated_start, score, by_image, image_start, annotation_by_image, annotation_image_start,
        *(index_of(predictions.score, listed) for listed in (None, matched, wrong, predicted)),
    )  # fmt: skip


def run_starts(concepts: int, images: Images, predictions: Predictions) -> Longs:
    """Where each run of predictions in gallery order begins."""
    counts = np.zeros(len(SPLITS) * concepts, np.int64)
    for begin in range(0, len(predictions), 1 << 22):
        part = slice(begin, begin + (1 << 22))
        counts += np.bincount(run_keys(concepts, images, predictions.image[part], predictions.concept[part]), minlength=len(counts))
    return np.concatenate([[0], np.cumsum(counts)])
