"""An image with all that is predicted and annotated on it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from pellucid.browse.items import row_box
from pellucid.core.tables import NOT_RUN, SPLITS, Float64Array
from pellucid.evaluation.evaluation import STATE_NAMES
from pellucid.evaluation.mask_outlines import shape_path
from pellucid.project import Version
from pellucid.results.results import Results
from pellucid.review.events import DecisionLog
from pellucid.server.overlay import PredictionOverlay
from pellucid.server.schemas.gallery_schema import (
    AnnotatedBox,
    CommentDocument,
    DrawnBox,
    ImageDocument,
    PredictedBox,
)
from pellucid.server.version_images import VersionImages


def image_document(
    version: Version,
    results: Results,
    image: int,
    thresholds: Float64Array,
    overlay: PredictionOverlay | None = None,
) -> ImageDocument:
    """One image with all its predictions and annotations."""
    evaluation = results.evaluation
    version_images = VersionImages(version, results)
    file_stamp = version_images.stamp(image)
    width, height = version_images.size(image, file_stamp)
    prediction_positions, predictions_by_image, prediction_rows = (
        results.neighbours.prediction_positions(image),
        evaluation.predictions_by_image,
        results.neighbours.predictions(image),
    )
    scores, concept_indices, match_states = (
        predictions_by_image.score[prediction_positions],
        predictions_by_image.concept[prediction_positions],
        predictions_by_image.state[prediction_positions],
    )
    prediction_boxes = [
        PredictedBox(
            int(prediction_rows[position]),
            int(concept_indices[position]),
            float(scores[position]),
            row_box(predictions_by_image.box, int(prediction_positions[position])),
            shape_path(evaluation.predictions, int(prediction_rows[position])),
            "below"
            if scores[position] < thresholds[concept_indices[position]]
            else STATE_NAMES[int(match_states[position])],
        )
        for position in np.argsort(-scores, kind="stable").tolist()
    ]
    annotation_rows = sorted(results.neighbours.annotations(image).tolist())
    annotation_boxes = [
        annotation_box(results, annotation_row, thresholds, outline)
        for annotation_row, outline in zip(
            annotation_rows, version.outlines(results, annotation_rows), strict=True
        )
    ]
    is_covered = bool(evaluation.coverage[image] != NOT_RUN)
    metadata = json.loads(evaluation.images.metadata[image] or "{}")
    return ImageDocument(
        image,
        str(evaluation.images.path[image]),
        SPLITS[evaluation.images.split[image]],
        width,
        height,
        is_covered,
        version_images.image_url(image, file_stamp),
        metadata,
        prediction_boxes,
        annotation_boxes,
        [] if overlay is None else overlay.image_predictions(str(evaluation.images.path[image])),
        drawn=[],
        comments=[],
    )


def with_decisions(document: ImageDocument, decisions: DecisionLog) -> ImageDocument:
    """The image with the boxes that decisions add and that are not among those shown, and with the
    comments on its items."""
    shown = {*(p.box for p in document.predictions), *(a.box for a in document.annotations)}
    drawn = [
        DrawnBox(label.concept, label.box)
        for label in decisions.additions(document.path)
        if label.box is not None and label.box not in shown
    ]
    comments = [
        CommentDocument(comment.who, comment.when, comment.reason, comment.concept, comment.box)
        for comment in decisions.comments_on(document.path)
    ]
    return replace(document, drawn=drawn, comments=comments)


def annotation_box(
    results: Results, annotation_row: int, thresholds: Float64Array, outline: list[list[float]]
) -> AnnotatedBox:
    evaluation = results.evaluation
    concept_index = int(evaluation.annotations.concept[annotation_row])
    located = (
        row_box(evaluation.annotations.box, annotation_row),
        shape_path(evaluation.annotations, annotation_row),
    )
    if (
        evaluation.annotations.ignore[annotation_row]
        or evaluation.coverage[evaluation.annotations.image[annotation_row]] == NOT_RUN
    ):
        return AnnotatedBox(annotation_row, concept_index, *located, "ignored", outline)
    if not evaluation.annotations.positive[annotation_row]:
        return AnnotatedBox(annotation_row, concept_index, *located, "negative", outline)
    is_matched = evaluation.matched_score[annotation_row] >= thresholds[concept_index]
    return AnnotatedBox(
        annotation_row,
        concept_index,
        *located,
        "matched" if is_matched else "extra",
        outline,
    )
