"""Build the JSON documents of the page from a version's results."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import numpy as np

from pellucid.browse.items import Item, Outcome, build_items
from pellucid.browse.list_views import ListView
from pellucid.browse.selection import TABS, TabSelection
from pellucid.core.tables import NOT_RUN, SPLITS, Float64Array
from pellucid.evaluation.counts import Histogram, count_outcomes, histogram
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
from pellucid.evaluation.thresholds import ThresholdSource
from pellucid.images.crop_cache import image_stamp
from pellucid.images.crop_region import Region, box_crop_region
from pellucid.images.locations import join_location
from pellucid.images.sizes import display_size
from pellucid.project import Version
from pellucid.results.results import Results
from pellucid.review.coverage import NEW
from pellucid.review.events import DecisionLog
from pellucid.server.absent_pictures import find_absent_pictures
from pellucid.server.overlay import PredictionOverlay
from pellucid.server.schemas.gallery_schema import (
    AnnotatedBox,
    Box,
    ConceptDocument,
    DrawnBox,
    FiguresDocument,
    HistogramDocument,
    ImageDocument,
    NoteDocument,
    PageDocument,
    PageItem,
    Partner,
    PredictedBox,
    ReviewDocument,
    SplitDocument,
    TabCounts,
    VersionDocument,
)
from pellucid.storage.mapped_columns import release_pages
from pellucid.storage.remote_columns import prefetch


def version_document(version: Version, results: Results) -> VersionDocument:
    evaluation, manifest = results.evaluation, results.manifest
    splits = []
    for split_index, split_name in enumerate(SPLITS):
        in_split = evaluation.images.split == split_index
        if in_split.any():
            covered = int((evaluation.coverage[in_split] != NOT_RUN).sum())
            splits.append(SplitDocument(split_name, int(in_split.sum()), covered))
    notes = [
        NoteDocument(
            note.kind,
            note.message,
            note.count,
            note.severity,
            source.path.rsplit("/", maxsplit=1)[-1],
        )
        for source in [*manifest.annotation_sources, *manifest.prediction_sources]
        for note in source.notes
    ] + [
        NoteDocument(
            "reading",
            f"{reading.question}: {reading.answer} ({reading.evidence})",
            1,
            "info",
            source.path.rsplit("/", maxsplit=1)[-1],
        )
        for source in [*manifest.annotation_sources, *manifest.prediction_sources]
        for reading in source.readings
    ]
    return VersionDocument(
        version.view.name,
        version.name,
        manifest.kind,
        manifest.started,
        manifest.iou,
        evaluation.geometry if evaluation.kind == "detection" else None,
        evaluation.has_scores,
        results.text_search is not None,
        list(evaluation.concepts),
        list(evaluation.unannotated_concepts),
        splits,
        notes,
        find_absent_pictures(evaluation.images, results.folders),
    )


def figures_document(
    results: Results, split_index: int, thresholds: Float64Array, decision_log: DecisionLog
) -> FiguresDocument:
    evaluation = results.evaluation
    counts = count_outcomes(evaluation, split_index, thresholds)
    results.reviewed_items.update(decision_log)
    tab_counts = [
        results.reviewed_items.count_reviewed(
            TabSelection(evaluation, tab, split_index, None, thresholds)
        )
        for tab in TABS
    ]
    reviewed_counts, unsure_counts = (
        np.stack([counts_by_state[state_index] for counts_by_state in tab_counts])
        for state_index in (0, 1)
    )
    overall_counts = reviewed_counts[0].copy(), unsure_counts[0].copy()
    if (
        evaluation.kind == "classification"
    ):  # per concept, All includes scores that are not the image's highest
        concept_tab_counts = [
            results.reviewed_items.count_reviewed(
                TabSelection(evaluation, "all", split_index, concept_index, thresholds)
            )
            for concept_index in range(len(evaluation.concepts))
        ]
        reviewed_counts[0], unsure_counts[0] = (
            sum(counts_by_state[state_index] for counts_by_state in concept_tab_counts)
            for state_index in (0, 1)
        )
    concept_documents = []
    for concept_index, optimal_threshold in enumerate(evaluation.thresholds):
        source: ThresholdSource = (
            optimal_threshold.source
            if thresholds[concept_index] == optimal_threshold.value
            else "user"
        )
        concept_documents.append(
            ConceptDocument(
                float(thresholds[concept_index]),
                optimal_threshold.value,
                source,
                optimal_threshold.equally_good,
                optimal_threshold.annotations,
                int(counts.total[concept_index]),
                int(counts.above_threshold[concept_index]),
                int(counts.tp[concept_index]),
                int(counts.fp[concept_index]),
                int(counts.fn[concept_index]),
                TabCounts(*reviewed_counts[:, concept_index].tolist()),
                TabCounts(*unsure_counts[:, concept_index].tolist()),
            )
        )
    all_items = TabSelection(evaluation, "all", split_index, None, thresholds)
    return FiguresDocument(
        concept_documents,
        all_items.total,
        int(overall_counts[0].sum()),
        int(overall_counts[1].sum()),
        decision_log.head,
    )


def histogram_document(
    results: Results, split_index: int, concept: int | None, bins: int
) -> HistogramDocument:
    return encode_histogram(histogram(results.evaluation, split_index, concept, bins))


def encode_histogram(score_histogram: Histogram) -> HistogramDocument:
    return HistogramDocument(
        score_histogram.edges.tolist(),
        score_histogram.right.tolist(),
        score_histogram.wrong.tolist(),
        score_histogram.other.tolist(),
    )


class VersionImages:
    """The image files of a version: file locations for the server and URLs for the page."""

    def __init__(self, version: Version, results: Results) -> None:
        self.images = results.evaluation.images
        self.folders = results.folders
        self.base_url = (
            f"pictures/{quote(version.view.name, safe='')}/{quote(version.name, safe='')}"
        )

    def location(self, image: int) -> str | None:
        folder_index = int(self.images.root[image])
        return (
            join_location(self.folders[folder_index], str(self.images.path[image]))
            if folder_index >= 0
            else None
        )

    def stamp(self, image: int) -> str:
        location = self.location(image)
        return "0" if location is None else image_stamp(location)

    def size(self, image: int, file_stamp: str) -> tuple[int, int]:
        """Width and height as displayed: from the image file, else as declared."""
        location = self.location(image)
        displayed = (
            cached_image_size(location, file_stamp)
            if location is not None and file_stamp != "0"
            else None
        )
        return displayed or (int(self.images.width[image]), int(self.images.height[image]))

    def image_url(self, image: int, file_stamp: str) -> str:
        """The URL of the image. It changes when the file does, so responses can be cached
        indefinitely."""
        return f"{self.base_url}/{image}/{file_stamp}"


@lru_cache(maxsize=200_000)
def cached_image_size(location: str, file_stamp: str) -> tuple[int, int] | None:
    return display_size(location)


RELEASE_INTERVAL = 16
"""Items serialized before mapped pages are released."""


def page_document(
    version: Version,
    results: Results,
    list_view: ListView,
    has_threshold_position: bool,
    offset: int,
    limit: int,
    decision_log: DecisionLog,
    overlay: PredictionOverlay | None = None,
) -> PageDocument:
    """has_threshold_position: items at or above their thresholds come before the others.
    overlay: another version's predictions."""
    version_images = VersionImages(version, results)
    page_rows = list_view.page(offset, limit)
    page_items: list[PageItem] = []
    batch_size = (
        max(len(page_rows), 1)
        if prefetch(results.evaluation, page_rows, list_view.shows_annotations)
        else RELEASE_INTERVAL
    )
    for batch_start in range(0, len(page_rows), batch_size):
        release_pages()
        batch_rows = page_rows[batch_start : batch_start + batch_size]
        items = build_items(list_view, batch_rows, offset + batch_start)
        page_items += [
            page_item(results, list_view, version_images, item_row, item, decision_log, overlay)
            for item_row, item in zip(batch_rows.tolist(), items, strict=True)
        ]
    position = (
        list_view.threshold_position if has_threshold_position and list_view.tab == "all" else None
    )
    return PageDocument(list_view.tab, list_view.total, position, offset, page_items)


