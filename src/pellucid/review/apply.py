"""Apply review decisions to annotations. Applying them again to corrected annotations changes
nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.core.masks import Masks, concat_masks, create_masks
from pellucid.core.outlines import parse_keypoints, parse_outline
from pellucid.core.tables import (
    EXHAUSTIVE,
    PARTIAL,
    UNANNOTATED,
    Annotations,
    BoolArray,
    Float64Array,
    Images,
    Int8Array,
    Int64Array,
    Kind,
    string_column,
)
from pellucid.evaluation.boxes import pairwise_iou
from pellucid.evaluation.geometry import corners_of_shapes
from pellucid.evaluation.mask_runs import measure_masks
from pellucid.evaluation.object_keypoints import POINT_NUMBERS, build_column, mark_unlabelled
from pellucid.evaluation.oriented_boxes import corner_areas
from pellucid.review.events import Box, Decision, Label, LabelValue, effective_decisions

SAME_BOX_IOU = 0.9
"""Minimum IoU at which two boxes count as one annotation, rounded differently by different tools.
"""


@dataclass
class EditableLabel:
    """One annotation while decisions are applied.

    Attributes:
        annotation_row: its row in the table, -1 for a new one
        outline: of a new one, see Label
    """

    concept: int
    box: Box | None
    label_value: LabelValue
    annotation_row: int
    outline: str = ""


@dataclass(frozen=True, eq=False)
class CorrectedAnnotations:
    """The new annotations of the images that decisions are about.

    Attributes:
        images: indices, int64, ascending
        annotations: all of theirs, corrected
        original_rows: int64, for each its row in the original table, -1 for a new one
        completeness: int8 per image
        concepts: the given ones, followed by new ones named in decisions
        unapplied_ids: of decisions whose annotation no longer exists
    """

    images: Int64Array
    annotations: Annotations
    original_rows: Int64Array
    completeness: Int8Array
    concepts: list[str]
    unapplied_ids: list[int]


def apply_decisions(
    kind: Kind,
    concepts: Sequence[str],
    images: Images,
    annotations: Annotations,
    decisions: Sequence[tuple[int, Decision]],
    new_concepts: bool,
) -> CorrectedAnnotations:
    """Apply decisions to the annotations of their images.

    Args:
        decisions: (image index, active verdict), oldest first
        new_concepts: whether a concept that is not listed may be added; otherwise its annotations
            are left out
    """
    concept_indices = {concept: concept_index for concept_index, concept in enumerate(concepts)}
    decisions_by_image = group_effective_decisions(kind, decisions)
    decided_images = np.array(sorted(decisions_by_image), np.int64)
    order = np.argsort(annotations.image, kind="stable")
    first = np.searchsorted(annotations.image, decided_images, sorter=order)
    last = np.searchsorted(annotations.image, decided_images, side="right", sorter=order)
    corrected_labels: list[tuple[int, EditableLabel]] = []
    completeness, unapplied_ids = [], []
    for position, image in enumerate(decided_images.tolist()):
        rows = order[first[position] : last[position]].tolist()
        image_labels = [
            editable_label(annotations, row) for row in rows if is_editable(kind, annotations, row)
        ]
        unapplied_ids += [
            decision.id
            for decision in decisions_by_image[image]
            if not apply_decision(kind, concept_indices, image_labels, decision, new_concepts)
        ]
        stated = update_completeness(kind, int(images.stated[image]), image_labels)
        completeness.append(stated)
        if kind == "tagging":
            image_labels = without_default_tags(image_labels, stated)
        image_labels += [
            EditableLabel(int(annotations.concept[row]), None, "positive", row)
            for row in rows
            if not is_editable(kind, annotations, row)
        ]
        image_labels.sort(key=lambda label: (label.annotation_row < 0, label.annotation_row))
        corrected_labels += [(image, label) for label in image_labels]
    annotation_table = build_annotations(annotations, corrected_labels, kind)
    original_rows = np.array([label.annotation_row for _, label in corrected_labels], np.int64)
    return CorrectedAnnotations(
        decided_images,
        annotation_table,
        original_rows,
        np.array(completeness, np.int8),
        list(concept_indices),
        unapplied_ids,
    )


def without_default_tags(labels: Sequence[EditableLabel], completeness: int) -> list[EditableLabel]:
    """The tags that say more than no tag does: that the concept is absent, or unknown."""
    default = "negative" if completeness == EXHAUSTIVE else "unknown"
    return [label for label in labels if label.label_value != default]


def group_effective_decisions(
    kind: Kind, decisions: Sequence[tuple[int, Decision]]
) -> dict[int, list[Decision]]:
    """The effective decisions of each image; images without any are left out."""
    decisions_by_image: dict[int, list[Decision]] = {}
    for image, decision in decisions:
        decisions_by_image.setdefault(image, []).append(decision)
    effective_by_image = {
        image: [
            decision
            for decision in effective_decisions(kind, image_decisions)
            if decision.is_edit or kind != "detection"
        ]
        for image, image_decisions in decisions_by_image.items()
    }
    return {
        image: image_decisions
        for image, image_decisions in effective_by_image.items()
        if image_decisions
    }


def is_editable(kind: Kind, annotations: Annotations, annotation_row: int) -> bool:
    """Ignored regions of detection are never edited; in tagging an ignored row means that the
    concept is unknown."""
    return kind == "tagging" or not annotations.ignore[annotation_row]


def editable_label(annotations: Annotations, annotation_row: int) -> EditableLabel:
    label_value: LabelValue = (
        "unknown"
        if annotations.ignore[annotation_row]
        else "positive"
        if annotations.positive[annotation_row]
        else "negative"
    )
    box = None if annotations.box is None else tuple(annotations.box[annotation_row].tolist())
    return EditableLabel(int(annotations.concept[annotation_row]), box, label_value, annotation_row)


def apply_decision(
    kind: Kind,
    concept_indices: dict[str, int],
    image_labels: list[EditableLabel],
    decision: Decision,
    new_concepts: bool,
) -> bool:
    """Edit an image's annotations in place. Returns False if neither the annotation to edit nor
    its replacement exists."""
    for label in decision.after:
        if new_concepts:
            concept_indices.setdefault(label.concept, len(concept_indices))
    if kind != "detection":
        assign_image_labels(kind, concept_indices, image_labels, decision)
        return True
    replaced_indices = [
        index
        for index in (
            find_label_index(concept_indices, image_labels, label) for label in decision.before
        )
        if index is not None
    ]
    existing_labels = [
        label
        for label in decision.after
        if find_label_index(concept_indices, image_labels, label) is not None
    ]
    if decision.before and not replaced_indices:
        return len(existing_labels) == len(decision.after) and bool(
            existing_labels or decision.action == "remove"
        )
    replaced_labels = [image_labels[index] for index in replaced_indices]
    for replaced_label in replaced_labels:
        image_labels.remove(replaced_label)
    for label in decision.after:
        if (
            label.concept in concept_indices
            and find_label_index(concept_indices, image_labels, label) is None
        ):
            image_labels.append(
                EditableLabel(
                    concept_indices[label.concept],
                    label.box,
                    label.value,
                    find_inherited_row(replaced_labels, label),
                    label.outline,
                )
            )
    return True


def assign_image_labels(
    kind: Kind,
    concept_indices: dict[str, int],
    image_labels: list[EditableLabel],
    decision: Decision,
) -> None:
    """Set the label of an image (classification) or of its tags, regardless of previous labels."""
    previous_labels = list(image_labels)
    concepts = {concept_indices.get(label.concept) for label in decision.after}
    image_labels[:] = (
        []
        if kind == "classification"
        else [current for current in image_labels if current.concept not in concepts]
    )
    for label in decision.after:
        if label.concept in concept_indices:
            matching_labels = [
                previous
                for previous in previous_labels
                if (previous.concept, previous.label_value)
                == (concept_indices[label.concept], label.value)
            ]
            image_labels.append(
                matching_labels[0]
                if matching_labels
                else EditableLabel(concept_indices[label.concept], None, label.value, -1)
            )


def adopt_masks(outlines: Sequence[str]) -> Masks:
    """The masks of new annotations; none where a reviewer drew a box."""
    shapes = [parse_outline(outline) for outline in outlines]
    texts = [shape["counts"] if isinstance(shape, dict) else "" for shape in shapes]
    sizes = [shape["size"] if isinstance(shape, dict) else (0, 0) for shape in shapes]
    height, width = np.array(sizes, np.int32).reshape(-1, 2).T
    return create_masks(texts, height.copy(), width.copy())


def adopt_areas(masks: Masks, outlines: Sequence[str]) -> Float64Array:
    """Areas of the adopted masks and oriented boxes; 0 where a reviewer drew a box."""
    corners = corners_of_shapes([parse_outline(outline) for outline in outlines])
    return np.maximum(measure_masks(masks).area, np.nan_to_num(corner_areas(corners)))


def find_inherited_row(replaced_labels: list[EditableLabel], label: Label) -> int:
    """The row of the replaced annotation with the same box, whose outline is kept; -1 if there is
    none."""
    return next(
        (
            replaced_label.annotation_row
            for replaced_label in replaced_labels
            if replaced_label.box == label.box and not label.outline
        ),
        -1,
    )


def find_label_index(
    concept_indices: dict[str, int], image_labels: list[EditableLabel], label: Label
) -> int | None:
    """Index of an annotation among the image's: the identical box, else the one with the highest
    IoU."""
    candidates = [
        index
        for index, candidate in enumerate(image_labels)
        if candidate.concept == concept_indices.get(label.concept)
    ]
    exact = next((index for index in candidates if image_labels[index].box == label.box), None)
    if exact is not None or not candidates:
        return exact
    boxes = np.array([image_labels[index].box for index in candidates], float)
    overlap = pairwise_iou(
        boxes, np.broadcast_to(np.array(label.box, float), boxes.shape), np.zeros(len(boxes), bool)
    )
    best_index = int(np.argmax(overlap))
    return candidates[best_index] if overlap[best_index] >= SAME_BOX_IOU else None


def update_completeness(kind: Kind, completeness: int, image_labels: list[EditableLabel]) -> int:
    """The completeness of an image's annotations after a decision."""
    if kind == "classification":
        return EXHAUSTIVE if image_labels else UNANNOTATED
    return (
        PARTIAL
        if completeness == UNANNOTATED
        and any(label.label_value != "unknown" for label in image_labels)
        else completeness
    )


