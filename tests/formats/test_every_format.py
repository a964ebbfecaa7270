"""Real and made sets in every format: one set in eight of them reads to the same columns, and what is not read says what to do."""

import json
import re

import numpy as np
import pytest

import pellucid
import toys
from pellucid.errors import PellucidError
from pellucid.formats import ANNOTATION_FORMATS, read_annotations
from pellucid.workspace.export import Chosen, export

VOC100 = {
    "coco_format_v1": "coco", "coco_format_v2": "coco", "cvat_format": "cvat", "imagenet_format": "voc", "labelme_format": "labelme",
    "openimages_format": "open-images", "pascalvoc_format": "voc", "yolo_format": "darknet",
}  # fmt: skip
ROUNDED = {"openimages_format": 0.51, "yolo_format": 0.01}
"""Pixels by which a format's own rounding moves a side: fractions with few digits."""


def boxes(found, width_height):
    """Every box in pixels, by image and concept, sorted."""
    scale = np.array([[*width_height[str(path)], *width_height[str(path)]] for path in found.images.path], float)
    table = found.annotations
    box = table.box * scale[table.image] if found.unit == "fractions" else table.box
    names = [(str(found.images.path[image]), found.concepts[concept]) for image, concept in zip(table.image, table.concept, strict=True)]
    order = sorted(range(len(names)), key=lambda row: (names[row], [round(side) for side in box[row].tolist()]))
    return [names[row] for row in order], box[order]


@pytest.mark.shared
@pytest.mark.parametrize("folder", VOC100)
def test_one_set_in_eight_formats_is_the_same_set(shared, folder):
    """Named differences: VOC's pixels are numbered from 1 and include the last, so its boxes begin a pixel earlier and are one larger;
    Open Images and YOLO round fractions; difficult objects are ignored regions in Pascal VOC alone."""
    root = shared / "golden/voc100_formats"
    expected = read_annotations(root / "gts/coco_format_v1/instances_default.json", None, None, None)
    extents = {str(path): size for path, *size in zip(expected.images.path, expected.images.width, expected.images.height, strict=True)}
    found = read_annotations(root / "gts" / folder, None, None, str(root / "images"))
    assert found.kind == "detection"
    assert sorted(path.rsplit("/")[-1] for path in found.images.path) == sorted(extents)
    found.images.path[:] = [path.rsplit("/")[-1] for path in found.images.path]
    names, box = boxes(found, extents)
    other_names, other = boxes(expected, extents)
    assert names == other_names
    if VOC100[folder] == "voc":
        assert any("numbered from 1" in note.message for note in found.notes)
        box = box + np.array([1, 1, -1, -1])
    np.testing.assert_allclose(box, other, atol=ROUNDED.get(folder, 1e-9))
    assert int(found.annotations.ignore.sum()) == (38 if folder == "pascalvoc_format" else 0)


