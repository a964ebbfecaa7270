"""What a reader cannot read is counted and named, and its image counts as not annotated."""

import json

import pytest

import toys
from pellucid.core.errors import PellucidError


def stated(view):
    images = view.annotation_tables[0]
    return dict(zip(images.path.tolist(), images.stated.tolist(), strict=True))


def note(notes, kind):
    return next(note for note in notes if note.kind == kind)


def task(image, *values):
    results = [{"original_width": 100, "original_height": 100, "value": value} for value in values]
    return {"data": {"image": image}, "annotations": [{"result": results}]}


BOX = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["dent"]}
ELLIPSE = {"x": 50, "y": 50, "radiusX": 20, "radiusY": 10, "rotation": 0, "ellipselabels": ["dent"]}
BRUSH = {"format": "rle", "rle": [1, 2, 3], "brushlabels": ["dent"]}
KEYPOINT = {"x": 10, "y": 20, "width": 0.5, "keypointlabels": ["dent"]}


def test_label_studio_shapes(workspace, tmp_path):
    tasks = [
        task("a.png", BOX),
        task("b.png", BOX, BRUSH),
        task("c.png", ELLIPSE, {"text": ["a remark"]}),
        task("d.png", KEYPOINT),
    ]
    view, notes = workspace.add("v", toys.write(tmp_path / "t.json", json.dumps(tasks)))
    assert stated(view) == {"a.png": 1, "b.png": 0, "c.png": 1, "d.png": 0}
    assert sorted(view.annotation_tables[1].box.tolist()) == [
        [10, 20, 30, 40],
        [30, 40, 40, 20],
    ]
    message = note(notes, "skipped_shapes").message
    assert "1 brush" in message
    assert "1 keypoint" in message
    assert "2 images count as not annotated" in message
    assert "text (1)" in note(notes, "unread_keys").message


def test_label_studio_with_brushes_alone_is_refused(workspace, tmp_path):
    path = toys.write(tmp_path / "t.json", json.dumps([task("a.png", BRUSH)]))
    with pytest.raises(PellucidError, match=r"no annotation can be read; found brush \(1\)"):
        workspace.add("v", path)


def test_json_min_controls_are_named(workspace, tmp_path):
    tasks = [
        {"image": "a.png", "id": 1, "annotator": 1, "lead_time": 2.0, "quality": "poor"},
        {"image": "b.png", "id": 2, "annotator": 1, "lead_time": 2.0, "quality": "good"},
    ]
    path = toys.write(tmp_path / "t.json", json.dumps(tasks))
    with pytest.raises(PellucidError, match=r"found quality \(2\)"):
        workspace.add("v", path)


def test_cvat_points_outside_are_not_part_of_a_skeleton(workspace, tmp_path):
    def skeleton(*points):
        inner = "".join(
            f'<points label="{number}" outside="{outside}" points="{x},{y}"/>'
            for number, (x, y, outside) in enumerate(points)
        )
        return f'<skeleton label="person">{inner}</skeleton>'

    images = (
        f'<image id="0" name="a.png" width="99" height="99">'
        f"{skeleton((10, 20, 0), (30, 50, 0), (0, 0, 1))}</image>"
        f'<image id="1" name="b.png" width="99" height="99">{skeleton((10, 20, 0), (0, 0, 1))}</image>'
    )
    text = f"<annotations><version>1.1</version>{images}</annotations>"
    view, notes = workspace.add("v", toys.write(tmp_path / "a.xml", text))
    assert view.annotation_tables[1].box.tolist() == [[10, 20, 20, 30]]
    assert stated(view) == {"a.png": 1, "b.png": 0}
    assert "1 skeleton with 1 visible points" in note(notes, "skipped_shapes").message


@pytest.mark.parametrize("key", ["bbox", "bboxes", "boxes"])
def test_hugging_face_keys_of_boxes(workspace, tmp_path, key):
    line = {
        "file_name": "a.png",
        "objects": {key: [[1, 2, 30, 40]], "label": ["dent"]},
        "site": "x",
    }
    view, notes = workspace.add(
        "v", toys.write(tmp_path / "metadata.jsonl", json.dumps(line) + "\n")
    )
    assert view.annotation_tables[1].box.tolist() == [[1, 2, 30, 40]]
    assert "site (1)" in note(notes, "unread_keys").message


