"""Views and versions with people's decisions applied to their annotations. Nothing that was imported or frozen is changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pellucid.columns import Annotations, Bytes, Images, Kind, Longs
from pellucid.understand.changed import corrected
from pellucid.understand.decisions import Decision, DecisionLog
from pellucid.understand.evaluation import Evaluation
from pellucid.understand.mending import CorrectedAnnotations, apply_decisions
from pellucid.workspace.whereabouts import ImageLocator


@dataclass(frozen=True, eq=False)
class CorrectedView:
    """Images and annotations as they are after every decision in force. touched: positions of images that decisions spoke of, rising ·
    unfit: ids of decisions whose annotation is no longer there to be changed · absent: of those whose picture is not there, or has
    been replaced."""

    concepts: list[str]
    images: Images
    annotations: Annotations
    changed_images: Longs
    unapplied_ids: list[int]
    missing_image_ids: list[int]


def correct_view(
    kind: Kind, concepts: Sequence[str], images: Images, annotations: Annotations, folders: Sequence[str], log: DecisionLog
) -> CorrectedView:
    """A view's tables with the decisions applied."""
    decisions = log.active_decisions()
    located_decisions = locate_decisions(ImageLocator(images, folders), decisions)
    corrections = apply_decisions(kind, concepts, images, annotations, located_decisions, new_concepts=True)
    corrected_annotations, _, corrected_images = merge_corrections(images, annotations, corrections)
    located_ids = {decision.id for _, decision in located_decisions}
    missing_image_ids = [decision.id for decision in decisions if decision.is_edit and decision.id not in located_ids]
    return CorrectedView(corrections.concepts, corrected_images, corrected_annotations, corrections.images, corrections.unapplied_ids, missing_image_ids)


def merge_corrections(images: Images, annotations: Annotations, corrections: CorrectedAnnotations) -> tuple[Annotations, Longs, Images]:
    """The annotations of untouched images, and after them those of the mended ones; the rows they had; and what is known of images."""
    is_corrected = np.zeros(len(images), bool)
    is_corrected[corrections.images] = True
    unchanged_rows = np.flatnonzero(~is_corrected[annotations.image])
    completeness = images.stated.copy()
    completeness[corrections.images] = corrections.completeness
    unchanged = annotations.take(unchanged_rows)
    merged_annotations = unchanged.followed_by(corrections.annotations) if len(unchanged) else corrections.annotations
    return merged_annotations, np.concatenate([unchanged_rows, corrections.original_rows]), images.replaced(stated=completeness)


def locate_decisions(locator: ImageLocator, decisions: Iterable[Decision]) -> list[tuple[int, Decision]]:
    """Each decision with the image it is about, where that is among them; in their order."""
    located_decisions = [(locator.find_image(decision), decision) for decision in decisions]
    return [(image_index, decision) for image_index, decision in located_decisions if image_index is not None]


@dataclass(frozen=True, eq=False)
class OriginalAnnotations:
    """What a version's annotations were before people mended them. images: positions of those that had been mended when it was
    frozen, rising · stated: what was known of these."""

    annotations: Annotations
    images: Longs
    completeness: Bytes

    def original_completeness(self, images: Images) -> Bytes:
        completeness = images.stated.copy()
        completeness[self.images] = self.completeness
        return completeness


def correct_evaluation(
    evaluation: Evaluation, originals: OriginalAnnotations | None, decisions: Sequence[tuple[int, Decision]]
) -> tuple[Evaluation, Longs, list[int]]:
    """A version held against its annotations as they are mended now; for each of these the row it has as frozen (-1: new or changed
    before it was frozen); and the decisions that fit nothing. Only images that differ from what was frozen are matched again.

    originals: where the version was frozen after corrections, so that these may have been taken back since.
    """
    images = evaluation.images if originals is None else evaluation.images.replaced(stated=originals.original_completeness(evaluation.images))
    annotations = (evaluation.annotations if originals is None else originals.annotations).replaced(outline=None)
    corrections = apply_decisions(evaluation.kind, evaluation.concepts, images, annotations, decisions, new_concepts=False)
    corrected_annotations, original_rows, images = merge_corrections(images, annotations, corrections)
    if originals is not None:
        original_rows = np.full(len(corrected_annotations), -1, np.int64)
    changed_images = corrections.images if originals is None else np.union1d(corrections.images, originals.images)
    is_changed = np.isin(corrected_annotations.image, changed_images)
    order = np.argsort(corrected_annotations.image[is_changed], kind="stable")
    unchanged_rows = np.flatnonzero(~np.isin(evaluation.annotations.image, changed_images))
    changed_annotations = corrected_annotations.take(is_changed).take(order)
    original_evaluation = replace(evaluation, images=images, annotations=evaluation.annotations.replaced(outline=None))
    return corrected(original_evaluation, changed_images, changed_annotations), np.concatenate([unchanged_rows, original_rows[is_changed][order]]), corrections.unapplied_ids
