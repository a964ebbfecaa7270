"""The example as a user would make it: pictures, annotations with known mistakes, two trained versions of three views."""

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
    Candidates,
    Softmax,
    candidates,
    disc_responses,
    suppressed,
    targets,
    train,
)
from pellucid.demo.world import (
    CELLS,
    CONDITIONS,
    FINDINGS,
    HEIGHT,
    WIDTH,
    Cell,
    Field,
    draw,
    make_field,
)
from pellucid.project import Workspace

SEED = 20_260_101
FIELDS, TRAINING = 260, 170
FLOOR = 0.02
"""Lower scores are not recorded."""


@dataclass(frozen=True)
class Planted:
    """One mistake put into the annotations. what: `removed`, `invented`, `renamed`."""

    view: str
    what: str
    image: str
    concept: str
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, eq=False)
class Truth:
    """What the annotators wrote down, mistakes included."""

    boxes: list[list[Cell]]
    findings: list[set[str]]
    conditions: list[str]
    planted: list[Planted]


def split_of(number: int) -> str:
    return "training" if number < TRAINING else "validation"


def build(workspace: Workspace) -> list[Planted]:
    """Draw, annotate, train, predict and import. Deterministic. Returns the planted mistakes."""
    random = np.random.default_rng(SEED)
    fields = [make_field(number, random) for number in range(FIELDS)]
    sources = workspace.folder / "sources"
    (sources / "pictures").mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        pictures = list(pool.map(draw, fields))
        list(
            pool.map(
                lambda pair: Image.fromarray(pair[1]).save(sources / "pictures" / pair[0].name, quality=90),
                zip(fields, pictures, strict=True),
            )
        )
    truth = annotate(fields, random)
    write_annotations(sources, fields, truth)
    add_views(workspace, sources)
    kernels = disc_responses()
    for version, rich in (("v1", False), ("v2", True)):
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda picture, rich=rich: candidates(picture, kernels, rich), pictures))
        detector = train_detector(found, truth, rounds=250 if rich else 60)
        scores = [detector(one.features) if len(one.box) else np.zeros((0, len(CELLS) + 1)) for one in found]
        write_boxes(sources / f"cells-{version}.json", fields, found, scores)
        whole = whole_picture_features(pictures, scores, rich)
        write_wide(sources / f"findings-{version}.csv", FINDINGS, fields, finding_scores(whole, truth, rich))
        write_wide(sources / f"smears-{version}.csv", CONDITIONS, fields, condition_scores(whole, truth, rich))
        for view, ending in (("cells", "json"), ("findings", "csv"), ("smears", "csv")):
            workspace.view(view).start(version).add_predictions(sources / f"{view}-{version}.{ending}")
    write_rows(sources / "planted-mistakes.csv", ["view", "what", "image", "concept", "box"],
               ([one.view, one.what, one.image, one.concept, one.box or ""] for one in truth.planted))  # fmt: skip
    return truth.planted


def annotate(fields: list[Field], random: np.random.Generator) -> Truth:
    """True annotations, and then some that are not."""
    truth = Truth([list(made.cells) for made in fields], [set(made.findings) for made in fields], [made.condition for made in fields], [])
    clear = [number for number, made in enumerate(fields) if made.blur < 1]
    remove_boxes(fields, truth, random.permutation(clear))
    invent_boxes(fields, truth, random.permutation(clear))
    rename_boxes(fields, truth, random.permutation(clear))
    for number in spread(clear, random, 12, 6):
        concept = FINDINGS[int(random.integers(3))]
        there = concept in truth.findings[number]
        truth.findings[number] ^= {concept}
        truth.planted.append(Planted("findings", "removed" if there else "invented", fields[number].name, concept))
    for number in spread(clear, random, 10, 5):
        wrong = [concept for concept in CONDITIONS if concept != truth.conditions[number]]
        truth.conditions[number] = wrong[int(random.integers(3))]
        truth.planted.append(Planted("smears", "renamed", fields[number].name, truth.conditions[number]))
    return truth


