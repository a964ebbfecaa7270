"""Whether masks are compared, and what an import says of them."""

import json

import numpy as np
import pytest
from PIL import Image

import pellucid
import toys
from pellucid.ingest.errors import GeometryUnavailableError, MaskSizeError, StoredMasksError
from references import masks as reference

SQUARE = [[10, 10, 30, 10, 30, 30, 10, 30]]


def annotation(number, image=1, box=(10, 10, 20, 20), **values):
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "bbox": list(box),
        "area": box[2] * box[3],
        "iscrowd": 0,
        **values,
    }


def result(image=1, score=0.9, **values):
    return {"image_id": image, "category_id": 1, "score": score, **values}


def small_set(annotations, results, width=64, height=48):
    images = [{"id": n, "file_name": f"{n}.png", "width": width, "height": height} for n in (1, 2)]
    document = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "c1"}],
    }
    return reference.MaskedSet(document, results)


def encoded(height=48, width=64):
    return reference.encode(reference.pixels_of(SQUARE, height, width))


def kinds(notes):
    return {note.kind: note.message for note in notes}


def imported(masked, folder, **options):
    version, notes = masked.version(folder, **options)
    return version.results().evaluation, kinds(notes)


def test_masks_on_both_sides_are_compared(tmp_path):
    masked = small_set([annotation(1, segmentation=SQUARE)], [result(segmentation=encoded())])
    version, _ = masked.version(tmp_path)
    evaluation = version.results().evaluation
    assert evaluation.geometry == "mask"
    assert evaluation.iou.tolist() == [1.0]
    reading = next(
        r for r in version.manifest.prediction_sources[0].readings if r.question == "geometry"
    )
    assert (reading.answer, reading.alternatives) == ("mask", ["box"])
    assert version.manifest.geometry == "mask"


def test_masks_on_one_side_are_compared_as_boxes_and_it_is_said(tmp_path):
    masked = small_set([annotation(1)], [result(segmentation=encoded())])
    evaluation, notes = imported(masked, tmp_path / "predicted")
    assert evaluation.geometry == "box"
    assert "annotations have none: compared by their boxes" in notes["geometry"]
    masked = small_set([annotation(1, segmentation=SQUARE)], [result(bbox=[10, 10, 20, 20])])
    evaluation, notes = imported(masked, tmp_path / "annotated")
    assert evaluation.geometry == "box"
    assert "predictions have none: compared by their boxes" in notes["geometry"]


@pytest.mark.parametrize("nothing", [[], None])
def test_empty_segmentations_are_no_masks(nothing, tmp_path):
    masked = small_set(
        [annotation(1, segmentation=SQUARE)],
        [result(bbox=[10, 10, 20, 20], segmentation=nothing)],
    )
    evaluation, notes = imported(masked, tmp_path)
    assert evaluation.geometry == "box"
    assert "predictions have none" in notes["geometry"]


def test_the_geometry_can_be_forced(tmp_path):
    masked = small_set([annotation(1, segmentation=SQUARE)], [result(segmentation=encoded())])
    evaluation, _ = imported(masked, tmp_path / "box", geometry="box")
    assert evaluation.geometry == "box"
    masked.results[0] = result(bbox=[10, 10, 20, 20])
    with pytest.raises(GeometryUnavailableError, match="the predictions have no masks"):
        imported(masked, tmp_path / "mask", geometry="mask")


def test_an_object_without_a_mask_counts_with_the_pixels_of_its_box(tmp_path):
    masked = small_set(
        [annotation(1, segmentation=SQUARE), annotation(2, box=(40, 5, 12, 12))],
        [result(segmentation=encoded()), result(bbox=[40, 5, 12, 12], score=0.8)],
    )
    evaluation, notes = imported(masked, tmp_path)
    assert evaluation.geometry == "mask"
    assert evaluation.iou.tolist() == [1.0, 1.0]
    assert "without" in notes["boxes_as_masks"]