def test_hugging_face_objects_without_boxes_are_refused(workspace, tmp_path):
    line = {"file_name": "a.png", "objects": {"rect": [[1, 2, 30, 40]], "label": ["dent"]}}
    path = toys.write(tmp_path / "metadata.jsonl", json.dumps(line) + "\n")
    with pytest.raises(PellucidError, match="objects without boxes; found 'rect', 'label'"):
        workspace.add("v", path)


def coco(annotations, categories=("dent", "empty")):
    return json.dumps(
        {
            "images": [
                {"id": index, "file_name": f"{name}.png", "width": 100, "height": 80}
                for index, name in enumerate("abc")
            ],
            "categories": [{"id": index, "name": name} for index, name in enumerate(categories)],
            "annotations": annotations,
        }
    )


def test_coco_annotations_without_a_box(workspace, tmp_path):
    annotations = [
        {"image_id": 0, "category_id": 0, "bbox": [], "segmentation": [[10, 10, 40, 10, 40, 30]]},
        {"image_id": 1, "category_id": 1},
        {"image_id": 2, "category_id": 0},
    ]
    view, notes = workspace.add("v", toys.write(tmp_path / "a.json", coco(annotations)))
    assert view.annotation_tables[1].box.tolist() == [[10, 10, 30, 20]]
    assert stated(view) == {"a.png": 1, "b.png": 1, "c.png": 0}
    assert note(notes, "empty_images").count == 1
    assert note(notes, "skipped_shapes").count == 1


def test_coco_categories_that_differ_by_spaces_are_refused(workspace, tmp_path):
    path = toys.write(tmp_path / "a.json", coco([], ("dent", "dent ")))
    with pytest.raises(PellucidError, match="'dent' is listed twice"):
        workspace.add("v", path)


def yolo(folder, labels="labels", images="images", listed=None):
    for name in "abc":
        toys.picture(folder / images / "val" / f"{name}.png")
        toys.write(folder / labels / "val" / f"{name}.txt", "0 0.5 0.5 0.5 0.5\n")
    entry = listed or f"{images}/val"
    toys.write(folder / "data.yaml", f"path: .\nval: {entry}\nnames: [dent]\n")
    return folder


@pytest.mark.parametrize(("labels", "images"), [("labels", "images"), ("Labels", "Images")])
def test_yolo_folders_in_either_case(workspace, tmp_path, labels, images):
    view, _ = workspace.add("v", yolo(tmp_path / "set", labels, images))
    assert len(view.annotation_tables[1]) == 3


@pytest.mark.parametrize("line", [".\\images\\val\\{}.png", "D:\\data\\set\\images\\val\\{}.png"])
def test_yolo_lists_written_on_windows(workspace, tmp_path, line):
    folder = yolo(tmp_path / "set", listed="val.txt")
    toys.write(folder / "val.txt", "".join(line.format(name) + "\r\n" for name in "abc"))
    view, _ = workspace.add("v", folder)
    assert len(view.annotation_tables[1]) == 3


def test_yolo_without_any_label_file_is_refused(workspace, tmp_path):
    with pytest.raises(PellucidError, match=r"none of its 3 images has a label file.*'annot/val'"):
        workspace.add("v", yolo(tmp_path / "set", labels="annot"))


