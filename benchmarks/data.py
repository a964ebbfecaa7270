"""Synthetic data in the shape of COCO val2017: seeded, with realistic scores, crowding and
concept frequencies."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from pellucid.evaluation.mask_runs import masks_of_polygons

WIDTH, HEIGHT = 640, 480


@dataclass(frozen=True)
class Size:
    images: int
    concepts: int
    annotations: int
    predictions: int


COCO = Size(5_000, 80, 36_800, 500_000)
TEN_TIMES = Size(50_000, 80, 368_000, 5_000_000)
HUGE = Size(500_000, 1_000, 3_680_000, 50_000_000)
MILLION = Size(10_000, 80, 73_600, 1_000_000)
SMALL = Size(200, 12, 1_500, 12_000)


@dataclass(frozen=True, eq=False)
class SyntheticDataset:
    """Columns: what (image, concept, box) was annotated, and predicted with a score."""

    size: Size
    annotation_image: np.ndarray
    annotation_concept: np.ndarray
    annotation_box: np.ndarray
    crowd: np.ndarray
    image: np.ndarray
    concept: np.ndarray
    box: np.ndarray
    score: np.ndarray


@dataclass(frozen=True, eq=False)
class SyntheticAnnotations:
    """What was annotated, and how concepts and images are spread."""

    image: np.ndarray
    concept: np.ndarray
    box: np.ndarray
    crowd: np.ndarray
    popularity: np.ndarray
    crowding: np.ndarray


def generate_annotations(size: Size, random: np.random.Generator) -> SyntheticAnnotations:
    """Concepts follow a power law; images are crowded unevenly; one annotation in a hundred is
    a crowd."""
    popularity = 1 / np.arange(1, size.concepts + 1) ** 0.9
    crowding = random.gamma(1.2, 1, size.images)
    popularity, crowding = popularity / popularity.sum(), crowding / crowding.sum()
    image = random.choice(size.images, size.annotations, p=crowding)
    concept = random.choice(size.concepts, size.annotations, p=popularity)
    return SyntheticAnnotations(
        image,
        concept,
        generate_boxes(size.annotations, random).round(2),
        random.random(size.annotations) < 0.01,
        popularity,
        crowding,
    )


def generate_predictions(
    size: Size, there: SyntheticAnnotations, number: int, random: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """image, concept, box, score: true boxes with jitter, several times each; the rest is
    placed at random."""
    found = int(number * 0.12)
    of = random.integers(0, size.annotations, found)
    jitter = random.normal(0, 0.12, (found, 4)) * there.box[of][:, [2, 3, 2, 3]]
    near = there.box[of] + jitter
    near[:, 2:] = np.maximum(near[:, 2:], 1)
    rest = number - found
    image = np.concatenate([there.image[of], random.choice(size.images, rest, p=there.crowding)])
    concept = np.concatenate(
        [there.concept[of], random.choice(size.concepts, rest, p=there.popularity)]
    )
    box = np.concatenate([near, generate_boxes(rest, random)]).round(2)
    score = (
        np.concatenate([random.beta(2.2, 2.2, found), random.beta(0.7, 7, rest)])
        .clip(0.001, 0.999)
        .round(5)
    )
    order = random.permutation(number)
    return image[order], concept[order], box[order], score[order]


def generate_dataset(size: Size, seed: int = 0) -> SyntheticDataset:
    random = np.random.default_rng(seed)
    there = generate_annotations(size, random)
    return SyntheticDataset(
        size,
        there.image,
        there.concept,
        there.box,
        there.crowd,
        *generate_predictions(size, there, size.predictions, random),
    )


def generate_boxes(number: int, random: np.random.Generator) -> np.ndarray:
    """COCO-like sizes: many small, few large."""
    width = np.minimum(np.exp(random.normal(3.9, 0.95, number)), WIDTH * 0.9)
    height = np.minimum(np.exp(random.normal(3.9, 0.95, number)), HEIGHT * 0.9)
    left = random.random(number) * (WIDTH - width)
    top = random.random(number) * (HEIGHT - height)
    return np.stack([left, top, width, height], axis=1)


def write_coco(made: SyntheticDataset, folder: Path) -> tuple[Path, Path]:
    """Write COCO annotations and results."""
    folder.mkdir(parents=True, exist_ok=True)
    annotations = {
        "images": [
            {"id": row, "file_name": f"{row:08d}.jpg", "width": WIDTH, "height": HEIGHT}
            for row in range(made.size.images)
        ],
        "categories": [
            {"id": row + 1, "name": f"concept {row:03d}"} for row in range(made.size.concepts)
        ],
        "annotations": [
            {
                "id": row + 1,
                "image_id": image,
                "category_id": concept + 1,
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": int(crowd),
            }
            for row, (image, concept, box, crowd) in enumerate(
                zip(
                    made.annotation_image.tolist(),
                    made.annotation_concept.tolist(),
                    made.annotation_box.tolist(),
                    made.crowd.tolist(),
                    strict=True,
                )
            )
        ],
    }
    (folder / "annotations.json").write_text(json.dumps(annotations))
    rows = zip(
        made.image.tolist(),
        made.concept.tolist(),
        made.box.tolist(),
        made.score.tolist(),
        strict=True,
    )
    results = [
        {"image_id": image, "category_id": concept + 1, "bbox": box, "score": score}
        for image, concept, box, score in rows
    ]
    (folder / "results.json").write_text(json.dumps(results))
    return folder / "annotations.json", folder / "results.json"


ELLIPSE_POINTS = 24


def write_masked_coco(made: SyntheticDataset, folder: Path) -> tuple[Path, Path]:
    """Write the same with masks: an ellipse in each box, annotated as a polygon, predicted as
    compressed run lengths without a bbox."""
    annotations, results = write_coco(made, folder)
    document = json.loads(annotations.read_text())
    for record, polygon in zip(
        document["annotations"], ellipses(made.annotation_box).tolist(), strict=True
    ):
        record["segmentation"] = [polygon]
    annotations.write_text(json.dumps(document))
    count = len(made.box)
    masks = masks_of_polygons(
        [[polygon] for polygon in ellipses(made.box)],
        np.full(count, HEIGHT, np.int32),
        np.full(count, WIDTH, np.int32),
    )
    records = json.loads(results.read_text())
    for record, text in zip(records, masks.texts(), strict=True):
        del record["bbox"]
        record["segmentation"] = {"size": [HEIGHT, WIDTH], "counts": text}
    results.write_text(json.dumps(records))
    return annotations, results


def ellipses(boxes: np.ndarray) -> np.ndarray:
    """float64 (n, 48): the points of an ellipse in each box, x, y, x, y, ..."""
    angles = np.linspace(0, 2 * np.pi, ELLIPSE_POINTS, endpoint=False)
    center, radius = boxes[:, None, :2] + boxes[:, None, 2:] / 2, boxes[:, None, 2:] / 2
    points = center + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.round(points.reshape(len(boxes), -1), 2)


CHUNK_ROWS = 2_500_000


def write_parquet(size: Size, folder: Path, seed: int = 0) -> tuple[Path, Path]:
    """Write Parquet tables with images by file name, in chunks, so that any size fits in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    there = generate_annotations(size, random)
    write_table(
        folder / "annotations.parquet",
        there.image,
        there.concept,
        there.box,
        size.images,
        ignore=there.crowd.astype(np.int8),
    )
    parts = folder / "parts"
    parts.mkdir()
    for place in range(-(-size.predictions // CHUNK_ROWS)):
        number = min(CHUNK_ROWS, size.predictions - place * CHUNK_ROWS)
        image, concept, box, score = generate_predictions(size, there, number, random)
        write_table(parts / f"{place:04d}.parquet", image, concept, box, score=score)
    with duckdb.connect() as connection:
        everything = f"SELECT * FROM read_parquet('{parts}/*.parquet')"
        connection.execute(
            f"COPY ({everything}) TO '{folder / 'predictions.parquet'}' (FORMAT parquet, "
            "COMPRESSION zstd)"
        )
    shutil.rmtree(parts)
    return folder / "annotations.parquet", folder / "predictions.parquet"


def write_table(
    path: Path,
    image: np.ndarray,
    concept: np.ndarray,
    box: np.ndarray,
    images: int = 0,
    **more: np.ndarray,
) -> None:
    """images: the total number of images; images without rows get an empty row."""
    sides = dict(zip(("x", "y", "width", "height"), box.T, strict=True))
    with duckdb.connect() as connection:
        connection.register("given", {"i": image, "c": concept, **sides, **more})
        columns = ", ".join([*sides, *more])
        named = (
            "SELECT printf('%08d.jpg', i) AS image, printf('concept %03d', c) AS concept, "
            f"{columns} FROM given"
        )
        if images:
            empty = (
                f"SELECT printf('%08d.jpg', range) AS image FROM range({images}) WHERE range NOT "
                "IN (SELECT i FROM given)"
            )
            named = f"FROM ({named}) UNION ALL BY NAME {empty}"
        connection.execute(f"COPY ({named}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
