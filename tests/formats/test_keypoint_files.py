"""Keypoints in files: what is read, what is written and read back, and what is refused."""

import json
import re

import numpy as np
import pytest
from PIL import Image

import pellucid
from pellucid.core.errors import PellucidError
from pellucid.evaluation.object_keypoints import COCO_SKELETON, link_points, split_points
from pellucid.export.datasets import export_view
from pellucid.project.overview import describe_view
from references import keypoints as reference


@pytest.fixture(params=[(3, 17), (4, 5)])
def posed(request):
    return reference.random_set(request.param[0], images=8, points=request.param[1])


def rows_of(table, concepts, images, columns=slice(0, 4)):
    """Image, concept and points of every row, sorted: what two readings must share."""
    points = split_points(table.keypoints)[:, :, columns].round(6)
    return sorted(
        (images.path[image].split("/")[-1], concepts[concept], *numbers)
        for image, concept, numbers in zip(
            table.image, table.concept, points.reshape(len(points), -1).tolist(), strict=True
        )
    )


def both_sides(version):
    evaluation = version.evaluation
    return [
        rows_of(table, evaluation.concepts, evaluation.images)
        for table in (evaluation.annotations, evaluation.predictions)
    ]


def write_pictures(posed, folder):
    for image in posed.document["images"]:
        (folder / "images").mkdir(exist_ok=True)
        picture = np.zeros((image["height"], image["width"], 3), np.uint8)
        from PIL import Image

        Image.fromarray(picture).save(folder / "images" / image["file_name"])


@pytest.mark.parametrize("form", ["coco", "yolo"])
def test_written_keypoints_are_read_back(posed, tmp_path, form):
    write_pictures(posed, tmp_path)
    version, _ = posed.version(tmp_path)
    target = tmp_path / ("out.json" if form == "coco" else "out")
    export_view(version.view, "annotations", form, target, version)
    results = tmp_path / ("results.json" if form == "coco" else "labels")
    export_view(version.view, "predictions", form, results, version)
    view, _ = pellucid.open(tmp_path / "again").add(
        "parts", target, split="validation", images=tmp_path / "images" if form == "coco" else None
    )
    again = view.start("m")
    again.add_predictions(results)
    ours, theirs = both_sides(version), both_sides(view.version("m"))
    if form == "yolo":  # crowds are left out, and objects without points have no ignored state
        crowded = {a["image_id"] for a in posed.document["annotations"] if a["iscrowd"] == 1}
        names = {f"{image}.png" for image in crowded}
        ours, theirs = (
            [[row for row in side if row[0] not in names] for side in sides]
            for sides in (ours, theirs)
        )
    np.testing.assert_equal([len(side) for side in ours], [len(side) for side in theirs])
    for our, their in zip(ours, theirs, strict=True):
        for one, other in zip(our, their, strict=True):
            assert one[:2] == other[:2]
            np.testing.assert_allclose(one[2:], other[2:], atol=1e-4)
    if form == "coco":
        figures = version.metrics("validation").overall.coco
        assert view.version("m").metrics("validation").overall.coco == figures


def test_other_formats_say_what_they_leave_out(posed, tmp_path):
    write_pictures(posed, tmp_path)
    version, _ = posed.version(tmp_path)
    for form in ("voc", "cvat", "label-studio", "fiftyone", "csv"):
        notes = export_view(version.view, "annotations", form, tmp_path / f"out-{form}", version)
        (note,) = [note for note in notes if note.kind == "keypoints_left_out"]
        assert "left out" in note.message


def test_skeleton_of_the_file_and_of_coco(tmp_path):
    posed = reference.random_set(3, images=8, points=5)
    version, _ = posed.version(tmp_path)
    points = split_points(version.evaluation.predictions.keypoints)
    assert link_points(points[0]) == [(0, 1), (1, 2)]
    (tmp_path / "17").mkdir()
    version, _ = reference.random_set(3, images=8).version(tmp_path / "17")
    points = split_points(version.evaluation.annotations.keypoints)
    assert sorted(link_points(points[0])) == sorted(tuple(sorted(line)) for line in COCO_SKELETON)


def test_geometry_is_chosen_and_said(posed, tmp_path):
    version, notes = posed.version(tmp_path)
    assert version.manifest.geometry == "keypoints"
    assert describe_view(version.view).geometry == "keypoints"
    inference = [
        i for i in version.manifest.prediction_sources[0].readings if i.question == "geometry"
    ]
    assert [(i.answer, i.alternatives) for i in inference] == [("keypoints", ["box"])]
    assert any(note.kind == "unlabelled_keypoints" for note in notes)
    assert any(note.kind == "sigmas" for note in notes) == (
        len(posed.document["categories"][0]["keypoints"]) != 17
    )