def test_polygons_of_two_points_are_no_outline(tmp_path):
    masked = small_set(
        [annotation(1, segmentation=SQUARE), annotation(2, segmentation=[[1, 1, 5, 5]])],
        [result(segmentation=encoded())],
    )
    _, notes = imported(masked, tmp_path)
    assert notes["boxes_as_masks"].startswith("1 annotation without an outline")


def test_coordinates_and_boxes_of_any_size_end(tmp_path):
    far = [[10, 10, 1e15, 10, 30, 30]]
    masked = small_set(
        [
            annotation(1, segmentation=SQUARE),
            annotation(2, segmentation=far),
            annotation(3, image=2, box=(5, 5, 1e14, 1e14)),
        ],
        [
            result(segmentation=encoded()),
            result(image=2, bbox=[5, 5, 1e14, 1e14], score=0.8),
        ],
    )
    evaluation, notes = imported(masked, tmp_path)
    assert (
        notes["boxes_as_masks"].startswith("1 prediction")
        or "2 annotations" in (notes["boxes_as_masks"])
    )
    assert evaluation.iou.tolist() == [1.0, 1.0]


def test_predicted_polygons_are_drawn(tmp_path):
    masked = small_set(
        [annotation(1, segmentation=SQUARE)],
        [result(segmentation=SQUARE), result(image=2, segmentation=encoded(), score=0.5)],
    )
    evaluation, _ = imported(masked, tmp_path)
    assert sorted(evaluation.predictions.mask.texts()) == sorted([encoded()["counts"]] * 2)


def test_a_mask_of_another_size_than_its_image_is_refused(tmp_path):
    masked = small_set(
        [annotation(1, segmentation=SQUARE)], [result(segmentation=encoded(96, 128))]
    )
    with pytest.raises(
        MaskSizeError, match=r"a mask of '1\.png' is 128x96 pixels; the image is 64x48"
    ):
        imported(masked, tmp_path / "large")
    masked.results[0] = result(segmentation=encoded(64, 48))
    with pytest.raises(MaskSizeError, match="exchanged, as by an EXIF orientation"):
        imported(masked, tmp_path / "rotated")


def test_an_annotated_mask_of_another_size_counts_as_its_box(tmp_path):
    masked = small_set(
        [annotation(1, segmentation=encoded(24, 32)), annotation(2, segmentation=SQUARE, image=2)],
        [result(segmentation=encoded())],
    )
    evaluation, notes = imported(masked, tmp_path)
    assert notes["mask_size"].startswith("1 annotated mask does not have the size of the image")
    assert evaluation.iou.tolist() == [1.0]


def test_images_of_unknown_size_have_that_of_their_masks(tmp_path):
    masked = small_set(
        [annotation(1, segmentation=encoded())], [result(segmentation=encoded())], 0, 0
    )
    evaluation, _ = imported(masked, tmp_path)
    assert evaluation.images.width.tolist() == [64, 0]


@pytest.mark.parametrize(
    ("segmentation", "problem"),
    [
        ({"size": [48, 64], "counts": [5, 5]}, "the run lengths cover 10 pixels"),
        ({"size": [48, 64], "counts": "0P"}, "the run lengths cannot be read"),
        ({"size": [0, 64], "counts": "0"}, "size"),
        ({"size": [48, 64], "counts": ""}, "counts without run lengths"),
        (None, "has neither segmentation nor bbox"),
        ([], "polygons without points"),
    ],
)
def test_a_bad_mask_is_named_with_its_record(segmentation, problem, tmp_path):
    masked = small_set(
        [annotation(1, segmentation=SQUARE)],
        [result(segmentation=encoded()), result(segmentation=segmentation)],
    )
    folder = masked.write(tmp_path)
    with pytest.raises(pellucid.PellucidError, match=problem) as error:
        masked.version(folder)
    assert "$[1]" in str(error.value)


