"""CSV and Parquet writer: one row per annotation or prediction, with all its properties."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.duckdb_cursor import open_cursor
from pellucid.core.errors import summarize_names
from pellucid.core.sql_quoting import quote_string
from pellucid.core.tables import SPLITS, Annotations, Int64Array, string_column
from pellucid.formats.dataset import Note
from pellucid.formats.errors import ExportError
from pellucid.formats.tabular.concept_cells import MISSING_CONCEPTS
from pellucid.formats.tabular.formula_cells import neutralize_formulas
from pellucid.formats.writers.export_data import ExportData
from pellucid.formats.writers.new_files import new_file

BOX_COLUMNS = ("x", "y", "width", "height")


def write_csv(export_data: ExportData, path: Path) -> None:
    export_data.note_dropped_outlines("CSV")
    write_columns(build_export_columns(export_data), path, "csv, header")


def write_parquet(export_data: ExportData, path: Path) -> None:
    export_data.note_dropped_outlines("Parquet")
    write_columns(build_export_columns(export_data), path, "parquet")


def write_columns(columns: dict[str, Any], path: Path, copy_options: str) -> None:
    """copy_options: of DuckDB's COPY. In CSV, texts that a spreadsheet would run as formulas are
    marked as text; see formula_cells."""

    if copy_options.startswith("csv"):
        columns = {name: neutralize_formulas(column) for name, column in columns.items()}
    with new_file(path) as temp_path, open_cursor() as connection:
        connection.register("given", columns)
        connection.execute(
            f"COPY (SELECT * FROM given) TO {quote_string(str(temp_path))} (FORMAT {copy_options})"
        )


def build_export_columns(export_data: ExportData) -> dict[str, Any]:
    """image, split, concept and the columns that apply. An image without annotations gets a row
    without a concept.

    Raises:
        ExportError: a concept has the name that tables give to a missing one.
    """
    for name in export_data.concepts:
        if name.lower() in MISSING_CONCEPTS:
            problem = f"the concept '{name}' would be read as a missing one; write coco"
            raise ExportError("table", problem)
    annotations, images = export_data.exported_table, export_data.images
    empty_images = np.setdiff1d(np.arange(len(images)), annotations.image)
    row_images = np.concatenate([annotations.image, empty_images]).astype(np.int64)
    concept_names = np.array([*export_data.concepts, ""], object)
    row_concepts = np.concatenate(
        [annotations.concept, np.full(len(empty_images), len(export_data.concepts))]
    )

    def pad_column(column: Any) -> Any:
        return np.concatenate([np.asarray(column, float), np.full(len(empty_images), np.nan)])

    columns: dict[str, Any] = {
        "image": string_column(images.path[row_images]),
        "split": string_column([SPLITS[split_index] for split_index in images.split[row_images]]),
    }
    columns["concept"] = string_column(concept_names[row_concepts])
    if annotations.box is not None:
        columns |= {
            column_name: mask_missing(pad_column(annotations.box[:, coordinate_index]))
            for coordinate_index, column_name in enumerate(BOX_COLUMNS)
        }
    if isinstance(annotations, Annotations):
        if annotations.box is not None or annotations.ignore.any():  # for tags: unknown labels
            columns["ignore"] = np.concatenate(
                [annotations.ignore, np.zeros(len(empty_images), bool)]
            ).astype(np.int8)
        if export_data.kind == "tagging" or not annotations.positive.all():
            tag_values = np.where(annotations.positive, "positive", "negative").tolist()
            columns["value"] = string_column([*tag_values, *([""] * len(empty_images))])
        columns |= metadata_columns(export_data, row_images, columns)
    else:
        columns["score"] = mask_missing(pad_column(annotations.score))
    return columns


def metadata_columns(
    export_data: ExportData, row_images: Int64Array, taken: Collection[str]
) -> dict[str, Any]:
    """The user's own columns about the images, '' where an image has no value. A note names those
    that are called like a column that is taken."""
    by_image = [json.loads(text) if text else {} for text in export_data.images.metadata]
    names = dict.fromkeys(name for metadata in by_image for name in metadata)
    lower_taken = {name.lower() for name in taken}
    columns: dict[str, Any] = {}
    left_out = []
    for name in names:
        if name.lower() in lower_taken:
            left_out.append(name)
            continue
        lower_taken.add(name.lower())
        values = [str(metadata.get(name, "")) for metadata in by_image]
        columns[name] = string_column([values[row] for row in row_images])
    if left_out:
        message = f"image metadata left out: {summarize_names(left_out)}, names of other columns"
        export_data.notes.append(Note("metadata_left_out", message, len(left_out)))
    return columns


def mask_missing(column: Any) -> Any:
    """Mask missing numbers, so that they are written as empty cells."""
    return np.ma.masked_invalid(column)
