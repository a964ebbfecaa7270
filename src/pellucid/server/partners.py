"""The other side of an item: the annotation of a prediction, the prediction of an annotation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pellucid.browse.items import Item, Outcome, row_box
from pellucid.browse.list_views import ListView
from pellucid.core.tables import Int64Array
from pellucid.evaluation.error_causes import is_active_prediction
from pellucid.evaluation.evaluation import STATE_NAMES, Evaluation
from pellucid.evaluation.mask_outlines import shape_path
from pellucid.evaluation.match_result import MATCHED
from pellucid.evaluation.nearest_objects import (
    cause_annotations,
    cause_predictions,
    scored_predictions,
)
from pellucid.results.results import Results
from pellucid.server.schemas.gallery_schema import Partner


def find_partners(
    results: Results, list_view: ListView, rows: Int64Array, items: Sequence[Item]
) -> list[Partner | None]:
    """The partner of each item of a list; rows: of the items, in their table."""
    is_detection = results.evaluation.kind == "detection"
    if list_view.shows_annotations:
        if is_detection:
            return nearest_predictions(results.evaluation, list_view, rows, items)
        return [predicted_instead(results, list_view, row) for row in rows.tolist()]
    if is_detection:
        return nearest_annotations(results.evaluation, list_view, rows, items)
    return [annotated_instead(results, row) for row in rows.tolist()]


def nearest_annotations(
    evaluation: Evaluation, list_view: ListView, rows: Int64Array, items: Sequence[Item]
) -> list[Partner | None]:
    """The annotation matched by or containing each prediction, else the one its error is about."""
    annotation_rows = np.asarray(evaluation.partner[rows], np.int64)
    iou = np.asarray(evaluation.iou[rows], np.float64).copy()
    errors = find_items(
        items,
        lambda index, item: (
            annotation_rows[index] < 0
            and item.cause in ("badly_placed", "other_concept", "duplicate")
        ),
    )
    annotation_rows[errors], iou[errors] = cause_annotations(
        evaluation, rows[errors], is_other_concept(items, errors)
    )
    return [
        annotation_partner(evaluation, list_view, annotation_row, partner_iou)
        if annotation_row >= 0
        else None
        for annotation_row, partner_iou in zip(annotation_rows.tolist(), iou.tolist(), strict=True)
    ]


def annotation_partner(
    evaluation: Evaluation, list_view: ListView, annotation_row: int, iou: float
) -> Partner:
    annotations = evaluation.annotations
    concept = int(annotations.concept[annotation_row])
    is_matched = evaluation.matched_score[annotation_row] >= list_view.thresholds[concept]
    return Partner(
        "annotation",
        concept,
        row_box(annotations.box, annotation_row),
        None,
        iou,
        "matched" if is_matched else "extra",
        shape_path(annotations, annotation_row),
    )


def nearest_predictions(
    evaluation: Evaluation, list_view: ListView, rows: Int64Array, items: Sequence[Item]
) -> list[Partner | None]:
    """The prediction that each unmatched annotation is an error for, else the one below the
    threshold that overlaps it most."""
    partners: list[Partner | None] = [None] * len(items)
    errors = find_items(
        items, lambda _, item: item.cause in ("taken", "badly_placed", "other_concept")
    )
    positions, iou = cause_predictions(
        evaluation, rows[errors], is_other_concept(items, errors), list_view.thresholds
    )
    for index, position, error_iou in zip(
        errors.tolist(), positions.tolist(), iou.tolist(), strict=True
    ):
        if position >= 0:
            state: Outcome = STATE_NAMES[int(evaluation.predictions_by_image.state[position])]
            partners[index] = prediction_partner(evaluation, position, error_iou, state)
    below = find_items(
        items,
        lambda index, item: (
            partners[index] is None
            and item.best_match is not None
            and item.best_match.score is not None
        ),
    )
    best_matches = [items[index].best_match for index in below.tolist()]
    scores = np.array([match.score for match in best_matches if match], np.float64)
    positions = scored_predictions(evaluation, rows[below], scores)
    for index, position, match in zip(
        below.tolist(), positions.tolist(), best_matches, strict=True
    ):
        if match is not None and position >= 0:
            partners[index] = prediction_partner(evaluation, position, match.iou, "below")
    return partners


def prediction_partner(
    evaluation: Evaluation, position: int, iou: float, outcome: Outcome
) -> Partner:
    """position: see `Evaluation.predictions_by_image`"""
    predictions = evaluation.predictions_by_image
    row = int(evaluation.row_index.prediction_of_image[position])
    return Partner(
        "prediction",
        int(predictions.concept[position]),
        row_box(predictions.box, position),
        float(predictions.score[position]),
        iou,
        outcome,
        shape_path(evaluation.predictions, row),
    )


def find_items(items: Sequence[Item], is_chosen: Callable[[int, Item], bool]) -> Int64Array:
    """The indices of the chosen items."""
    return np.array([index for index, item in enumerate(items) if is_chosen(index, item)], np.int64)


def is_other_concept(items: Sequence[Item], indices: Int64Array) -> np.ndarray:
    """bool, of the items at these indices: whether an object of another concept is the cause."""
    return np.array([items[index].cause == "other_concept" for index in indices.tolist()], bool)


def annotated_instead(results: Results, prediction_row: int) -> Partner | None:
    """In classification, the annotation of a misclassified image."""
    evaluation = results.evaluation
    if evaluation.kind != "classification" or evaluation.state[prediction_row] == MATCHED:
        return None
    rows = results.neighbours.annotations(int(evaluation.predictions.image[prediction_row]))
    if not len(rows):
        return None
    return Partner("annotation", int(evaluation.annotations.concept[rows[0]]), None, None, None)


def predicted_instead(results: Results, list_view: ListView, annotation_row: int) -> Partner | None:
    """In classification, the concept predicted for a misclassified image."""
    evaluation = results.evaluation
    if evaluation.kind != "classification":
        return None
    positions = results.neighbours.prediction_positions(
        int(evaluation.annotations.image[annotation_row])
    )
    active = positions[is_active_prediction(evaluation, positions, list_view.thresholds)]
    if not len(active):
        return None
    predictions, position = evaluation.predictions_by_image, int(active[0])
    return Partner(
        "prediction",
        int(predictions.concept[position]),
        None,
        float(predictions.score[position]),
        None,
    )
