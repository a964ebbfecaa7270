"""Predicted shapes as tools write them, read with what the annotations of the view state."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from pycocotools import mask as rle

import pellucid
import toys
from pellucid.core.errors import PellucidError
from pellucid.export.datasets import export_view
from pellucid.ingest.errors import KeypointCountError

WIDTH, HEIGHT, IMAGES, POINTS = 64, 48, 6, 7
NAMES = [f"{number}.png" for number in range(IMAGES)]


def corner(image):
    return 4 + 3 * image, 5 + 2 * image


def points_of(image):
    """`x, y` of the keypoints in pixels: an irregular shape within 20 x 16 pixels."""
    left, top = corner(image)
    x = left + np.array([0, 20, 10, 3, 17, 8, 12])
    y = top + np.array([0, 2, 16, 9, 12, 5, 7])
    return np.stack([x, y], axis=1).astype(float)


def polygon_of(image):
    left, top = corner(image)
    return [left, top, left + 20, top + 2, left + 18, top + 16, left + 6, top + 14]


def view_of(folder, **fields):
    """fields: of each annotation, as functions of the image."""
    left_top = [corner(image) for image in range(IMAGES)]
    source = toys.coco(
        folder,
        images=[
            {"id": n, "file_name": name, "width": WIDTH, "height": HEIGHT}
            for n, name in enumerate(NAMES)
        ],
        categories=[{"id": 0, "name": "bird"}],
        annotations=[
            {
                "id": n + 1,
                "image_id": n,
                "category_id": 0,
                "bbox": [left, top, 20, 16],
                "area": 320,
                "iscrowd": 0,
                **{key: value(n) for key, value in fields.items()},
            }
            for n, (left, top) in enumerate(left_top)
        ],
    )
    view, _ = pellucid.open(folder / "w").add("v", source, images=folder / "images")
    return view


@pytest.fixture
def poses(tmp_path):
    return view_of(
        tmp_path, keypoints=lambda n: np.c_[points_of(n), np.full(POINTS, 2)].ravel().tolist()
    )


@pytest.fixture
def outlines(tmp_path):
    return view_of(tmp_path, segmentation=lambda n: [polygon_of(n)])


def perfect(view, source, **options):
    """Import a version that is all right, and say so."""
    version = view.start(f"m{len(view.versions)}")
    notes = version.add_predictions(source, **options)
    overall = version.metrics().overall
    scored = overall.coco["AP"] == 1 if not options.get("no_scores") else True
    return version.results().evaluation.geometry, overall.errors, scored, notes


def yolo_pose(image, *behind, dimensions=3):
    left, top = corner(image)
    box = [(left + 10) / WIDTH, (top + 8) / HEIGHT, 20 / WIDTH, 16 / HEIGHT]
    points = points_of(image) / [WIDTH, HEIGHT]
    if dimensions == 3:
        points = np.c_[points, np.full(POINTS, 0.9)]
    return " ".join(map(repr, [0, *box, *points.ravel().tolist(), *behind]))


def write_labels(folder, line):
    for image in range(IMAGES):
        toys.write(folder / f"{image}.txt", line(image) + "\n")
    return folder


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("behind", [(0.9,), (0.9, 17)], ids=["confidence", "track id"])
def test_poses_have_as_many_points_as_the_annotations(poses, tmp_path, dimensions, behind):
    folder = write_labels(
        tmp_path / "labels", lambda n: yolo_pose(n, *behind, dimensions=dimensions)
    )
    geometry, errors, is_perfect, notes = perfect(poses, folder)
    assert (geometry, errors, is_perfect) == ("keypoints", 0, True)
    assert ("track_ids" in {note.kind for note in notes}) == (len(behind) == 2)


def test_poses_without_confidence_are_refused_or_unscored(poses, tmp_path):
    folder = write_labels(tmp_path / "labels", yolo_pose)
    with pytest.raises(PellucidError, match=r"without a confidence.*--no-scores"):
        poses.start("m").add_predictions(folder)
    geometry, errors, *_ = perfect(poses, folder, no_scores=True)
    assert (geometry, errors) == ("keypoints", 0)


def test_polygons_of_equal_length_are_no_poses(outlines, tmp_path):
    def line(image):
        fractions = np.reshape(polygon_of(image), (-1, 2)) / [WIDTH, HEIGHT]
        return " ".join(map(repr, [0, *fractions.ravel().tolist(), 0.8]))

    geometry, errors, is_perfect, _ = perfect(outlines, write_labels(tmp_path / "labels", line))
    assert (geometry, errors, is_perfect) == ("mask", 0, True)


def test_polygons_that_end_at_an_edge_have_no_track_id(outlines, tmp_path):
    """`... x y` with y = 1 is not `... confidence track`."""
    folder = write_labels(tmp_path / "labels", lambda n: f"0 0.1 0.2 0.3 0.9 0.5 0.4 0.{n + 1} 1")
    with pytest.raises(PellucidError, match="without a confidence"):
        outlines.start("m").add_predictions(folder)


def test_polygons_with_track_ids(outlines, tmp_path):
    def line(image):
        fractions = np.reshape(polygon_of(image), (-1, 2)) / [WIDTH, HEIGHT]
        return " ".join(map(repr, [0, *fractions.ravel().tolist(), 0.8, image + 1]))

    folder = write_labels(tmp_path / "labels", line)
    geometry, errors, is_perfect, notes = perfect(outlines, folder)
    assert (geometry, errors, is_perfect) == ("mask", 0, True)
    assert "track_ids" in {note.kind for note in notes}


def results_with(**fields):
    return [
        {"image_id": n, "category_id": 0, "score": 0.9 - n / 100}
        | {key: value(n) for key, value in fields.items()}
        for n in range(IMAGES)
    ]


@pytest.mark.parametrize("unit", ["pixels", "fractions"])
def test_results_with_pairs_of_coordinates(poses, tmp_path, unit):
    size = 1 if unit == "pixels" else np.array([WIDTH, HEIGHT])
    rows = results_with(keypoints=lambda n: (points_of(n) / size).ravel().tolist())
    geometry, errors, is_perfect, notes = perfect(poses, toys.results(tmp_path, rows))
    assert (geometry, errors, is_perfect) == ("keypoints", 0, True)
    assert ("shape_unit" in {note.kind for note in notes}) == (unit == "fractions")


def test_another_number_of_points_is_refused(poses, tmp_path):
    rows = results_with(
        keypoints=lambda n: np.c_[points_of(n), np.ones(POINTS)][1:].ravel().tolist()
    )
    source = toys.results(tmp_path, rows)
    with pytest.raises(KeypointCountError, match="6 keypoints, the annotated ones 7"):
        poses.start("m").add_predictions(source)
    poses.version_or_draft("m").add_predictions(source, geometry="box")


def test_polygons_in_fractions(outlines, tmp_path):
    rows = results_with(
        segmentation=lambda n: [
            (np.reshape(polygon_of(n), (-1, 2)) / [WIDTH, HEIGHT]).ravel().tolist()
        ]
    )
    geometry, errors, is_perfect, notes = perfect(outlines, toys.results(tmp_path, rows))
    assert (geometry, errors, is_perfect) == ("mask", 0, True)
    assert "shape_unit" in {note.kind for note in notes}


def pixels_of(image):
    return rle.decode(rle.merge(rle.frPyObjects([polygon_of(image)], HEIGHT, WIDTH)))


def detections_with(masks_of):
    return {
        name: {"labels": ["bird"], "scores": [0.9], "masks": masks_of(pixels_of(n)[None])}
        for n, name in enumerate(NAMES)
    }


@pytest.mark.parametrize(
    "masks_of",
    [
        lambda pixels: pixels,
        lambda pixels: pixels[:, None],
        lambda pixels: np.where(pixels, 0.8, 0.3),
        lambda pixels: pixels * 255.0,
    ],
    ids=["0 and 1", "torchvision", "probabilities", "0 and 255"],
)
def test_arrays_of_masks(outlines, masks_of):
    geometry, errors, is_perfect, _ = perfect(outlines, detections_with(masks_of))
    assert (geometry, errors, is_perfect) == ("mask", 0, True)


@pytest.mark.parametrize(
    "masks_of",
    [
        lambda pixels: np.concatenate([pixels, pixels]),
        lambda pixels: pixels[:0],
        lambda pixels: np.where(pixels, 3.2, -4.1),
        lambda pixels: pixels[0],
    ],
    ids=["too many", "too few", "logits", "one plane"],
)
def test_other_arrays_are_refused(outlines, masks_of):
    with pytest.raises(PellucidError, match="masks"):
        outlines.start("m").add_predictions(detections_with(masks_of))


def test_run_lengths_of_pycocotools_in_memory(outlines):
    rows = results_with(segmentation=lambda n: rle.encode(np.asfortranarray(pixels_of(n))))
    geometry, errors, is_perfect, _ = perfect(outlines, rows)
    assert (geometry, errors, is_perfect) == ("mask", 0, True)


def test_oriented_boxes_of_supervision(tmp_path):
    def rotated(n):
        left, top = corner(n)
        return [left + 3, top, left + 11, top + 6, left + 8, top + 10, left, top + 4]

    view = view_of(tmp_path, segmentation=lambda n: [rotated(n)])
    source = {
        name: SimpleNamespace(
            xyxy=np.array([[*corner(n), corner(n)[0] + 20, corner(n)[1] + 16]], float),
            class_id=np.array([0]),
            confidence=np.array([0.9]),
            data={"class_name": ["bird"], "xyxyxyxy": np.reshape(rotated(n), (1, 4, 2))},
        )
        for n, name in enumerate(NAMES)
    }
    version = view.start("m")
    version.add_predictions(source, geometry="oriented_box")
    corners = version.results().evaluation.predictions.corners
    assert sorted(corners[0, 0::2].tolist()) == sorted(rotated(0)[0::2])


def test_brushes_predicted_in_label_studio(outlines, tmp_path):
    annotated = export(outlines, "label-studio", tmp_path / "tasks.json")
    tasks = json.loads(annotated.read_text())
    brushes = [
        {
            "original_width": WIDTH,
            "original_height": HEIGHT,
            "type": "brushlabels",
            "value": {
                "format": "rle",
                "rle": brush_of(pixels_of(n)),
                "brushlabels": ["bird"],
            },
            "score": 0.9,
        }
        for n in range(IMAGES)
    ]
    for task, brush in zip(tasks, brushes, strict=True):
        task.pop("annotations")
        point = {"x": 10, "y": 10, "width": 0.5, "keypointlabels": ["bird"]}
        sizes = {"original_width": WIDTH, "original_height": HEIGHT}
        unread = {**sizes, "type": "keypointlabels", "value": point, "score": 0.9}
        task["predictions"] = [{"model_version": "a", "result": [brush, unread]}]
    source = toys.write(tmp_path / "predicted.json", json.dumps(tasks))
    geometry, errors, is_perfect, notes = perfect(outlines, source)
    assert (geometry, errors, is_perfect) == ("mask", 0, True)
    assert [note.count for note in notes if note.kind == "regions_not_read"] == [IMAGES]


def brush_of(pixels):
    """Label Studio's run lengths of RGBA bytes, with runs of one value each."""
    values = np.repeat(pixels.ravel() * 255, 4)
    sizes = (3, 4, 8, 16)
    bits = f"{len(values):032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in sizes)
    start = 0
    while start < len(values):
        end = start
        while end < len(values) and values[end] == values[start]:
            end += 1
        end = min(end, start + 65536)
        bits += f"1{3:02b}{end - start - 1:016b}{values[start]:08b}"
        start = end
    bits += "0" * (-len(bits) % 8)
    return [int(bits[place : place + 8], 2) for place in range(0, len(bits), 8)]