READ = {
    "align_celeba_dataset": ("celeba", 2), "celeba_dataset": ("celeba", 2), "coco_dataset/coco": ("coco", 2),
    "coco_dataset/coco_labels": ("coco", 2), "coco_dataset/coco_roboflow": ("coco", 2), "cvat_dataset/for_images/export_task": ("cvat", 2),
    "datumaro_dataset": ("datumaro", 4), "dota_dataset": ("dota", 3), "imagenet_txt_dataset/basic": ("picture-list", 4),
    "kaggle_dataset/image_csv/ann.csv": ("table", 5), "kaggle_dataset/image_csv_det/ann.csv": ("table", 3),
    "kaggle_dataset/image_csv_det/ann2.csv": ("table", 3), "kaggle_dataset/image_csv_multi_label/ann.csv": ("table", 6),
    "kaggle_dataset/image_txt/ann.txt": ("picture-list", 5), "kaggle_dataset/relaxed_coco": ("coco", 2), "kaggle_dataset/relaxed_voc1": ("voc", 1),
    "labelme_dataset": ("labelme", 1), "open_images_dataset/v6": ("open-images", 4), "roboflow_dataset/createml": ("createml", 3),
    "roboflow_dataset/voc": ("voc", 3), "roboflow_dataset/yolo": ("yolo", 3), "roboflow_dataset/yolo_obb": ("dota", 3),
    "roboflow_dataset/multiclass/train/_classes.csv": ("table", 2), "voc_dataset/voc_dataset1": ("voc", 1), "voc_dataset/voc_dataset3": ("voc", 1),
    "vott_csv_dataset/dataset/train-export.csv": ("table", 2), "vott_json_dataset/dataset": ("vott", 3), "widerface_dataset": ("wider-face", 3),
    "yolo_dataset/strict": ("darknet", 1), "yolo_dataset/labels": ("darknet", 2),
}  # fmt: skip
REFUSED = {
    "cifar10_dataset": "pickle", "cifar100_dataset": "pickle", "mnist_dataset": "IDX", "mnist_csv_dataset": "pixels", "mot_dataset": "MOT",
    "icdar_dataset/text_localization": "ICDAR", "icdar_dataset/word_recognition": "ICDAR", "lfw_dataset": "LFW", "image_dir_dataset": "pictures alone",
    "segment_anything_dataset": "Segment Anything", "tf_detection_api_dataset": "TFRecord", "cvat_dataset/for_video": "CVAT for video",
    "coco_dataset/coco_captions": "captions", "coco_dataset/coco_panoptic": "panoptic", "kaggle_dataset/relaxed_yolo": "without names",
    "kaggle_dataset/image_mask_with_labelmap": "masks", "celeba_dataset/dataset_with_meta_file": "CelebA without attributes",
    "kaggle_dataset/image_csv": "several files", "kaggle_dataset/image_csv_det/ann3.csv": "left, top, right, bottom",
    "imagenet_dataset": "concept/image",
}  # fmt: skip


@pytest.mark.shared
@pytest.mark.parametrize("place", READ)
def test_sets_that_other_tools_wrote(shared, place):
    form, images = READ[place]
    found = read_annotations(shared / "formats_datumaro" / place, None, None, None)
    assert len(found.images) == images
    assert len(found.annotations) > 0
    assert form in ANNOTATION_FORMATS


@pytest.mark.shared
@pytest.mark.parametrize("place", REFUSED)
def test_what_is_not_read_is_refused_by_name_with_what_to_do(shared, place):
    with pytest.raises(PellucidError, match=REFUSED[place]) as refusal:
        read_annotations(shared / "formats_datumaro" / place, None, None, None)
    assert re.search(r"(Write|Give|Export|Put|Add|Name|Move|Unpack|pickle)", str(refusal.value)), refusal.value


def facts(found):
    """What a source says, in plain words."""
    table = found.annotations
    rows = [
        (str(found.images.path[image]), found.concepts[concept], None if table.box is None else [round(side, 6) for side in table.box[row].tolist()],
         bool(table.ignore[row]), bool(table.positive[row]))
        for row, (image, concept) in enumerate(zip(table.image, table.concept, strict=True))
    ]  # fmt: skip
    return found.kind, rows


def read_text(tmp_path, name, text, kind=None, pictures=None):
    return read_annotations(toys.write(tmp_path / name, text if isinstance(text, str) else json.dumps(text)), None, kind, pictures)


def test_lvis(tmp_path):
    found = read_text(tmp_path, "lvis.json", {
        "images": [{"id": 1, "coco_url": "http://x/val/1.jpg", "width": 10, "height": 20, "neg_category_ids": [2], "not_exhaustive_category_ids": [3]}],
        "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "c"}, {"id": 4, "name": "d"}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "area": 9}],
    })  # fmt: skip
    assert facts(found)[1] == [
        ("1.jpg", "a", [1, 2, 3, 4], False, True), ("1.jpg", "b", [0, 0, 0, 0], False, False), ("1.jpg", "c", [0, 0, 10, 20], True, True),
    ]  # fmt: skip


