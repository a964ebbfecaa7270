"""Views and versions with people's decisions applied to their annotations. Nothing that was imported or frozen is changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pellucid.columns import Annotations, Bytes, Images, Kind, Longs
from pellucid.understand.changed import corrected
from pellucid.understand.decisions import Decision, Ledger
from pellucid.understand.evaluation import Evaluation
from pellucid.understand.mending import Mended, mend
from pellucid.workspace.whereabouts import Whereabouts


@dataclass(frozen=True, eq=False)
class Current:
    """Images and annotations as they are after every decision in force. touched: positions of images that decisions spoke of, rising ·
    unfit: ids of decisions whose annotation is no longer there to be changed · absent: of those whose picture is not there, or has
    been replaced."""

    concepts: list[str]
    images: Images
    annotations: Annotations
    touched: Longs
    unfit: list[int]
    absent: list[int]


def current(
    kind: Kind, concepts: Sequence[str], images: Images, annotations: Annotations, folders: Sequence[str], ledger: Ledger
) -> Current:
    """A view's tables with the decisions applied."""
    decisions = ledger.in_force()
    located = placed(Whereabouts(images, folders), decisions)
    found = mend(kind, concepts, images, annotations, located, new_concepts=True)
    table, _, mended = joined(images, annotations, found)
    here = {one.id for _, one in located}
    absent = [one.id for one in decisions if one.edits and one.id not in here]
    return Current(found.concepts, mended, table, found.images, found.unfit, absent)


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
    found = [(whereabouts.find(one), one) for one in decisions]
    return [(row, one) for row, one in found if row is not None]


@dataclass(frozen=True, eq=False)
class Originals:
    """What a version's annotations were before people mended them. images: positions of those that had been mended when it was
    frozen, rising · stated: what was known of these."""

    annotations: Annotations
    images: Longs
    stated: Bytes

    def stated_of(self, images: Images) -> Bytes:
        stated = images.stated.copy()
        stated[self.images] = self.stated
        return stated


def with_corrections(
    evaluation: Evaluation, originals: Originals | None, decisions: Sequence[tuple[int, Decision]]
) -> tuple[Evaluation, Longs, list[int]]:
    """A version held against its annotations as they are mended now; for each of these the row it has as frozen (-1: new or changed
    before it was frozen); and the decisions that fit nothing. Only images that differ from what was frozen are matched again.

    originals: where the version was frozen after corrections, so that these may have been taken back since.
    """
    images = evaluation.images if originals is None else evaluation.images.replaced(stated=originals.stated_of(evaluation.images))
    annotations = (evaluation.annotations if originals is None else originals.annotations).replaced(outline=None)
    found = mend(evaluation.kind, evaluation.concepts, images, annotations, decisions, new_concepts=False)
    table, rows, images = joined(images, annotations, found)
    if originals is not None:
        rows = np.full(len(table), -1, np.int64)
    touched = found.images if originals is None else np.union1d(found.images, originals.images)
    own = np.isin(table.image, touched)
    order = np.argsort(table.image[own], kind="stable")
    stay = np.flatnonzero(~np.isin(evaluation.annotations.image, touched))
    changed = table.take(own).take(order)
    base = replace(evaluation, images=images, annotations=evaluation.annotations.replaced(outline=None))
    return corrected(base, touched, changed), np.concatenate([stay, rows[own][order]]), found.unfit
