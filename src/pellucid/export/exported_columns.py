"""Annotations and predictions of a view or version, as the writers of formats take them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.browse.query import ListQuery
from pellucid.browse.selection import Tab
from pellucid.core.errors import format_count
from pellucid.core.tables import (
    SPLITS,
    UNANNOTATED,
    Annotations,
    BoolArray,
    Images,
    Kind,
    Predictions,
    Split,
    string_column,
)
from pellucid.evaluation.object_keypoints import takes_one
from pellucid.formats.dataset import Note
from pellucid.formats.errors import ExportError
from pellucid.formats.writers.coco_writer import numeric_ids
from pellucid.formats.writers.export_data import ExportData
from pellucid.project.version import Version
from pellucid.project.view import View
from pellucid.results.image_filters import match_images
from pellucid.results.results import Results, splits_with_images
from pellucid.review.corrected import CorrectedView
from pellucid.storage.manifests import Concept


def annotation_data(
    view: View,
    version: Version | None,
    split: Split | None,
    corrected: bool,
    keep_unannotated: bool = False,
    only: Sequence[str] = (),
) -> ExportData:
    """The view's current annotations, or a version's frozen ones.

    Args:
        corrected: with corrections applied
        keep_unannotated: also the images that are not annotated
    """
    if version is None:
        if corrected:
            current, folders = view.corrected_state()
            concept_by_name = {concept.name: concept for concept in view.manifest.concepts}
            concepts = [
                concept_by_name.get(concept_name, Concept(concept_name))
                for concept_name in current.concepts
            ]
            export_data = build_export(
                view.kind,
                concepts,
                current.images,
                current.annotations,
                None,
                folders,
                split,
                keep_unannotated,
                only,
            )
            export_data.notes.extend(inapplicable_edit_notes(current))
            return export_data
        images, annotations, folders = view.annotation_tables
        return build_export(
            view.kind,
            view.manifest.concepts,
            images,
            annotations,
            None,
            folders,
            split,
            keep_unannotated,
            only,
        )
    results = version.results(corrected)
    evaluation = results.evaluation
    annotations = evaluation.annotations
    annotations = annotations.replace(ignore=annotations.ignore & ~takes_one(annotations))
    if annotations.box is not None and evaluation.geometry == "box":
        polygons = version.outlines(results, list(range(len(annotations))))
        outlines = [json.dumps(parts) if parts else "" for parts in polygons]
        annotations = annotations.replace(outline=string_column(outlines))
    return build_export(
        view.kind,
        results.manifest.concepts,
        evaluation.images,
        annotations,
        None,
        results.folders,
        split,
        keep_unannotated,
        only,
    )


def inapplicable_edit_notes(current: CorrectedView) -> list[Note]:
    """Notes on corrections that could not be applied."""
    notes = []
    if count := len(current.unapplied_ids):
        notes.append(
            Note(
                "unfit",
                f"{format_count(count, 'correction')} left out: the annotation no longer exists",
                count,
            )
        )
    if count := len(current.missing_image_ids):
        notes.append(
            Note(
                "absent",
                f"{format_count(count, 'correction')} left out: the image is not in the view, or "
                "was replaced",
                count,
            )
        )
    return notes


def prediction_data(
    version: Version,
    split: Split | None,
    decisions_only: bool = False,
    only: Sequence[str] = (),
) -> ExportData:
    """The predictions in input order.

    Args:
        decisions_only: only those that count at the optimal thresholds, for annotation tools, where
            each prediction is an annotation to accept
    """
    results = version.results()
    evaluation = results.evaluation
    ordered_rows = np.argsort(evaluation.predictions.order, kind="stable")
    notes = []
    if decisions_only:
        is_decision = find_decisions(results)
        if count := int((~is_decision).sum()):
            message = (
                f"{format_count(count, 'prediction')} left out: below the threshold of its "
                "concept, or ignored"
            )
            notes.append(Note("below_threshold", message, count, "info"))
        ordered_rows = ordered_rows[is_decision[ordered_rows]]
    ordered_predictions = evaluation.predictions.take(ordered_rows)
    export_data = build_export(
        version.view.kind,
        results.manifest.concepts,
        evaluation.images,
        None,
        ordered_predictions,
        results.folders,
        split,
        only=only,
    )
    return ExportData(
        **{**vars(export_data), "model": version.name, "notes": [*notes, *export_data.notes]}
    )


def find_decisions(results: Results) -> BoolArray:
    """Which predictions are true or false positives."""
    is_decision = np.zeros(len(results.evaluation.predictions), bool)
    for split in splits_with_images(results.evaluation.images):
        for tab in DECISION_TABS:
            rows = results.gallery(ListQuery(tab, split)).list_view
            is_decision[rows.page(0, rows.total)] = True
    return is_decision


DECISION_TABS: tuple[Tab, ...] = ("matched", "missing")


def build_export(
    kind: Kind,
    concepts: Sequence[Concept],
    images: Images,
    annotations: Annotations | None,
    predictions: Predictions | None,
    folders: Sequence[str],
    split: Split | None,
    keep_unannotated: bool = False,
    only: Sequence[str] = (),
) -> ExportData:
    """The images of the split (or all) that satisfy the clauses `only`, with their items,
    renumbered. Raises FilterError."""
    images = images.replace(
        source_id=string_column(
            [str(image_number) for image_number in numeric_ids(images.source_id.tolist())]
        )
    )
    is_selected = (
        np.ones(len(images), bool) if split is None else images.split == SPLITS.index(split)
    )
    if only:
        is_selected &= match_images(images, only)
        if not is_selected.any():
            raise ExportError("images", f"none satisfies {' and '.join(only)}")
    notes: list[Note] = []
    if annotations is not None and not keep_unannotated:
        unannotated = is_selected & (images.stated == UNANNOTATED)
        is_selected &= ~unannotated
        if count := int(unannotated.sum()):
            notes.append(
                Note(
                    "unannotated",
                    f"{format_count(count, 'image')} without annotations left out",
                    count,
                )
            )
    new_rows = np.cumsum(is_selected) - 1
    selected_images = images.take(is_selected)
    picture_roots = zip(selected_images.root.tolist(), selected_images.path, strict=True)
    picture_paths = [
        f"{folders[root].rstrip('/')}/{path}" if root >= 0 else "" for root, path in picture_roots
    ]
    concept_names = [concept.name for concept in concepts]
    concept_ids = [concept.ids[0] if concept.ids else "" for concept in concepts]

    def renumber(item_table: Any) -> Any:
        selected_items = item_table.take(is_selected[item_table.image])
        return selected_items.replace(image=new_rows[selected_items.image].astype(np.int32))

    return ExportData(
        kind,
        concept_names,
        concept_ids,
        selected_images,
        None if annotations is None else renumber(annotations),
        None if predictions is None else renumber(predictions),
        picture_paths,
        notes=notes,
    )