def test_what_nobody_looked_for_in_lvis_is_no_error(tmp_path, workspace):
    source = toys.write(tmp_path / "lvis.json", json.dumps({
        "images": [{"id": 1, "file_name": "1.jpg", "width": 100, "height": 100, "neg_category_ids": [2], "not_exhaustive_category_ids": [3]}],
        "categories": [{"id": number, "name": name} for number, name in enumerate("abcd", 1)],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [10, 10, 10, 10], "area": 100}],
    }))  # fmt: skip
    view, _ = workspace.add("v", source)
    version = view.start("m")
    version.add_predictions({"image": ["1.jpg"] * 5, "concept": ["a", "a", "b", "c", "d"], "score": [0.9, 0.8, 0.7, 0.6, 0.5],
                             "x": [10, 50, 50, 50, 50], "y": [10, 50, 50, 50, 50], "width": [10] * 5, "height": [10] * 5})  # fmt: skip
    assert [(item.concept, item.outcome) for item in version.gallery("all", threshold=0)] == [
        ("a", "matched"), ("a", "missing"), ("b", "missing"), ("c", "ignored"), ("d", "ignored"),
    ]  # fmt: skip
    assert len(version.gallery("extra")) == 0


def test_label_studio(tmp_path):
    region = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["dent"]}
    task = {"id": 1, "data": {"image": "/data/upload/1/0a1b2c3d-line%201.jpg"}, "annotations": [
        {"was_cancelled": True, "result": []},
        {"result": [{"type": "rectanglelabels", "value": region, "original_width": 200, "original_height": 100},
                    {"type": "choices", "value": {"choices": ["night"]}}]},
    ]}  # fmt: skip
    kind, rows = facts(read_text(tmp_path, "full.json", [task]))
    assert (kind, rows) == ("detection", [("line 1.jpg", "dent", [20, 20, 60, 40], False, True)])
    short = [{"image": "a.jpg", "id": 1, "annotator": 1, "label": [{**region, "original_width": 200, "original_height": 100}]},
             {"image": "b.jpg", "id": 2, "annotator": 1, "choice": "night"}]  # fmt: skip
    assert facts(read_text(tmp_path, "min.json", short))[1] == [("a.jpg", "dent", [20, 20, 60, 40], False, True)]
    assert facts(read_text(tmp_path, "min.json", short, "classification"))[1] == [("b.jpg", "night", None, False, True)]


def test_kitti_dont_care_is_ignored_for_every_concept(tmp_path):
    line = "{} 0 0 0 {} 1 1 1 0 0 0 0"
    toys.write(
        tmp_path / "label_2/000001.txt",
        "\n".join([line.format("Car", "10 20 30 40"), line.format("DontCare", "0 0 5 5"), line.format("Van", "1 1 9 9")]),
    )
    _, rows = facts(read_annotations(tmp_path / "label_2", None, None, None))
    assert rows == [
        ("000001.png", "Car", [10, 20, 20, 20], False, True), ("000001.png", "Van", [1, 1, 8, 8], False, True),
        ("000001.png", "Car", [0, 0, 5, 5], True, True), ("000001.png", "Van", [0, 0, 5, 5], True, True),
    ]  # fmt: skip


def test_voc_decides_for_the_whole_set_from_which_pixel_it_counts(tmp_path):
    def picture(name, *corners):
        objects = "".join(
            f"<object><name>dent</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
            for a, b, c, d in corners
        )
        return f"<annotation><filename>{name}.jpg</filename><size><width>50</width><height>40</height></size>{objects}</annotation>"

    toys.write(tmp_path / "one/a.xml", picture("a", (1, 1, 50, 40)))
    assert facts(read_annotations(tmp_path / "one", None, None, None))[1][0][2] == [0, 0, 50, 40]
    toys.write(tmp_path / "zero/a.xml", picture("a", (1, 1, 50, 40)))
    toys.write(tmp_path / "zero/b.xml", picture("b", (0, 5, 10, 10)))
    found = read_annotations(tmp_path / "zero", None, None, None)
    assert [row[2] for row in facts(found)[1]] == [[1, 1, 49, 39], [0, 5, 10, 5]]
    assert (found.judgements[0].question, found.judgements[0].answer) == ("first pixel", "0")
    forced = read_annotations(tmp_path / "zero", None, None, None, first_pixel=1)
    assert [row[2] for row in facts(forced)[1]] == [[0, 0, 50, 40], [-1, 4, 11, 6]]
    assert forced.judgements[0].forced


