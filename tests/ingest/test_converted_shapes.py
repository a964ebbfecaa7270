"""Boxes that are read in another form than written do not leave their shapes behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import pellucid
import toys
from pellucid.core.errors import PellucidError
from pellucid.project import Workspace

WIDTH, HEIGHT = 800, 500
TRIANGLES = [
    [[20 + 31 * n, 40 + 13 * n], [120 + 33 * n, 50 + 11 * n], [60 + 30 * n, 160 + 12 * n]]
    for n in range(20)
]
Point = list[float]


def document(change: Callable[[Point], Point], scored: bool) -> object:
    """COCO annotations of the triangles, or results without boxes, with changed points."""
    rows = [
        {
            "id": number + 1,
            "image_id": number + 1,
            "category_id": 1,
            "segmentation": [[value for point in points for value in change(point)]],
            **({"score": 0.9} if scored else {}),
        }
        for number, points in enumerate(TRIANGLES)
    ]
    images = [
        {"id": n + 1, "file_name": f"{n}.png", "width": WIDTH, "height": HEIGHT}
        for n in range(len(TRIANGLES))
    ]
    categories = [{"id": 1, "name": "dent"}]
    return rows if scored else {"images": images, "annotations": rows, "categories": categories}


def unchanged(point: Point) -> Point:
    return point


CHANGES: dict[str, Callable[[Point], Point]] = {
    "y first": lambda point: [point[1], point[0]],
    "of images in a square of 640": lambda point: [
        point[0] * 640 / WIDTH,
        (point[1] * 640 / WIDTH) + (640 - HEIGHT * 640 / WIDTH) / 2,
    ],
}


@pytest.fixture
def view(workspace: Workspace, tmp_path: Path) -> pellucid.View:
    source = toys.write(tmp_path / "a.json", json.dumps(document(unchanged, scored=False)))
    return workspace.add("v", source)[0]


def results(folder: Path, change: Callable[[Point], Point]) -> Path:
    return toys.write(folder / "p.json", json.dumps(document(change, scored=True)))


def test_shapes_as_they_are(view: pellucid.View, tmp_path: Path) -> None:
    version = view.start("m")
    version.add_predictions(results(tmp_path, unchanged))
    coco = version.metrics().overall.coco
    assert coco is not None
    assert coco["AP"] == pytest.approx(1)


@pytest.mark.parametrize("name", CHANGES)
def test_other_shapes_are_refused(name: str, view: pellucid.View, tmp_path: Path) -> None:
    source = results(tmp_path, CHANGES[name])
    with pytest.raises(PellucidError, match="its shapes agree with the annotations in another"):
        view.version_or_draft("m").add_predictions(source)
    version = view.version_or_draft("m")
    version.add_predictions(source, geometry="box")
    assert version.metrics().overall.errors == 0


def test_shapes_that_are_not_read_are_refused(view: pellucid.View, tmp_path: Path) -> None:
    """Predictions of an own program: their boxes are read, their outlines are not."""
    rows = [
        {
            "image": f"{number}.png",
            "label": "dent",
            "score": 0.9,
            "bbox": [points[0][0], points[0][1], 100, 120],
            "segmentation": [[1, 1, 3, 1, 3, 3]],
        }
        for number, points in enumerate(TRIANGLES)
    ]
    source = toys.write(tmp_path / "p.json", json.dumps(rows))
    with pytest.raises(PellucidError, match="column segmentation: shapes of tables are not read"):
        view.version_or_draft("m").add_predictions(source, boxes="xywh-pixels")


def test_boxes_in_fractions_beside_outlines_in_pixels(workspace: Workspace, tmp_path: Path) -> None:
    annotations = document(unchanged, scored=False)
    assert isinstance(annotations, dict)
    for row, points in zip(annotations["annotations"], TRIANGLES, strict=True):
        xs, ys = zip(*points, strict=True)
        width, height = max(xs) - min(xs), max(ys) - min(ys)
        row["bbox"] = [min(xs) / WIDTH, min(ys) / HEIGHT, width / WIDTH, height / HEIGHT]
    source = toys.write(tmp_path / "a.json", json.dumps(annotations))
    view, notes = workspace.add("fractions", source)
    assert not [note for note in notes if note.kind == "shapes_disagree"]
    version = view.start("m")
    version.add_predictions(results(tmp_path, unchanged))
    coco = version.metrics().overall.coco
    assert coco is not None
    assert coco["AP"] == pytest.approx(1)
