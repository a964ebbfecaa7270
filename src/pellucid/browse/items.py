"""Gallery items: what is displayed of each prediction or annotation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pellucid.browse.list_views import ListView
from pellucid.core.tables import Float64Array, Int64Array
from pellucid.evaluation.error_causes import (
    CAUSES,
    Cause,
    false_negative_causes,
    false_positive_causes,
)
from pellucid.evaluation.evaluation import STATE_NAMES, Evaluation
from pellucid.evaluation.unmatched import best_overlaps, concept_scores

Outcome = Literal["matched", "missing", "extra", "ignored", "below"]


@dataclass(frozen=True)
class BestMatch:
    """The prediction below the threshold that overlaps an unmatched annotation most; score None
    if none."""

    iou: float
    score: float | None


@dataclass(frozen=True)
class Item:
    """An image (classification, tagging) or a box (detection) in a tab.

    Attributes:
        box: [left, top, width, height] in pixels of the displayed image
        outcome: of a prediction at its threshold, or `extra`
        iou: with the matched partner
        cause: the error cause, None if correct
    """

    position: int
    image: str
    concept: str
    score: float | None
    box: tuple[float, float, float, float] | None
    outcome: Outcome
    iou: float | None
    best_match: BestMatch | None
    cause: Cause | None


def gallery_items(list_view: ListView, offset: int, limit: int) -> list[Item]:
    """The items from `offset`."""
    return build_items(list_view, list_view.page(offset, limit), offset)


def build_items(list_view: ListView, page_rows: Int64Array, offset: int) -> list[Item]:
    """The items of these rows, which start at `offset` of the list."""
    if list_view.shows_annotations:
        return build_unmatched_items(list_view, page_rows, offset)
    outcomes = [
        prediction_outcome(list_view.evaluation, prediction_row, list_view.thresholds)
        for prediction_row in page_rows.tolist()
    ]
    missing_rows = page_rows[np.array([outcome == "missing" for outcome in outcomes], bool)]
    causes = false_positive_causes(list_view.evaluation, missing_rows, list_view.thresholds)
    cause_by_row = {
        prediction_row: CAUSES[cause]
        for prediction_row, cause in zip(missing_rows.tolist(), causes.tolist(), strict=True)
    }
    return [
        build_prediction_item(
            list_view.evaluation,
            prediction_row,
            position,
            outcome,
            cause_by_row.get(prediction_row),
        )
        for position, (prediction_row, outcome) in enumerate(
            zip(page_rows.tolist(), outcomes, strict=True), offset
        )
    ]


def build_prediction_item(
    evaluation: Evaluation,
    prediction_row: int,
    position: int,
    outcome: Outcome,
    cause: Cause | None,
) -> Item:
    """The item of a prediction at a position of the list."""
    predictions = evaluation.predictions
    iou = float(evaluation.iou[prediction_row])
    return Item(
        position,
        str(evaluation.images.path[predictions.image[prediction_row]]),
        evaluation.concepts[predictions.concept[prediction_row]],
        none_if_absent(predictions.score[prediction_row]),
        row_box(predictions.box, prediction_row),
        outcome,
        iou if outcome == "matched" and not np.isnan(iou) else None,
        None,
        cause,
    )


def prediction_outcome(
    evaluation: Evaluation, prediction_row: int, thresholds: Float64Array
) -> Outcome:
    """A prediction's outcome: its state if its score reaches the threshold, else `below`."""
    predictions = evaluation.predictions
    if predictions.score[prediction_row] < thresholds[predictions.concept[prediction_row]]:
        return "below"
    return STATE_NAMES[int(evaluation.state[prediction_row])]


def build_unmatched_items(
    list_view: ListView, annotation_rows: Int64Array, offset: int
) -> list[Item]:
    """The items of unmatched annotations; the first has the position `offset`."""
    evaluation, thresholds = list_view.evaluation, list_view.thresholds
    annotations = evaluation.annotations
    has_boxes = evaluation.kind == "detection"
    best_iou, best_score = best_overlaps(evaluation, annotation_rows, thresholds)
    item_scores = concept_scores(evaluation, annotation_rows)
    causes = false_negative_causes(evaluation, annotation_rows, thresholds).tolist()
    return [
        Item(
            offset + index,
            str(evaluation.images.path[annotations.image[annotation_row]]),
            evaluation.concepts[annotations.concept[annotation_row]],
            None if has_boxes else none_if_absent(item_scores[index]),
            row_box(annotations.box, annotation_row),
            "extra",
            None,
            BestMatch(float(best_iou[index]), none_if_absent(best_score[index]))
            if has_boxes
            else None,
            CAUSES[causes[index]],
        )
        for index, annotation_row in enumerate(annotation_rows.tolist())
    ]


def none_if_absent(score: np.float64) -> float | None:
    """None for NaN and NO_SCORE."""
    return float(score) if np.isfinite(score) else None


def row_box(boxes: Float64Array | None, box_row: int) -> tuple[float, float, float, float] | None:
    """The box `left, top, width, height` of a row in pixels; None without boxes."""
    if boxes is None:
        return None
    left, top, width, height = boxes[box_row].tolist()
    return left, top, width, height
