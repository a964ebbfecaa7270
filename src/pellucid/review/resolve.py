"""Resolve a reviewer's verdict on an item into an edit of the annotations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.browse.items import row_box
from pellucid.core.errors import UnknownConceptError
from pellucid.core.outlines import encode_outline
from pellucid.core.tables import EXHAUSTIVE
from pellucid.evaluation.error_causes import MIN_LOCALIZATION_IOU, ImageRows, prediction_ious
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.match_result import MATCHED, NOT_HIGHEST
from pellucid.review.edited_shapes import Shape, parse_shape
from pellucid.review.errors import InvalidDecisionError, ItemNotFoundError
from pellucid.review.events import Action, Box, Label, LabelValue, Side, Verdict

MAX_COORDINATE = 1e6
"""Largest accepted absolute value of a box coordinate, in pixels."""


@dataclass(frozen=True)
class TargetItem:
    """The item that a reviewer decided on, as displayed.

    Attributes:
        side: `annotated` for items of the tab Extra
    """

    image: int
    concept: str
    side: Side
    box: Box | None = None
    score: float | None = None


@dataclass(frozen=True)
class Edit:
    """The correct annotation, where the verdict alone does not determine it.

    Attributes:
        replaces: an added box replaces the annotation that it overlaps most
        shape: see edited_shapes
    """

    concept: str | None = None
    box: Box | None = None
    value: LabelValue | None = None
    replaces: bool = False
    shape: Shape | None = None


@dataclass(frozen=True)
class ResolvedDecision:
    """The item decided on (for a matched prediction, its annotation) and the resulting action."""

    concept: str
    side: Side
    box: Box | None
    action: Action
    before: tuple[Label, ...]
    after: tuple[Label, ...]
    duplicates: tuple[int, ...] = (0,)
    """Indices of the possible item among identical boxes, most likely first."""


def resolve(
    evaluation: Evaluation, neighbours: ImageRows, target: TargetItem, verdict: Verdict, edit: Edit
) -> ResolvedDecision:
    """Raises ItemNotFoundError, UnknownConceptError and InvalidDecisionError."""
    path = str(evaluation.images.path[target.image])
    for concept in (target.concept, edit.concept):
        if concept is not None and concept not in evaluation.concepts:
            raise UnknownConceptError(concept, evaluation.concepts)
    validate_box(path, edit.box)
    if evaluation.kind == "detection":
        return resolve_box(evaluation, neighbours, target, verdict, edit)
    annotation_rows = neighbours.annotations(target.image)
    if evaluation.kind == "tagging":
        return resolve_tag(evaluation, annotation_rows, target, verdict, edit)
    return resolve_image(evaluation, neighbours, annotation_rows, target, verdict, edit)


def validate_box(path: str, box: Box | None) -> None:
    if box is not None and not (np.abs(box).max() <= MAX_COORDINATE and box[2] > 0 and box[3] > 0):
        raise InvalidDecisionError(
            path,
            f"box {box} has no area or is out of bounds",
            "Expected left, top, width, height in pixels.",
        )


def resolve_box(
    evaluation: Evaluation, neighbours: ImageRows, target: TargetItem, verdict: Verdict, edit: Edit
) -> ResolvedDecision:
    duplicates = rank_duplicates(evaluation, neighbours, target)
    item_row = find_item_rows(evaluation, neighbours, target)[duplicates[0]]
    if target.side == "predicted" and evaluation.state[item_row] == MATCHED:
        item_row = int(evaluation.partner[item_row])
        box = row_box(evaluation.annotations.box, item_row)
        target = TargetItem(
            target.image,
            evaluation.concepts[evaluation.annotations.concept[item_row]],
            "annotated",
            box,
        )
        duplicates = (find_item_rows(evaluation, neighbours, target).index(item_row),)
    existing_labels = (Label(target.concept, target.box),) if target.side == "annotated" else ()
    if verdict != "wrong":
        return ResolvedDecision(
            target.concept,
            target.side,
            target.box,
            "unsure" if verdict == "unsure" else "confirm",
            existing_labels,
            existing_labels,
            duplicates,
        )
    new_label = correct_label(evaluation, target, item_row, edit)
    if target.side == "annotated":
        is_removed = edit.concept is None and edit.box is None and edit.shape is None
        if not is_removed and new_label in existing_labels:  # the edit changes nothing
            return ResolvedDecision(
                target.concept,
                target.side,
                target.box,
                "confirm",
                existing_labels,
                existing_labels,
                duplicates,
            )
        return ResolvedDecision(
            target.concept,
            target.side,
            target.box,
            "remove" if is_removed else "change",
            existing_labels,
            () if is_removed else (new_label,),
            duplicates,
        )
    before = (
        (most_overlapping_label(evaluation, neighbours, target, item_row),) if edit.replaces else ()
    )
    return ResolvedDecision(
        target.concept,
        target.side,
        target.box,
        "change" if before else "add",
        before,
        (new_label,),
        duplicates,
    )


def correct_label(evaluation: Evaluation, target: TargetItem, item_row: int, edit: Edit) -> Label:
    """The annotation as it should be: with the reviewer's shape or box, else as it is shown."""
    concept = edit.concept or target.concept
    if edit.shape is not None:
        shape = parse_shape(evaluation, target.image, target.side, item_row, edit.shape)
        return Label(concept, shape.box or edit.box or target.box, outline=shape.outline)
    is_adopted = target.side == "predicted" and edit.box is None
    outline = encode_outline(evaluation.predictions, item_row) if is_adopted else ""
    return Label(concept, edit.box or target.box, outline=outline)