def export(view, form, target, **options):
    export_view(view, options.pop("what", "annotations"), form, target, **options)
    return target


DOTA = "imagesource:x\ngsd:0.1\n10 10 30 10 30 30 10 30 bird {difficulty}\n"


@pytest.mark.parametrize(("difficulty", "ignored"), [(0, False), (1, True), (2, True)])
def test_dota_files_in_one_folder(tmp_path, difficulty, ignored):
    toys.write(tmp_path / "labelTxt/a.txt", DOTA.format(difficulty=difficulty))
    toys.picture(tmp_path / "images/a.png")
    view, _ = pellucid.open(tmp_path / "w").add(
        "v", tmp_path / "labelTxt", images=tmp_path / "images"
    )
    images, annotations, _ = view.annotation_tables
    assert list(images.path) == ["a.png"]
    assert annotations.ignore.tolist() == [ignored]


@pytest.mark.parametrize("shape_type", ["rotation", None, "polygon"])
def test_labelme_outlines_by_other_names(tmp_path, shape_type):
    shape = {"label": "bird", "points": [[10, 10], [30, 14], [28, 30], [8, 26]]}
    document = {
        "imagePath": "a.png",
        "imageWidth": WIDTH,
        "imageHeight": HEIGHT,
        "shapes": [shape if shape_type is None else shape | {"shape_type": shape_type}],
    }
    source = toys.write(tmp_path / "set/a.json", json.dumps(document))
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    (outline,) = view.annotation_tables[1].outline
    assert json.loads(outline) == [[10, 10, 30, 14, 28, 30, 8, 26]]


