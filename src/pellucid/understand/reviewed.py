"""Which items of a version people have decided on already, in whatever version they saw them.

A decision covers an item of the same image content, concept and side, and for boxes of the same place: the very box, else, at the
version's IoU, the one of highest score (predictions) or overlap (annotations). A decision covers one item, so that a second box
near a reviewed one is still put forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.columns import Floats, Kind, Longs
from pellucid.understand.boxes import iou_of_pairs
from pellucid.understand.causes import Neighbours
from pellucid.understand.decisions import Box, Decision, Side
from pellucid.understand.evaluation import Evaluation
from pellucid.understand.outcomes import MATCHED, WRONG

NEW, REVIEWED, UNSURE = 0, 1, 2
"""Of an item: nobody decided; somebody did; somebody was unsure."""


@dataclass(frozen=True)
class Covered:
    """A place that a decision speaks of. decision: its id."""

    side: Side
    concept: str
    box: Box | None
    state: int
    decision: int


@dataclass(frozen=True)
class InImage:
    """Rows of an image that are decided on: row -> (state, id of the decision)."""

    predictions: dict[int, tuple[int, int]]
    annotations: dict[int, tuple[int, int]]


def covered_by(kind: Kind, decision: Decision) -> list[Covered]:
    """What is settled once a decision stands: its item, what it added, and that nothing is where it took something away."""
    state = UNSURE if decision.action == "unsure" else REVIEWED

    def place(side: Side, concept: str, box: Box | None) -> Covered:
        return Covered(side, concept, box, state, decision.id)

    found = [place(decision.side, decision.concept, decision.box)]
    if kind == "classification":  # whatever the image was and became; its predictions are looked up through its annotation
        return found[: decision.side == "annotated"] + [place("annotated", mark.concept, None) for mark in decision.before + decision.after]
    found += [place("annotated", mark.concept, mark.box) for mark in decision.after if mark.value != "negative"]
    found += [place("predicted", mark.concept, mark.box) for mark in decision.after if mark.value == "negative"]
    if decision.edits:
        found += [place("predicted", mark.concept, mark.box) for mark in decision.before if mark.value == "positive"]
    return list(dict.fromkeys(found))


def reviewed_in_image(evaluation: Evaluation, neighbours: Neighbours, image: int, decisions: Sequence[Decision]) -> InImage:
    """decisions: those that stand about this image, oldest first."""
    named = {name: place for place, name in enumerate(evaluation.concepts)}
    covered = [one for decision in decisions for one in covered_by(evaluation.kind, decision) if one.concept in named]
    predicted, annotated = neighbours.predictions(image), neighbours.annotations(image)
    found = InImage({}, {})
    covered.reverse()  # the latest first, as it stands where two speak of one place
    for settle in (settle_exactly, settle_nearby):
        left = []
        for one in covered:
            if one.side == "annotated" or evaluation.kind == "classification":
                mine = (evaluation.annotations.concept[annotated] == named[one.concept]) & ~evaluation.annotations.ignore[annotated]
                settled = settle(found.annotations, annotated[mine], evaluation.annotations.box, None, one, evaluation.iou_threshold)
            else:
                mine = (evaluation.predictions.concept[predicted] == named[one.concept]) & (evaluation.state[predicted] == WRONG)
                score, box = evaluation.predictions.score, evaluation.predictions.box
                settled = settle(found.predictions, predicted[mine], box, score, one, evaluation.iou_threshold)
            left += [] if settled else [one]
        covered = left
    for row in predicted.tolist():
        if evaluation.state[row] == MATCHED and (partner := int(evaluation.partner[row])) in found.annotations:
            found.predictions[row] = found.annotations[partner]
        elif evaluation.kind == "classification" and len(annotated) and int(annotated[0]) in found.annotations:
            found.predictions[row] = found.annotations[int(annotated[0])]
    return found


Settled = dict[int, tuple[int, int]]


def settle_exactly(found: Settled, rows: Longs, boxes: Floats | None, score: Floats | None, place: Covered, least: float) -> bool:
    """Mark the image, or the very box, that the place speaks of; whether it is there."""
    if boxes is not None and place.box is not None:
        rows = rows[(boxes[rows] == np.array(place.box)).all(axis=1)]
    for row in [one for one in rows.tolist() if one not in found][:1]:
        found[row] = place.state, place.decision
    return boxes is None or place.box is None or len(rows) > 0


def settle_nearby(found: Settled, rows: Longs, boxes: Floats | None, score: Floats | None, place: Covered, least: float) -> bool:
    """Mark the free box that is essentially at the place, if there is one."""
    free = np.array([row for row in rows.tolist() if row not in found], np.int64)
    if boxes is None or not len(free):
        return False
    own = boxes[free]
    overlap = iou_of_pairs(own, np.broadcast_to(np.array(place.box), own.shape), np.zeros(len(own), bool))
    near = overlap >= least
    if near.any():
        weight = overlap[near] if score is None else score[free[near]]
        found[int(free[near][np.argmax(weight)])] = place.state, place.decision
    return bool(near.any())