def page_item(
    results: Results,
    list_view: ListView,
    version_images: VersionImages,
    item_row: int,
    item: Item,
    decision_log: DecisionLog,
    overlay: PredictionOverlay | None = None,
) -> PageItem:
    evaluation = results.evaluation
    item_columns = evaluation.annotations if list_view.shows_annotations else evaluation.predictions
    image, concept_index = int(item_columns.image[item_row]), int(item_columns.concept[item_row])
    partner = (
        annotation_partner(results, list_view, item_row, item)
        if list_view.shows_annotations
        else prediction_partner(results, list_view, item_row, item)
    )
    outcome_above_threshold: Outcome = (
        "extra" if list_view.shows_annotations else STATE_NAMES[int(evaluation.state[item_row])]
    )
    file_stamp = version_images.stamp(image)
    item_region = (
        None if item.box is None else item_frame(version_images, image, file_stamp, item.box)
    )
    return PageItem(
        item.position,
        item_row,
        image,
        item.image,
        concept_index,
        item.score,
        item.box,
        shape_path(item_columns, item_row),
        item.outcome,
        outcome_above_threshold,
        item.cause,
        partner,
        item_region,
        version_images.image_url(image, file_stamp),
        item_review(results, decision_log, image, item_row, list_view.shows_annotations),
        None if overlay is None else overlay.item_prediction(item.image, item.concept, item.box),
    )


