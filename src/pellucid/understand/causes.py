"""Why is an annotation extra, why is a prediction missing one? Each error carries one cause."""

from __future__ import annotations

from typing import Literal

import numpy as np

from pellucid.columns import Flags, Floats, Longs
from pellucid.understand.boxes import iou_of_pairs
from pellucid.understand.evaluation import Evaluation
from pellucid.understand.outcomes import MATCHED, WRONG

Cause = Literal["below_threshold", "other_concept", "badly_placed", "taken", "nothing_there", "duplicate", "background"]

BADLY_PLACED = 0.1
"""The least IoU at which a box counts as a badly placed try, from the TIDE paper (Bolya et al., 2020)."""


class Neighbours:
    """The predictions and annotations of an image, found without a scan of the whole version."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._derived = evaluation.derived

    def predictions(self, image: int) -> Longs:
        """Rows of the image's predictions, in gallery order."""
        first, last = self._derived.prediction_image_start[[image, image + 1]]
        return np.asarray(self._derived.prediction_of_image[first:last], np.int64)

    def annotations(self, image: int) -> Longs:
        """Rows of the image's annotations, as listed."""
        first, last = self._derived.annotation_image_start[[image, image + 1]]
        return np.asarray(self._derived.annotation_of_image[first:last], np.int64)


def cause_of_extra(evaluation: Evaluation, neighbours: Neighbours, row: int, thresholds: Floats) -> Cause:
    """Why no prediction at or over the threshold answers annotation `row`."""
    concept = evaluation.annotations.concept[row]
    if evaluation.answer[row] >= 0:
        return "below_threshold"
    rows = neighbours.predictions(int(evaluation.annotations.image[row]))
    counted = is_counted(evaluation, rows, thresholds)
    if evaluation.kind != "detection":
        if evaluation.kind == "classification" and counted.any():
            return "other_concept"
        return "below_threshold" if evaluation.kind == "classification" and len(rows) else "nothing_there"
    same = evaluation.predictions.concept[rows] == concept
    overlap = overlaps_of_annotation(evaluation, row, rows)
    if (overlap[counted & ~same] >= evaluation.iou_threshold).any():
        return "other_concept"
    near = overlap[counted & same]
    if ((near >= BADLY_PLACED) & (near < evaluation.iou_threshold)).any():
        return "badly_placed"
    return "taken" if (near >= evaluation.iou_threshold).any() else "nothing_there"


def cause_of_missing(evaluation: Evaluation, neighbours: Neighbours, row: int, thresholds: Floats) -> Cause:
    """Why prediction `row`, at or over its threshold, answers no annotation."""
    rows = neighbours.annotations(int(evaluation.predictions.image[row]))
    rows = rows[evaluation.annotations.positive[rows] & ~evaluation.annotations.ignore[rows]]
    if evaluation.kind != "detection":
        return "other_concept" if evaluation.kind == "classification" and len(rows) else "nothing_there"
    concept = evaluation.predictions.concept[row]
    same = evaluation.annotations.concept[rows] == concept
    matched = evaluation.answer_score[rows] >= thresholds[evaluation.annotations.concept[rows]]
    overlap = overlaps_of_prediction(evaluation, row, rows)
    close = overlap >= evaluation.iou_threshold
    if (close & same & matched).any():
        return "duplicate"
    if (close & ~same).any():
        return "other_concept"
    if (same & (overlap >= BADLY_PLACED) & ~close).any():
        return "badly_placed"
    return "background"


def is_counted(evaluation: Evaluation, rows: Longs, thresholds: Floats) -> Flags:
    """At or over the threshold, and taking part."""
    state = evaluation.state[rows]
    over = evaluation.predictions.score[rows] >= thresholds[evaluation.predictions.concept[rows]]
    return np.asarray(over & ((state == MATCHED) | (state == WRONG)))


def overlaps_of_annotation(evaluation: Evaluation, row: int, rows: Longs) -> Floats:
    predicted, annotated = evaluation.predictions.box, evaluation.annotations.box
    assert predicted is not None
    assert annotated is not None
    return iou_of_pairs(predicted[rows], np.broadcast_to(annotated[row], (len(rows), 4)), np.zeros(len(rows), bool))


def overlaps_of_prediction(evaluation: Evaluation, row: int, rows: Longs) -> Floats:
    predicted, annotated = evaluation.predictions.box, evaluation.annotations.box
    assert predicted is not None
    assert annotated is not None
    return iou_of_pairs(np.broadcast_to(predicted[row], (len(rows), 4)), annotated[rows], np.zeros(len(rows), bool))