def test_boxes_can_be_compared_instead(tmp_path):
    posed = reference.random_set(3, images=8, with_boxes=True)
    version, _ = posed.version(tmp_path, geometry="box")
    assert version.evaluation.geometry == "box"
    assert "AR100" in version.metrics("validation").overall.coco


def test_keypoints_on_one_side_are_said(tmp_path):
    posed = reference.random_set(3, images=8)
    for annotation in posed.document["annotations"]:
        del annotation["keypoints"]
    version, notes = posed.version(tmp_path)
    assert version.evaluation.geometry == "box"
    assert "predictions have keypoints, annotations have none" in " ".join(n.message for n in notes)


def test_keypoints_cannot_be_forced_where_there_are_none(tmp_path):
    posed = reference.random_set(3, images=8, with_boxes=True)
    for result in posed.results:
        del result["keypoints"]
    with pytest.raises(PellucidError, match="the predictions have no keypoints"):
        posed.version(tmp_path, geometry="keypoints")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d, r: d["annotations"][0].update(keypoints=[1, 2]), "found 2 numbers"),
        (lambda d, r: d["categories"][0].update(sigmas=[0.1]), "1 sigmas of category"),
        (lambda d, r: r[0].update(keypoints=[1, 2, 3, 4]), "found 4 numbers"),
        (lambda d, r: r[0].pop("keypoints"), "neither keypoints nor bbox"),
    ],
)
def test_damaged_keypoints_are_refused(tmp_path, damage, message):
    posed = reference.random_set(3, images=8)
    for category in posed.document["categories"]:
        category["id"] = category["id"]
    posed.document["annotations"].sort(key=lambda a: (a["category_id"], a["iscrowd"]))
    damage(posed.document, posed.results)
    with pytest.raises(PellucidError, match=message):
        posed.version(tmp_path)


def write_yolo(folder, dimensions, with_confidence=False, count=4):
    """Label files of two images of 100 x 200 pixels, one object each."""
    folder.mkdir(parents=True)
    for name, shift in (("a", 0.0), ("b", 0.2)):
        points = [(0.3 + shift, 0.3), (0.5 + shift, 0.35), (0.4 + shift, 0.5), (0.0, 0.0)][:count]
        numbers = [0, 0.4 + shift, 0.4, 0.25, 0.25]
        for x, y in points:
            numbers += [x, y, *([0.9 if (x or y) else 0.0] if dimensions == 3 else [])]
        line = " ".join(map(str, numbers + ([0.8] if with_confidence else [])))
        (folder / f"{name}.txt").write_text(f"{line}\n")


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("count", [3, 4])
def test_yolo_poses(tmp_path, dimensions, count):
    data = tmp_path / "data"
    write_yolo(data / "labels" / "val", dimensions, count=count)
    (data / "images" / "val").mkdir(parents=True)
    for name in "ab":
        Image.new("RGB", (100, 200)).save(data / "images" / "val" / f"{name}.png")
    (data / "data.yaml").write_text(
        f"path: .\nval: images/val\nnames: [cat]\nkpt_shape: [{count}, {dimensions}]\n"
    )
    write_yolo(tmp_path / "labels", dimensions, with_confidence=True, count=count)
    view, _ = pellucid.open(tmp_path / "w").add("v", data)
    version = view.start("m")
    version.add_predictions(tmp_path / "labels")
    evaluation = view.version("m").evaluation
    assert evaluation.geometry == "keypoints"
    points = split_points(evaluation.predictions.keypoints)
    np.testing.assert_allclose(points[0, :3, :2], [[30, 60], [50, 70], [40, 100]])
    assert [item.outcome for item in view.version("m").gallery("all")] == ["matched", "matched"]
    assert evaluation.iou.tolist() == [1, 1]
    if count == 4:
        annotated = split_points(evaluation.annotations.keypoints)
        assert annotated[0, 3, 2] == 0, "a point at 0, 0 is not labelled"


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("count", [4, 5, 6, 17])
def test_yolo_poses_without_their_shape_are_not_polygons(tmp_path, dimensions, count):
    """The remedy of the message is tried."""
    generator = np.random.default_rng(count)
    for part in ("images", "labels"):
        (tmp_path / part / "val").mkdir(parents=True)
    for image in range(6):
        Image.new("RGB", (100, 200)).save(tmp_path / "images" / "val" / f"{image}.png")
        lines = []
        for _ in range(3):
            center, size = generator.uniform(0.3, 0.6, 2), generator.uniform(0.1, 0.4, 2)
            points = center + (generator.uniform(0, 1, (count, 2)) - 0.5) * size
            visible = np.full((count, 1), 2)
            pose = np.hstack([points, visible])[:, :dimensions].ravel()
            lines.append(" ".join(map(str, [0, *center, *size, *pose])))
        lines.append("0 0.5 0.5 0.1 0.1")
        (tmp_path / "labels" / "val" / f"{image}.txt").write_text("\n".join(lines))
    settings = "path: .\nval: images/val\nnames: [cat]\n"
    (tmp_path / "data.yaml").write_text(settings)
    remedy = f"kpt_shape: [{count}, {dimensions}]"
    with pytest.raises(PellucidError, match=re.escape(f"{remedy}, in data.yaml")):
        pellucid.open(tmp_path / "w").add("v", tmp_path / "data.yaml")
    (tmp_path / "data.yaml").write_text(settings + remedy)
    view, _ = pellucid.open(tmp_path / "w").add("v", tmp_path / "data.yaml")
    assert describe_view(view).geometry == "keypoints"