@pytest.mark.parametrize("name", ["bomb", "outside"])
def test_xml_that_would_reach_further_is_refused(tmp_path, name):
    entity = {"bomb": '<!ENTITY a "1234567890"><!ENTITY b "&a;&a;&a;">', "outside": '<!ENTITY b SYSTEM "file:///etc/passwd">'}[name]
    text = (
        f"<?xml version='1.0'?><!DOCTYPE x [{entity}]><annotation><filename>&b;</filename><object><bndbox></bndbox></object></annotation>"
    )
    with pytest.raises(PellucidError, match="safe to read"):
        read_text(tmp_path, "a.xml", text)


def test_fiftyone_and_deepomatic_boxes_are_fractions(tmp_path):
    sample = {"filepath": "/home/me/export/data/a.jpg", "tags": ["val"], "ground_truth": {"_cls": "Detections", "detections": [
        {"_cls": "Detection", "label": "dent", "bounding_box": [0.1, 0.2, 0.3, 0.4]}]}}  # fmt: skip
    toys.write(tmp_path / "export/samples.json", json.dumps({"samples": [sample]}))
    found = read_annotations(tmp_path / "export", None, None, None)
    assert (found.unit, facts(found)[1]) == ("fractions", [("a.jpg", "dent", [0.1, 0.2, 0.3, 0.4], False, True)])
    studio = {"tags": ["dent", "night"], "images": [{"location": "a.jpg", "stage": "train", "annotated_regions": [
        {"region_type": "Box", "tags": ["dent"], "region": {"xmin": 0.1, "ymin": 0.2, "xmax": 0.5, "ymax": 0.4}},
        {"region_type": "Whole", "tags": ["night"]}]}]}  # fmt: skip
    found = read_text(tmp_path, "studio.json", studio)
    assert (found.unit, found.images.split.tolist()) == ("fractions", [0])
    assert facts(found)[1] == [("a.jpg", "dent", [0.1, 0.2, 0.4, 0.2], False, True)]


def test_hugging_face_tables_carry_their_pictures(tmp_path, workspace):
    import duckdb

    picture = toys.picture(tmp_path / "one.png", 64, 48).read_bytes()
    features = json.dumps({"info": {"features": {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}}})
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT {'bytes': ?::BLOB, 'path': 'x.png'} AS image, 1 AS label", [picture])
        file = tmp_path / "train-00000-of-00001.parquet"
        connection.execute(f"COPY t TO '{file}' (FORMAT parquet, KV_METADATA {{huggingface: '{features}'}})")
    view, notes = workspace.add("v", file)
    assert (view.kind, view.images_by_split) == ("classification", {"training": 1})
    assert [concept.name for concept in view.manifest.concepts] == ["cat", "dog"]
    assert not any(note.kind == "picture_absent" for note in notes)
    images, folders = view.images_and_folders
    from pellucid.images.sizes import displayed_size
    from pellucid.images.store import join

    assert displayed_size(join(folders[images.root[0]], images.path[0])) == (64, 48)


class Detections:
    """As supervision has them."""

    def __init__(self, xyxy, confidence, class_id, names):
        self.xyxy, self.confidence, self.class_id = np.array(xyxy), np.array(confidence), np.array(class_id)
        self.data = {"class_name": np.array(names)}