def test_later_files_are_compared_as_the_first(tmp_path):
    masked = small_set([annotation(1, segmentation=SQUARE)], [result(segmentation=encoded())])
    folder = masked.write(tmp_path)
    version, _ = masked.version(folder, covered="listed")
    (folder / "boxes.json").write_text(json.dumps([result(image=2, bbox=[1, 1, 8, 8])]))
    notes = kinds(version.add_predictions(folder / "boxes.json", covered="listed"))
    assert notes["boxes_as_masks"].startswith("1 prediction without a mask")
    assert version.results().evaluation.geometry == "mask"
    other = version.view.version_or_draft("boxes")
    other.add_predictions(folder / "boxes.json", covered="listed")
    notes = kinds(other.add_predictions(folder / "dt.json", covered="listed"))
    assert notes["geometry"].startswith("shapes not read")
    other = version.view.version("boxes")
    with pytest.raises(GeometryUnavailableError, match="compares boxes"):
        other.add_predictions(folder / "dt.json", covered="listed", replace=True, geometry="mask")


def test_label_files_with_polygons_and_a_confidence(tmp_path):
    masked = small_set([annotation(1, segmentation=SQUARE)], [result(segmentation=encoded())])
    folder = masked.write(tmp_path)
    outline = [*SQUARE[0], 10, 20]
    fractions = [n / (64, 48)[place % 2] for place, n in enumerate(outline)]
    line = " ".join(map(repr, [0, *fractions, 0.9]))
    toys.write(folder / "labels/1.txt", f"{line}\n")
    version, _ = masked.version(folder)
    drawn = version.view.version_or_draft("labels")
    drawn.add_predictions(folder / "labels")
    evaluation = version.view.version("labels").results().evaluation
    assert list(evaluation.predictions.mask.texts()) == [encoded()["counts"]]


def test_label_files_of_poses_are_no_polygons(tmp_path):
    """Where the annotations are boxes; where they are masks, predictions are taken for masks."""
    masked = small_set([annotation(1)], [result(segmentation=encoded())])
    folder = masked.write(tmp_path)
    toys.write(folder / "labels/1.txt", "0 0.5 0.5 0.4 0.4 0.45 0.5 0.6 0.55 0.9\n")
    version, _ = masked.version(folder)
    labels = version.view.version_or_draft("labels")
    notes = kinds(labels.add_predictions(folder / "labels"))
    assert notes["geometry"].startswith("predictions have keypoints, annotations have none")
    assert labels.results().evaluation.geometry == "box"


class Detections:
    """As supervision has them."""

    def __init__(self, mask, confidence, names):
        self.xyxy = np.array([[10.0, 10, 30, 30]] * len(names))
        self.mask, self.confidence = mask, np.array(confidence)
        self.class_id, self.data = np.zeros(len(names), int), {"class_name": np.array(names)}


def test_masks_in_memory(tmp_path):
    """torchmetrics' dictionaries and supervision's detections, on both sides."""
    pixels = reference.pixels_of(SQUARE, 48, 64)[None].astype(bool)
    Image.new("RGB", (64, 48)).save(tmp_path / "1.png")
    annotated = {"1.png": {"masks": pixels, "labels": ["c1"]}}
    view, _ = pellucid.open(tmp_path / "w").add(
        "parts", annotated, images=tmp_path, split="validation"
    )
    for name, predicted in (
        ("torchmetrics", {"masks": pixels, "labels": ["c1"], "scores": [0.9]}),
        ("supervision", Detections(pixels, [0.9], ["c1"])),
    ):
        version = view.version_or_draft(name)
        version.add_predictions({"1.png": predicted})
        evaluation = view.version(name).results().evaluation
        assert evaluation.geometry == "mask"
        assert evaluation.iou.tolist() == [1.0]
    with pytest.raises(pellucid.PellucidError, match="n, height, width"):
        view.version_or_draft("flat").add_predictions(
            {"1.png": {"masks": pixels[0], "labels": ["c1"], "scores": [0.9]}}
        )


