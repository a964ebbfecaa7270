"""Export of annotations, predictions, reviews, gallery tabs and thresholds."""

from __future__ import annotations

from pathlib import Path

from pellucid.core.errors import InvalidChoiceError
from pellucid.core.tables import Split
from pellucid.export.export_options import ExportOptions
from pellucid.export.export_targets import EXPORT_TARGETS, FILTERED_TARGETS, REVIEW_TARGETS
from pellucid.export.exported_columns import annotation_data, prediction_data
from pellucid.export.format_writer import write_format
from pellucid.export.gallery_items import export_gallery
from pellucid.export.review_reports import (
    write_corrections,
    write_history,
    write_report,
    write_tasks,
)
from pellucid.export.threshold_files import write_thresholds
from pellucid.export.threshold_values import exported_thresholds, silent_concept_notes
from pellucid.formats.dataset import Note
from pellucid.formats.errors import ExportError
from pellucid.formats.readers.label_studio import NAME as LABEL_STUDIO
from pellucid.formats.registry import PREDICTION_WRITERS, WRITERS
from pellucid.project.version import Version
from pellucid.project.view import View


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


def export_review(
    view: View, target: str, format_name: str, path: Path, split: Split | None
) -> list[Note]:
    if target in ("history", "report"):
        return (write_history if target == "history" else write_report)(view, format_name, path)
    corrected = annotation_data(view, None, None, True)
    return (write_corrections if target == "corrections" else write_tasks)(
        view, corrected, format_name, path, split
    )


TABLE_FORMATS = ("csv", "parquet")
"""Formats that state an image without annotation by a row without a concept."""