@pytest.mark.parametrize(
    "predicted",
    [
        {"a/one.png": {"boxes": np.array([[10.0, 10, 30, 30]]), "scores": np.array([0.9]), "labels": np.array([1])}},
        {"a/one.png": Detections([[10, 10, 30, 30]], [0.9], [0], ["dent"])},
        {"a/one.png": [{"label": "dent", "score": 0.9, "box": {"xmin": 10, "ymin": 10, "xmax": 30, "ymax": 30}}]},
    ],
    ids=["torchmetrics", "supervision", "a pipeline"],
)
def test_what_other_libraries_hold_in_memory(tmp_path, workspace, predicted):
    view, _ = workspace.add("v", toys.coco(tmp_path, pictures=False))
    version = view.start("m")
    version.add_predictions(predicted)
    assert [(item.concept, item.box, item.score) for item in version.gallery("all")] == [("dent", (10, 10, 20, 20), 0.9)]


def test_arrow_capsules_and_polars(tmp_path, workspace):
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"image": ["1.png", "2.png"], "label": ["cat", "dog"]})

    class Capsule:
        def __arrow_c_stream__(self, requested_schema=None):
            return frame.__arrow_c_stream__(requested_schema)

    for number, source in enumerate([frame, Capsule()]):
        view, _ = workspace.add(f"v{number}", source)
        assert view.images_by_split == {"validation": 2}


def test_mmdetection_and_deepomatic_predictions(tmp_path, workspace):
    view, _ = workspace.add("v", toys.coco(tmp_path, pictures=False))
    toys.write(tmp_path / "preds/one.json", json.dumps({"labels": [0], "scores": [0.9], "bboxes": [[10, 10, 30, 30]]}))
    vulcan = [{"location": "a/one.png", "outputs": [{"labels": {
        "predicted": [{"label_name": "dent", "score": 0.9, "roi": {"bbox": {"xmin": 10 / 64, "ymin": 10 / 48, "xmax": 30 / 64, "ymax": 30 / 48}}}],
        "discarded": [{"label_name": "rust", "score": 0.1, "roi": {"bbox": {"xmin": 0, "ymin": 0, "xmax": 0.5, "ymax": 0.5}}}]}}]}]  # fmt: skip
    toys.write(tmp_path / "vulcan.json", json.dumps(vulcan))
    for name, source in {"mm": tmp_path / "preds", "deepomatic": tmp_path / "vulcan.json"}.items():
        version = view.start(name)
        version.add_predictions(source)
        first = version.gallery("all")[0]
        assert (first.concept, first.outcome) == ("dent", "matched")
        assert first.box == pytest.approx((10, 10, 20, 20))
    assert len(version.gallery("all")) == 2


def test_every_format_is_asked_for_by_its_name(tmp_path):
    source = toys.coco(tmp_path, pictures=False)
    with pytest.raises(PellucidError, match="not recognised as voc"):
        read_annotations(source, "voc", None, None)
    with pytest.raises(pellucid.PellucidError, match="format 'pascal' is not known"):
        read_annotations(source, "pascal", None, None)


def voc_picture(name, folder):
    box = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>8</ymax></bndbox>"
    return f"<annotation><folder>{folder}</folder><filename>{name}</filename><size><width>9</width></size><object><name>x</name>{box}</object></annotation>"


@pytest.mark.parametrize("form", ["label-studio", "kitti", "voc", "labelme", "coco"])
def test_two_pictures_of_one_name_are_never_made_one(tmp_path, form):
    source = tmp_path / "set"
    if form == "label-studio":
        tasks = [{"id": place, "data": {"image": f"s3://bucket/cam{place}/0001.jpg"}, "annotations": [{"result": []}]} for place in (1, 2)]
        source = toys.write(tmp_path / "tasks.json", json.dumps(tasks))
    for split in ("train", "val"):
        if form == "kitti":
            toys.write(source / split / "label_2/000000.txt", "Car 0 0 0 1 2 3 4 1 1 1 0 0 0 0\n")
        elif form == "voc":
            toys.write(source / split / "1.xml", voc_picture("1.jpg", split))
        elif form == "labelme":
            toys.write(
                source / split / "1.json", json.dumps({"imagePath": "1.jpg", "shapes": [{"label": "x", "points": [[1, 2], [3, 4]]}]})
            )
        elif form == "coco":
            document = {"images": [{"id": 1, "file_name": "1.jpg"}], "categories": [{"id": 3, "name": "x"}], "annotations": []}
            toys.write(source / f"{split}.json", json.dumps(document))
    with pytest.raises(PellucidError, match=r"\.(jpg|png)'"):
        read_annotations(source, None, None, None)