def rank_duplicates(
    evaluation: Evaluation, neighbours: ImageRows, target: TargetItem
) -> tuple[int, ...]:
    """Order identical boxes: predictions with the displayed score first; annotations by ascending
    score of their match."""
    item_rows = find_item_rows(evaluation, neighbours, target)
    if target.side == "predicted":
        sort_keys = [
            evaluation.predictions.score[item_row] != target.score for item_row in item_rows
        ]
    else:
        sort_keys = [evaluation.matched_score[annotation_row] for annotation_row in item_rows]
    return tuple(
        sorted(range(len(item_rows)), key=lambda position: (sort_keys[position], position))
    )


def find_item_rows(evaluation: Evaluation, neighbours: ImageRows, target: TargetItem) -> list[int]:
    """Rows of the predictions or annotations with exactly this box and concept. Raises
    ItemNotFoundError."""
    columns = evaluation.item_table(target.side == "annotated")
    candidate_rows = (
        neighbours.predictions(target.image)
        if target.side == "predicted"
        else neighbours.annotations(target.image)
    )
    candidate_rows = candidate_rows[
        columns.concept[candidate_rows] == evaluation.concepts.index(target.concept)
    ]
    matching_rows = [
        candidate_row
        for candidate_row in candidate_rows.tolist()
        if row_box(columns.box, candidate_row) == target.box
    ]
    if not matching_rows:
        raise ItemNotFoundError(str(evaluation.images.path[target.image]), target.concept)
    return matching_rows


def most_overlapping_label(
    evaluation: Evaluation, neighbours: ImageRows, target: TargetItem, prediction_row: int
) -> Label:
    """The annotation that a predicted box overlaps most."""
    annotation_rows = neighbours.annotations(target.image)
    annotation_rows = annotation_rows[~evaluation.annotations.ignore[annotation_rows]]
    overlap = prediction_ious(evaluation, prediction_row, annotation_rows)
    if not len(annotation_rows) or overlap.max() < MIN_LOCALIZATION_IOU:
        path = str(evaluation.images.path[target.image])
        raise InvalidDecisionError(
            path, "no annotation overlaps this box", "Add it without replacing an annotation."
        )
    is_same = (
        evaluation.annotations.concept[annotation_rows]
        == evaluation.predictions.concept[prediction_row]
    )
    if (
        overlap.max() < evaluation.iou_threshold
        and overlap[is_same].max(initial=0) >= MIN_LOCALIZATION_IOU
    ):
        overlap = np.where(is_same, overlap, 0)  # a badly placed box is about its own concept
    best_row = int(annotation_rows[np.argmax(overlap)])
    return Label(
        evaluation.concepts[evaluation.annotations.concept[best_row]],
        row_box(evaluation.annotations.box, best_row),
    )


