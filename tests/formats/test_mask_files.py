"""Masks that are written out and read back cover the same pixels; what holds boxes says so."""

import json

import numpy as np
import pytest

import pellucid
import toys
from pellucid.export.datasets import export_view
from references import masks as reference

BOX_FORMATS = {"voc": "", "csv": ".csv", "parquet": ".parquet", "fiftyone": "", "hugging-face": ""}


@pytest.fixture(scope="module", params=[0, 5, 8])
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


def brush_stroke(pixels):
    """Label Studio's stream of bits: runs of RGBA bytes, here of one value each."""
    bits = (
        f"{pixels.size * 4:032b}"
        + f"{7:05b}"
        + "".join(f"{width - 1:04b}" for width in (3, 4, 8, 16))
    )
    content = np.repeat(pixels.ravel().astype(np.uint8) * 255, 4)
    starts = np.flatnonzero(np.diff(content, prepend=content[0] ^ 1))
    for start, end in zip(starts, [*starts[1:], len(content)], strict=True):
        bits += f"1{3:02b}{end - start - 1:016b}{content[start]:08b}"
    bits += "0" * (-len(bits) % 8)
    return [int(bits[place : place + 8], 2) for place in range(0, len(bits), 8)]


def drawn_pixels(seed, height=40, width=60):
    chance = np.random.default_rng(seed)
    return reference.blob(chance, height, width).astype(bool)


@pytest.mark.parametrize("seed", range(3))
def test_label_studio_brushes_are_masks(seed, tmp_path):
    pixels = drawn_pixels(seed)
    result = {
        "type": "brushlabels",
        "original_width": 60,
        "original_height": 40,
        "value": {"format": "rle", "rle": brush_stroke(pixels), "brushlabels": ["dent"]},
    }
    task = {"data": {"image": "1.jpg"}, "annotations": [{"result": [result]}]}
    (tmp_path / "tasks.json").write_text(json.dumps([task]))
    view, _ = pellucid.open(tmp_path / "w").add("v", tmp_path / "tasks.json")
    (outline,) = view.annotation_tables[1].outline
    assert json.loads(outline) == reference.encode(pixels.astype(np.uint8))
    assert view.annotation_tables[1].area.tolist() == [pixels.sum()]


@pytest.mark.parametrize("seed", range(3))
def test_cvat_masks_are_masks(seed, tmp_path):
    pixels = drawn_pixels(seed)
    rows, columns = np.flatnonzero(pixels.any(1)), np.flatnonzero(pixels.any(0))
    part = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    changes = np.flatnonzero(np.diff(part.ravel(), prepend=False))
    runs = np.diff(changes, prepend=0, append=part.size).tolist()
    toys.write(
        tmp_path / "annotations.xml",
        '<annotations><version>1.1</version><image id="0" name="1.jpg" width="60" height="40">'
        f'<mask label="dent" rle="{", ".join(map(str, runs))}" left="{columns[0]}" '
        f'top="{rows[0]}" width="{part.shape[1]}" height="{part.shape[0]}"/></image></annotations>',
    )
    view, _ = pellucid.open(tmp_path / "w").add("v", tmp_path / "annotations.xml")
    (outline,) = view.annotation_tables[1].outline
    assert json.loads(outline) == reference.encode(pixels.astype(np.uint8))