def exif_set(folder, segmentation, size):
    """Six pictures stored on their side, with boxes and shapes of the image as stored."""
    images, annotations, results = [], [], []
    for number in range(1, 7):
        exif = Image.Exif()
        exif[0x0112] = 6
        (folder / "images").mkdir(parents=True, exist_ok=True)
        Image.new("L", size).save(folder / f"images/{number}.png", exif=exif)
        images.append(
            {"id": number, "file_name": f"{number}.png", "width": size[0], "height": size[1]}
        )
        shape = {"segmentation": segmentation, "bbox": [10, 20, 30, 12]}
        annotations.append({"id": number, "image_id": number, "category_id": 1, **shape})
        results.append({"image_id": number, "category_id": 1, "score": 0.9, **shape})
    categories = [{"id": 1, "name": "c1"}]
    return reference.MaskedSet(
        {"images": images, "annotations": annotations, "categories": categories}, results
    )


def test_shapes_of_the_image_as_stored_are_refused(tmp_path):
    """Boxes are rotated, shapes are not: they would not lie in the same place."""
    quadrilateral = [[10, 20, 40, 20, 40, 32, 10, 32]]
    masked = exif_set(tmp_path, quadrilateral, (100, 60))
    with pytest.raises(StoredMasksError, match="masks and oriented boxes are not rotated"):
        masked.version(tmp_path)
    notes = pellucid.open(tmp_path / "workspace").view("parts").manifest.sources[0].notes
    (note,) = (note for note in notes if note.kind == "outlines_not_rotated")
    assert (note.count, note.severity) == (6, "warning")
    version = pellucid.open(tmp_path / "workspace").view("parts").version_or_draft("boxes")
    version.add_predictions(tmp_path / "dt.json", geometry="box")
    assert version.view.version("boxes").results().evaluation.iou.tolist() == [1.0] * 6


def test_polygons_have_their_own_area(tmp_path):
    """Where a file states none: small, medium and large are of the object, not of its box."""
    toys.picture(tmp_path / "images/val/1.png", 100, 50)
    toys.write(tmp_path / "labels/val/1.txt", "0 0.1 0.2 0.5 0.2 0.1 0.8\n0 0.5 0.5 0.2 0.2\n")
    settings = toys.write(tmp_path / "data.yaml", "val: images/val\nnames: [dent]\n")
    view, _ = pellucid.open(tmp_path / "w").add("v", settings)
    assert view.annotation_tables[1].area == pytest.approx([40 * 30 / 2, 20 * 10])


def test_encoded_masks_beside_boxes_in_fractions(tmp_path):
    fractions = (10 / 64, 10 / 48, 20 / 64, 20 / 48)
    masked = small_set(
        [annotation(1, box=fractions, segmentation=encoded())], [result(segmentation=encoded())]
    )
    folder = masked.write(tmp_path)
    view, _ = pellucid.open(tmp_path / "w").add(
        "v", folder / "gt.json", boxes="xywh-fractions", split="validation"
    )
    view.version_or_draft("m").add_predictions(folder / "dt.json")
    evaluation = view.version("m").results().evaluation
    assert evaluation.annotations.box[0] == pytest.approx([10, 10, 20, 20])
    assert evaluation.iou.tolist() == [1.0]


def test_outlines_are_not_taken_from_resized_boxes(tmp_path):
    masked = small_set([annotation(1, segmentation=SQUARE)], [])
    folder = masked.write(tmp_path)
    view, notes = pellucid.open(tmp_path / "w").add(
        "v", folder / "gt.json", boxes="xywh-640-stretched"
    )
    assert kinds(notes)["outlines"].startswith("outlines not read")
    assert view.annotation_tables[1].outline is None