def spread(numbers: Iterable[int], random: np.random.Generator, training: int, validation: int) -> list[int]:
    shuffled = random.permutation(list(numbers)).tolist()
    chosen = [number for number in shuffled if number < TRAINING][:training]
    return chosen + [number for number in shuffled if number >= TRAINING][:validation]


def quota(numbers: Iterable[int], training: int, validation: int) -> list[int]:
    ordered = [int(number) for number in numbers]
    chosen = [number for number in ordered if number < TRAINING][:training]
    return chosen + [number for number in ordered if number >= TRAINING][:validation]


def remove_boxes(fields: list[Field], truth: Truth, order: Any) -> None:
    """An annotator overlooked a cell that is plain to see."""
    for number in quota(order, 20, 12):
        plain = [
            cell for cell in truth.boxes[number] if 45 < cell.x < WIDTH - 45 and 45 < cell.y < HEIGHT - 45 and cell.concept != "platelet"
        ]
        if plain:
            cell = plain[0]
            truth.boxes[number].remove(cell)
            truth.planted.append(Planted("cells", "removed", fields[number].name, cell.concept, cell.box))


def invent_boxes(fields: list[Field], truth: Truth, order: Any) -> None:
    """An annotator's hand slipped: a box on bare ground."""
    for number in quota(order, 10, 8):
        spots = [(x, y) for x in range(40, WIDTH - 40, 16) for y in range(40, HEIGHT - 40, 16)]
        free = [
            spot for spot in spots if all(np.hypot(spot[0] - cell.x, spot[1] - cell.y) > cell.radius + 26 for cell in fields[number].cells)
        ]
        if free:
            cell = Cell("red cell", float(free[0][0]), float(free[0][1]), 22.0, 1.0)
            truth.boxes[number].append(cell)
            truth.planted.append(Planted("cells", "invented", fields[number].name, cell.concept, cell.box))


def rename_boxes(fields: list[Field], truth: Truth, order: Any) -> None:
    """An annotator took one concept for another."""
    for number in quota(order, 10, 6):
        whites = [cell for cell in truth.boxes[number] if cell.concept == "white cell"]
        reds = [cell for cell in truth.boxes[number] if cell.concept == "red cell" and cell in fields[number].cells]
        cell = (whites or reds)[0] if whites or reds else None
        if cell is not None:
            wrong = Cell("platelet" if cell.concept == "red cell" else "red cell", cell.x, cell.y, cell.radius, cell.squeeze)
            truth.boxes[number][truth.boxes[number].index(cell)] = wrong
            truth.planted.append(Planted("cells", "renamed", fields[number].name, wrong.concept, wrong.box))


def write_annotations(sources: Path, fields: list[Field], truth: Truth) -> None:
    for split in ("training", "validation"):
        numbers = [number for number in range(FIELDS) if split_of(number) == split]
        document = {
            "images": [{"id": number, "file_name": fields[number].name, "width": WIDTH, "height": HEIGHT} for number in numbers],
            "categories": [{"id": place + 1, "name": name} for place, name in enumerate(CELLS)],
            "annotations": [
                {"id": number * 100 + place, "image_id": number, "category_id": CELLS.index(cell.concept) + 1,
                 "bbox": list(cell.box), "area": cell.box[2] * cell.box[3], "iscrowd": 0}
                for number in numbers for place, cell in enumerate(truth.boxes[number])
            ],
        }  # fmt: skip
        (sources / f"cells-{split}.json").write_text(json.dumps(document))
    rows = [
        [made.name, split_of(number), made.microscope, *(int(name in truth.findings[number]) for name in FINDINGS)]
        for number, made in enumerate(fields)
    ]
    write_rows(sources / "findings.csv", ["image", "split", "microscope", *FINDINGS], rows)
    named = ([made.name, truth.conditions[number], split_of(number), made.microscope] for number, made in enumerate(fields))
    write_rows(sources / "smears.csv", ["image", "label", "split", "microscope"], named)


