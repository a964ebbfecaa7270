"""Names that could be lost: of images in nested folders, with line breaks, of odd concepts."""

import json

import pytest

import pellucid
import toys
from pellucid.export.datasets import export_view
from pellucid.formats.annotation_sources import parse_annotations
from pellucid.formats.errors import ExportError

SHAPE = {"label": "x", "points": [[1, 2], [30, 40]], "shape_type": "rectangle"}
OBJECT = (
    "<object><name>x</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax>"
    "</bndbox></object>"
)


def write_labelme(path, image_name):
    toys.write(path.with_suffix(".json"), json.dumps({"imagePath": image_name, "shapes": [SHAPE]}))


def write_voc(path, image_name):
    toys.write(
        path.with_suffix(".xml"),
        f"<annotation><filename>{image_name}</filename>{OBJECT}</annotation>",
    )


WRITERS = pytest.mark.parametrize("write", [write_labelme, write_voc])


@WRITERS
def test_same_names_in_different_folders_are_different_images(write, tmp_path):
    for camera in ("left", "right"):
        write(tmp_path / "set" / camera / "1", "1.jpg")
    source = parse_annotations(tmp_path / "set")
    assert list(source.images.path) == ["left/1.jpg", "right/1.jpg"]


@WRITERS
def test_images_beside_their_annotations(write, tmp_path):
    for camera in ("left", "right"):
        write(tmp_path / "set" / camera / camera, f"{camera}.jpg")
        toys.picture(tmp_path / "set" / camera / f"{camera}.jpg")
    source = parse_annotations(tmp_path / "set")
    assert list(source.images.path) == ["left/left.jpg", "right/right.jpg"]


@WRITERS
@pytest.mark.parametrize("picture", ["1.jpg", "left/1.jpg"])
def test_the_image_folder_decides(write, picture, tmp_path):
    write(tmp_path / "set" / "left" / "1", "1.jpg")
    toys.picture(tmp_path / "images" / picture)
    view, _ = pellucid.open(tmp_path / "w").add("v", tmp_path / "set", images=tmp_path / "images")
    assert list(view.images_and_folders[0].path) == [picture]


@WRITERS
def test_folders_of_annotations_are_not_part_of_the_name(write, tmp_path):
    for camera in ("left", "right"):
        write(tmp_path / "set" / "Annotations" / camera / "1", "1.jpg")
    source = parse_annotations(tmp_path / "set")
    assert list(source.images.path) == ["left/1.jpg", "right/1.jpg"]


@pytest.mark.parametrize("form", ["voc", "cvat", "labelme", "coco"])
def test_line_breaks_in_names_come_back(form, tmp_path):
    images = [{"id": 1, "file_name": "a\rb\nc.png", "width": 64, "height": 48}]
    boxes = [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 40]}]
    view, _ = pellucid.open(tmp_path / "w").add(
        "v", toys.coco(tmp_path, images=images, annotations=boxes, pictures=False)
    )
    target = tmp_path / ("out.json" if form == "coco" else "out")
    export_view(view, "annotations", form, target)
    source = parse_annotations(target)
    assert [path.rpartition("/")[2] for path in source.images.path] == ["a\rb\nc.png"]


def test_concept_that_tables_take_for_a_missing_one_is_not_exported(tmp_path):
    source = toys.coco(tmp_path, categories=[{"id": 1, "name": "NaN"}, {"id": 2, "name": "a"}])
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    with pytest.raises(ExportError, match="'NaN' would be read as a missing one"):
        export_view(view, "annotations", "csv", tmp_path / "out.csv")
