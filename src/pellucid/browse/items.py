"""What a gallery shows of each item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pellucid.browse.list_views import Shown
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
    """The prediction under the threshold that overlaps an extra annotation best; score None where there is none."""

    iou: float
    score: float | None


@dataclass(frozen=True)
class Item:
    """An image (classification, tagging) or a box (detection) in a tab.

    box: [left, top, width, height] in pixels of the image as displayed · outcome: of a prediction at its
    threshold, or `extra` · iou: with the matched partner · cause: why it is an error, None where it is none.
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


def items(selection: Shown, offset: int, limit: int) -> list[Item]:
    """The items at `offset` and on, described."""
    return described(selection, selection.page(offset, limit), offset)


def described(selection: Shown, rows: Int64Array, offset: int) -> list[Item]:
    """Rows of the selection that begin at `offset`."""
    if selection.shows_annotations:
        return extra_items(selection, rows, offset)
    outcomes = [outcome_of(selection.evaluation, row, selection.thresholds) for row in rows.tolist()]
    missing = rows[np.array([outcome == "missing" for outcome in outcomes], bool)]
    causes = false_positive_causes(selection.evaluation, missing, selection.thresholds)
    cause_of = {row: CAUSES[cause] for row, cause in zip(missing.tolist(), causes.tolist(), strict=True)}
    return [
        predicted_item(selection.evaluation, row, position, outcome, cause_of.get(row))
        for position, (row, outcome) in enumerate(zip(rows.tolist(), outcomes, strict=True), offset)
    ]


def predicted_item(evaluation: Evaluation, row: int, position: int, outcome: Outcome, cause: Cause | None) -> Item:
    table = evaluation.predictions
    iou = float(evaluation.iou[row])
    return Item(
        position, str(evaluation.images.path[table.image[row]]), evaluation.concepts[table.concept[row]],
        float(table.score[row]), box_at(table.box, row), outcome,
        iou if outcome == "matched" and not np.isnan(iou) else None, None, cause,
    )  # fmt: skip


def outcome_of(evaluation: Evaluation, row: int, thresholds: Float64Array) -> Outcome:
    """A prediction's outcome: its state at or over its threshold, else `below`."""
    table = evaluation.predictions
    if table.score[row] < thresholds[table.concept[row]]:
        return "below"
    return STATE_NAMES[int(evaluation.state[row])]


def extra_items(selection: Shown, rows: Int64Array, offset: int) -> list[Item]:
    evaluation, thresholds = selection.evaluation, selection.thresholds
    table = evaluation.annotations
    boxes = evaluation.kind == "detection"
    best, best_score = best_overlaps(evaluation, rows, thresholds)
    own = concept_scores(evaluation, rows)
    causes = false_negative_causes(evaluation, rows, thresholds).tolist()
    return [
        Item(
            offset + place, str(evaluation.images.path[table.image[row]]), evaluation.concepts[table.concept[row]],
            None if boxes else float(own[place]), box_at(table.box, row), "extra", None,
            BestMatch(float(best[place]), number(best_score[place])) if boxes else None,
            CAUSES[causes[place]],
        )
        for place, row in enumerate(rows.tolist())
    ]  # fmt: skip


def number(value: np.float64) -> float | None:
    return None if np.isnan(value) else float(value)


def box_at(box: Float64Array | None, row: int) -> tuple[float, float, float, float] | None:
    if box is None:
        return None
    left, top, width, height = box[row].tolist()
    return left, top, width, height