def build_annotations(
    annotations: Annotations, corrected_labels: list[tuple[int, EditableLabel]], kind: Kind
) -> Annotations:
    """Build the annotation table. Existing annotations keep their areas, outlines and ignored
    regions."""
    labels = [label for _, label in corrected_labels]
    original_rows = np.array([label.annotation_row for label in labels], np.int64)
    new_labels = [label for label in labels if label.annotation_row < 0]
    ignore, positive = state_labels(annotations, labels, original_rows, kind)
    corrected = Annotations(
        np.array([image for image, _ in corrected_labels], np.int32),
        np.array([label.concept for label in labels], np.int32),
        box=None,
        ignore=ignore,
        positive=positive,
        area=None,
    )
    if annotations.box is not None:
        corrected = add_geometry(corrected, annotations, original_rows, new_labels)
    if annotations.keypoints is None:
        return corrected
    return with_new_keypoints(
        corrected, annotations.keypoints, original_rows, [label.outline for label in new_labels]
    )


def state_labels(
    annotations: Annotations,
    labels: Sequence[EditableLabel],
    original_rows: Int64Array,
    kind: Kind,
) -> tuple[BoolArray, BoolArray]:
    """The columns `ignore` and `positive`: of tags and new annotations as decided, else as they
    were."""
    is_decided = (original_rows < 0) | (kind == "tagging")
    values = np.array([label.label_value for label in labels], object)
    ignore, positive = values == "unknown", values != "negative"
    rows = original_rows[~is_decided]
    ignore[~is_decided], positive[~is_decided] = (
        annotations.ignore[rows],
        annotations.positive[rows],
    )
    return ignore.astype(bool), positive.astype(bool)