@pytest.mark.parametrize("form", ["yolo", "label-studio", "fiftyone", "coco"])
def test_exports_of_predictions_without_scores(outlines, tmp_path, form):
    """They state no score, instead of an infinite one."""
    rows = [{"image_id": n, "category_id": 0, "bbox": [*corner(n), 20, 16]} for n in range(IMAGES)]
    version = outlines.start("m")
    version.add_predictions(toys.results(tmp_path, rows), no_scores=True, geometry="box")
    target = tmp_path / ("out" if form in ("yolo", "fiftyone") else "out.json")
    export(outlines, form, target, what="predictions", version=version)
    files = [target] if target.is_file() else [path for path in target.rglob("*") if path.is_file()]
    texts = [path.read_text() for path in files if path.suffix in (".json", ".txt")]
    assert texts
    assert not any("inf" in text.lower().split() or "Infinity" in text for text in texts)
    if form != "fiftyone":
        _, errors, *_ = perfect(outlines, target, no_scores=True, geometry="box")
        assert errors == 0


@pytest.mark.parametrize("shape", ["keypoints", "segmentation"])
def test_shapes_without_a_score_name_the_option(poses, outlines, tmp_path, shape):
    def stated(n):
        points = np.c_[points_of(n), np.ones(POINTS)].ravel().tolist()
        return points if shape == "keypoints" else [polygon_of(n)]

    rows = [{"image_id": n, "category_id": 0, shape: stated(n)} for n in range(IMAGES)]
    view = poses if shape == "keypoints" else outlines
    source = toys.results(tmp_path, rows)
    with pytest.raises(PellucidError, match=r"\$\[0\]: score is absent.*--no-scores"):
        view.start("m").add_predictions(source)


