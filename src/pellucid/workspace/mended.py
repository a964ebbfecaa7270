"""Views and versions with people's decisions applied to their annotations. Nothing that was imported or frozen is changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pellucid.columns import Annotations, Images, Kind, Longs
from pellucid.understand.changed import corrected
from pellucid.understand.decisions import Decision, Ledger
from pellucid.understand.evaluation import Evaluation
from pellucid.understand.mending import Mended, mend, turned_round
from pellucid.workspace.whereabouts import Whereabouts


@dataclass(frozen=True, eq=False)
class Current:
    """Images and annotations as they are after every standing decision. rows: int64, for each annotation its row before, -1 for a
    new one · unfit: decisions whose annotation is no longer there to be changed."""

    concepts: list[str]
    images: Images
    annotations: Annotations
    rows: Longs
    applied: int
    unfit: list[int]


def current(
    kind: Kind, concepts: Sequence[str], images: Images, annotations: Annotations, folders: Sequence[str], ledger: Ledger
) -> Current:
    """A view's tables with the decisions applied."""
    edits = [one for one in ledger.standing() if one.edits]
    found = mend(kind, concepts, images, annotations, placed(Whereabouts(images, folders), edits), new_concepts=True)
    table, rows, mended = joined(images, annotations, found)
    return Current(found.concepts, mended, table, rows, len(edits) - len(found.unfit), found.unfit)


def joined(images: Images, annotations: Annotations, found: Mended) -> tuple[Annotations, Longs, Images]:
    """The annotations of untouched images, and after them those of the mended ones; the rows they had; and what is known of images."""
    touched = np.zeros(len(images), bool)
    touched[found.images] = True
    stay = np.flatnonzero(~touched[annotations.image])
    stated = images.stated.copy()
    stated[found.images] = found.stated
    kept = annotations.take(stay)
    table = kept.followed_by(found.annotations) if len(kept) else found.annotations
    return table, np.concatenate([stay, found.rows]), images.replaced(stated=stated)


def placed(whereabouts: Whereabouts, decisions: Iterable[Decision]) -> list[tuple[int, Decision]]:
    """Each decision with the image it is about, where that is among them; in their order."""
    of_picture: dict[str, list[Decision]] = {}
    for one in decisions:
        of_picture.setdefault(one.picture, []).append(one)
    rows = {picture: whereabouts.find(several) for picture, several in of_picture.items()}
    found = [(rows[picture], one) for picture, several in of_picture.items() for one in several]
    return sorted(((row, one) for row, one in found if row is not None), key=lambda pair: pair[1].id)


def edits_since(ledger: Ledger, kind: Kind, corrected_to: int) -> list[Decision]:
    """What is to be applied to annotations that took the decisions up to `corrected_to` into account: first those that no longer
    stand, turned round, latest first; then those that stand now and did not."""
    now = {one.id: one for one in ledger.standing() if one.edits}
    if not corrected_to:
        return list(now.values())
    before = Ledger(kind)
    before.append(row for row in ledger.rows.values() if row.id <= corrected_to)
    then = {one.id: one for one in before.standing() if one.edits}
    undone = [turned_round(one) for one in then.values() if one.id not in now]
    return [*reversed(undone), *(one for one in now.values() if one.id not in then)]


def with_corrections(evaluation: Evaluation, edits: Sequence[tuple[int, Decision]]) -> tuple[Evaluation, Longs]:
    """A version held against its mended annotations, and for each of these the row it has as frozen (-1: new). Only the touched
    images are matched again."""
    annotations = evaluation.annotations
    found = mend(evaluation.kind, evaluation.concepts, evaluation.images, annotations, edits, new_concepts=False)
    _, rows, images = joined(evaluation.images, annotations, found)
    return corrected(replace(evaluation, images=images), found.images, found.annotations), rows
