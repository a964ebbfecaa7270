"""Export of annotations, predictions, reviews, gallery tabs and thresholds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pellucid.browse.query import ListQuery, Order, ReviewFilter
from pellucid.browse.selection import Tab
from pellucid.core.errors import InvalidChoiceError, format_count, summarize_names
from pellucid.core.tables import (
    SPLITS,
    UNANNOTATED,
    Annotations,
    BoolArray,
    Images,
    Int32Array,
    Kind,
    Predictions,
    Split,
    string_column,
)
from pellucid.evaluation.object_keypoints import takes_one
from pellucid.export.review_reports import (
    write_corrections,
    write_history,
    write_report,
    write_tasks,
)
from pellucid.export.threshold_files import ExportedThresholds, write_thresholds
from pellucid.formats.dataset import Note
from pellucid.formats.errors import ExportError
from pellucid.formats.readers.label_studio import NAME as LABEL_STUDIO
from pellucid.formats.registry import PREDICTION_WRITERS, WRITERS
from pellucid.formats.writers.coco_writer import numeric_ids
from pellucid.formats.writers.export_data import ExportData
from pellucid.formats.writers.new_files import write_new_json
from pellucid.formats.writers.table_writer import mask_missing, write_columns
from pellucid.project.version import Version
from pellucid.project.view import View
from pellucid.results.gallery import Gallery
from pellucid.results.image_filters import match_images
from pellucid.results.results import Results, splits_with_images
from pellucid.review.corrected import CorrectedView
from pellucid.storage.manifests import Concept

ExportTarget = Literal[
    "annotations",
    "corrections",
    "tasks",
    "history",
    "report",
    "predictions",
    "gallery",
    "thresholds",
]
EXPORT_TARGETS: tuple[ExportTarget, ...] = (
    "annotations",
    "corrections",
    "tasks",
    "history",
    "report",
    "predictions",
    "gallery",
    "thresholds",
)


@dataclass(frozen=True)
class ExportOptions:
    """What to export. split: None for all · tab, concept, order, review: of a gallery ·
    corrected: use corrected annotations · results: of the version, at the thresholds and IoU to
    export; None: its own · only: clauses that the items of a gallery, or the images of annotations
    and predictions, must satisfy."""

    split: Split | None = None
    tab: Tab = "missing"
    concept: str | None = None
    order: Order = "score"
    review: ReviewFilter = "all"
    corrected: bool = False
    results: Results | None = None
    only: tuple[str, ...] = ()


EVALUATED_TARGETS: tuple[ExportTarget, ...] = ("gallery", "thresholds")
"""Those that depend on thresholds and IoU."""
FILTERED_TARGETS: tuple[ExportTarget, ...] = ("annotations", "predictions", "gallery")


def export_view(
    view: View,
    target: str,
    format_name: str,
    path: str | Path,
    version: Version | None = None,
    options: ExportOptions | None = None,
) -> list[Note]:
    """Write the file; returns notes on what the format cannot represent. Raises ExportError;
    nothing is then written."""
    options = options or ExportOptions()
    path = Path(path)
    if target not in EXPORT_TARGETS:
        raise InvalidChoiceError("--what", target, EXPORT_TARGETS)
    if options.only and target not in FILTERED_TARGETS:
        raise ExportError(target, f"--only is for {', '.join(FILTERED_TARGETS)}")
    if target == "annotations":
        return write_format(
            WRITERS,
            format_name,
            annotation_data(
                view,
                version,
                options.split,
                options.corrected,
                view.kind == "classification" and format_name in TABLE_FORMATS,
                options.only,
            ),
            path,
        )
    if target in REVIEW_TARGETS:
        return export_review(view, target, format_name, path, options.split)
    if version is None:
        raise ExportError(target, "it needs a version; specify one with --version")
    if target == "thresholds":
        results = options.results or version.results(options.corrected)
        if not results.evaluation.has_scores:
            raise ExportError(
                target, f"{version.name} has no scores: every prediction counts, at no threshold"
            )
        write_thresholds(exported_thresholds(version, results), format_name, path)
        return silent_concept_notes(results)
    if target == "predictions":
        export_data = prediction_data(
            version, options.split, format_name == LABEL_STUDIO, options.only
        )
        return write_format(PREDICTION_WRITERS, format_name, export_data, path)
    return export_gallery(version, format_name, path, options)


REVIEW_TARGETS = ("corrections", "tasks", "history", "report")


def export_review(
    view: View, target: str, format_name: str, path: Path, split: Split | None
) -> list[Note]:
    if target in ("history", "report"):
        return (write_history if target == "history" else write_report)(view, format_name, path)
    corrected = annotation_data(view, None, None, True)
    return (write_corrections if target == "corrections" else write_tasks)(
        view, corrected, format_name, path, split
    )


def write_format(writers: Any, format_name: str, export_data: ExportData, path: Path) -> list[Note]:
    if format_name not in writers:
        raise InvalidChoiceError("--format", format_name, list(writers))
    writers[format_name](export_data, path)
    return export_data.notes


TABLE_FORMATS = ("csv", "parquet")
"""Formats that state an image without annotation by a row without a concept."""


def annotation_data(
    view: View,
    version: Version | None,
    split: Split | None,
    corrected: bool,
    keep_unannotated: bool = False,
    only: Sequence[str] = (),
) -> ExportData:
    """The view's current annotations, or a version's frozen ones. corrected: with corrections
    applied · keep_unannotated: also the images that are not annotated."""
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

    decisions_only: only those that count at the optimal thresholds, for annotation tools, where
    each prediction is an annotation to accept.
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


def export_gallery(
    version: Version, format_name: str, path: Path, options: ExportOptions
) -> list[Note]:
    """Export a tab: its items as a table (CSV, Parquet, JSON), or its annotations or predictions
    in a data set format."""
    query = ListQuery(
        options.tab,
        options.split or "validation",
        options.concept,
        options.order,
        options.review,
        options.only,
    )
    shown = options.results or version.results(options.corrected)
    gallery = shown.gallery(query)
    if format_name in ("csv", "parquet"):
        write_columns(
            item_columns(gallery), path, "csv, header" if format_name == "csv" else "parquet"
        )
        return []
    if format_name == "json":
        write_new_json(path, [asdict(item) for item in gallery])
        return []
    results, evaluation = version.results(), gallery.list_view.evaluation
    item_rows: Int32Array = gallery.list_view.page(0, len(gallery)).astype(np.int32)
    is_extra = options.tab == "extra"
    export_data = build_export(
        version.view.kind,
        results.manifest.concepts,
        evaluation.images,
        evaluation.annotations.take(item_rows) if is_extra else None,
        None if is_extra else evaluation.predictions.take(item_rows),
        results.folders,
        options.split or "validation",
    )
    return write_format(
        WRITERS if is_extra else PREDICTION_WRITERS,
        format_name,
        ExportData(**{**vars(export_data), "model": version.name}),
        path,
    )


def item_columns(gallery: Gallery) -> dict[str, Any]:
    items = list(gallery)
    box = np.array([item.box or (np.nan,) * 4 for item in items], float).reshape(-1, 4)
    column_arrays: dict[str, Any] = {
        "position": np.array([item.position for item in items], np.int64),
        **{
            field_name: np.array([getattr(item, field_name) for item in items], object)
            for field_name in ("image", "concept", "outcome")
        },
        "score": mask_missing(
            np.array([np.nan if item.score is None else item.score for item in items], float)
        ),
        **{
            side: mask_missing(box[:, side_index])
            for side_index, side in enumerate(("x", "y", "width", "height"))
        },
        "iou": mask_missing(
            np.array([np.nan if item.iou is None else item.iou for item in items], float)
        ),
        "cause": np.array([item.cause or "" for item in items], object),
    }
    return column_arrays


def silent_concept_notes(results: Results) -> list[Note]:
    """A warning on annotated concepts of which no prediction reaches the threshold."""
    silent = [
        name
        for name, threshold in results.threshold_table().items()
        if threshold.annotations and not threshold.tp and not threshold.fp
    ]
    if not silent:
        return []
    message = (
        f"never predicted at {'its' if len(silent) == 1 else 'their'} threshold: "
        f"{summarize_names(silent, 8)}. Such a threshold makes the fewest errors; "
        "--objective f1 or --threshold CONCEPT=X chooses another"
    )
    return [Note("silent_concepts", message, len(silent))]


def exported_thresholds(version: Version, results: Results) -> ExportedThresholds:
    """The thresholds as they are shown: the optimal ones unless others were chosen."""
    concepts = results.threshold_table()
    return ExportedThresholds(
        version.view.name,
        version.name,
        version.view.kind,
        results.evaluation.iou_threshold,
        {name: float(results.thresholds[results.concept_index(name)]) for name in concepts},
    )