def add_geometry(
    corrected: Annotations,
    annotations: Annotations,
    original_rows: Int64Array,
    new_labels: Sequence[EditableLabel],
) -> Annotations:
    """The corrected annotations with boxes, areas and outlines, and with masks and corners where
    the given annotations have them."""
    is_new, count = original_rows < 0, len(corrected)
    old_rows = original_rows[~is_new]
    assert annotations.box is not None
    box = np.zeros((count, 4))
    box[~is_new] = annotations.box[old_rows]
    box[is_new] = np.array([label.box for label in new_labels], float).reshape(-1, 4)
    new_outlines = [label.outline for label in new_labels]
    new_masks = adopt_masks(new_outlines)
    adopted_area = adopt_areas(new_masks, new_outlines)
    area = np.zeros(count)
    if annotations.area is not None:
        area[~is_new] = annotations.area[old_rows]
    area[is_new] = np.where(adopted_area > 0, adopted_area, (box[:, 2] * box[:, 3])[is_new])
    outline = mask = corners = None
    if annotations.outline is not None or any(new_outlines):
        outline = string_column([""] * count)
        if annotations.outline is not None:
            outline[~is_new] = annotations.outline[old_rows]
        outline[is_new] = new_outlines
    if annotations.mask is not None:
        mask_rows = original_rows.copy()
        mask_rows[is_new] = len(annotations) + np.arange(len(new_outlines))
        mask = concat_masks([annotations.mask, new_masks])[mask_rows]
    if annotations.corners is not None:
        corners = np.full((count, 8), np.nan)
        corners[~is_new] = annotations.corners[old_rows]
        corners[is_new] = corners_of_shapes([parse_outline(text) for text in new_outlines])
    return corrected.replace(box=box, area=area, outline=outline, mask=mask, corners=corners)


def with_new_keypoints(
    corrected: Annotations,
    keypoints: Float64Array,
    original_rows: Int64Array,
    new_outlines: Sequence[str],
) -> Annotations:
    """The annotations with their keypoints. A box that a reviewer drew has none, so it is ignored.

    Args:
        original_rows: of `keypoints`, -1 for the new ones, whose outlines are in order
    """
    is_new = original_rows < 0
    stated = [parse_keypoints(outline) for outline in new_outlines]
    added = mark_unlabelled(
        corrected.take(is_new), build_column(stated, keypoints.shape[1] // POINT_NUMBERS)
    )
    assert added.keypoints is not None
    column = np.zeros((len(corrected), keypoints.shape[1]))
    column[~is_new] = keypoints[original_rows[~is_new]]
    column[is_new] = added.keypoints[:, : keypoints.shape[1]]
    ignore = corrected.ignore.copy()
    ignore[is_new] = added.ignore
    return corrected.replace(keypoints=column, ignore=ignore)
