"""Lists of the images of each split beside the annotations, in every format of folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import pellucid
import toys
from pellucid.core.errors import PellucidError
from pellucid.core.tables import SPLITS

TRAINING, VALIDATION = ("i0", "i1", "i2", "i3"), ("i4", "i5")
EXPECTED = {**dict.fromkeys(TRAINING, "training"), **dict.fromkeys(VALIDATION, "validation")}


def splits(source: Path, tmp_path: Path) -> dict[str, str]:
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    images = view.annotation_tables[0]
    return {
        Path(path).stem: SPLITS[split] if split >= 0 else ""
        for path, split in zip(images.path, images.split, strict=True)
    }


def write_voc(folder: Path) -> None:
    for name in EXPECTED:
        toys.write(
            folder / "Annotations" / f"{name}.xml",
            f"<annotation><filename>{name}.jpg</filename><size><width>90</width>"
            "<height>80</height></size><object><name>cat</name><bndbox><xmin>10</xmin>"
            "<ymin>10</ymin><xmax>50</xmax><ymax>60</ymax></bndbox></object></annotation>",
        )


def write_kitti(folder: Path) -> None:
    line = "Car 0.00 0 -1.57 10 20 110 90 1.5 1.6 3.7 1 1.5 8 -1.6\n"
    for name in EXPECTED:
        toys.write(folder / "training" / "label_2" / f"{name}.txt", line)


def write_dota(folder: Path) -> None:
    for name in EXPECTED:
        toys.write(folder / "labelTxt" / f"{name}.txt", "1 1 9 1 9 9 1 9 ship 0\n")


def write_yolo(folder: Path) -> None:
    toys.write(folder / "classes.txt", "cat\n")
    for name in EXPECTED:
        toys.picture(folder / "images" / f"{name}.jpg")
        toys.write(folder / "labels" / f"{name}.txt", "0 0.5 0.5 0.2 0.2\n")


def write_coco(folder: Path) -> None:
    images = [
        {"id": index, "file_name": f"{name}.jpg", "width": 90, "height": 80}
        for index, name in enumerate(EXPECTED)
    ]
    boxes = [
        {"id": index, "image_id": index, "category_id": 1, "bbox": [1, 2, 30, 40]}
        for index in range(len(images))
    ]
    folder.mkdir(parents=True)
    toys.coco(folder, "annotations.json", images=images, annotations=boxes, pictures=False)


LISTS = [
    pytest.param(write_voc, "ImageSets/Main/{}.txt", "{}", id="VOC"),
    pytest.param(write_voc, "ImageSets/Main/{}.txt", "JPEGImages/{}.jpg", id="VOC paths"),
    pytest.param(write_voc, "ImageSets/Main/{}.txt", "{}.xml", id="VOC annotation files"),
    pytest.param(write_voc, "ImageSets/Main/{}.txt", "/content/JPEGImages/{}.jpg", id="absolute"),
    pytest.param(write_voc, "imagesets/main/{}.txt", "{}", id="VOC lower case"),
    pytest.param(write_voc, "ImageSets/{}.txt", "{}", id="VOC without Main"),
    pytest.param(write_voc, "ImageSets/Main/cat_{}.txt", "{}  1", id="VOC lists of a class"),
    pytest.param(write_voc, "{}_list.txt", "JPEGImages/{}.jpg Annotations/{}.xml", id="Paddle"),
    pytest.param(write_voc, "splits/{}.txt", "{}", id="folder splits"),
    pytest.param(write_voc, "VOC2007/ImageSets/Main/{}.txt", "{}", id="VOC below a folder"),
    pytest.param(write_kitti, "ImageSets/{}.txt", "{}", id="KITTI"),
    pytest.param(write_dota, "{}.txt", "{}.png", id="DOTA"),
    pytest.param(write_yolo, "{}.txt", "images/{}.jpg", id="YOLO without settings"),
    pytest.param(write_coco, "{}.txt", "{}.jpg", id="COCO"),
]


@pytest.mark.parametrize(("write", "name", "line"), LISTS)
def test_lists_give_the_splits(
    write: Callable[[Path], None], name: str, line: str, tmp_path: Path
) -> None:
    source = tmp_path / "set"
    write(source)
    for split, images in (("train", TRAINING), ("val", VALIDATION)):
        text = "".join(f"{line.replace('{}', image)}\n" for image in images)
        toys.write(source / name.format(split), text)
    assert splits(source, tmp_path) == EXPECTED


def test_lines_that_are_no_names_are_passed_over(tmp_path: Path) -> None:
    source = tmp_path / "set"
    write_voc(source)
    lines = [*TRAINING, "/", "..", ".", "#"]
    toys.write(source / "ImageSets/Main/train.txt", "\n".join(lines) + "\n")
    toys.write(source / "ImageSets/Main/val.txt", "\n".join(VALIDATION) + "\n")
    assert splits(source, tmp_path) == EXPECTED


def test_images_in_no_list_are_said(tmp_path: Path) -> None:
    source = tmp_path / "set"
    write_voc(source)
    toys.write(source / "ImageSets/Main/train.txt", "\n".join(TRAINING) + "\n")
    _, notes = pellucid.open(tmp_path / "w").add("v", source)
    assert "2 images in no list of a split" in [note.message for note in notes]


def test_lists_of_other_images_are_said(tmp_path: Path) -> None:
    source = tmp_path / "set"
    write_coco(source)
    toys.write(source / "train.txt", "other-1.jpg\nother-2.jpg\ni0.jpg\n")
    _, notes = pellucid.open(tmp_path / "w").add("v", source)
    assert any("lists of splits not read" in note.message for note in notes)


def test_an_image_in_two_splits_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "set"
    write_coco(source)
    toys.write(source / "train.txt", "i0.jpg\ni1.jpg\n")
    toys.write(source / "val.txt", "i1.jpg\ni2.jpg\n")
    with pytest.raises(PellucidError, match=r"'i1\.jpg': it is also listed as training"):
        pellucid.open(tmp_path / "w").add("v", source)


@pytest.mark.parametrize("key", ["val", "validation", "valid"])
def test_the_key_of_the_validation_split_in_yolo_settings(key: str, tmp_path: Path) -> None:
    """ultralytics takes `validation` for `val`."""
    source = tmp_path / "set"
    for name, split in EXPECTED.items():
        toys.picture(source / "images" / split / f"{name}.jpg")
        toys.write(source / "labels" / split / f"{name}.txt", "0 0.5 0.5 0.2 0.2\n")
    settings = f"train: images/training\n{key}: images/validation\nnames: [cat]\n"
    toys.write(source / "data.yaml", settings)
    assert splits(source, tmp_path) == EXPECTED


def test_the_lists_of_segmentation_are_not_those_of_detection(tmp_path: Path) -> None:
    source = tmp_path / "set"
    write_voc(source)
    for split, images in (("train", TRAINING), ("val", VALIDATION)):
        toys.write(source / f"ImageSets/Main/{split}.txt", "\n".join(images) + "\n")
    toys.write(source / "ImageSets/Segmentation/train.txt", "i5\n")
    assert splits(source, tmp_path) == EXPECTED
