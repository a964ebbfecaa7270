"""From what a person says of an item to what that does to the annotations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.columns import CLOSED
from pellucid.errors import UnknownConceptError, InvalidDecisionError, ItemNotFoundError
from pellucid.understand.causes import BADLY_PLACED, Neighbours, overlaps_of_prediction
from pellucid.understand.decisions import Action, Box, Mark, Side, Value, Verdict
from pellucid.understand.evaluation import Evaluation
from pellucid.understand.items import box_at
from pellucid.understand.outcomes import MATCHED, NOT_HIGHEST

FURTHEST = 1e6
"""Pixels from the corner of a picture, beyond which no box can be meant."""


@dataclass(frozen=True)
class Asked:
    """The item that a person decided on, as they saw it. side: `annotated` for what the tab Extra shows."""

    image: int
    concept: str
    side: Side
    box: Box | None = None
    score: float | None = None


@dataclass(frozen=True)
class Change:
    """What the annotation should be instead of what follows from the verdict alone. replaces: an added box takes the place of the
    annotation it overlaps most."""

    concept: str | None = None
    box: Box | None = None
    value: Value | None = None
    replaces: bool = False


@dataclass(frozen=True)
class Resolved:
    """The item decided on (a matched prediction stands for its annotation) and what is done."""

    concept: str
    side: Side
    box: Box | None
    action: Action
    before: tuple[Mark, ...]
    after: tuple[Mark, ...]
    twins: tuple[int, ...] = (0,)
    """Of several equal boxes, which it may be, likeliest first."""


def resolve(evaluation: Evaluation, neighbours: Neighbours, asked: Asked, verdict: Verdict, change: Change) -> Resolved:
    """Raises ItemGone, ConceptNotInView and DecisionImpossible."""
    path = str(evaluation.images.path[asked.image])
    for name in (asked.concept, change.concept):
        if name is not None and name not in evaluation.concepts:
            raise UnknownConceptError(name, evaluation.concepts)
    checked_box(path, change.box)
    if evaluation.kind == "detection":
        return of_box(evaluation, neighbours, asked, verdict, change)
    own = neighbours.annotations(asked.image)
    if evaluation.kind == "tagging":
        return of_tag(evaluation, own, asked, verdict, change)
    return of_image(evaluation, neighbours, own, asked, verdict, change)


def checked_box(path: str, box: Box | None) -> None:
    if box is not None and not (np.abs(box).max() <= FURTHEST and box[2] > 0 and box[3] > 0):
        raise InvalidDecisionError(path, f"box {box} has no area, or lies where no picture is", "Give left, top, width and height in pixels.")


def of_box(evaluation: Evaluation, neighbours: Neighbours, asked: Asked, verdict: Verdict, change: Change) -> Resolved:
    twins = twins_of(evaluation, neighbours, asked)
    row = rows_of(evaluation, neighbours, asked)[twins[0]]
    if asked.side == "predicted" and evaluation.state[row] == MATCHED:
        row = int(evaluation.partner[row])
        box = box_at(evaluation.annotations.box, row)
        asked = Asked(asked.image, evaluation.concepts[evaluation.annotations.concept[row]], "annotated", box)
        twins = (rows_of(evaluation, neighbours, asked).index(row),)
    marks = (Mark(asked.concept, asked.box),) if asked.side == "annotated" else ()
    if verdict != "wrong":
        return Resolved(asked.concept, asked.side, asked.box, "unsure" if verdict == "unsure" else "confirm", marks, marks, twins)
    meant = Mark(change.concept or asked.concept, change.box or asked.box)
    if asked.side == "annotated":
        gone = change.concept is None and change.box is None
        if not gone and meant in marks:  # what it is said to be is what it is
            return Resolved(asked.concept, asked.side, asked.box, "confirm", marks, marks, twins)
        return Resolved(asked.concept, asked.side, asked.box, "remove" if gone else "change", marks, () if gone else (meant,), twins)
    before = (replaced(evaluation, neighbours, asked, row),) if change.replaces else ()
    return Resolved(asked.concept, asked.side, asked.box, "change" if before else "add", before, (meant,), twins)


def twins_of(evaluation: Evaluation, neighbours: Neighbours, asked: Asked) -> tuple[int, ...]:
    """Of equal boxes, those of the score that was seen before others; of equal annotations, those that less answers."""
    rows = rows_of(evaluation, neighbours, asked)
    if asked.side == "predicted":
        weight = [evaluation.predictions.score[row] != asked.score for row in rows]
    else:
        weight = [evaluation.answer_score[row] for row in rows]
    return tuple(sorted(range(len(rows)), key=lambda place: (weight[place], place)))


def rows_of(evaluation: Evaluation, neighbours: Neighbours, asked: Asked) -> list[int]:
    """The rows of the very box: of predictions, or of annotations."""
    table = evaluation.predictions if asked.side == "predicted" else evaluation.annotations
    rows = neighbours.predictions(asked.image) if asked.side == "predicted" else neighbours.annotations(asked.image)
    rows = rows[table.concept[rows] == evaluation.concepts.index(asked.concept)]
    found = [row for row in rows.tolist() if box_at(table.box, row) == asked.box]
    if not found:
        raise ItemNotFoundError(str(evaluation.images.path[asked.image]), asked.concept)
    return found


def replaced(evaluation: Evaluation, neighbours: Neighbours, asked: Asked, row: int) -> Mark:
    """The annotation that a predicted box overlaps most."""
    rows = neighbours.annotations(asked.image)
    rows = rows[~evaluation.annotations.ignore[rows]]
    overlap = overlaps_of_prediction(evaluation, row, rows)
    if not len(rows) or overlap.max() < BADLY_PLACED:
        path = str(evaluation.images.path[asked.image])
        raise InvalidDecisionError(path, "no annotation overlaps this box", "Add it, without replacing one.")
    best = int(rows[np.argmax(overlap)])
    return Mark(evaluation.concepts[evaluation.annotations.concept[best]], box_at(evaluation.annotations.box, best))


def of_image(evaluation: Evaluation, neighbours: Neighbours, own: np.ndarray, asked: Asked, verdict: Verdict, change: Change) -> Resolved:
    """A new concept takes the old one away, as concepts exclude each other."""
    before = tuple(Mark(evaluation.concepts[evaluation.annotations.concept[row]]) for row in own[:1].tolist())
    if verdict != "wrong":
        return Resolved(asked.concept, asked.side, None, "unsure" if verdict == "unsure" else "confirm", before, before)
    if change.value == "unknown":
        return Resolved(asked.concept, asked.side, None, "remove", before, ())
    meant = change.concept or instead(evaluation, neighbours, asked, before)
    return Resolved(asked.concept, asked.side, None, "change" if before else "add", before, (Mark(meant),))


def instead(evaluation: Evaluation, neighbours: Neighbours, asked: Asked, before: tuple[Mark, ...]) -> str:
    """What the model said of an image whose annotation is wrong."""
    if asked.side == "predicted" and Mark(asked.concept) not in before:
        return asked.concept
    rows = neighbours.predictions(asked.image)
    for row in rows[evaluation.state[rows] != NOT_HIGHEST].tolist():
        name: str = evaluation.concepts[evaluation.predictions.concept[row]]
        if Mark(name) not in before:
            return name
    path = str(evaluation.images.path[asked.image])
    raise InvalidDecisionError(path, "the model says what the annotation says", "Say which concept it is.")


def of_tag(evaluation: Evaluation, own: np.ndarray, asked: Asked, verdict: Verdict, change: Change) -> Resolved:
    """Only the concept at hand changes."""
    mine = own[evaluation.annotations.concept[own] == evaluation.concepts.index(asked.concept)].tolist()
    before = (Mark(asked.concept, None, value_of(evaluation, asked.image, mine)),)
    side: Side = "annotated" if before[0].value == "positive" else "predicted"
    if verdict != "wrong":
        return Resolved(asked.concept, side, None, "unsure" if verdict == "unsure" else "confirm", before, before)
    value: Value = change.value or ("negative" if before[0].value == "positive" else "positive")
    action: Action = {"positive": "add", "negative": "remove", "unknown": "change"}[value]  # type: ignore[assignment]
    return Resolved(asked.concept, side, None, action, before, (Mark(asked.concept, None, value),))


def value_of(evaluation: Evaluation, image: int, rows: list[int]) -> Value:
    """What is stated of a concept on an image."""
    if not rows:
        return "negative" if evaluation.images.stated[image] == CLOSED else "unknown"
    if evaluation.annotations.ignore[rows[0]]:
        return "unknown"
    return "positive" if evaluation.annotations.positive[rows[0]] else "negative"