@pytest.mark.parametrize("keypoints", [None, [], [0] * 3 * POINTS], ids=["none", "[]", "zeros"])
def test_objects_without_keypoints_take_a_prediction(tmp_path, keypoints):
    """As pycocotools ignores those with num_keypoints 0: a prediction near them is no error."""

    def stated(n):
        if n % 2:
            return np.c_[points_of(n), np.full(POINTS, 2)].ravel().tolist()
        return keypoints

    view = view_of(tmp_path, keypoints=stated)
    rows = results_with(keypoints=lambda n: np.c_[points_of(n), np.ones(POINTS)].ravel().tolist())
    geometry, errors, is_perfect, _ = perfect(view, toys.results(tmp_path, rows))
    assert (geometry, errors, is_perfect) == ("keypoints", 0, True)


def test_exchanged_sides_are_another_size(tmp_path):
    """Unless the picture is rotated by its EXIF orientation."""
    source = toys.coco(
        tmp_path,
        images=[{"id": 1, "file_name": "a.jpg", "width": HEIGHT, "height": WIDTH}],
        annotations=[],
        pictures=False,
    )
    toys.picture(tmp_path / "images/a.jpg", WIDTH, HEIGHT)
    _, notes = pellucid.open(tmp_path / "w").add("v", source, images=tmp_path / "images")
    assert "size_differs" in {note.kind for note in notes}