@pytest.mark.parametrize("corners", [3, 4, 5, 8, 18])
def test_yolo_polygons_of_equally_many_corners_are_no_poses(tmp_path, corners):
    """Wherever they lie in the image: as poses, some of them would be plausible."""
    generator = np.random.default_rng(corners)
    for part in ("images", "labels"):
        (tmp_path / part / "val").mkdir(parents=True)
    for image in range(20):
        Image.new("RGB", (100, 200)).save(tmp_path / "images" / "val" / f"{image}.png")
        angles = np.sort(generator.uniform(0, 2 * np.pi, corners))
        around = np.stack([np.cos(angles), np.sin(angles)], 1)
        polygon = generator.uniform(0.4, 0.6, 2) + generator.uniform(0.05, 0.3, 2) * around
        line = " ".join(map(str, [0, *polygon.ravel()]))
        (tmp_path / "labels" / "val" / f"{image}.txt").write_text(line)
    (tmp_path / "data.yaml").write_text("path: .\nval: images/val\nnames: [cat]\n")
    view, _ = pellucid.open(tmp_path / "w").add("v", tmp_path / "data.yaml")
    assert describe_view(view).geometry == "mask"


def test_yolo_sigmas_of_the_settings(tmp_path):
    data = tmp_path / "data"
    write_yolo(data / "labels" / "val", 3, count=3)
    (data / "images" / "val").mkdir(parents=True)
    for name in "ab":
        Image.new("RGB", (100, 200)).save(data / "images" / "val" / f"{name}.png")
    settings = "path: .\nval: images/val\nnames: [cat]\nkpt_shape: [3, 3]\nkpt_oks_sigmas: {}\n"
    (data / "data.yaml").write_text(settings.format("[0.1, 0.2, 0.3]"))
    write_yolo(tmp_path / "labels", 3, with_confidence=True, count=3)
    view, _ = pellucid.open(tmp_path / "w").add("v", data)
    view.start("m").add_predictions(tmp_path / "labels")
    points = split_points(view.version("m").evaluation.annotations.keypoints)
    assert points[0, :, 3].tolist() == [0.1, 0.2, 0.3]
    (data / "data.yaml").write_text(settings.format("[0.1]"))
    with pytest.raises(PellucidError, match="expected 3 positive numbers"):
        pellucid.open(tmp_path / "other").add("v", data)


@pytest.mark.parametrize("shape", ["3", "[3, 4]", "[0, 2]", "points"])
def test_yolo_shapes_of_poses_are_checked(tmp_path, shape):
    data = tmp_path / "data"
    write_yolo(data / "labels" / "val", 3, count=3)
    (data / "images" / "val").mkdir(parents=True)
    (data / "images" / "val" / "a.png").touch()
    (data / "data.yaml").write_text(f"path: .\nval: images/val\nnames: [cat]\nkpt_shape: {shape}\n")
    with pytest.raises(PellucidError, match="kpt_shape"):
        pellucid.open(tmp_path / "w").add("v", data)


def test_lines_with_another_number_of_points_are_refused(tmp_path):
    data = tmp_path / "data"
    write_yolo(data / "labels" / "val", 3, count=3)
    (data / "images" / "val").mkdir(parents=True)
    (data / "images" / "val" / "a.png").touch()
    (data / "data.yaml").write_text("path: .\nval: images/val\nnames: [cat]\nkpt_shape: [4, 3]\n")
    with pytest.raises(PellucidError, match=r"found 14 numbers.*Expected 17"):
        pellucid.open(tmp_path / "w").add("v", data)


def test_export_of_keypoints_is_valid_for_pycocotools(tmp_path):
    posed = reference.random_set(9, images=8)
    version, _ = posed.version(tmp_path)
    export_view(version.view, "annotations", "coco", tmp_path / "out.json", version)
    export_view(version.view, "predictions", "coco", tmp_path / "out-results.json", version)
    document = json.loads((tmp_path / "out.json").read_text())
    results = json.loads((tmp_path / "out-results.json").read_text())
    written = reference.MaskedSet(document, results)
    assert reference.judged(written) == pytest.approx(reference.judged(posed), abs=1e-9)
