"""JSON that is ordered by image: a file for each, or entries under a key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import pellucid
import toys

BOX = {"label": "cat", "bbox": [10, 20, 100, 90]}
OBJECTS: dict[str, list[dict[str, Any]]] = {
    "a.jpg": [BOX],
    "b.jpg": [BOX, {**BOX, "label": "dog"}],
    "c.jpg": [],
}


def boxes_by_image(source: Path, folder: Path, **options: Any) -> dict[str, list[str]]:
    view, _ = pellucid.open(folder / "w").add("v", source, boxes="xywh-pixels", **options)
    images, annotations, *_ = view.annotation_tables
    found: dict[str, list[str]] = {str(path): [] for path in images.path}
    names = [concept.name for concept in view.manifest.concepts]
    for image, concept in zip(annotations.image, annotations.concept, strict=True):
        found[str(images.path[image])].append(names[concept])
    return {path: sorted(names) for path, names in found.items()}


EXPECTED = {"a.jpg": ["cat"], "b.jpg": ["cat", "dog"], "c.jpg": []}


@pytest.mark.parametrize("objects", ["objects", "annotations"])
@pytest.mark.parametrize("image", ["image", "filename", "file_name"])
@pytest.mark.parametrize("format", [None, "json"])
def test_a_file_for_each_image(
    objects: str, image: str, format: str | None, tmp_path: Path
) -> None:
    for name, boxes in OBJECTS.items():
        document = {image: name, "width": 640, "height": 480, objects: boxes}
        toys.write(tmp_path / "set" / f"{name[0]}.json", json.dumps(document))
    assert boxes_by_image(tmp_path / "set", tmp_path, format=format) == EXPECTED


def test_folders_of_files_name_the_split(tmp_path: Path) -> None:
    for name, split in (("a.jpg", "train"), ("b.jpg", "val")):
        document = {"image": name, "objects": OBJECTS[name]}
        toys.write(tmp_path / "set" / split / f"{name[0]}.json", json.dumps(document))
    view, _ = pellucid.open(tmp_path / "w").add("v", tmp_path / "set", boxes="xywh-pixels")
    assert view.images_by_split == {"training": 1, "validation": 1}


@pytest.mark.parametrize("key", ["images", "data", "ground_truth"])
def test_entries_by_image_under_a_key(key: str, tmp_path: Path) -> None:
    """`images` is a list in COCO, and here an object."""
    entries = {name: {"objects": boxes} for name, boxes in OBJECTS.items()}
    source = toys.write(tmp_path / "a.json", json.dumps({"version": 3, key: entries}))
    assert boxes_by_image(source, tmp_path) == EXPECTED


def test_coordinates_of_another_program_are_not_those_of_createml(tmp_path: Path) -> None:
    sides = {"left": 10, "top": 20, "right": 110, "bottom": 110}
    records = [
        {"image": name, "objects": [{"name": box["label"], "coordinates": sides} for box in boxes]}
        for name, boxes in OBJECTS.items()
    ]
    source = toys.write(tmp_path / "a.json", json.dumps(records))
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    assert view.annotation_tables[1].box.tolist() == [[10, 20, 100, 90]] * 3