def test_labelme_groups_are_one_object(tmp_path):
    """Shapes of the same label and group; others are objects of their own."""
    left, right = [[2, 2], [12, 2], [12, 12], [2, 12]], [[20, 2], [30, 2], [30, 12], [20, 12]]
    shapes = [
        {"label": "bird", "points": left, "shape_type": "polygon", "group_id": 1},
        {"label": "owl", "points": left, "shape_type": "polygon", "group_id": "a"},
        {"label": "cat", "points": left, "shape_type": "polygon", "group_id": 1},
        {"label": "bird", "points": right, "shape_type": "polygon", "group_id": 1},
        {"label": "bird", "points": right, "shape_type": "polygon"},
        {"label": "bird", "points": left, "shape_type": "polygon"},
    ]
    document = {"imagePath": "a.png", "imageWidth": WIDTH, "imageHeight": HEIGHT, "shapes": shapes}
    source = toys.write(tmp_path / "set/a.json", json.dumps(document))
    view, notes = pellucid.open(tmp_path / "w").add("v", source)
    assert [note.count for note in notes if note.kind == "groups"] == [1]
    annotations = view.annotation_tables[1]
    parts = [len(json.loads(outline)) for outline in annotations.outline]
    assert sorted(parts) == [1, 1, 1, 1, 2]
    whole = parts.index(2)
    assert annotations.box[whole].tolist() == [2, 2, 28, 10]
    assert annotations.area[whole] == 200


def fiftyone_samples(folder, label):
    """One label an image; label: as a function of the image."""
    samples = [
        {
            "filepath": f"data/{name}",
            "metadata": {"width": WIDTH, "height": HEIGHT},
            "field": label(n),
        }
        for n, name in enumerate(NAMES)
    ]
    return toys.write(folder / "samples.json", json.dumps({"samples": samples})).parent


def polyline(image, **fields):
    points = (np.reshape(polygon_of(image), (-1, 2)) / [WIDTH, HEIGHT]).tolist()
    return {
        "_cls": "Polylines",
        "polylines": [{"label": "bird", "points": [points], "closed": True, **fields}],
    }


def test_polygons_of_fiftyone(outlines, tmp_path):
    source = fiftyone_samples(tmp_path / "predicted", lambda n: polyline(n, confidence=0.9))
    geometry, errors, is_perfect, _ = perfect(outlines, source)
    assert (geometry, errors, is_perfect) == ("mask", 0, True)
    annotated = fiftyone_samples(tmp_path / "annotated", polyline)
    view, _ = outlines.workspace.add("again", annotated, images=tmp_path / "images")
    outline = json.loads(view.annotation_tables[1].outline[0])
    np.testing.assert_allclose(outline, [polygon_of(0)])


def test_masks_of_fiftyone_are_counted(outlines, tmp_path):
    def masked(n):
        left, top = corner(n)
        box = [left / WIDTH, top / HEIGHT, 20 / WIDTH, 16 / HEIGHT]
        label = {"label": "bird", "bounding_box": box, "mask": {"$binary": "x"}}
        return {"_cls": "Detections", "detections": [label | {"confidence": 0.9}]}

    notes = outlines.start("m").add_predictions(fiftyone_samples(tmp_path / "set", masked))
    assert [note.count for note in notes if note.kind == "masks_not_read"] == [IMAGES]


def test_masks_of_mmdetection(outlines, tmp_path):
    """A file an image, with parallel lists."""
    for n, name in enumerate(NAMES):
        encoded = rle.encode(np.asfortranarray(pixels_of(n)))
        left, top = corner(n)
        document = {
            "labels": [0],
            "scores": [0.9],
            "bboxes": [[left, top, left + 20, top + 16]],
            "masks": [{"size": encoded["size"], "counts": encoded["counts"].decode()}],
        }
        toys.write(tmp_path / f"preds/{name.removesuffix('.png')}.json", json.dumps(document))
    geometry, errors, is_perfect, _ = perfect(outlines, tmp_path / "preds")
    assert (geometry, errors, is_perfect) == ("mask", 0, True)
