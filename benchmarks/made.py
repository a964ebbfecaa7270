"""Made-up sets of the shape of COCO val2017: seeded, with realistic scores, crowding and concept frequencies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

WIDTH, HEIGHT = 640, 480


@dataclass(frozen=True)
class Size:
    images: int
    concepts: int
    annotations: int
    predictions: int


COCO = Size(5_000, 80, 36_800, 500_000)
MILLION = Size(10_000, 80, 73_600, 1_000_000)
SMALL = Size(200, 12, 1_500, 12_000)


@dataclass(frozen=True, eq=False)
class Made:
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


def make(size: Size, seed: int = 0) -> Made:
    """Concepts follow a power law; images are crowded unevenly; true boxes are found with jitter and several times over."""
    random = np.random.default_rng(seed)
    popularity = 1 / np.arange(1, size.concepts + 1) ** 0.9
    crowding = random.gamma(1.2, 1, size.images)
    annotation_image = random.choice(size.images, size.annotations, p=crowding / crowding.sum())
    annotation_concept = random.choice(size.concepts, size.annotations, p=popularity / popularity.sum())
    annotation_box = boxes(size.annotations, random)
    found = int(size.predictions * 0.12)
    of = random.integers(0, size.annotations, found)
    jitter = random.normal(0, 0.12, (found, 4)) * annotation_box[of][:, [2, 3, 2, 3]]
    near = annotation_box[of] + jitter
    near[:, 2:] = np.maximum(near[:, 2:], 1)
    rest = size.predictions - found
    image = np.concatenate([annotation_image[of], random.choice(size.images, rest, p=crowding / crowding.sum())])
    concept = np.concatenate([annotation_concept[of], random.choice(size.concepts, rest, p=popularity / popularity.sum())])
    box = np.concatenate([near, boxes(rest, random)]).round(2)
    score = np.concatenate([random.beta(2.2, 2.2, found), random.beta(0.7, 7, rest)]).clip(0.001, 0.999).round(5)
    order = random.permutation(size.predictions)
    return Made(
        size, annotation_image, annotation_concept, annotation_box.round(2), random.random(size.annotations) < 0.01,
        image[order], concept[order], box[order], score[order],
    )  # fmt: skip


def boxes(number: int, random: np.random.Generator) -> np.ndarray:
    """COCO-like sizes: many small, few large."""
    width = np.minimum(np.exp(random.normal(3.9, 0.95, number)), WIDTH * 0.9)
    height = np.minimum(np.exp(random.normal(3.9, 0.95, number)), HEIGHT * 0.9)
    left = random.random(number) * (WIDTH - width)
    top = random.random(number) * (HEIGHT - height)
    return np.stack([left, top, width, height], axis=1)


def write_coco(made: Made, folder: Path) -> tuple[Path, Path]:
    """As COCO annotations and results."""
    folder.mkdir(parents=True, exist_ok=True)
    annotations = {
        "images": [{"id": row, "file_name": f"{row:08d}.jpg", "width": WIDTH, "height": HEIGHT} for row in range(made.size.images)],
        "categories": [{"id": row + 1, "name": f"concept {row:03d}"} for row in range(made.size.concepts)],
        "annotations": [
            {"id": row + 1, "image_id": image, "category_id": concept + 1, "bbox": box, "area": box[2] * box[3], "iscrowd": int(crowd)}
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
    rows = zip(made.image.tolist(), made.concept.tolist(), made.box.tolist(), made.score.tolist(), strict=True)
    results = [{"image_id": image, "category_id": concept + 1, "bbox": box, "score": score} for image, concept, box, score in rows]
    (folder / "results.json").write_text(json.dumps(results))
    return folder / "annotations.json", folder / "results.json"