def resolve_image(
    evaluation: Evaluation,
    neighbours: ImageRows,
    annotation_rows: np.ndarray,
    target: TargetItem,
    verdict: Verdict,
    edit: Edit,
) -> ResolvedDecision:
    """A new concept replaces the old one, because concepts are mutually exclusive."""
    before = tuple(
        Label(evaluation.concepts[evaluation.annotations.concept[annotation_row]])
        for annotation_row in annotation_rows[:1].tolist()
    )
    if verdict != "wrong":
        return ResolvedDecision(
            target.concept,
            target.side,
            None,
            "unsure" if verdict == "unsure" else "confirm",
            before,
            before,
        )
    if edit.value == "unknown":
        return ResolvedDecision(target.concept, target.side, None, "remove", before, ())
    new_concept = edit.concept or find_replacement(evaluation, neighbours, target, before)
    return ResolvedDecision(
        target.concept,
        target.side,
        None,
        "change" if before else "add",
        before,
        (Label(new_concept),),
    )


def find_replacement(
    evaluation: Evaluation, neighbours: ImageRows, target: TargetItem, before: tuple[Label, ...]
) -> str:
    """The concept that the model predicted for an image whose annotation is wrong."""
    if target.side == "predicted" and Label(target.concept) not in before:
        return target.concept
    prediction_rows = neighbours.predictions(target.image)
    for prediction_row in prediction_rows[
        evaluation.state[prediction_rows] != NOT_HIGHEST
    ].tolist():
        concept: str = evaluation.concepts[evaluation.predictions.concept[prediction_row]]
        if Label(concept) not in before:
            return concept
    path = str(evaluation.images.path[target.image])
    raise InvalidDecisionError(
        path, "the prediction agrees with the annotation", "Specify the correct concept."
    )


def resolve_tag(
    evaluation: Evaluation,
    annotation_rows: np.ndarray,
    target: TargetItem,
    verdict: Verdict,
    edit: Edit,
) -> ResolvedDecision:
    """Only the given concept changes."""
    tag_rows = annotation_rows[
        evaluation.annotations.concept[annotation_rows] == evaluation.concepts.index(target.concept)
    ].tolist()
    before = (Label(target.concept, None, tag_value(evaluation, target.image, tag_rows)),)
    side: Side = "annotated" if before[0].value == "positive" else "predicted"
    if verdict != "wrong":
        return ResolvedDecision(
            target.concept,
            side,
            None,
            "unsure" if verdict == "unsure" else "confirm",
            before,
            before,
        )
    new_value: LabelValue = edit.value or (
        "negative" if before[0].value == "positive" else "positive"
    )
    action: Action = {"positive": "add", "negative": "remove", "unknown": "change"}[new_value]  # type: ignore[assignment]
    return ResolvedDecision(
        target.concept, side, None, action, before, (Label(target.concept, None, new_value),)
    )


def tag_value(evaluation: Evaluation, image: int, tag_rows: list[int]) -> LabelValue:
    """The value of a concept's tag on an image."""
    if not tag_rows:
        return "negative" if evaluation.images.stated[image] == EXHAUSTIVE else "unknown"
    if evaluation.annotations.ignore[tag_rows[0]]:
        return "unknown"
    return "positive" if evaluation.annotations.positive[tag_rows[0]] else "negative"