def test_yolo_predictions_beside_other_text_files(workspace, tmp_path):
    view, _ = workspace.add("v", yolo(tmp_path / "set"))
    for name in "abc":
        toys.write(tmp_path / "found" / f"{name}.txt", "0 0.5 0.5 0.5 0.5 0.9\n")
    toys.write(tmp_path / "found" / "classes.txt", "dent\n")
    toys.write(tmp_path / "found" / "notes.txt", "run of 3 May\n")
    version = view.start("m")
    notes = version.add_predictions(tmp_path / "found")
    assert "'classes.txt', 'notes.txt'" in note(notes, "other_files").message
    assert len(version.gallery("matched")) == 3


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 0.5 0.5 0.5 0.5", "without a confidence"),
        (
            "0 0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.9",
            "a polygon, an oriented box or a pose without a confidence",
        ),
    ],
)
def test_yolo_predictions_of_other_kinds_are_refused_in_true_words(
    workspace, tmp_path, line, words
):
    view, _ = workspace.add("v", yolo(tmp_path / "set"))
    toys.write(tmp_path / "found" / "a.txt", line + "\n")
    with pytest.raises(PellucidError, match=words):
        view.start("m").add_predictions(tmp_path / "found")


def test_yolo_track_ids_are_not_scores(workspace, tmp_path):
    view, _ = workspace.add("v", yolo(tmp_path / "set"))
    toys.write(tmp_path / "found" / "a.txt", "0 0.5 0.5 0.5 0.5 0.9 17\n")
    version = view.start("m")
    notes = version.add_predictions(tmp_path / "found")
    assert note(notes, "track_ids").count == 1
    assert version.gallery("matched")[0].score == 0.9


def test_system_files_beside_splits(workspace, tmp_path):
    for split in ("train", "val"):
        for concept in ("cat", "dog"):
            toys.picture(tmp_path / "set" / split / concept / f"{split}.png")
            toys.write(tmp_path / "set/__MACOSX" / split / concept / f"._{split}.png", "x")
            toys.write(tmp_path / "set" / split / concept / "Thumbs.db", "x")
    toys.picture(tmp_path / "set" / "sample.png")
    toys.write(tmp_path / "set" / "labels.txt", "cat\ndog\n")
    view, notes = workspace.add("v", tmp_path / "set")
    assert view.images_by_split == {"training": 2, "validation": 2}
    assert note(notes, "system_files").count == 8
    assert "'sample.png'" in note(notes, "stray_images").message


def test_folder_of_more_files_than_a_sample(workspace, tmp_path):
    """Recognition does not depend on which files come first, and all files are read."""
    for index in range(30):
        toys.write(tmp_path / "set" / f"{index:03d}.json", coco_of_one_image(index))
    for index in range(6_000):
        (tmp_path / "set/images").mkdir(exist_ok=True)
        (tmp_path / f"set/images/{index:05d}.jpg").touch()
    view, _ = workspace.add("v", tmp_path / "set")
    assert len(view.annotation_tables[0]) == 30


def coco_of_one_image(index):
    return json.dumps(
        {
            "images": [
                {"id": 1, "file_name": f"images/{index:05d}.jpg", "width": 99, "height": 99}
            ],
            "categories": [{"id": 1, "name": "dent"}],
            "annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 40]}],
        }
    )


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([0.1, 0.2, 0.3, 0.4], "fractions"),
        ([50, 40, 90, 75], "corners"),
        ([1, 0, 1, 1], "refused"),
    ],
)
def test_boxes_of_coco_annotations_are_checked(workspace, tmp_path, numbers, expected):
    annotations = [
        {"image_id": 0, "category_id": 0, "bbox": numbers},
        {
            "image_id": 1,
            "category_id": 0,
            "bbox": [0.5, 0.5, 0.25, 0.25] if expected == "fractions" else numbers,
        },
    ]
    path = toys.write(tmp_path / "a.json", coco(annotations))
    if expected == "refused":
        with pytest.raises(PellucidError, match="--boxes xywh-pixels or --boxes xywh-fractions"):
            workspace.add("v", path)
        return
    view, notes = workspace.add("v", path)
    warning = note(notes, "boxes")
    assert warning.severity == "warning"
    box = view.annotation_tables[1].box.tolist()[0]
    assert box == pytest.approx([10, 16, 30, 32] if expected == "fractions" else [50, 40, 40, 35])
    view, _ = workspace.add("w", path, boxes="xywh-pixels")
    assert view.annotation_tables[1].box.tolist()[0] == numbers