def write_rows(path: Path, heading: list[str], rows: Iterable[list[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(heading)
        writer.writerows(rows)


def add_views(workspace: Workspace, sources: Path) -> None:
    pictures = sources / "pictures"
    cells = workspace.view("cells", "detection")
    cells.add(sources / "cells-training.json", pictures, "training")
    cells.add(sources / "cells-validation.json", pictures, "validation")
    workspace.view("findings", "tagging").add(sources / "findings.csv", pictures)
    workspace.view("smears", "classification").add(sources / "smears.csv", pictures)


def train_detector(found: list[Candidates], truth: Truth, rounds: int) -> Softmax:
    x, y = [], []
    for number in range(TRAINING):
        cells = truth.boxes[number]
        boxes = np.array([cell.box for cell in cells], float).reshape(-1, 4)
        concepts = np.array([CELLS.index(cell.concept) for cell in cells], np.int64)
        x.append(found[number].features)
        y.append(targets(found[number].box, boxes, concepts, len(CELLS)))
    return train(np.vstack(x), np.vstack(y), rounds)


def write_boxes(path: Path, fields: list[Field], found: list[Candidates], scores: list[Float64Array]) -> None:
    results = []
    for number in range(len(fields)):
        for concept in range(len(CELLS)):
            rows = np.flatnonzero(scores[number][:, concept] >= FLOOR)
            for row in rows[suppressed(found[number].box[rows], scores[number][rows, concept])]:
                box = [round(float(side), 1) for side in found[number].box[row]]
                results.append(
                    {"image_id": number, "category_id": concept + 1, "bbox": box, "score": round(float(scores[number][row, concept]), 4)}
                )
    path.write_text(json.dumps(results))


def whole_picture_features(pictures: list[np.ndarray], scores: list[Float64Array], rich: bool) -> Float64Array:
    """v1 sees colours; v2 also what the detector found, and how sharp the picture is."""
    rows = []
    for picture, found in zip(pictures, scores, strict=True):
        small = picture[::4, ::4].astype(float) / 255
        colours = [*small.mean((0, 1)), *small.std((0, 1)), *np.percentile(small[..., 1], [2, 10, 30])]
        if not rich:
            rows.append(np.array(colours))
            continue
        green = picture[..., 1].astype(float)
        sharp = [np.log(np.abs(np.diff(green, axis=axis)).mean()) for axis in (0, 1)]
        sharp.append(np.log(np.abs(np.diff(green[::2, ::2], 2, axis=0)).mean()))
        top = np.sort(np.vstack([found[:, :-1], np.zeros((3, len(CELLS)))]), axis=0)[::-1]
        rows.append(np.concatenate([colours, sharp, top[:3].ravel(), np.log1p(found[:, :-1].sum(0)), (found[:, :-1] > 0.5).sum(0)]))
    return np.array(rows)


def finding_scores(x: Float64Array, truth: Truth, rich: bool) -> Float64Array:
    """One small model a finding."""
    columns = []
    for name in FINDINGS:
        there = np.array([name in findings for findings in truth.findings], float)
        model = train(x[:TRAINING], np.stack([1 - there, there], 1)[:TRAINING], 500 if rich else 150, decay=1e-2)
        columns.append(model(x)[:, 1])
    return np.stack(columns, axis=1)


def condition_scores(x: Float64Array, truth: Truth, rich: bool) -> Float64Array:
    wanted = np.eye(len(CONDITIONS))[[CONDITIONS.index(name) for name in truth.conditions]]
    return train(x[:TRAINING], wanted[:TRAINING], 500 if rich else 150, decay=1e-2)(x)


def write_wide(path: Path, names: tuple[str, ...], fields: list[Field], scores: Float64Array) -> None:
    rows = ([made.name, *(f"{value:.4f}" for value in row)] for made, row in zip(fields, scores, strict=True))
    write_rows(path, ["image", *(f"p_{name}" for name in names)], rows)
