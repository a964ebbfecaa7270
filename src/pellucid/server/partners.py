"""The other side of an item: the annotation of a prediction, the prediction of an annotation."""

from __future__ import annotations

import numpy as np

from pellucid.browse.items import Item, row_box
from pellucid.browse.list_views import ListView
from pellucid.evaluation.error_causes import (
    cause_annotation,
    cause_prediction,
    image_pair_ious,
    is_active_prediction,
    prediction_ious,
)
from pellucid.evaluation.evaluation import STATE_NAMES, Evaluation
from pellucid.evaluation.mask_outlines import shape_path
from pellucid.evaluation.match_result import MATCHED
from pellucid.results.results import Results
from pellucid.server.schemas.gallery_schema import Partner


def prediction_partner(
    results: Results, list_view: ListView, prediction_row: int, item: Item
) -> Partner | None:
    """The annotation matched by or containing a box; in classification, the annotation of a
    misclassified image."""
    evaluation = results.evaluation
    annotation_row = int(evaluation.partner[prediction_row])
    if evaluation.kind == "detection":
        if annotation_row >= 0:
            iou = float(evaluation.iou[prediction_row])
        elif item.cause in ("badly_placed", "other_concept", "duplicate"):
            cause_row = cause_annotation(evaluation, prediction_row, item.cause)
            if cause_row is None:
                return None
            annotation_row = cause_row
            iou = float(prediction_ious(evaluation, prediction_row, np.array([cause_row]))[0])
        else:
            return None
        concept = int(evaluation.annotations.concept[annotation_row])
        is_matched = evaluation.matched_score[annotation_row] >= list_view.thresholds[concept]
        return Partner(
            "annotation",
            concept,
            row_box(evaluation.annotations.box, annotation_row),
            None,
            iou,
            "matched" if is_matched else "extra",
            shape_path(evaluation.annotations, annotation_row),
        )
    if evaluation.kind == "classification" and evaluation.state[prediction_row] != MATCHED:
        image_annotations = results.neighbours.annotations(
            int(evaluation.predictions.image[prediction_row])
        )
        if len(image_annotations):
            return Partner(
                "annotation",
                int(evaluation.annotations.concept[image_annotations[0]]),
                None,
                None,
                None,
            )
    return None


def annotation_partner(
    results: Results, list_view: ListView, annotation_row: int, item: Item
) -> Partner | None:
    """The closest prediction to an unmatched annotation; in classification, the predicted
    concept."""
    evaluation = results.evaluation
    prediction_positions, predictions_by_image = (
        results.neighbours.prediction_positions(int(evaluation.annotations.image[annotation_row])),
        evaluation.predictions_by_image,
    )
    if evaluation.kind == "detection":
        if item.cause in ("taken", "badly_placed", "other_concept"):
            position = cause_prediction(
                evaluation, annotation_row, item.cause, list_view.thresholds
            )
            if position is not None:
                return box_partner(evaluation, annotation_row, position)
        if item.best_match is None or item.best_match.score is None:
            return None
        same_concept = prediction_positions[
            predictions_by_image.concept[prediction_positions]
            == evaluation.annotations.concept[annotation_row]
        ]
        same_concept = same_concept[
            predictions_by_image.score[same_concept] == item.best_match.score
        ]
        nearest_position = int(
            same_concept[
                np.argmax(
                    image_pair_ious(
                        evaluation, same_concept, np.full(len(same_concept), annotation_row)
                    )
                )
            ]
        )
        return Partner(
            "prediction",
            int(predictions_by_image.concept[nearest_position]),
            row_box(predictions_by_image.box, nearest_position),
            item.best_match.score,
            item.best_match.iou,
            "below",
            prediction_mask(evaluation, nearest_position),
        )
    if evaluation.kind == "classification":
        active_positions = prediction_positions[
            is_active_prediction(evaluation, prediction_positions, list_view.thresholds)
        ]
        if len(active_positions):
            predicted_position = int(active_positions[0])
            return Partner(
                "prediction",
                int(predictions_by_image.concept[predicted_position]),
                None,
                float(predictions_by_image.score[predicted_position]),
                None,
            )
    return None


def box_partner(evaluation: Evaluation, annotation_row: int, position: int) -> Partner:
    """A counted prediction beside an unmatched annotation.

    Args:
        position: see `Evaluation.predictions_by_image`
    """
    predictions = evaluation.predictions_by_image
    overlap = image_pair_ious(evaluation, np.array([position]), np.array([annotation_row]))
    return Partner(
        "prediction",
        int(predictions.concept[position]),
        row_box(predictions.box, position),
        float(predictions.score[position]),
        float(overlap[0]),
        STATE_NAMES[int(predictions.state[position])],
        prediction_mask(evaluation, position),
    )


def prediction_mask(evaluation: Evaluation, position: int) -> str | None:
    """The path of a prediction's mask. position: see `Evaluation.predictions_by_image`."""
    row = int(evaluation.row_index.prediction_of_image[position])
    return shape_path(evaluation.predictions, row)
