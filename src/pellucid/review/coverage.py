"""Which items of a version are covered by earlier decisions, including decisions made on other
versions.

A decision covers the item with the same concept and side on its image: the identical box, else one
at nearly the same place. For predictions, which differ between versions, that is the
highest-scoring one at the version's IoU; for annotations, one that differs by rounding. A decision
covers one item, so a second box near a reviewed one is still shown. Annotations that a decision
removed from or added to the current annotations cover no other item.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.core.tables import Float64Array, Int64Array, Kind
from pellucid.evaluation.boxes import pairwise_iou
from pellucid.evaluation.error_causes import ImageRows
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.match_result import IGNORED, MATCHED, WRONG
from pellucid.review.apply import SAME_BOX_IOU
from pellucid.review.events import Box, Decision, ItemKey, Side, effective_decisions, key_in_image

NEW, REVIEWED, UNSURE = 0, 1, 2
"""Review state of an item: no decision; decided; marked unsure."""


@dataclass(frozen=True)
class CoveredItem:
    """An item that a decision covers.

    Attributes:
        decision_id: of that decision
        nearby: an approximate box match is accepted
        nth: index among identical boxes
    """

    side: Side
    concept: str
    box: Box | None
    state: int
    decision_id: int
    nearby: bool
    nth: int


@dataclass(frozen=True)
class ImageReview:
    """Rows of an image that have a decision: row -> (state, decision id)."""

    predictions: dict[int, tuple[int, int]]
    annotations: dict[int, tuple[int, int]]


def decision_coverage(
    kind: Kind, decision: Decision, state: int, applied: bool
) -> list[CoveredItem]:
    """The items that an active verdict covers: its own, those it added, and predictions where it
    removed an annotation.

    Args:
        state: of the last verdict on the item
        applied: whether it is applied to the current annotations
    """
    consumed = applied and decision.is_edit

    def covered_item(side: Side, concept: str, box: Box | None, nearby: bool) -> CoveredItem:
        return CoveredItem(side, concept, box, state, decision.id, nearby, decision.nth)

    if kind == "classification":  # old and new concept; predictions get the state of the annotation
        return [
            covered_item("annotated", label.concept, None, False)
            for label in decision.before + decision.after
        ]
    items = (
        []
        if consumed and decision.side == "annotated"
        else [covered_item(decision.side, decision.concept, decision.box, not consumed)]
    )
    items += [
        covered_item("annotated", label.concept, label.box, True)
        for label in decision.after
        if label.value != "negative"
    ]
    items += [
        covered_item("predicted", label.concept, label.box, True)
        for label in decision.after
        if label.value == "negative"
    ]
    if decision.is_edit:
        items += [
            covered_item("predicted", label.concept, label.box, True)
            for label in decision.before
            if label.value == "positive"
        ]
    return list(dict.fromkeys(items))


def find_covered_items(
    kind: Kind, verdicts: Sequence[Decision], applied_until: int | None
) -> list[CoveredItem]:
    """Items covered by an image's active verdicts (oldest first).

    Args:
        applied_until: id of the last applied decision; None: all are
    """
    last_verdicts: dict[ItemKey, Decision] = {
        key_in_image(kind, verdict): verdict for verdict in verdicts
    }
    effective_verdicts = effective_decisions(kind, verdicts) if kind == "detection" else verdicts
    verdicts_by_id = {
        verdict.id: verdict for verdict in (*effective_verdicts, *last_verdicts.values())
    }
    coverage = []
    for _, verdict in sorted(verdicts_by_id.items()):
        state = (
            UNSURE if last_verdicts[key_in_image(kind, verdict)].action == "unsure" else REVIEWED
        )
        coverage += decision_coverage(
            kind, verdict, state, applied_until is None or verdict.id <= applied_until
        )
    return coverage


def review_image(
    evaluation: Evaluation,
    neighbours: ImageRows,
    image: int,
    verdicts: Sequence[Decision],
    applied_until: int | None,
) -> ImageReview:
    """verdicts: the active ones on this image, oldest first. applied_until:
    see find_covered_items."""
    concept_indices = {concept: index for index, concept in enumerate(evaluation.concepts)}
    open_items = [
        item
        for item in find_covered_items(evaluation.kind, verdicts, applied_until)
        if item.concept in concept_indices
    ]
    rows = ReviewedRows(neighbours.predictions(image), neighbours.annotations(image))
    review = ImageReview({}, {})
    open_items.reverse()  # latest first: it wins if two cover the same item
    for assign in (assign_exact, assign_nearby):
        open_items = [
            item
            for item in open_items
            if not assign_item(
                evaluation, review, rows, item, concept_indices[item.concept], assign
            )
        ]
    for prediction_row in rows.predictions.tolist():
        for annotation_row in find_reviewed_annotations(evaluation, rows, prediction_row):
            if annotation_row in review.annotations:
                review.predictions[prediction_row] = review.annotations[annotation_row]
    return review


@dataclass(frozen=True, eq=False)
class ReviewedRows:
    """Rows of one image, int64."""

    predictions: Int64Array
    annotations: Int64Array


def assign_item(
    evaluation: Evaluation,
    review: ImageReview,
    rows: ReviewedRows,
    item: CoveredItem,
    concept: int,
    assign: AssignState,
) -> bool:
    """Set the state of the annotation or the prediction that a decision is about. Returns whether
    there is one."""
    predictions, annotations = evaluation.predictions, evaluation.annotations
    if item.side == "annotated" or evaluation.kind == "classification":
        is_candidate = annotations.concept[rows.annotations] == concept
        if evaluation.kind == "detection":
            is_candidate &= ~annotations.ignore[rows.annotations]
        return assign(
            review.annotations,
            rows.annotations[is_candidate],
            annotations.box,
            None,
            item,
            SAME_BOX_IOU,
        )
    state = evaluation.state[rows.predictions]
    is_candidate = state != MATCHED if assign is assign_exact else state == WRONG
    is_candidate = is_candidate & (predictions.concept[rows.predictions] == concept)
    return assign(
        review.predictions,
        rows.predictions[is_candidate],
        predictions.box,
        predictions.score,
        item,
        evaluation.iou_threshold,
    )


def find_reviewed_annotations(
    evaluation: Evaluation, rows: ReviewedRows, prediction_row: int
) -> list[int]:
    """The annotations whose review is also that of a prediction: the matched one, the class of the
    image, or the unknown tag."""
    if evaluation.state[prediction_row] == MATCHED:
        return [int(evaluation.partner[prediction_row])]
    if evaluation.kind == "classification":
        return [int(row) for row in rows.annotations[:1]]
    if evaluation.kind == "tagging" and evaluation.state[prediction_row] == IGNORED:
        concepts = evaluation.annotations.concept[rows.annotations]
        is_same = concepts == evaluation.predictions.concept[prediction_row]
        return [int(row) for row in rows.annotations[is_same]]
    return []


RowStates = dict[int, tuple[int, int]]
AssignState = Callable[
    [RowStates, Int64Array, Float64Array | None, Float64Array | None, CoveredItem, float], bool
]


def assign_exact(
    row_states: RowStates,
    rows: Int64Array,
    boxes: Float64Array | None,
    score: Float64Array | None,
    item: CoveredItem,
    min_iou: float,
) -> bool:
    """Set the state of the image or the identical box. Returns whether it exists."""
    if boxes is not None and item.box is not None:
        rows = rows[(boxes[rows] == np.array(item.box)).all(axis=1)]
    free_rows = [
        candidate
        for candidate in rows[item.nth : item.nth + 1].tolist() + rows.tolist()
        if candidate not in row_states
    ]
    for free_row in free_rows[:1]:
        row_states[free_row] = item.state, item.decision_id
    return boxes is None or item.box is None or len(rows) > 0


def assign_nearby(
    row_states: RowStates,
    rows: Int64Array,
    boxes: Float64Array | None,
    score: Float64Array | None,
    item: CoveredItem,
    min_iou: float,
) -> bool:
    """Set the state of the best unassigned box with sufficient overlap. Returns whether there is
    one."""
    free_rows = np.array(
        [candidate for candidate in rows.tolist() if candidate not in row_states], np.int64
    )
    if boxes is None or not len(free_rows) or not item.nearby:
        return False
    free_boxes = boxes[free_rows]
    overlap = pairwise_iou(
        free_boxes,
        np.broadcast_to(np.array(item.box), free_boxes.shape),
        np.zeros(len(free_boxes), bool),
    )
    is_near = overlap >= min_iou
    if is_near.any():
        ranking = overlap[is_near] if score is None else score[free_rows[is_near]]
        row_states[int(free_rows[is_near][np.argmax(ranking)])] = item.state, item.decision_id
    return bool(is_near.any())
