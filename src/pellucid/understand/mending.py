"""Annotations with people's decisions applied. Applying them to what is mended already changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.columns import CLOSED, OPEN, UNANNOTATED, Annotations, Bytes, Images, Kind, Longs, texts
from pellucid.understand.boxes import iou_of_pairs
from pellucid.understand.decisions import Box, Decision, Mark, Value, in_effect

SAME = 0.9
"""The least IoU of two boxes that are one annotation, written by different tools (which round)."""


@dataclass
class Stated:
    """One annotation of an image while it is being mended. row: its own in the table, -1 for a new one."""

    concept: int
    box: Box | None
    value: Value
    row: int


@dataclass(frozen=True, eq=False)
class Mended:
    """What is to replace the annotations of the touched images.

    images: positions, int64, rising · annotations: all of theirs, after mending · rows: int64, for each the row it has in the
    former table, -1 for a new one · stated: int8, for each image what is now known of it · concepts: the given ones, and after
    them new ones that decisions name · unfit: ids of decisions whose annotation is no longer there to be changed.
    """

    images: Longs
    annotations: Annotations
    rows: Longs
    stated: Bytes
    concepts: list[str]
    unfit: list[int]


def mend(
    kind: Kind, concepts: Sequence[str], images: Images, annotations: Annotations, decisions: Sequence[tuple[int, Decision]],
    new_concepts: bool,
) -> Mended:  # fmt: skip
    """Apply decisions to the images they are about.

    decisions: (image position, verdict in force), oldest first. new_concepts: whether a concept that is not listed may be
    added; else annotations of it are left out.
    """
    named = {name: place for place, name in enumerate(concepts)}
    several = telling(kind, decisions)
    touched = np.array(sorted(several), np.int64)
    order = np.argsort(annotations.image, kind="stable")
    first = np.searchsorted(annotations.image, touched, sorter=order)
    last = np.searchsorted(annotations.image, touched, side="right", sorter=order)
    found: list[tuple[int, Stated]] = []
    stated, unfit = [], []
    for place, image in enumerate(touched.tolist()):
        own = [stated_at(annotations, row) for row in order[first[place] : last[place]].tolist() if counts(kind, annotations, row)]
        kept = [row for row in order[first[place] : last[place]].tolist() if not counts(kind, annotations, row)]
        known = int(images.stated[image])
        unfit += [one.id for one in several[image] if not apply(kind, named, own, one, new_concepts)]
        known = known_after(kind, known, own)
        if kind == "tagging":  # what goes without saying is not said
            own = [one for one in own if one.value != ("negative" if known == CLOSED else "unknown")]
        region = [Stated(int(annotations.concept[row]), None, "positive", row) for row in kept]
        found += [(image, one) for one in sorted(region + own, key=lambda one: (one.row < 0, one.row))]
        stated.append(known)
    table = tabled(annotations, found, kind)
    rows = np.array([one.row for _, one in found], np.int64)
    return Mended(touched, table, rows, np.array(stated, np.int8), list(named), unfit)


def telling(kind: Kind, decisions: Sequence[tuple[int, Decision]]) -> dict[int, list[Decision]]:
    """By image, the decisions that say what its annotations are; images of which none does are left out."""
    several: dict[int, list[Decision]] = {}
    for image, decision in decisions:
        several.setdefault(image, []).append(decision)
    found = {image: [one for one in in_effect(kind, own) if one.edits or kind != "detection"] for image, own in several.items()}
    return {image: own for image, own in found.items() if own}


def counts(kind: Kind, annotations: Annotations, row: int) -> bool:
    """Ignored regions of boxes stay as they are; in tagging such a row says that the concept is unknown."""
    return kind == "tagging" or not annotations.ignore[row]


def stated_at(annotations: Annotations, row: int) -> Stated:
    value: Value = "unknown" if annotations.ignore[row] else "positive" if annotations.positive[row] else "negative"
    box = None if annotations.box is None else tuple(annotations.box[row].tolist())
    return Stated(int(annotations.concept[row]), box, value, row)


def apply(kind: Kind, named: dict[str, int], own: list[Stated], decision: Decision, new_concepts: bool) -> bool:
    """Change an image's annotations in place; False where what was to be changed is not there, nor what it was to become."""
    for mark in decision.after:
        if new_concepts:
            named.setdefault(mark.concept, len(named))
    if kind != "detection":
        set_images(kind, named, own, decision)
        return True
    taken = [one for one in (place_of(named, own, mark) for mark in decision.before) if one is not None]
    there = [mark for mark in decision.after if place_of(named, own, mark) is not None]
    if decision.before and not taken:
        return len(there) == len(decision.after) and bool(there or decision.action == "remove")
    inherited = [own[place] for place in taken]
    for one in inherited:
        own.remove(one)
    for mark in decision.after:
        if mark.concept in named and place_of(named, own, mark) is None:
            own.append(Stated(named[mark.concept], mark.box, mark.value, kept_row(inherited, mark)))
    return True


