"""The tab Extra as sorted runs: kept at the chosen thresholds, and worked out anew for the concepts held to others alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pellucid.columns import SPLITS, Floats, Integers, Longs, Predictions
from pellucid.understand.orders import best_first, order_by_key
from pellucid.understand.runs import Joined, Runs, Through, index_of

if TYPE_CHECKING:
    from pellucid.understand.evaluation import Evaluation


@dataclass(frozen=True, eq=False)
class ExtraLists:
    """Annotations that nothing at or over a threshold matches, by split and concept, in the order of the tab Extra.

    rows: int32, of annotations · surprise: float64, falling: minus the best IoU (boxes), or the image's score · start: int64
    (splits * concepts + 1,), where each list begins · index: of surprise, see runs.
    """

    rows: Integers
    surprise: Floats
    start: Longs
    index: Floats


def extra_lists(evaluation: Evaluation, split: int | None, concepts: Longs, thresholds: Floats) -> ExtraLists:
    """The lists of these concepts at thresholds (one a concept of the version); those of others are empty. split None: of all splits.

    Boxes: lowest best match first. Images: the image's score for the concept, highest first (none counts as 0).
    Ties: image path, then input order.
    """
    number = len(evaluation.concepts)
    start = evaluation.derived.annotated_start
    splits = range(len(SPLITS)) if split is None else [split]
    spans = [range(int(start[run]), int(start[run + 1])) for place in splits for run in (place * number + concepts).tolist()]
    places = np.concatenate([np.zeros(0, np.int64), *(np.arange(span.start, span.stop) for span in spans if len(span))])
    rows = evaluation.counted_annotations[places]
    table = evaluation.annotations
    rows = rows[evaluation.answer_score[rows] < thresholds[table.concept[rows]]]
    surprise = -best_match(evaluation, rows, thresholds)[0] if evaluation.kind == "detection" else own_score(evaluation, rows)
    image, concept = table.image[rows], table.concept[rows]
    run = evaluation.images.split[image].astype(np.int32) * np.int32(number) + concept
    order, run_start = order_by_key(run, len(SPLITS) * number)
    best_first(order, run_start, Predictions(image, concept, surprise, None, rows))
    surprise = surprise[order]
    return ExtraLists(rows[order], surprise, run_start, index_of(surprise))


def own_score(evaluation: Evaluation, rows: Longs | Integers) -> Floats:
    """The image's score for the annotation's concept; 0 where the model gave none."""
    own = evaluation.own[rows]
    if not len(evaluation.predictions):
        return np.zeros(len(rows))
    return np.where(own >= 0, evaluation.predictions.score[own], 0.0)


def best_match(evaluation: Evaluation, rows: Longs | Integers, thresholds: Floats) -> tuple[Floats, Floats]:
    """The highest IoU of each annotation with a same-concept prediction under the threshold, and its score.

    IoU 0 and score NaN where there is none. Of equal IoUs, the higher score.
    """
    stairs = evaluation.staircase
    if stairs is None or not len(stairs.score):
        return np.zeros(len(rows)), np.full(len(rows), np.nan)
    low, end = stairs.start[rows], stairs.start[np.asarray(rows) + 1]
    first, high = low.copy(), end.copy()
    wanted = thresholds[evaluation.annotations.concept[rows]]
    while (active := low < high).any():
        middle = (low + high) // 2
        under = stairs.score[np.minimum(middle, len(stairs.score) - 1)] < wanted
        low, high = np.where(active & under, middle + 1, low), np.where(active & ~under, middle, high)
    step = np.maximum(low - 1, 0)
    some = low > first
    return np.where(some, stairs.iou[step], 0.0), np.where(some, stairs.score[step], np.nan)


def extra_runs(evaluation: Evaluation, optimum: ExtraLists, split: int, concepts: Longs, thresholds: Floats) -> Runs:
    """Runs of the tab Extra; optimum: the lists at the chosen thresholds. Lists of concepts held to other thresholds are replaced."""
    number = len(evaluation.concepts)
    run = split * number + np.arange(number)
    begin, end = optimum.start[run], optimum.start[run + 1]
    spread = np.zeros((2, len(SPLITS), number), np.int64)
    spread[:, split] = begin, end
    changed = concepts[thresholds[concepts] != evaluation.optimal[concepts]]
    if not len(changed):
        image = Through(evaluation.annotations.image, optimum.rows)
        return Runs(optimum.rows, Through(optimum.surprise, index=optimum.index), image, Through(optimum.rows), *spread)
    new = extra_lists(evaluation, split, changed, thresholds)
    rows = Joined(optimum.rows, new.rows)
    spread[:, split, changed] = new.start[run[changed]] + rows.begin, new.start[run[changed] + 1] + rows.begin
    surprise = Joined(optimum.surprise, new.surprise, np.concatenate([optimum.index, new.index]))
    return Runs(rows, surprise, Through(evaluation.annotations.image, rows), rows, *spread)
