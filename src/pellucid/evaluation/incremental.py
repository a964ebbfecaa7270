"""Incremental re-evaluation: only what a change affects is recomputed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pellucid.core.tables import Annotations, BoolArray, Int32Array, Int64Array
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.geometry import complete_objects
from pellucid.evaluation.indexes import prediction_run_starts
from pellucid.evaluation.match_result import BestOverlapSteps, Matching
from pellucid.evaluation.matching import match_predictions


def rematch(evaluation: Evaluation, iou_threshold: float) -> Evaluation:
    """Match the same predictions and annotations at another IoU threshold (0 to 1), without
    sorting again."""
    matching = match_predictions(
        evaluation.kind,
        len(evaluation.concepts),
        evaluation.images,
        evaluation.annotations,
        evaluation.predictions,
        evaluation.row_index.start,
        iou_threshold,
        evaluation.unannotated_concepts,
    )
    return replace(
        evaluation,
        iou_threshold=iou_threshold,
        state=matching.state,
        partner=matching.partner,
        iou=matching.iou,
        matched_by=matching.matched_by,
        same_concept_prediction=matching.same_concept_prediction,
        overlap_steps=matching.overlap_steps,
        index=None,
        known_thresholds=None,
    )


def replace_annotations(
    evaluation: Evaluation, images: Int64Array, annotations: Annotations
) -> Evaluation:
    """Replace the annotations of these images (indices); the new ones follow the retained ones.
    Only these images are matched again.

    Args:
        annotations: of these images only; those without the shape that is compared count with their
            box
    """
    images = np.unique(images)
    annotations = complete_objects(annotations, evaluation.images, evaluation.geometry)
    is_replaced = np.zeros(len(evaluation.images), bool)
    is_replaced[images] = True
    is_retained = ~is_replaced[evaluation.annotations.image]
    row_index = evaluation.row_index
    prediction_spans = [
        slice(*row_index.prediction_image_start[[image, image + 1]]) for image in images.tolist()
    ]
    prediction_rows = np.sort(
        np.concatenate(
            [row_index.prediction_of_image[span] for span in prediction_spans]
            or [np.zeros(0, np.int32)]
        )
    )
    predictions = evaluation.predictions.take(prediction_rows)
    prediction_starts = prediction_run_starts(
        len(evaluation.concepts), evaluation.images, predictions
    )
    matching = match_predictions(
        evaluation.kind,
        len(evaluation.concepts),
        evaluation.images,
        annotations,
        predictions,
        prediction_starts,
        evaluation.iou_threshold,
        evaluation.unannotated_concepts,
    )
    return splice_matching(evaluation, is_retained, annotations, prediction_rows, matching)


def splice_matching(
    evaluation: Evaluation,
    is_retained: BoolArray,
    annotations: Annotations,
    prediction_rows: Int32Array,
    matching: Matching,
) -> Evaluation:
    """is_retained: annotations to keep, before the new ones; prediction_rows: the predictions that
    were matched again."""
    retained_count = int(is_retained.sum())
    new_position = np.append(np.where(is_retained, np.cumsum(is_retained) - 1, -1), -1).astype(
        np.int32
    )
    state, overlap = evaluation.state.copy(), evaluation.iou.copy()
    partner = new_position[evaluation.partner]
    state[prediction_rows], overlap[prediction_rows] = matching.state, matching.iou
    partner[prediction_rows] = np.where(
        matching.partner >= 0, matching.partner + retained_count, -1
    )
    to_prediction = np.append(prediction_rows, -1).astype(np.int32)
    return replace(
        evaluation,
        annotations=evaluation.annotations.take(is_retained).concat(annotations),
        state=state,
        partner=partner,
        iou=overlap,
        matched_by=np.concatenate(
            [evaluation.matched_by[is_retained], to_prediction[matching.matched_by]]
        ),
        same_concept_prediction=np.concatenate(
            [
                evaluation.same_concept_prediction[is_retained],
                to_prediction[matching.same_concept_prediction],
            ]
        ),
        overlap_steps=concat_steps(evaluation.overlap_steps, is_retained, matching.overlap_steps),
        index=None,
        known_thresholds=None,
    )


def concat_steps(
    retained_steps: BestOverlapSteps | None,
    is_retained: BoolArray,
    new_steps: BestOverlapSteps | None,
) -> BestOverlapSteps | None:
    """The best overlaps of the annotations that stay, then those of the new ones; None if either
    has none.

    Args:
        is_retained: of each annotation of `retained_steps`
    """
    if retained_steps is None or new_steps is None:
        return None
    is_retained_step = np.repeat(is_retained, np.diff(retained_steps.start))
    step_counts = np.concatenate(
        [np.diff(retained_steps.start)[is_retained], np.diff(new_steps.start)]
    )
    return BestOverlapSteps(
        np.concatenate([[0], np.cumsum(step_counts)]),
        np.concatenate([retained_steps.score[is_retained_step], new_steps.score]),
        np.concatenate([retained_steps.iou[is_retained_step], new_steps.iou]),
    )
