"""Columns to and from the Parquet files of a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pellucid.columns import Annotations, Bytes, Floats, Images, Kind, Predictions, texts
from pellucid.understand.evaluation import Evaluation
from pellucid.understand.matching import Staircase
from pellucid.workspace.storage import read_table, write_table

SIDES = ("x", "y", "width", "height")


def write_images(path: Path, images: Images, coverage: Bytes | None = None) -> None:
    columns = images.columns()
    write_table(path, columns if coverage is None else {**columns, "coverage": coverage})


def read_images(path: Path) -> tuple[Images, Bytes]:
    """The images, and their coverage (zeros where the file is a view's)."""
    columns = read_table(path)
    coverage = columns.pop("coverage", np.zeros(len(columns["path"]), np.int8))
    for name in ("path", "source_id", "metadata"):
        columns[name] = texts(columns[name])
    return Images(**columns), coverage


def write_annotations(path: Path, annotations: Annotations, **more: Any) -> None:
    write_table(path, {**with_sides(annotations.columns()), **more})


def read_annotations(path: Path) -> tuple[Annotations, dict[str, Any]]:
    """The annotations, and the columns derived for a version (answer, own)."""
    columns = with_box(read_table(path))
    derived: dict[str, Any] = {name: columns.pop(name) for name in ("answer", "own") if name in columns}
    return Annotations(**{"area": None, **columns}), derived


def with_sides(columns: dict[str, Any]) -> dict[str, Any]:
    box = columns.pop("box")
    columns = {name: column for name, column in columns.items() if column is not None}
    return columns if box is None else {**columns, **{side: box[:, place] for place, side in enumerate(SIDES)}}


def with_box(columns: dict[str, Any]) -> dict[str, Any]:
    box: Floats | None = None
    if "width" in columns:
        box = np.stack([columns.pop(side) for side in SIDES], axis=1)
    return {**columns, "box": box}


def write_evaluation(folder: Path, generation: int, evaluation: Evaluation) -> dict[str, str | None]:
    """Write a version's tables; returns their file names by manifest field."""
    names: dict[str, str | None] = {name: f"{name}.{generation}.parquet" for name in ("images", "annotations", "predictions")}
    write_images(folder / f"images.{generation}.parquet", evaluation.images, evaluation.coverage)
    write_annotations(folder / f"annotations.{generation}.parquet", evaluation.annotations, answer=evaluation.answer, own=evaluation.own)
    predictions = with_sides(evaluation.predictions.columns())
    outcome = {"state": evaluation.state, "partner": evaluation.partner, "iou": evaluation.iou}
    write_table(folder / f"predictions.{generation}.parquet", {**predictions, **outcome})
    names["staircase"] = None
    if evaluation.staircase is not None:
        names["staircase"] = f"staircase.{generation}.parquet"
        stairs = evaluation.staircase
        owner = np.repeat(np.arange(len(stairs.start) - 1, dtype=np.int32), np.diff(stairs.start))
        columns = {"annotation": owner, "score": stairs.score, "iou": stairs.iou}
        write_table(folder / f"staircase.{generation}.parquet", columns)
    return names


def read_evaluation(
    folder: Path, kind: Kind, concepts: tuple[str, ...], iou: float,
    images: str, annotations: str, predictions: str, staircase: str | None,
) -> Evaluation:  # fmt: skip
    image_columns, coverage = read_images(folder / images)
    annotation_columns, derived = read_annotations(folder / annotations)
    columns = with_box(read_table(folder / predictions))
    state, partner, overlap = (columns.pop(name) for name in ("state", "partner", "iou"))
    stairs = None
    if staircase is not None:
        steps = read_table(folder / staircase)
        start = np.searchsorted(steps["annotation"], np.arange(len(annotation_columns) + 1))
        stairs = Staircase(start.astype(np.int64), steps["score"], steps["iou"])
    return Evaluation(
        kind, concepts, iou, image_columns, coverage, annotation_columns, Predictions(**columns),
        state, partner, overlap, derived["answer"], derived["own"], stairs,
    )  # fmt: skip