def set_images(kind: Kind, named: dict[str, int], own: list[Stated], decision: Decision) -> None:
    """What an image, or a tag of it, is in the end, whatever it was: one statement a concept, in classification one an image."""
    before = list(own)
    concepts = {named.get(mark.concept) for mark in decision.after}
    own[:] = [] if kind == "classification" else [one for one in own if one.concept not in concepts]
    for mark in decision.after:
        if mark.concept in named:
            same = [one for one in before if (one.concept, one.value) == (named[mark.concept], mark.value)]
            own.append(same[0] if same else Stated(named[mark.concept], None, mark.value, -1))


def kept_row(inherited: list[Stated], mark: Mark) -> int:
    """Another concept for the same box keeps its place, and with it the outline."""
    return next((one.row for one in inherited if one.box == mark.box), -1)


def place_of(named: dict[str, int], own: list[Stated], mark: Mark) -> int | None:
    """Where an annotation stands among an image's own: the same box, else the one nearest to it."""
    same = [place for place, one in enumerate(own) if one.concept == named.get(mark.concept)]
    exact = next((place for place in same if own[place].box == mark.box), None)
    if exact is not None or not same:
        return exact
    boxes = np.array([own[place].box for place in same], float)
    overlap = iou_of_pairs(boxes, np.broadcast_to(np.array(mark.box, float), boxes.shape), np.zeros(len(boxes), bool))
    best = int(np.argmax(overlap))
    return same[best] if overlap[best] >= SAME else None


def known_after(kind: Kind, known: int, own: list[Stated]) -> int:
    """What is known of an image once somebody has decided on it."""
    if kind == "classification":
        return CLOSED if own else UNANNOTATED
    return OPEN if known == UNANNOTATED and any(one.value != "unknown" for one in own) else known


def tabled(annotations: Annotations, found: list[tuple[int, Stated]], kind: Kind) -> Annotations:
    """The annotations as columns; those that were there keep what is not decided on (regions, areas, outlines)."""
    rows = np.array([one.row for _, one in found], np.int64)
    old, new = rows >= 0, rows < 0
    taken = annotations.take(np.where(old, rows, 0)) if len(annotations) else None
    size = len(found)
    image = np.array([image for image, _ in found], np.int32).reshape(-1)
    concept = np.array([one.concept for _, one in found], np.int32).reshape(-1)
    ignore = taken.ignore.copy() if taken is not None else np.zeros(size, bool)
    positive = taken.positive.copy() if taken is not None else np.ones(size, bool)
    decided = new if kind != "tagging" else np.ones(size, bool)
    values = np.array([one.value for _, one in found], object)
    ignore[decided] = (values == "unknown")[decided]
    positive[decided] = (values != "negative")[decided]
    box = area = outline = None
    if annotations.box is not None:
        box = taken.box.copy() if taken is not None and taken.box is not None else np.zeros((size, 4))
        box[new] = np.array([one.box for _, one in found if one.row < 0], float).reshape(-1, 4)
        area = taken.area.copy() if taken is not None and taken.area is not None else np.zeros(size)
        area[new] = (box[:, 2] * box[:, 3])[new]
    if annotations.outline is not None:
        outline = texts([""] * size) if taken is None or taken.outline is None else taken.outline.copy()
        outline[new] = ""
    return Annotations(image, concept, box, ignore, positive, area, outline)
