"""Masks, oriented boxes and keypoints, evaluated in partitions: to the last bit what one process
made of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
import toys
from pellucid.evaluation.match_result import MATCHED
from pellucid.project import Version

IMAGES, CONCEPTS = 60, ("ant", "bee", "cow")
GEOMETRIES = ("mask", "oriented_box", "keypoints", "box")


def drawn_object(draw: np.random.Generator, geometry: str) -> dict[str, Any]:
    """A turned rectangle, or three of its corners as keypoints, in an image of 64 x 48."""
    left, top, width, height = (int(value) for value in draw.integers(2, 6, 4))
    x, y = 5 * left + 3 * height, 3 * top
    points = [(x, y), (x + 4 * width, y + 3 * width)]
    points += [(px - 3 * height, py + 4 * height) for px, py in reversed(points)]
    box = [x - 3 * height, y, 4 * width + 3 * height, 3 * width + 4 * height]
    shape: dict[str, Any] = {"segmentation": [[number for point in points for number in point]]}
    if geometry == "keypoints":
        visible = [(*point, int(draw.integers(1, 3))) for point in points[:3]]
        shape = {"keypoints": [n for point in visible for n in point], "num_keypoints": 3}
    return {**shape, "bbox": box, "area": 25 * width * height + 0.25}


def drawn(geometry: str, folder: Path, seed: int = 5) -> Version:
    """Few distinct scores, crowd, images without annotations or predictions."""
    draw = np.random.default_rng(seed)

    def rows(count: int, **fields: Any) -> list[dict[str, Any]]:
        return [
            {
                "id": number + 1,
                "image_id": int(draw.integers(IMAGES)),
                "category_id": int(draw.choice(3, p=[0.7, 0.2, 0.1])) + 1,
                **drawn_object(draw, geometry),
                **{name: value() for name, value in fields.items()},
            }
            for number in range(count)
        ]

    document = {
        "images": [
            {"id": n, "file_name": f"{n:03}.png", "width": 64, "height": 48} for n in range(IMAGES)
        ],
        "annotations": rows(150, iscrowd=lambda: int(draw.random() < 0.1)),
        "categories": [
            {"id": n + 1, "name": name, "keypoints": ["a", "b", "c"]}
            for n, name in enumerate(CONCEPTS)
        ],
    }
    predicted = rows(700, score=lambda: int(draw.integers(1, 20)) / 20)
    source = toys.write(folder / "a.json", json.dumps(document))
    version = pellucid.open(folder / "w").add("v", source)[0].start("m")
    version.add_predictions(
        toys.write(folder / "p.json", json.dumps(predicted)), boxes="xywh-pixels", geometry=geometry
    )
    return version


def bits(version: Version) -> dict[str, str]:
    """Of every table and of the mapped columns."""
    files = (file for file in version.folder.iterdir() if file.suffix in (".parquet", ".mapped"))
    return {
        f"{file.name.split('.')[0]}{file.suffix}": hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(files)
    }


@pytest.mark.quick_cases(4)
@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("rows", [40, 10**6])
def test_result_is_independent_of_the_number_of_shards(
    geometry: str, rows: int, tmp_path: Path
) -> None:
    version = drawn(geometry, tmp_path)
    expected, figures = bits(version), version.metrics()
    assert version.manifest.geometry == geometry
    assert (version.evaluation.state == MATCHED).sum() > 10
    version.evaluate(rows=rows)
    assert bits(version) == expected
    assert version.metrics() == figures
