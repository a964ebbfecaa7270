"""Views and versions with review decisions applied to their annotations. Imported and frozen data
is never modified."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pellucid.core.outlines import parse_keypoints, parse_outlines
from pellucid.core.tables import Annotations, Images, Int8Array, Int64Array, Kind
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.geometry import complete_corners, corners_of_shapes, masks_of_annotations
from pellucid.evaluation.incremental import rematch, replace_annotations
from pellucid.evaluation.object_keypoints import build_column, mark_unlabelled
from pellucid.review.apply import CorrectedAnnotations, apply_decisions
from pellucid.review.events import Decision, DecisionLog
from pellucid.review.image_locator import ImageLocator


@dataclass(frozen=True, eq=False)
class CorrectedView:
    """Images and annotations with all active decisions applied.

    Attributes:
        changed_images: indices of images with decisions, ascending
        unapplied_ids: decisions whose annotation no longer exists
        missing_image_ids: decisions whose image file is missing or was replaced
    """

    concepts: list[str]
    images: Images
    annotations: Annotations
    changed_images: Int64Array
    unapplied_ids: list[int]
    missing_image_ids: list[int]


def correct_view(
    kind: Kind,
    concepts: Sequence[str],
    images: Images,
    annotations: Annotations,
    folders: Sequence[str],
    log: DecisionLog,
) -> CorrectedView:
    """Apply the decisions to the tables of a view."""
    decisions = log.active_decisions()
    located_decisions = locate_decisions(ImageLocator(images, folders), decisions)
    corrections = apply_decisions(
        kind, concepts, images, annotations, located_decisions, new_concepts=True
    )
    corrected_annotations, _, corrected_images = merge_corrections(images, annotations, corrections)
    located_ids = {decision.id for _, decision in located_decisions}
    missing_image_ids = [
        decision.id for decision in decisions if decision.is_edit and decision.id not in located_ids
    ]
    return CorrectedView(
        corrections.concepts,
        corrected_images,
        corrected_annotations,
        corrections.images,
        corrections.unapplied_ids,
        missing_image_ids,
    )


def merge_corrections(
    images: Images, annotations: Annotations, corrections: CorrectedAnnotations
) -> tuple[Annotations, Int64Array, Images]:
    """The unchanged annotations followed by the corrected ones; their original rows; and the
    images with updated completeness."""
    is_corrected = np.zeros(len(images), bool)
    is_corrected[corrections.images] = True
    unchanged_rows = np.flatnonzero(~is_corrected[annotations.image])
    completeness = images.stated.copy()
    completeness[corrections.images] = corrections.completeness
    unchanged = annotations.take(unchanged_rows)
    merged_annotations = (
        unchanged.concat(corrections.annotations) if len(unchanged) else corrections.annotations
    )
    return (
        merged_annotations,
        np.concatenate([unchanged_rows, corrections.original_rows]),
        images.replace(stated=completeness),
    )


def locate_decisions(
    locator: ImageLocator, decisions: Iterable[Decision]
) -> list[tuple[int, Decision]]:
    """Pairs of image index and decision, in the given order. Decisions whose image is not found
    are left out."""
    located_decisions = [(locator.find_image(decision), decision) for decision in decisions]
    return [
        (image_index, decision)
        for image_index, decision in located_decisions
        if image_index is not None
    ]


@dataclass(frozen=True, eq=False)
class OriginalAnnotations:
    """A version's annotations before corrections.

    Attributes:
        images: indices of those that were already corrected when the version was frozen, ascending
        completeness: their original completeness
    """

    annotations: Annotations
    images: Int64Array
    completeness: Int8Array

    def original_completeness(self, images: Images) -> Int8Array:
        completeness = images.stated.copy()
        completeness[self.images] = self.completeness
        return completeness


def correct_evaluation(
    evaluation: Evaluation,
    originals: OriginalAnnotations | None,
    decisions: Sequence[tuple[int, Decision]],
) -> tuple[Evaluation, Int64Array, list[int]]:
    """Evaluate a version against its corrected annotations. Also returns their frozen rows (-1: new
    or changed before the freeze) and the ids of decisions that could not be applied. Only images
    that differ from the frozen ones are matched again.

    Args:
        originals: given if the version was frozen after corrections, which may have been undone
            since
    """
    images = (
        evaluation.images
        if originals is None
        else evaluation.images.replace(stated=originals.original_completeness(evaluation.images))
    )
    annotations = evaluation.annotations if originals is None else originals.annotations
    shapes = parse_outlines(annotations.outline, len(annotations))
    if evaluation.annotations.mask is not None and annotations.mask is None:
        annotations = annotations.replace(
            mask=masks_of_annotations(annotations, shapes, images).masks
        )
    if evaluation.annotations.corners is not None and annotations.corners is None:
        annotations = complete_corners(annotations.replace(corners=corners_of_shapes(shapes)))
    if evaluation.annotations.keypoints is not None and annotations.keypoints is None:
        annotations = with_keypoints(annotations)
    annotations = annotations.replace(outline=None)
    corrections = apply_decisions(
        evaluation.kind, evaluation.concepts, images, annotations, decisions, new_concepts=False
    )
    corrected_annotations, original_rows, images = merge_corrections(
        images, annotations, corrections
    )
    if originals is not None:
        original_rows = np.full(len(corrected_annotations), -1, np.int64)
    changed_images = (
        corrections.images
        if originals is None
        else np.union1d(corrections.images, originals.images)
    )
    is_changed = np.isin(corrected_annotations.image, changed_images)
    order = np.argsort(corrected_annotations.image[is_changed], kind="stable")
    unchanged_rows = np.flatnonzero(~np.isin(evaluation.annotations.image, changed_images))
    changed_annotations = corrected_annotations.take(is_changed).take(order)
    original_evaluation = replace(
        evaluation, images=images, annotations=evaluation.annotations.replace(outline=None)
    )
    corrected = replace_annotations(original_evaluation, changed_images, changed_annotations)
    return (
        rematch_new_concepts(corrected),
        np.concatenate([unchanged_rows, original_rows[is_changed][order]]),
        corrections.unapplied_ids,
    )


def with_keypoints(annotations: Annotations) -> Annotations:
    outlines = annotations.outline
    texts = [""] * len(annotations) if outlines is None else outlines.tolist()
    return mark_unlabelled(annotations, build_column(list(map(parse_keypoints, texts))))


def rematch_new_concepts(evaluation: Evaluation) -> Evaluation:
    """Match again if corrections annotated a concept that only predictions named."""
    unannotated = evaluation.unannotated_concepts
    remaining = tuple(c for c in unannotated if not (evaluation.annotations.concept == c).any())
    if remaining == unannotated:
        return evaluation
    return rematch(replace(evaluation, unannotated_concepts=remaining), evaluation.iou_threshold)
