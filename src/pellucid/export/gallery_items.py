"""The items of a tab as a file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.browse.query import ListQuery
from pellucid.core.tables import Int32Array
from pellucid.export.export_options import ExportOptions
from pellucid.export.exported_columns import build_export
from pellucid.export.format_writer import write_format
from pellucid.formats.dataset import Note
from pellucid.formats.registry import PREDICTION_WRITERS, WRITERS
from pellucid.formats.writers.export_data import ExportData
from pellucid.formats.writers.new_files import write_new_json
from pellucid.formats.writers.table_writer import mask_missing, write_columns
from pellucid.project.version import Version
from pellucid.results.gallery import Gallery


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
