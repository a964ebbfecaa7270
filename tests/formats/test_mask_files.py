"""Masks that are written out and read back cover the same pixels; what holds boxes says so."""

import pytest

import pellucid
from pellucid.export.datasets import export_view
from references import masks as reference

BOX_FORMATS = {"voc": "", "csv": ".csv", "parquet": ".parquet", "fiftyone": "", "hugging-face": ""}


@pytest.fixture(scope="module", params=[0, 5])
def version(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("masks")
    masked = reference.random_set(request.param, images=6)
    masked.write(folder, pictures=True)
    return masked.version(folder)[0]


def masks_by_image(evaluation, table):
    """The masks of each image, by its name alone: some formats put pictures into a folder."""
    names = [str(path).rsplit("/", maxsplit=1)[-1] for path in evaluation.images.path]
    rows = zip(table.image.tolist(), table.mask.texts(), table.ignore.tolist(), strict=True)
    return sorted((names[image], text) for image, text, ignore in rows if not ignore)


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("coco", ".json"), ("coco", ""), ("yolo", ""), ("cvat", ".xml"), ("label-studio", ".json")],
)
def test_annotated_masks_return_to_the_pixel(name, suffix, version, tmp_path):
    path = tmp_path / f"written{suffix}"
    notes = export_view(version.view, "annotations", name, path)
    assert not [note for note in notes if note.kind == "outlines_left_out"]
    pictures = version.view.workspace.folder.parent / "images"
    view, _ = pellucid.open(tmp_path / "again").add(
        "v", path, images=None if not suffix else pictures
    )
    evaluation = version.results().evaluation
    again = view.start("m")
    export_view(version.view, "predictions", "yolo", tmp_path / "labels", version=version)
    again.add_predictions(tmp_path / "labels", image_ids="file-stem")
    read = view.version("m").results().evaluation
    assert read.geometry == "mask"
    assert masks_by_image(read, read.annotations) == masks_by_image(
        evaluation, evaluation.annotations
    )
    assert sorted(read.predictions.mask.texts()) == sorted(evaluation.predictions.mask.texts())


@pytest.mark.parametrize("name", ["coco", "yolo"])
def test_predicted_masks_return_to_the_pixel(name, version, tmp_path):
    path = tmp_path / ("written.json" if name == "coco" else "written")
    export_view(version.view, "predictions", name, path, version=version)
    again = version.view.version_or_draft(f"again-{name}")
    again.add_predictions(path)
    read, first = again.results().evaluation, version.results().evaluation
    assert reference.mask_texts(read.predictions) == reference.mask_texts(first.predictions)
    if name == "coco":
        assert again.metrics("validation").overall == version.metrics("validation").overall


@pytest.mark.parametrize(("name", "suffix"), BOX_FORMATS.items())
def test_lost_outlines_are_told(name, suffix, version, tmp_path):
    notes = export_view(version.view, "annotations", name, tmp_path / f"written{suffix}")
    lost = next(note for note in notes if note.kind == "outlines_left_out")
    assert "files hold boxes" in lost.message


def test_frozen_annotations_keep_their_outlines(version, tmp_path):
    """Also those of a version that compares boxes."""
    boxes = version.view.version_or_draft("boxes")
    boxes.add_predictions(version.view.workspace.folder.parent / "dt.json", geometry="box")
    export_view(version.view, "annotations", "coco", tmp_path / "a.json", version=boxes)
    view, _ = pellucid.open(tmp_path / "again").add("v", tmp_path / "a.json")
    first = version.view.annotation_tables[1].outline.tolist()
    assert sum(bool(text) for text in view.annotation_tables[1].outline.tolist()) == sum(
        text.startswith("[") for text in first
    )
