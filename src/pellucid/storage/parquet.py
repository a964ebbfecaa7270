"""Read and write the Parquet files of a workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import numpy as np

from pellucid.core.duckdb_cursor import open_cursor
from pellucid.core.errors import WriteError
from pellucid.core.masks import Masks, create_masks
from pellucid.core.sql_quoting import escape_glob, quote_string
from pellucid.core.tables import (
    Annotations,
    Float64Array,
    Images,
    Int8Array,
    Int64Array,
    Kind,
    Predictions,
    StringArray,
    string_column,
)
from pellucid.evaluation.counts import precompute, split_histograms
from pellucid.evaluation.evaluation import Evaluation, EvaluationIndex, RunsName
from pellucid.evaluation.indexes import PredictionsByImage, RowIndex
from pellucid.evaluation.match_result import BestOverlapSteps
from pellucid.evaluation.thresholds import Threshold, ThresholdSource
from pellucid.evaluation.unmatched import UnmatchedIndex
from pellucid.storage.files import find_mirror, load_table, write_table
from pellucid.storage.mapped_columns import load_mapped, write_mapped
from pellucid.storage.table_checksums import verify_tables

BOX_COLUMN_NAMES = ("x", "y", "width", "height")


def save_images(path: Path, images: Images, coverage: Int8Array | None = None) -> None:
    image_columns = images.to_dict()
    write_table(
        path, image_columns if coverage is None else {**image_columns, "coverage": coverage}
    )


def load_images(path: Path) -> tuple[Images, Int8Array]:
    """The images and their coverage (zeros for the file of a view)."""
    image_columns = load_table(path)
    coverage = image_columns.pop("coverage", np.zeros(len(image_columns["path"]), np.int8))
    for column_name in ("path", "source_id", "metadata"):
        image_columns[column_name] = string_column(image_columns[column_name])
    return Images(**image_columns), coverage


def save_annotations(path: Path, annotations: Annotations, **extra_columns: Any) -> None:
    write_table(path, {**split_box_column(annotations.to_dict()), **extra_columns})


def load_annotations(path: Path) -> tuple[Annotations, dict[str, Any]]:
    """The annotations, and the match columns of a version (answer, own)."""
    annotation_columns = join_box_columns(load_table(path))
    if "outline" in annotation_columns:
        annotation_columns["outline"] = string_column(annotation_columns["outline"])
    if (
        annotation_columns["box"] is not None and "area" not in annotation_columns
    ):  # written by versions without areas: use the box areas
        annotation_columns["area"] = (
            annotation_columns["box"][:, 2] * annotation_columns["box"][:, 3]
        )
    derived: dict[str, Any] = {
        column_name: annotation_columns.pop(column_name)
        for column_name in ("answer", "own")
        if column_name in annotation_columns
    }
    return Annotations(**{"area": None, **annotation_columns}), derived


def load_outlines(path: Path, annotation_rows: Sequence[int] | None = None) -> StringArray | None:
    """Polygon outlines, '' where there is none; None if the annotations have no outlines.

    Outlines are strings, which cannot be memory-mapped, so they are read per image on demand.

    Args:
        annotation_rows: the rows to read, default all
    """
    import duckdb

    if mirror := find_mirror(path):
        mirror.fetch(path)
    parquet_source = (
        f"read_parquet({quote_string(escape_glob(path))}, file_row_number = "
        "true, hive_partitioning = false)"
    )
    try:
        with open_cursor() as connection:
            where_clause = (
                ""
                if annotation_rows is None
                else f"WHERE file_row_number IN ({', '.join(map(str, annotation_rows)) or 'NULL'})"
            )
            outlines = connection.execute(
                f"SELECT outline FROM {parquet_source} {where_clause} ORDER BY file_row_number"
            ).fetchnumpy()["outline"]
    except (
        duckdb.BinderException,
        duckdb.IOException,
    ):  # no outlines, or replaced meanwhile: only needed for drawing
        return None
    return string_column(np.ma.getdata(outlines))


CORNER_COLUMN_NAMES = tuple(f"{side}{corner}" for corner in range(1, 5) for side in "xy")
KEYPOINT_COLUMN = "keypoint_"
"""How the columns of keypoints begin; a number follows."""
MASK_COLUMN_NAMES = ("mask", "mask_height", "mask_width")
"""In a table a mask is its compressed run lengths, and the size of its image."""


def split_box_column(table_columns: dict[str, Any]) -> dict[str, Any]:
    """The columns of a table in a file: numbers and strings alone."""
    box, masks = table_columns.pop("box"), table_columns.pop("mask", None)
    corners = table_columns.pop("corners", None)
    if corners is not None:
        table_columns |= dict(zip(CORNER_COLUMN_NAMES, corners.T.copy(), strict=True))
    keypoints = table_columns.pop("keypoints", None)
    if keypoints is not None:
        table_columns |= {
            f"{KEYPOINT_COLUMN}{i}": column for i, column in enumerate(keypoints.T.copy())
        }
    if masks is not None:
        texts = string_column(list(masks.texts()))
        parts = (texts, masks.height, masks.width)
        table_columns |= dict(zip(MASK_COLUMN_NAMES, parts, strict=True))
    table_columns = {
        column_name: column for column_name, column in table_columns.items() if column is not None
    }
    return (
        table_columns
        if box is None
        else {
            **table_columns,
            **{
                side_name: box[:, side_index]
                for side_index, side_name in enumerate(BOX_COLUMN_NAMES)
            },
        }
    )


def join_box_columns(table_columns: dict[str, Any]) -> dict[str, Any]:
    box: Float64Array | None = None
    if "width" in table_columns:
        box = np.stack([table_columns.pop(side_name) for side_name in BOX_COLUMN_NAMES], axis=1)
    if CORNER_COLUMN_NAMES[0] in table_columns:
        table_columns["corners"] = np.stack(
            [table_columns.pop(column_name) for column_name in CORNER_COLUMN_NAMES], axis=1
        )
    if f"{KEYPOINT_COLUMN}0" in table_columns:
        count = sum(name.startswith(KEYPOINT_COLUMN) for name in table_columns)
        columns = [table_columns.pop(f"{KEYPOINT_COLUMN}{number}") for number in range(count)]
        table_columns["keypoints"] = np.stack(columns, axis=1)
    if "mask" in table_columns:
        table_columns["mask"] = create_masks(
            *(table_columns.pop(column_name) for column_name in MASK_COLUMN_NAMES)
        )
    return {**table_columns, "box": box}


def write_evaluation(
    folder: Path, generation: int, evaluation: Evaluation
) -> dict[str, str | None]:
    """Write the tables of a version. Returns their file names by manifest field."""
    file_names: dict[str, str | None] = {
        table_name: f"{table_name}.{generation}.parquet"
        for table_name in ("images", "annotations", "predictions")
    }
    save_images(folder / f"images.{generation}.parquet", evaluation.images, evaluation.coverage)
    save_annotations(
        folder / f"annotations.{generation}.parquet",
        evaluation.annotations,
        answer=evaluation.matched_by,
        own=evaluation.same_concept_prediction,
    )
    prediction_columns = split_box_column(evaluation.predictions.to_dict())
    outcome_columns = {
        "state": evaluation.state,
        "partner": evaluation.partner,
        "iou": evaluation.iou,
    }
    write_table(
        folder / f"predictions.{generation}.parquet", {**prediction_columns, **outcome_columns}
    )
    file_names["staircase"] = None
    if evaluation.overlap_steps is not None:
        file_names["staircase"] = f"staircase.{generation}.parquet"
        staircase = evaluation.overlap_steps
        annotation_rows = np.repeat(
            np.arange(len(staircase.start) - 1, dtype=np.int32), np.diff(staircase.start)
        )
        staircase_columns = {
            "annotation": annotation_rows,
            "score": staircase.score,
            "iou": staircase.iou,
        }
        write_table(folder / f"staircase.{generation}.parquet", staircase_columns)
    return file_names


def load_evaluation(
    folder: Path,
    kind: Kind,
    concepts: tuple[str, ...],
    iou: float,
    images: str,
    annotations: str,
    predictions: str,
    staircase: str | None,
    generation: int,
    checksums: Mapping[str, str],
    unannotated_concepts: tuple[int, ...] = (),
) -> Evaluation:
    """Read the tables of a version from its memory-mapped file; if absent or damaged, from
    Parquet, and write the mapped file if possible. Raises DamagedFileError."""
    verify_tables(folder, checksums, [images])
    image_table, coverage = load_images(folder / images)
    mapped_path = folder / column_file_name(generation)
    mirror = find_mirror(folder)
    cached_columns = mirror.load_columns(mapped_path) if mirror else load_mapped(mapped_path)
    if cached_columns is not None:
        with suppress(TypeError, KeyError):  # other layout or damaged: rebuilt below
            return evaluation_from_columns(
                cached_columns, kind, concepts, iou, image_table, coverage, unannotated_concepts
            )
    verify_tables(folder, checksums, [annotations, predictions, staircase])
    annotation_table, derived = load_annotations(folder / annotations)
    prediction_columns = join_box_columns(load_table(folder / predictions))
    state, partner, overlap = (
        prediction_columns.pop(column_name) for column_name in ("state", "partner", "iou")
    )
    evaluation = Evaluation(
        kind,
        concepts,
        iou,
        image_table,
        coverage,
        annotation_table,
        Predictions(**prediction_columns),
        state,
        partner,
        overlap,
        derived["answer"],
        derived["own"],
        load_staircase(folder, staircase, len(annotation_table)),
        unannotated_concepts=unannotated_concepts,
    )
    evaluation = precompute(evaluation)
    with suppress(WriteError):
        write_mapped(mapped_path, evaluation_columns(evaluation))
    saved_columns = load_mapped(mapped_path)
    return (
        evaluation
        if saved_columns is None
        else evaluation_from_columns(
            saved_columns, kind, concepts, iou, image_table, coverage, unannotated_concepts
        )
    )


def load_staircase(
    folder: Path, file_name: str | None, annotation_count: int
) -> BestOverlapSteps | None:
    if file_name is None:
        return None
    step_columns = load_table(folder / file_name)
    step_starts = np.searchsorted(step_columns["annotation"], np.arange(annotation_count + 1))
    return BestOverlapSteps(
        step_starts.astype(np.int64), step_columns["score"], step_columns["iou"]
    )


LAYOUT_VERSION = 1
"""Version of the mapped layout. Increment it to rebuild from the Parquet tables."""


def column_file_name(generation: int) -> str:
    return f"columns.{generation}.layout-{LAYOUT_VERSION}.mapped"


NUMERIC_THRESHOLD_COLUMNS = ("value", "errors", "tp", "fp", "fn", "annotations")
THRESHOLD_COLUMNS = (*NUMERIC_THRESHOLD_COLUMNS, "source", "equally_good")
THRESHOLD_SOURCES: tuple[ThresholdSource, ...] = ("validation", "fallback", "user", "no scores")
MATCHING_FIELDS = {
    "state": "state",
    "partner": "partner",
    "iou": "iou",
    "answer": "matched_by",
    "own": "same_concept_prediction",
}
ROW_INDEX_FIELDS = {"answer_score": "matched_score"}
"""Fields by the names of their columns, which stay as the first workspaces have them."""


def evaluation_columns(evaluation: Evaluation) -> dict[str, Any]:
    """All columns of an evaluation except its images, by name."""
    column_groups: dict[str, Mapping[str, Any]] = {
        "predictions": split_masks(evaluation.predictions.to_dict()),
        "annotations": split_masks(evaluation.annotations.replace(outline=None).to_dict()),
        "evaluation": {
            column_name: getattr(evaluation, field_name)
            for column_name, field_name in MATCHING_FIELDS.items()
        },
        "staircase": vars(evaluation.overlap_steps) if evaluation.overlap_steps else {},
        "derived": rename_keys(
            vars(evaluation.row_index), {name: key for key, name in ROW_INDEX_FIELDS.items()}
        ),
        "extra": vars(evaluation.unmatched_index),
        "thresholds": threshold_columns(evaluation.thresholds),
        "over": cast(dict[str, Int64Array], evaluation.optimal_counts),
        "strips": split_histograms(evaluation),
    }
    return {
        f"{group_name}.{column_name}": column
        for group_name, group_columns in column_groups.items()
        for column_name, column in group_columns.items()
        if column is not None
    }


def rename_keys(columns: Mapping[str, Any], new_names: Mapping[str, str]) -> dict[str, Any]:
    return {new_names.get(name, name): column for name, column in columns.items()}


MASK_PARTS = ("text", "start", "height", "width")


def split_masks(columns: dict[str, Any]) -> dict[str, Any]:
    """The columns with the parts of the masks as columns of their own."""
    masks = columns.pop("mask")
    parts = {} if masks is None else {f"mask.{part}": getattr(masks, part) for part in MASK_PARTS}
    return {**columns, **parts}


def join_masks(columns: dict[str, Any]) -> dict[str, Any]:
    parts = {part: columns.pop(f"mask.{part}", None) for part in MASK_PARTS}
    return {**columns, "mask": None if parts["text"] is None else Masks(**parts)}


def threshold_columns(thresholds: tuple[Threshold, ...]) -> dict[str, Any]:
    threshold_arrays = {
        field_name: np.array([getattr(threshold, field_name) for threshold in thresholds])
        for field_name in NUMERIC_THRESHOLD_COLUMNS
    }
    threshold_arrays["source"] = np.array(
        [THRESHOLD_SOURCES.index(threshold.source) for threshold in thresholds], np.int8
    )
    threshold_arrays["equally_good"] = np.array(
        [threshold.equally_good for threshold in thresholds], float
    ).reshape(-1, 2)
    return threshold_arrays


def build_thresholds(columns: dict[str, Any]) -> tuple[Threshold, ...]:
    values_by_column = {column_name: column.tolist() for column_name, column in columns.items()}
    return tuple(
        Threshold(
            threshold_value, errors, tp, fp, fn, THRESHOLD_SOURCES[source], (low, high), annotations
        )
        for threshold_value, errors, tp, fp, fn, annotations, source, (low, high) in zip(
            *(values_by_column[column_name] for column_name in NUMERIC_THRESHOLD_COLUMNS),
            values_by_column["source"],
            values_by_column["equally_good"],
            strict=True,
        )
    )


def evaluation_from_columns(
    columns: dict[str, Any],
    kind: Kind,
    concepts: tuple[str, ...],
    iou: float,
    images: Images,
    coverage: Int8Array,
    unannotated_concepts: tuple[int, ...] = (),
) -> Evaluation:
    def group_columns(group_name: str, **defaults: None) -> dict[str, Any]:
        return {
            **defaults,
            **{
                key.removeprefix(f"{group_name}."): column
                for key, column in columns.items()
                if key.startswith(f"{group_name}.")
            },
        }

    columns = dict(columns)
    predictions_by_image: PredictionsByImage | None = columns.pop("by_image", None)
    search_indexes = {
        column_name: np.array(column)
        for column_name, column in columns.items()
        if column_name.endswith("index")
    }
    columns = {**columns, **search_indexes}
    optimal_counts = cast(dict[RunsName, Int64Array], group_columns("over"))
    row_index, unmatched_index = (
        RowIndex(**rename_keys(group_columns("derived"), ROW_INDEX_FIELDS)),
        UnmatchedIndex(**group_columns("extra")),
    )
    evaluation_index = EvaluationIndex(
        row_index,
        build_thresholds(group_columns("thresholds")),
        unmatched_index,
        optimal_counts,
        group_columns("strips"),
        predictions_by_image,
    )
    staircase_columns = group_columns("staircase")
    return Evaluation(
        kind,
        concepts,
        iou,
        images,
        coverage,
        Annotations(**join_masks(group_columns("annotations", box=None, area=None))),
        Predictions(**join_masks(group_columns("predictions", box=None))),
        **rename_keys(group_columns("evaluation"), MATCHING_FIELDS),
        overlap_steps=BestOverlapSteps(**staircase_columns) if staircase_columns else None,
        index=evaluation_index,
        unannotated_concepts=unannotated_concepts,
    )