def item_frame(
    version_images: VersionImages, image: int, file_stamp: str, box: Box
) -> Region | None:
    """The part of the image to show around a box; None if the image size is unknown."""
    width, height = version_images.size(image, file_stamp)
    return box_crop_region(box, width, height) if width > 0 and height > 0 else None


def item_review(
    results: Results, decision_log: DecisionLog, image: int, item_row: int, is_annotation: bool
) -> ReviewDocument | None:
    """The current decision on an item, or None."""
    review_state, decision_id = results.reviewed_items.state(image, item_row, is_annotation)
    review_decision = decision_log.decisions.get(decision_id)
    return (
        None
        if review_state == NEW or review_decision is None
        else ReviewDocument(
            review_decision.id,
            review_decision.action,
            review_decision.who,
            review_decision.when,
            review_decision.reason,
        )
    )


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
            box_tuple(evaluation.annotations.box, annotation_row),
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
            box_tuple(predictions_by_image.box, nearest_position),
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
    """A counted prediction beside an unmatched annotation. position: see
    `Evaluation.predictions_by_image`."""
    predictions = evaluation.predictions_by_image
    overlap = image_pair_ious(evaluation, np.array([position]), np.array([annotation_row]))
    return Partner(
        "prediction",
        int(predictions.concept[position]),
        box_tuple(predictions.box, position),
        float(predictions.score[position]),
        float(overlap[0]),
        STATE_NAMES[int(predictions.state[position])],
        prediction_mask(evaluation, position),
    )


def prediction_mask(evaluation: Evaluation, position: int) -> str | None:
    """The path of a prediction's mask. position: see `Evaluation.predictions_by_image`."""
    row = int(evaluation.row_index.prediction_of_image[position])
    return shape_path(evaluation.predictions, row)


def box_tuple(boxes: Any, box_index: int) -> Box | None:
    if boxes is None:
        return None
    left, top, width, height = boxes[box_index].tolist()
    return left, top, width, height


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
            box_tuple(predictions_by_image.box, int(prediction_positions[position])),
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
    )


def with_drawn_boxes(document: ImageDocument, decisions: DecisionLog) -> ImageDocument:
    """The image with the boxes that decisions add and that are not among those shown."""
    shown = {*(p.box for p in document.predictions), *(a.box for a in document.annotations)}
    drawn = [
        DrawnBox(label.concept, label.box)
        for label in decisions.additions(document.path)
        if label.box is not None and label.box not in shown
    ]
    return replace(document, drawn=drawn)


def annotation_box(
    results: Results, annotation_row: int, thresholds: Float64Array, outline: list[list[float]]
) -> AnnotatedBox:
    evaluation = results.evaluation
    concept_index = int(evaluation.annotations.concept[annotation_row])
    located = (
        box_tuple(evaluation.annotations.box, annotation_row),
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
