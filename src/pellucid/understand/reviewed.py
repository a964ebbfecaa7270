"""Which items of a version people have decided on already, in whatever version they saw them.

A decision covers the item of the same concept and side on its image: the very box, else the one that is essentially at its place,
of predictions (which differ from version to version) at the version's IoU the one of highest score, of annotations one that
differs by rounding. It covers one item, so that a second box near a reviewed one is still put forward; and what it took away or
added in the annotations at hand covers nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.columns import Floats, Kind, Longs
from pellucid.understand.boxes import iou_of_pairs
from pellucid.understand.causes import Neighbours
from pellucid.understand.decisions import Box, Decision, Key, Side, in_effect, key_in_image
from pellucid.understand.evaluation import Evaluation
from pellucid.understand.mending import SAME
from pellucid.understand.outcomes import IGNORED, MATCHED, WRONG

NEW, REVIEWED, UNSURE = 0, 1, 2
"""Of an item: nobody decided; somebody did; somebody was unsure."""


@dataclass(frozen=True)
class Covered:
    """A place that a decision speaks of. decision: its id · nearby: a box that is not quite there will do ·
    nth: of equal boxes."""

    side: Side
    concept: str
    box: Box | None
    state: int
    decision: int
    nearby: bool
    nth: int


@dataclass(frozen=True)
class InImage:
    """Rows of an image that are decided on: row -> (state, id of the decision)."""

    predictions: dict[int, tuple[int, int]]
    annotations: dict[int, tuple[int, int]]


def covered_by(kind: Kind, decision: Decision, state: int, applied: bool) -> list[Covered]:
    """What is settled once a verdict is in force: its item, what it added, and that nothing is where it took something away.

    state: of the last verdict on the item. applied: the annotations at hand take it into account.
    """
    consumed = applied and decision.edits

    def place(side: Side, concept: str, box: Box | None, nearby: bool) -> Covered:
        return Covered(side, concept, box, state, decision.id, nearby, decision.nth)

    if kind == "classification":  # whatever the image was and became; its predictions are looked up through its annotation
        return [place("annotated", mark.concept, None, False) for mark in decision.before + decision.after]
    found = [] if consumed and decision.side == "annotated" else [place(decision.side, decision.concept, decision.box, not consumed)]
    found += [place("annotated", mark.concept, mark.box, True) for mark in decision.after if mark.value != "negative"]
    found += [place("predicted", mark.concept, mark.box, True) for mark in decision.after if mark.value == "negative"]
    if decision.edits:
        found += [place("predicted", mark.concept, mark.box, True) for mark in decision.before if mark.value == "positive"]
    return list(dict.fromkeys(found))


def settled_by(kind: Kind, verdicts: Sequence[Decision], applied_to: int | None) -> list[Covered]:
    """Of the verdicts in force on an image, oldest first. applied_to: the last that the annotations take into account; None: all."""
    last: dict[Key, Decision] = {key_in_image(kind, one): one for one in verdicts}
    telling = in_effect(kind, verdicts) if kind == "detection" else verdicts
    rows = {one.id: one for one in (*telling, *last.values())}
    found = []
    for _, one in sorted(rows.items()):
        state = UNSURE if last[key_in_image(kind, one)].action == "unsure" else REVIEWED
        found += covered_by(kind, one, state, applied_to is None or one.id <= applied_to)
    return found


def reviewed_in_image(
    evaluation: Evaluation, neighbours: Neighbours, image: int, verdicts: Sequence[Decision], applied_to: int | None
) -> InImage:
    """verdicts: those in force about this image, oldest first; applied_to: see settled_by."""
    named = {name: place for place, name in enumerate(evaluation.concepts)}
    covered = [one for one in settled_by(evaluation.kind, verdicts, applied_to) if one.concept in named]
    predicted, annotated = neighbours.predictions(image), neighbours.annotations(image)
    found = InImage({}, {})
    counts = evaluation.kind != "detection" or ~evaluation.annotations.ignore[annotated]
    covered.reverse()  # the latest first, as it stands where two speak of one place
    for settle in (settle_exactly, settle_nearby):
        left = []
        for one in covered:
            if one.side == "annotated" or evaluation.kind == "classification":
                mine = (evaluation.annotations.concept[annotated] == named[one.concept]) & counts
                settled = settle(found.annotations, annotated[mine], evaluation.annotations.box, None, one, SAME)
            else:
                able = evaluation.state[predicted] != MATCHED if settle is settle_exactly else evaluation.state[predicted] == WRONG
                mine = (evaluation.predictions.concept[predicted] == named[one.concept]) & able
                score, box = evaluation.predictions.score, evaluation.predictions.box
                settled = settle(found.predictions, predicted[mine], box, score, one, evaluation.iou_threshold)
            left += [] if settled else [one]
        covered = left
    for row in predicted.tolist():
        if evaluation.state[row] == MATCHED and (partner := int(evaluation.partner[row])) in found.annotations:
            found.predictions[row] = found.annotations[partner]
        elif evaluation.kind == "classification" and len(annotated) and int(annotated[0]) in found.annotations:
            found.predictions[row] = found.annotations[int(annotated[0])]
        elif evaluation.kind == "tagging" and evaluation.state[row] == IGNORED:  # stated to be unknown
            for own in annotated[evaluation.annotations.concept[annotated] == evaluation.predictions.concept[row]].tolist():
                if own in found.annotations:
                    found.predictions[row] = found.annotations[own]
    return found


Settled = dict[int, tuple[int, int]]


def settle_exactly(found: Settled, rows: Longs, boxes: Floats | None, score: Floats | None, place: Covered, least: float) -> bool:
    """Mark the image, or the very box, that the place speaks of; whether it is there."""
    if boxes is not None and place.box is not None:
        rows = rows[(boxes[rows] == np.array(place.box)).all(axis=1)]
    free = [one for one in rows[place.nth : place.nth + 1].tolist() + rows.tolist() if one not in found]
    for row in free[:1]:
        found[row] = place.state, place.decision
    return boxes is None or place.box is None or len(rows) > 0


def settle_nearby(found: Settled, rows: Longs, boxes: Floats | None, score: Floats | None, place: Covered, least: float) -> bool:
    """Mark the free box that is essentially at the place, if there is one."""
    free = np.array([row for row in rows.tolist() if row not in found], np.int64)
    if boxes is None or not len(free) or not place.nearby:
        return False
    own = boxes[free]
    overlap = iou_of_pairs(own, np.broadcast_to(np.array(place.box), own.shape), np.zeros(len(own), bool))
    near = overlap >= least
    if near.any():
        weight = overlap[near] if score is None else score[free[near]]
        found[int(free[near][np.argmax(weight)])] = place.state, place.decision
    return bool(near.any())