def test_a_folder_of_coco_keeps_the_category_ids(tmp_path):
    for number, split in enumerate(("train", "val")):
        document = {"images": [{"id": number, "file_name": f"{number}.jpg"}], "annotations": [],
                    "categories": [{"id": 3, "name": "cat"}, {"id": 1, "name": "dog"}]}  # fmt: skip
        toys.write(tmp_path / f"set/instances_{split}.json", json.dumps(document))
    found = read_annotations(tmp_path / "set", None, None, None)
    assert (found.concepts, found.concept_ids) == (["cat", "dog"], ["3", "1"])


@pytest.mark.parametrize(
    ("heading", "row", "box", "unit"),
    [
        ("filename,width,height,class,x,y,w,h", "a.jpg,640,480,cat,10,20,30,40", [10, 20, 30, 40], "pixels"),
        ("filename,width,height,class,xmin,ymin,xmax,ymax", "a.jpg,640,480,cat,10,20,30,40", [10, 20, 20, 20], "pixels"),
        ("image,concept,x_center,y_center,width,height", "a.jpg,cat,50,60,20,40", [40, 40, 20, 40], "pixels"),
        ("image,concept,x,y,width,height", "a.jpg,cat,0.1,0.2,0.3,0.4", [0.1, 0.2, 0.3, 0.4], "fractions"),
    ],
)
def test_tables_name_their_sides_in_many_ways(tmp_path, heading, row, box, unit):
    found = read_text(tmp_path, "a.csv", f"{heading}\n{row}\n")
    assert (found.kind, found.unit) == ("detection", unit)
    assert found.annotations.box.tolist() == [box]


def test_poses_are_taken_by_their_box_and_pixels_are_refused(tmp_path):
    toys.picture(tmp_path / "images/val/1.png", 100, 50)
    label = toys.write(tmp_path / "labels/val/1.txt", "0 0.5 0.5 0.1 0.1 0.48 0.48 2 0.52 0.52 2\n")
    settings = toys.write(tmp_path / "data.yaml", "val: images/val\nnames: [dent]\nkpt_shape: [2, 3]\n")
    assert read_annotations(settings, None, None, None).annotations.box.tolist() == [pytest.approx([0.45, 0.45, 0.1, 0.1])]
    label.write_text("0 320 240 64 48\n")
    with pytest.raises(PellucidError, match="fractions of the picture"):
        read_annotations(settings, None, None, None)


def test_every_shape_of_cvat_with_a_concept_is_taken(tmp_path):
    shapes = (
        '<ellipse label="e" cx="10" cy="10" rx="5" ry="4"/><mask label="m" rle="1" left="1" top="2" width="3" height="4"/>'
        '<cuboid label="c" xtl1="1" ytl1="2" xbl1="1" ybl1="9" xtr1="7" ytr1="2" xbr1="7" ybr1="9"/>'
        '<skeleton label="s"><points label="p" points="1,1"/><points label="q" points="5,6"/></skeleton>'
    )
    text = f'<annotations><version>1.1</version><image id="0" name="a.jpg" width="20" height="20">{shapes}</image></annotations>'
    found = read_text(tmp_path, "a.xml", text)
    assert [(row[1], row[2]) for row in facts(found)[1]] == [
        ("e", [5, 6, 10, 8]),
        ("m", [1, 2, 3, 4]),
        ("c", [1, 2, 6, 7]),
        ("s", [1, 1, 4, 5]),
    ]


