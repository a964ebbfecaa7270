"""Why is an annotation extra, why is a prediction missing one? Each error carries one cause."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from pellucid.columns import Bytes, Flags, Floats, Longs
from pellucid.understand.boxes import iou_of_pairs
from pellucid.understand.evaluation import Evaluation
from pellucid.understand.outcomes import MATCHED, WRONG

Cause = Literal["below_threshold", "other_concept", "badly_placed", "taken", "nothing_there", "duplicate", "background"]
CAUSES: tuple[Cause, ...] = ("below_threshold", "other_concept", "badly_placed", "taken", "nothing_there", "duplicate", "background")
BELOW_THRESHOLD, OTHER_CONCEPT, BADLY_PLACED_CODE, TAKEN, NOTHING_THERE, DUPLICATE, BACKGROUND = range(len(CAUSES))

BADLY_PLACED = 0.1
"""The least IoU at which a box counts as a badly placed try, from the TIDE paper (Bolya et al., 2020)."""
PAIRS = 1 << 22
"""Pairs of boxes looked at together."""


class Neighbours:
    """The predictions and annotations of an image, found without a scan of the whole version."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._derived = evaluation.derived

    def predictions(self, image: int) -> Longs:
        """Rows of the image's predictions, in gallery order."""
        first, last = self._derived.prediction_image_start[[image, image + 1]]
        return np.asarray(self._derived.prediction_of_image[first:last], np.int64)

    def places(self, image: int) -> Longs:
        """Of the image's predictions among all, image after image; see Evaluation.by_image."""
        return np.arange(*self._derived.prediction_image_start[[image, image + 1]].tolist())

    def annotations(self, image: int) -> Longs:
        """Rows of the image's annotations, as listed."""
        first, last = self._derived.annotation_image_start[[image, image + 1]]
        return np.asarray(self._derived.annotation_of_image[first:last], np.int64)


def causes_of_extra(evaluation: Evaluation, rows: Longs, thresholds: Floats) -> Bytes:
    """Why no prediction at or over the threshold answers these annotations: places in CAUSES. Costs the boxes of their images."""
    found = np.full(len(rows), NOTHING_THERE, np.int8)
    table, predictions = evaluation.annotations, evaluation.by_image
    for part, mine, others in pairs(table.image[rows], evaluation.derived.prediction_image_start, None):
        counted = is_counted(evaluation, others, thresholds)
        some = np.zeros(len(part), bool)
        if evaluation.kind != "detection":
            some[mine[counted]] = True
            if evaluation.kind == "classification":
                known = np.zeros(len(part), bool)
                known[mine] = True
                found[part[known]] = BELOW_THRESHOLD
                found[part[some]] = OTHER_CONCEPT
            continue
        mine, others = mine[counted], others[counted]
        same = predictions.concept[others] == table.concept[rows[part[mine]]]
        overlap = overlaps_by_image(evaluation, others, rows[part[mine]])
        close = overlap >= evaluation.iou_threshold
        found[part[mine[same & close]]] = TAKEN
        found[part[mine[same & (overlap >= BADLY_PLACED) & ~close]]] = BADLY_PLACED_CODE
        found[part[mine[~same & close]]] = OTHER_CONCEPT
    found[evaluation.answer[rows] >= 0] = BELOW_THRESHOLD
    return found


def causes_of_missing(evaluation: Evaluation, rows: Longs, thresholds: Floats) -> Bytes:
    """Why these predictions, at or over their thresholds, answer no annotation: places in CAUSES. Costs the boxes of their images."""
    boxes = evaluation.kind == "detection"
    found = np.full(len(rows), BACKGROUND if boxes else NOTHING_THERE, np.int8)
    if evaluation.kind == "tagging":
        return found
    table, annotations, derived = evaluation.predictions, evaluation.annotations, evaluation.derived
    for part, mine, others in pairs(table.image[rows], derived.annotation_image_start, derived.annotation_of_image):
        able = annotations.positive[others] & ~annotations.ignore[others]
        mine, others = mine[able], others[able]
        if not boxes:
            found[part[mine]] = OTHER_CONCEPT
            continue
        same = annotations.concept[others] == table.concept[rows[part[mine]]]
        matched = evaluation.answer_score[others] >= thresholds[annotations.concept[others]]
        overlap = overlaps(evaluation, rows[part[mine]], others)
        close = overlap >= evaluation.iou_threshold
        found[part[mine[same & (overlap >= BADLY_PLACED) & ~close]]] = BADLY_PLACED_CODE
        found[part[mine[~same & close]]] = OTHER_CONCEPT
        found[part[mine[same & close & matched]]] = DUPLICATE
    return found


def pairs(images: np.ndarray, start: Longs, rows_of_image: np.ndarray | None) -> Iterator[tuple[Longs, Longs, Longs]]:
    """Every item with every row of its image, some items at a time: their places; and for each pair the item, as a place among these,
    and the row. start, rows_of_image: where each image's rows begin, and they; None: their places are told instead."""
    first = start[images]
    count = start[np.asarray(images, np.int64) + 1] - first
    ends = np.cumsum(count)
    begin = 0
    while begin < len(images):
        before = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, before + PAIRS, side="right")))
        part = np.arange(begin, end)
        mine = np.repeat(np.arange(end - begin), count[part])
        within = np.arange(len(mine)) - np.repeat(np.cumsum(count[part]) - count[part], count[part])
        places = np.repeat(first[part], count[part]) + within
        yield part, mine, places if rows_of_image is None else np.asarray(rows_of_image[places], np.int64)
        begin = end


def is_counted(evaluation: Evaluation, places: Longs, thresholds: Floats) -> Flags:
    """At or over the threshold, and taking part; places: see Evaluation.by_image."""
    table = evaluation.by_image
    state = table.state[places]
    over = table.score[places] >= thresholds[table.concept[places]]
    return np.asarray(over & ((state == MATCHED) | (state == WRONG)))


def overlaps(evaluation: Evaluation, predictions: Longs, annotations: Longs) -> Floats:
    """IoU of each of these predictions with the annotation at the same place."""
    predicted, annotated = evaluation.predictions.box, evaluation.annotations.box
    assert predicted is not None
    assert annotated is not None
    return iou_of_pairs(predicted[predictions], annotated[annotations], np.zeros(len(predictions), bool))


def overlaps_by_image(evaluation: Evaluation, places: Longs, annotations: Longs) -> Floats:
    """The same; places: of the predictions, see Evaluation.by_image."""
    annotated = evaluation.annotations.box
    assert annotated is not None
    return iou_of_pairs(evaluation.by_image.box[places], annotated[annotations], np.zeros(len(places), bool))


def overlaps_of_prediction(evaluation: Evaluation, row: int, rows: Longs) -> Floats:
    return overlaps(evaluation, np.full(len(rows), row), rows)
