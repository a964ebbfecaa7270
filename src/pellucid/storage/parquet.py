"""Columns to and from the Parquet files of a workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import numpy as np

from pellucid.core.errors import WriteError
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
from pellucid.formats.tabular.reader import escape_glob
from pellucid.storage.files import mirror_of, read_table, write_table
from pellucid.storage.mapped_columns import read_mapped, write_mapped

SIDES = ("x", "y", "width", "height")


def write_images(path: Path, images: Images, coverage: Int8Array | None = None) -> None:
    columns = images.to_dict()
    write_table(path, columns if coverage is None else {**columns, "coverage": coverage})


def read_images(path: Path) -> tuple[Images, Int8Array]:
    """The images, and their coverage (zeros where the file is a view's)."""
    columns = read_table(path)
    coverage = columns.pop("coverage", np.zeros(len(columns["path"]), np.int8))
    for name in ("path", "source_id", "metadata"):
        columns[name] = string_column(columns[name])
    return Images(**columns), coverage


def write_annotations(path: Path, annotations: Annotations, **more: Any) -> None:
    write_table(path, {**with_sides(annotations.to_dict()), **more})


def read_annotations(path: Path) -> tuple[Annotations, dict[str, Any]]:
    """The annotations, and the columns derived for a version (answer, own)."""
    columns = with_box(read_table(path))
    if "outline" in columns:
        columns["outline"] = string_column(columns["outline"])
    if columns["box"] is not None and "area" not in columns:  # of before areas were kept: the boxes' own
        columns["area"] = columns["box"][:, 2] * columns["box"][:, 3]
    derived: dict[str, Any] = {name: columns.pop(name) for name in ("answer", "own") if name in columns}
    return Annotations(**{"area": None, **columns}), derived


def read_outlines(path: Path, rows: Sequence[int] | None = None) -> StringArray | None:
    """What is drawn beside boxes, '' where nothing is; None where the annotations have no outlines. rows: those alone.

    Outlines are texts, which are not mapped: they are read when a picture is looked at.
    """
    import duckdb

    if mirror := mirror_of(path):
        mirror.fetch(path)
    source = f"read_parquet('{escape_glob(path).replace(chr(39), chr(39) * 2)}', file_row_number = true, hive_partitioning = false)"
    try:
        with duckdb.connect() as connection:
            wanted = "" if rows is None else f"WHERE file_row_number IN ({', '.join(map(str, rows)) or 'NULL'})"
            found = connection.execute(f"SELECT outline FROM {source} {wanted} ORDER BY file_row_number").fetchnumpy()["outline"]
    except (duckdb.BinderException, duckdb.IOException):  # none there, or replaced since: they are only drawn
        return None
    return string_column(np.ma.getdata(found))


def with_sides(columns: dict[str, Any]) -> dict[str, Any]:
    box = columns.pop("box")
    columns = {name: column for name, column in columns.items() if column is not None}
    return columns if box is None else {**columns, **{side: box[:, place] for place, side in enumerate(SIDES)}}


def with_box(columns: dict[str, Any]) -> dict[str, Any]:
    box: Float64Array | None = None
    if "width" in columns:
        box = np.stack([columns.pop(side) for side in SIDES], axis=1)
    return {**columns, "box": box}


def write_evaluation(folder: Path, generation: int, evaluation: Evaluation) -> dict[str, str | None]:
    """Write a version's tables; returns their file names by manifest field."""
    names: dict[str, str | None] = {name: f"{name}.{generation}.parquet" for name in ("images", "annotations", "predictions")}
    write_images(folder / f"images.{generation}.parquet", evaluation.images, evaluation.coverage)
    write_annotations(folder / f"annotations.{generation}.parquet", evaluation.annotations, answer=evaluation.answer, own=evaluation.own)
    predictions = with_sides(evaluation.predictions.to_dict())
    outcome = {"state": evaluation.state, "partner": evaluation.partner, "iou": evaluation.iou}
    write_table(folder / f"predictions.{generation}.parquet", {**predictions, **outcome})
    names["staircase"] = None
    if evaluation.overlap_steps is not None:
        names["staircase"] = f"staircase.{generation}.parquet"
        stairs = evaluation.overlap_steps
        owner = np.repeat(np.arange(len(stairs.start) - 1, dtype=np.int32), np.diff(stairs.start))
        columns = {"annotation": owner, "score": stairs.score, "iou": stairs.iou}
        write_table(folder / f"staircase.{generation}.parquet", columns)
    return names


def read_evaluation(
    folder: Path, kind: Kind, concepts: tuple[str, ...], iou: float,
    images: str, annotations: str, predictions: str, staircase: str | None, generation: int,
) -> Evaluation:  # fmt: skip
    """A version's tables: mapped columns where there are some, else read from Parquet and then mapped, if that can be written."""
    image_columns, coverage = read_images(folder / images)
    known = folder / mapped_name(generation)
    mirror = mirror_of(folder)
    mapped = mirror.columns(known) if mirror else read_mapped(known)
    if mapped is not None:
        with suppress(TypeError, KeyError):  # of another layout, or damaged: it is made again
            return mapped_evaluation(mapped, kind, concepts, iou, image_columns, coverage)
    annotation_columns, derived = read_annotations(folder / annotations)
    table = with_box(read_table(folder / predictions))
    state, partner, overlap = (table.pop(name) for name in ("state", "partner", "iou"))
    evaluation = Evaluation(
        kind, concepts, iou, image_columns, coverage, annotation_columns, Predictions(**table),
        state, partner, overlap, derived["answer"], derived["own"], read_staircase(folder, staircase, len(annotation_columns)),
    )  # fmt: skip
    evaluation = precompute(evaluation)
    with suppress(WriteError):
        write_mapped(known, mapped_columns(evaluation))
    columns = read_mapped(known)
    return evaluation if columns is None else mapped_evaluation(columns, kind, concepts, iou, image_columns, coverage)


def read_staircase(folder: Path, name: str | None, annotations: int) -> BestOverlapSteps | None:
    if name is None:
        return None
    steps = read_table(folder / name)
    start = np.searchsorted(steps["annotation"], np.arange(annotations + 1))
    return BestOverlapSteps(start.astype(np.int64), steps["score"], steps["iou"])


LAYOUT = 1
"""Of the mapped columns; another number makes them anew from the Parquet tables."""


def mapped_name(generation: int) -> str:
    return f"columns.{generation}.layout-{LAYOUT}.mapped"


THRESHOLD_NUMBERS = ("value", "errors", "tp", "fp", "fn", "annotations")
THRESHOLD_COLUMNS = (*THRESHOLD_NUMBERS, "source", "equally_good")
SOURCES: tuple[ThresholdSource, ...] = ("validation", "fallback", "user")
OWN = ("state", "partner", "iou", "answer", "own")


def mapped_columns(evaluation: Evaluation) -> dict[str, Any]:
    """Everything of an evaluation but its images, as named columns."""
    tables: dict[str, Mapping[str, Any]] = {
        "predictions": evaluation.predictions.to_dict(), "annotations": evaluation.annotations.replace(outline=None).to_dict(),
        "evaluation": {name: getattr(evaluation, name) for name in OWN},
        "staircase": vars(evaluation.overlap_steps) if evaluation.overlap_steps else {},
        "derived": vars(evaluation.row_index), "extra": vars(evaluation.unmatched_index), "thresholds": threshold_columns(evaluation.thresholds),
        "over": cast(dict[str, Int64Array], evaluation.optimal_counts), "strips": split_histograms(evaluation),
    }  # fmt: skip
    return {
        f"{table}.{name}": column for table, columns in tables.items() for name, column in columns.items() if column is not None
    }  # fmt: skip


def threshold_columns(thresholds: tuple[Threshold, ...]) -> dict[str, Any]:
    columns = {name: np.array([getattr(one, name) for one in thresholds]) for name in THRESHOLD_NUMBERS}
    columns["source"] = np.array([SOURCES.index(one.source) for one in thresholds], np.int8)
    columns["equally_good"] = np.array([one.equally_good for one in thresholds], float).reshape(-1, 2)
    return columns


def thresholds_of_columns(columns: dict[str, Any]) -> tuple[Threshold, ...]:
    lists = {name: column.tolist() for name, column in columns.items()}
    return tuple(
        Threshold(value, errors, tp, fp, fn, SOURCES[source], (low, high), annotations)
        for value, errors, tp, fp, fn, annotations, source, (low, high) in zip(
            *(lists[name] for name in THRESHOLD_NUMBERS), lists["source"], lists["equally_good"], strict=True
        )
    )


def mapped_evaluation(
    columns: dict[str, Any], kind: Kind, concepts: tuple[str, ...], iou: float, images: Images, coverage: Int8Array
) -> Evaluation:  # fmt: skip
    def table(name: str, **absent: None) -> dict[str, Any]:
        return {**absent, **{key.removeprefix(f"{name}."): column for key, column in columns.items() if key.startswith(f"{name}.")}}

    columns = dict(columns)
    by_image: PredictionsByImage | None = columns.pop("by_image", None)
    in_memory = {name: np.array(column) for name, column in columns.items() if name.endswith("index")}
    columns = {**columns, **in_memory}
    over = cast(dict[RunsName, Int64Array], table("over"))
    derived, extra = RowIndex(**table("derived")), UnmatchedIndex(**table("extra"))
    kept = EvaluationIndex(derived, thresholds_of_columns(table("thresholds")), extra, over, table("strips"), by_image)
    stairs = table("staircase")
    return Evaluation(
        kind, concepts, iou, images, coverage, Annotations(**table("annotations", box=None, area=None)),
        Predictions(**table("predictions", box=None)), **table("evaluation"), overlap_steps=BestOverlapSteps(**stairs) if stairs else None, index=kept,
    )  # fmt: skip