def test_what_nobody_labelled_is_not_taken_for_empty(tmp_path, workspace):
    tasks = [{"id": 1, "data": {"image": "a.jpg"}, "annotations": []}, {"id": 2, "data": {"image": "b.jpg"}, "annotations": [{"result": [
        {"value": {"choices": ["night"]}}]}]}]  # fmt: skip
    view, _ = workspace.add("v", toys.write(tmp_path / "t.json", json.dumps(tasks)))
    assert [note.kind for note in export(view, "annotations", "csv", tmp_path / "out.csv")] == ["unannotated"]
    assert (tmp_path / "out.csv").read_text().splitlines()[1:] == ["b.jpg,validation,night"]


def test_stated_absences_survive_a_table(tmp_path, workspace):
    lvis = {"images": [{"id": 1, "file_name": "1.jpg", "width": 10, "height": 20, "neg_category_ids": [2]}],
            "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
            "annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}]}  # fmt: skip
    view, _ = workspace.add("v", toys.write(tmp_path / "lvis.json", json.dumps(lvis)))
    export(view, "annotations", "csv", tmp_path / "out.csv")
    again = read_annotations(tmp_path / "out.csv", None, None, None)
    assert facts(again)[1] == facts(read_annotations(tmp_path / "lvis.json", None, None, None))[1]


def test_exports_of_one_workspace_fit_each_other(tmp_path, workspace):
    lines = ["image,split,concept,x,y,width,height"]
    lines += [f"{split[0]}{place}.jpg,{split},cat,1,1,9,9" for split in ("training", "validation") for place in range(3)]
    view, _ = workspace.add("v", toys.write(tmp_path / "a.csv", "\n".join(lines)))
    version = view.start("m")
    names = [f"v{place}.jpg" for place in range(3)]
    sides = {"x": [1] * 3, "y": [1] * 3, "width": [9] * 3, "height": [9] * 3}
    version.add_predictions({"image": names, "concept": ["cat"] * 3, "score": [0.9] * 3, **sides})
    export(view, "annotations", "coco", tmp_path / "ann.json", version)
    export(view, "predictions", "coco", tmp_path / "pred.json", version, Chosen("validation"))
    again, _ = pellucid.open(tmp_path / "again").add("v", tmp_path / "ann.json")
    other = again.start("m")
    other.add_predictions(tmp_path / "pred.json")
    assert sorted((item.image, item.outcome) for item in other.gallery("all")) == [(name, "matched") for name in names]


def test_one_crowded_image_costs_no_more_than_its_share(tmp_path, workspace):
    view, _ = workspace.add("v", toys.coco(tmp_path, pictures=False))
    number = 4_000
    rows = {"image": ["a/one.png"] * number, "concept": ["dent"] * number, "score": np.linspace(0, 1, number), "x": np.linspace(0, 5, number),
            "y": np.zeros(number), "width": np.full(number, 20.0), "height": np.full(number, 20.0)}  # fmt: skip
    notes = view.start("m").add_predictions(rows)
    assert "repeated_boxes" in {note.kind for note in notes}


def test_outlines_are_kept_with_the_version_and_reach_the_page(tmp_path, workspace):
    """A polygon drawn beside the box, through an import of annotations, two imports of predictions and a second look from disk."""
    outline = [[1, 2, 9, 2, 5, 8]]
    annotations = [
        {"id": 1, "image_id": 11, "category_id": 1, "bbox": [1, 2, 8, 6], "segmentation": outline},
        {"id": 2, "image_id": 12, "category_id": 1, "bbox": [0, 0, 3, 3], "segmentation": {"counts": "x", "size": [1, 1]}},
    ]
    view, _ = workspace.add("v", toys.coco(tmp_path, annotations=annotations, pictures=False))
    version = view.start("m")
    for number, image in enumerate((11, 12)):
        row = {"image_id": image, "category_id": 1, "bbox": [1, 2, 8, 6], "score": 0.9}
        version.add_predictions(toys.results(tmp_path, [row], f"{number}.json"), covered="listed")
    again = pellucid.open(workspace.folder).view("v").version("m")
    assert again.outlines(again.loaded, [0, 1]) == [outline, []]
    view.add(toys.write(tmp_path / "more.csv", "image,concept,x,y,width,height\nb.jpg,dent,1,1,2,2\n"))
    assert view.annotated[1].outline.tolist() == [json.dumps(outline), "", ""]


def test_outlines_in_fractions_become_pixels(tmp_path, workspace):
    toys.picture(tmp_path / "images/val/1.png", 100, 50)
    toys.write(tmp_path / "labels/val/1.txt", "0 0.1 0.1 0.3 0.1 0.3 0.5\n0 0.5 0.5 0.2 0.2\n")
    view, _ = workspace.add("v", toys.write(tmp_path / "data.yaml", "val: images/val\nnames: [dent]\n"))
    assert json.loads(view.annotated[1].outline[0])[0] == pytest.approx([10, 5, 30, 5, 30, 25])
    assert view.annotated[1].outline[1] == ""


@pytest.mark.parametrize("name", ["rowid", "file_row_number", "pellucid", "ROWID"])
def test_a_column_may_be_called_as_it_likes(tmp_path, workspace, name):
    """DuckDB has names of its own for places; a user's column of that name is only the user's."""
    view, _ = workspace.add("v", {"image": ["a.jpg", "b.jpg", "c.jpg"], "concept": ["x", "y", "x"]})
    columns = {name: [2, 1, 0], "image": ["a.jpg", "b.jpg", "c.jpg"], "concept": ["x", "y", "x"], "score": [0.5, 0.6, 0.7]}
    import duckdb

    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    csv = toys.write(tmp_path / "p.csv", "\n".join(lines))
    duckdb.sql(f"COPY (SELECT * FROM read_csv('{csv}')) TO '{tmp_path / 'p.parquet'}'")
    for number, source in enumerate([columns, csv, tmp_path / "p.parquet"]):
        version = view.start(f"m{number}")
        version.add_predictions(source)
        assert {item.image: item.score for item in version.gallery("all")} == {"a.jpg": 0.5, "b.jpg": 0.6, "c.jpg": 0.7}


def test_figures_of_lvis_are_the_same_with_and_without_a_workspace(tmp_path, workspace):
    document = {
        "images": [
            {"id": number, "file_name": f"{number}.jpg", "width": 100, "height": 100, "neg_category_ids": [] if number == 1 else [2]}
            for number in (1, 2, 3)
        ],
        "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
        "annotations": [{"image_id": 1, "category_id": place, "bbox": [10 * place, 10, 40, 40], "area": 1600} for place in (1, 2)],
    }
    rows = [{"image_id": 1, "category_id": place, "bbox": [10 * place, 10, 40, 40], "score": 0.9} for place in (1, 2)]
    rows.append({"image_id": 2, "category_id": 1, "bbox": [1, 1, 9, 9], "score": 0.95})
    source, results = toys.write(tmp_path / "lvis.json", json.dumps(document)), toys.results(tmp_path, rows)
    view, _ = workspace.add("v", source)
    version = view.start("m")
    version.add_predictions(results)
    straight = pellucid.coco_figures(source, results)
    assert straight == version.metrics().overall.coco
    assert straight["AP"] == pytest.approx(1)
    assert version.voc() == {"a": 1, "b": 1}


def test_ties_are_broken_alike_with_and_without_a_workspace(tmp_path, workspace):
    lines = "image,concept,x,y,width,height\nb.jpg,x,1,1,9,9\na.jpg,x,1,1,9,9\n"
    source = toys.write(tmp_path / "a.csv", lines)
    predicted = {
        "image": ["b.jpg", "a.jpg"],
        "concept": ["x", "x"],
        "score": [0.5, 0.5],
        "x": [1, 50],
        "y": [1, 50],
        "width": [9, 9],
        "height": [9, 9],
    }
    view, _ = workspace.add("v", source)
    version = view.start("m")
    version.add_predictions(predicted)
    assert pellucid.coco_figures(source, predicted) == version.metrics().overall.coco
