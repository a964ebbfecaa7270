"""Columns of the size of the image beside those of the boxes, in any names."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest

import pellucid
import toys
from pellucid.core.errors import PellucidError

ROWS = [
    ("a.jpg", 640, 480, "cat", (300, 200, 33, 25)),
    ("a.jpg", 640, 480, "dog", (20, 30, 60, 50)),
    ("b.jpg", 800, 600, "cat", (100, 90, 150, 160)),
    ("b.jpg", 800, 600, "dog", (400, 300, 48, 39)),
]
BOXES = [list(box) for *_, box in ROWS]
SIZES = [("width", "height"), ("w", "h"), ("img_w", "img_h"), ("Width", "Height"), ("W", "H")]
CORNERS = [("x", "y"), ("left", "top"), ("xmin", "ymin"), ("bx", "by"), ("px", "py")]
EXTENTS = [("bw", "bh"), ("box_w", "box_h"), ("obj_w", "obj_h"), ("dx", "dy"), ("wd", "ht")]


def boxes_of(folder: Path, columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> object:
    lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    source = toys.write(folder / "a.csv", "\n".join(lines) + "\n")
    view, _ = pellucid.open(folder / "w").add("v", source)
    annotations = view.annotation_tables[1]
    return None if annotations.box is None else annotations.box.tolist()


@pytest.mark.quick_cases(8)
@pytest.mark.parametrize(("size", "extent"), list(product(SIZES, EXTENTS)))
def test_the_size_of_the_image_is_not_that_of_the_box(
    size: tuple[str, str], extent: tuple[str, str], tmp_path: Path
) -> None:
    for number, corner in enumerate(CORNERS):
        columns = ("image", *size, "label", *corner, *extent)
        rows = [(image, w, h, label, *box) for image, w, h, label, box in ROWS]
        assert boxes_of(tmp_path / str(number), columns, rows) == BOXES, columns


@pytest.mark.parametrize("size", SIZES)
def test_a_corner_and_the_opposite_one(size: tuple[str, str], tmp_path: Path) -> None:
    columns = ("image", *size, "label", "x", "y", "x_max", "y_max")
    rows = [
        (image, w, h, label, x, y, x + width, y + height)
        for image, w, h, label, (x, y, width, height) in ROWS
    ]
    assert boxes_of(tmp_path, columns, rows) == BOXES


@pytest.mark.parametrize("names", [("a", "b"), ("breadth", "tallness")])
def test_unknown_names_beside_a_size_that_is_the_same_in_an_image(
    names: tuple[str, str], tmp_path: Path
) -> None:
    """All boxes of an image would have one size, and the true ones would not be read."""
    columns = ("image", "width", "height", "label", "x", "y", *names)
    rows = [(image, w, h, label, *box) for image, w, h, label, box in ROWS]
    with pytest.raises(PellucidError, match="several columns could be the box"):
        boxes_of(tmp_path, columns, rows)


def test_boxes_of_one_size_are_boxes(tmp_path: Path) -> None:
    """Cut out around points, with no other columns that could be the size."""
    rows = [(image, label, *box[:2], 32, 32) for image, _, _, label, box in ROWS]
    columns = ("image", "label", "x", "y", "width", "height")
    assert boxes_of(tmp_path, columns, rows) == [[*box[:2], 32, 32] for box in BOXES]


OBJECTS = [
    pytest.param({"p1": [10, 20], "p2": [60, 80]}, {"p1": [90, 20], "p2": [99, 80]}, id="points"),
    pytest.param({"a": 1, "b": 2, "c": 3, "d": 4}, {"a": 5, "b": 6, "c": 7, "d": 8}, id="columns"),
]


@pytest.mark.parametrize(("box", "other"), OBJECTS)
def test_objects_whose_boxes_nobody_reads_are_no_tags(
    box: dict[str, object], other: dict[str, object], tmp_path: Path
) -> None:
    """The same concept twice in an image shows that the rows are objects."""
    records = [
        {"image": image, "objects": [{"name": "cat", **box}, {"name": "cat", **other}]}
        for image in ("a.jpg", "b.jpg")
    ]
    source = toys.write(tmp_path / "a.json", json.dumps(records))
    with pytest.raises(PellucidError, match="look like boxes, but their layout is not known"):
        pellucid.open(tmp_path / "w").add("v", source)


@pytest.mark.parametrize("key", ["confidence", "conf", "probability"])
def test_scores_of_coco_records_by_another_name(key: str, tmp_path: Path) -> None:
    boxes = [[10 * n, 20, 100, 90] for n in range(1, 8)]
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 640, "height": 480} for n in range(1, 8)]
    annotations = [
        {"id": n, "image_id": n, "category_id": 1, "bbox": box} for n, box in enumerate(boxes, 1)
    ]
    source = toys.coco(tmp_path, images=images, annotations=annotations, pictures=False)
    records = [
        {"image_id": n, "category_id": 1, "bbox": box, key: 0.9} for n, box in enumerate(boxes, 1)
    ]
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    version = view.start("m")
    version.add_predictions(toys.write(tmp_path / "p.json", json.dumps(records)))
    assert version.metrics().overall.coco["AP"] == pytest.approx(1)
