"""The demo project: images, annotations with known label errors, and two trained versions of
three views."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pellucid.core.tables import Float64Array
from pellucid.demo.model import (
    CandidateRegions,
    SoftmaxModel,
    candidate_targets,
    detect_candidates,
    disc_kernels,
    non_maximum_suppression,
    train_softmax,
)
from pellucid.demo.world import (
    CELLS,
    CONDITIONS,
    FIELD_HEIGHT,
    FIELD_WIDTH,
    FINDINGS,
    Cell,
    MicroscopeField,
    draw_field,
    make_field,
)
from pellucid.project import Workspace

SEED = 20_260_101
FIELD_COUNT, TRAINING_COUNT = 260, 170
MIN_SCORE = 0.02
"""Lower scores are not recorded."""


@dataclass(frozen=True)
class PlantedMistake:
    """A label error inserted on purpose.

    Attributes:
        error_kind: `removed`, `invented` or `renamed`
    """

    view: str
    error_kind: str
    image: str
    concept: str
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, eq=False)
class FieldAnnotations:
    """The annotations, including the inserted label errors."""

    boxes: list[list[Cell]]
    findings: list[set[str]]
    conditions: list[str]
    planted_errors: list[PlantedMistake]


def field_split(field_index: int) -> str:
    return "training" if field_index < TRAINING_COUNT else "validation"


def build_demo(workspace: Workspace) -> list[PlantedMistake]:
    """Draw, annotate, train, predict, import. Deterministic. Returns the inserted label errors."""
    rng = np.random.default_rng(SEED)
    fields = [make_field(field_index, rng) for field_index in range(FIELD_COUNT)]
    sources = workspace.folder / "sources"
    (sources / "pictures").mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        images = list(pool.map(draw_field, fields))
        list(
            pool.map(
                lambda pair: Image.fromarray(pair[1]).save(
                    sources / "pictures" / pair[0].name, quality=90
                ),
                zip(fields, images, strict=True),
            )
        )
    annotations = annotate_fields(fields, rng)
    write_demo_annotations(sources, fields, annotations)
    add_views(workspace, sources)
    kernels = disc_kernels()
    for version, rich in (("v1", False), ("v2", True)):
        with ThreadPoolExecutor(2) as pool:
            candidate_regions = list(
                pool.map(lambda image, rich=rich: detect_candidates(image, kernels, rich), images)
            )
        detector = train_detector(candidate_regions, annotations, iterations=250 if rich else 60)
        scores = [
            detector(regions.features) if len(regions.box) else np.zeros((0, len(CELLS) + 1))
            for regions in candidate_regions
        ]
        write_detections(sources / f"cells-{version}.json", fields, candidate_regions, scores)
        features = image_features(images, scores, rich)
        write_score_table(
            sources / f"findings-{version}.csv",
            FINDINGS,
            fields,
            predict_findings(features, annotations, rich),
        )
        write_score_table(
            sources / f"smears-{version}.csv",
            CONDITIONS,
            fields,
            predict_conditions(features, annotations, rich),
        )
        for view_name, suffix in (("cells", "json"), ("findings", "csv"), ("smears", "csv")):
            workspace.view(view_name).start(version).add_predictions(
                sources / f"{view_name}-{version}.{suffix}"
            )
    write_csv_rows(
        sources / "planted-mistakes.csv",
        ["view", "what", "image", "concept", "box"],
        (
            [
                planted_error.view,
                planted_error.error_kind,
                planted_error.image,
                planted_error.concept,
                planted_error.box or "",
            ]
            for planted_error in annotations.planted_errors
        ),
    )
    return annotations.planted_errors


def annotate_fields(fields: list[MicroscopeField], rng: np.random.Generator) -> FieldAnnotations:
    """Correct annotations, then inserted label errors."""
    annotations = FieldAnnotations(
        [list(field.cells) for field in fields],
        [set(field.findings) for field in fields],
        [field.condition for field in fields],
        [],
    )
    sharp_fields = [index for index, field in enumerate(fields) if field.blur < 1]
    remove_boxes(fields, annotations, rng.permutation(sharp_fields))
    invent_boxes(fields, annotations, rng.permutation(sharp_fields))
    rename_boxes(fields, annotations, rng.permutation(sharp_fields))
    for field_index in sample_fields(sharp_fields, rng, 12, 6):
        concept = FINDINGS[int(rng.integers(3))]
        is_present = concept in annotations.findings[field_index]
        annotations.findings[field_index] ^= {concept}
        annotations.planted_errors.append(
            PlantedMistake(
                "findings",
                "removed" if is_present else "invented",
                fields[field_index].name,
                concept,
            )
        )
    for field_index in sample_fields(sharp_fields, rng, 10, 5):
        other_conditions = [
            concept for concept in CONDITIONS if concept != annotations.conditions[field_index]
        ]
        annotations.conditions[field_index] = other_conditions[int(rng.integers(3))]
        annotations.planted_errors.append(
            PlantedMistake(
                "smears", "renamed", fields[field_index].name, annotations.conditions[field_index]
            )
        )
    return annotations


def sample_fields(
    field_indices: Iterable[int],
    rng: np.random.Generator,
    training_count: int,
    validation_count: int,
) -> list[int]:
    shuffled = rng.permutation(list(field_indices)).tolist()
    training_indices = [index for index in shuffled if index < TRAINING_COUNT][:training_count]
    return (
        training_indices
        + [index for index in shuffled if index >= TRAINING_COUNT][:validation_count]
    )


def first_fields(
    field_indices: Iterable[int], training_count: int, validation_count: int
) -> list[int]:
    ordered_indices = [int(index) for index in field_indices]
    training_indices = [index for index in ordered_indices if index < TRAINING_COUNT][
        :training_count
    ]
    return (
        training_indices
        + [index for index in ordered_indices if index >= TRAINING_COUNT][:validation_count]
    )


def remove_boxes(
    fields: list[MicroscopeField], annotations: FieldAnnotations, field_order: Any
) -> None:
    """Missing annotation of a clearly visible cell."""
    for field_index in first_fields(field_order, 20, 12):
        visible_cells = [
            cell
            for cell in annotations.boxes[field_index]
            if 45 < cell.x < FIELD_WIDTH - 45
            and 45 < cell.y < FIELD_HEIGHT - 45
            and cell.concept != "platelet"
        ]
        if visible_cells:
            cell = visible_cells[0]
            annotations.boxes[field_index].remove(cell)
            annotations.planted_errors.append(
                PlantedMistake("cells", "removed", fields[field_index].name, cell.concept, cell.box)
            )


def invent_boxes(
    fields: list[MicroscopeField], annotations: FieldAnnotations, field_order: Any
) -> None:
    """A box on empty background."""
    for field_index in first_fields(field_order, 10, 8):
        grid_points = [
            (x, y)
            for x in range(40, FIELD_WIDTH - 40, 16)
            for y in range(40, FIELD_HEIGHT - 40, 16)
        ]
        free_points = [
            point
            for point in grid_points
            if all(
                np.hypot(point[0] - cell.x, point[1] - cell.y) > cell.radius + 26
                for cell in fields[field_index].cells
            )
        ]
        if free_points:
            cell = Cell("red cell", float(free_points[0][0]), float(free_points[0][1]), 22.0, 1.0)
            annotations.boxes[field_index].append(cell)
            annotations.planted_errors.append(
                PlantedMistake(
                    "cells", "invented", fields[field_index].name, cell.concept, cell.box
                )
            )


def rename_boxes(
    fields: list[MicroscopeField], annotations: FieldAnnotations, field_order: Any
) -> None:
    """A box with the wrong concept."""
    for field_index in first_fields(field_order, 10, 6):
        white_cells = [
            cell for cell in annotations.boxes[field_index] if cell.concept == "white cell"
        ]
        red_cells = [
            cell
            for cell in annotations.boxes[field_index]
            if cell.concept == "red cell" and cell in fields[field_index].cells
        ]
        cell = (white_cells or red_cells)[0] if white_cells or red_cells else None
        if cell is not None:
            mislabelled = Cell(
                "platelet" if cell.concept == "red cell" else "red cell",
                cell.x,
                cell.y,
                cell.radius,
                cell.squeeze,
            )
            annotations.boxes[field_index][annotations.boxes[field_index].index(cell)] = mislabelled
            annotations.planted_errors.append(
                PlantedMistake(
                    "cells",
                    "renamed",
                    fields[field_index].name,
                    mislabelled.concept,
                    mislabelled.box,
                )
            )


def write_demo_annotations(
    sources: Path, fields: list[MicroscopeField], annotations: FieldAnnotations
) -> None:
    for split in ("training", "validation"):
        field_indices = [
            field_index for field_index in range(FIELD_COUNT) if field_split(field_index) == split
        ]
        document = {
            "images": [
                {
                    "id": field_index,
                    "file_name": fields[field_index].name,
                    "width": FIELD_WIDTH,
                    "height": FIELD_HEIGHT,
                }
                for field_index in field_indices
            ],
            "categories": [
                {"id": category_index + 1, "name": concept_name}
                for category_index, concept_name in enumerate(CELLS)
            ],
            "annotations": [
                {
                    "id": field_index * 100 + box_index,
                    "image_id": field_index,
                    "category_id": CELLS.index(cell.concept) + 1,
                    "bbox": list(cell.box),
                    "area": cell.box[2] * cell.box[3],
                    "iscrowd": 0,
                }
                for field_index in field_indices
                for box_index, cell in enumerate(annotations.boxes[field_index])
            ],
        }
        (sources / f"cells-{split}.json").write_text(json.dumps(document))
    finding_rows = [
        [
            field.name,
            field_split(field_index),
            field.microscope,
            *(int(finding in annotations.findings[field_index]) for finding in FINDINGS),
        ]
        for field_index, field in enumerate(fields)
    ]
    write_csv_rows(
        sources / "findings.csv", ["image", "split", "microscope", *FINDINGS], finding_rows
    )
    condition_rows = (
        [
            field.name,
            annotations.conditions[field_index],
            field_split(field_index),
            field.microscope,
        ]
        for field_index, field in enumerate(fields)
    )
    write_csv_rows(
        sources / "smears.csv", ["image", "label", "split", "microscope"], condition_rows
    )


def write_csv_rows(path: Path, header: list[str], csv_rows: Iterable[list[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(csv_rows)


def add_views(workspace: Workspace, sources: Path) -> None:
    image_folder = sources / "pictures"
    cells_view = workspace.view("cells", "detection")
    cells_view.add(sources / "cells-training.json", image_folder, "training")
    cells_view.add(sources / "cells-validation.json", image_folder, "validation")
    workspace.view("findings", "tagging").add(sources / "findings.csv", image_folder)
    workspace.view("smears", "classification").add(sources / "smears.csv", image_folder)


def train_detector(
    candidate_regions: list[CandidateRegions], annotations: FieldAnnotations, iterations: int
) -> SoftmaxModel:
    x, y = [], []
    for field_index in range(TRAINING_COUNT):
        cells = annotations.boxes[field_index]
        boxes = np.array([cell.box for cell in cells], float).reshape(-1, 4)
        concepts = np.array([CELLS.index(cell.concept) for cell in cells], np.int64)
        x.append(candidate_regions[field_index].features)
        y.append(candidate_targets(candidate_regions[field_index].box, boxes, concepts, len(CELLS)))
    return train_softmax(np.vstack(x), np.vstack(y), iterations)


def write_detections(
    path: Path,
    fields: list[MicroscopeField],
    candidate_regions: list[CandidateRegions],
    scores: list[Float64Array],
) -> None:
    results = []
    for field_index in range(len(fields)):
        for concept in range(len(CELLS)):
            candidate_rows = np.flatnonzero(scores[field_index][:, concept] >= MIN_SCORE)
            for candidate_row in candidate_rows[
                non_maximum_suppression(
                    candidate_regions[field_index].box[candidate_rows],
                    scores[field_index][candidate_rows, concept],
                )
            ]:
                box = [
                    round(float(coordinate), 1)
                    for coordinate in candidate_regions[field_index].box[candidate_row]
                ]
                results.append(
                    {
                        "image_id": field_index,
                        "category_id": concept + 1,
                        "bbox": box,
                        "score": round(float(scores[field_index][candidate_row, concept]), 4),
                    }
                )
    path.write_text(json.dumps(results))


def image_features(
    images: list[np.ndarray], scores: list[Float64Array], rich: bool
) -> Float64Array:
    """v1: colours only; v2: also detector scores and sharpness."""
    feature_rows = []
    for image, detector_scores in zip(images, scores, strict=True):
        thumbnail = image[::4, ::4].astype(float) / 255
        colours = [
            *thumbnail.mean((0, 1)),
            *thumbnail.std((0, 1)),
            *np.percentile(thumbnail[..., 1], [2, 10, 30]),
        ]
        if not rich:
            feature_rows.append(np.array(colours))
            continue
        green = image[..., 1].astype(float)
        sharpness = [np.log(np.abs(np.diff(green, axis=axis)).mean()) for axis in (0, 1)]
        sharpness.append(np.log(np.abs(np.diff(green[::2, ::2], 2, axis=0)).mean()))
        top_scores = np.sort(
            np.vstack([detector_scores[:, :-1], np.zeros((3, len(CELLS)))]), axis=0
        )[::-1]
        feature_rows.append(
            np.concatenate(
                [
                    colours,
                    sharpness,
                    top_scores[:3].ravel(),
                    np.log1p(detector_scores[:, :-1].sum(0)),
                    (detector_scores[:, :-1] > 0.5).sum(0),
                ]
            )
        )
    return np.array(feature_rows)


def predict_findings(
    features: Float64Array, annotations: FieldAnnotations, rich: bool
) -> Float64Array:
    """One binary model per finding."""
    score_columns = []
    for finding in FINDINGS:
        is_present = np.array([finding in findings for findings in annotations.findings], float)
        model = train_softmax(
            features[:TRAINING_COUNT],
            np.stack([1 - is_present, is_present], 1)[:TRAINING_COUNT],
            500 if rich else 150,
            weight_decay=1e-2,
        )
        score_columns.append(model(features)[:, 1])
    return np.stack(score_columns, axis=1)


def predict_conditions(
    features: Float64Array, annotations: FieldAnnotations, rich: bool
) -> Float64Array:
    one_hot = np.eye(len(CONDITIONS))[
        [CONDITIONS.index(condition) for condition in annotations.conditions]
    ]
    return train_softmax(
        features[:TRAINING_COUNT], one_hot[:TRAINING_COUNT], 500 if rich else 150, weight_decay=1e-2
    )(features)


def write_score_table(
    path: Path, class_names: tuple[str, ...], fields: list[MicroscopeField], scores: Float64Array
) -> None:
    csv_rows = (
        [field.name, *(f"{score:.4f}" for score in field_scores)]
        for field, field_scores in zip(fields, scores, strict=True)
    )
    write_csv_rows(path, ["image", *(f"p_{class_name}" for class_name in class_names)], csv_rows)
