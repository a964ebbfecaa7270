"""Real and made sets in every format: one set in eight of them reads to the same columns, and
what is not read says what to do."""

import json
import re

import numpy as np
import pytest

import pellucid
import toys
from pellucid.core.errors import PellucidError
from pellucid.formats.annotation_sources import parse_annotations
from pellucid.formats.probe import ReadOptions
from pellucid.formats.registry import ANNOTATION_FORMATS

VOC100 = {
    "coco_format_v1": "coco",
    "coco_format_v2": "coco",
    "cvat_format": "cvat",
    "imagenet_format": "voc",
    "labelme_format": "labelme",
    "openimages_format": "open-images",
    "pascalvoc_format": "voc",
    "yolo_format": "darknet",
}
ROUNDED = {"openimages_format": 0.51, "yolo_format": 0.01}
"""Pixels by which a format's own rounding moves a side: fractions with few digits."""


def boxes(found, width_height):
    """Every box in pixels, by image and concept, sorted."""
    scale = np.array(
        [[*width_height[str(path)], *width_height[str(path)]] for path in found.images.path], float
    )
    table = found.annotations
    box = table.box * scale[table.image] if found.unit == "fractions" else table.box
    names = [
        (str(found.images.path[image]), found.concepts[concept])
        for image, concept in zip(table.image, table.concept, strict=True)
    ]
    order = sorted(
        range(len(names)), key=lambda row: (names[row], [round(side) for side in box[row].tolist()])
    )
    return [names[row] for row in order], box[order]


@pytest.mark.shared
@pytest.mark.parametrize("folder", VOC100)
def test_eight_formats_give_the_same_data(shared, folder):
    """Named differences: VOC's pixels are numbered from 1 and include the last, so its boxes
    begin a pixel earlier and are one larger; Open Images and YOLO round fractions; difficult
    objects are ignored regions in Pascal VOC alone."""
    root = shared / "golden/voc100_formats"
    expected = parse_annotations(root / "gts/coco_format_v1/instances_default.json")
    extents = {
        str(path): size
        for path, *size in zip(
            expected.images.path, expected.images.width, expected.images.height, strict=True
        )
    }
    found = parse_annotations(
        root / "gts" / folder, options=ReadOptions(image_folder=str(root / "images"))
    )
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
    "align_celeba_dataset": ("celeba", 2),
    "celeba_dataset": ("celeba", 2),
    "coco_dataset/coco": ("coco", 2),
    "coco_dataset/coco_labels": ("coco", 2),
    "coco_dataset/coco_roboflow": ("coco", 2),
    "cvat_dataset/for_images/export_task": ("cvat", 2),
    "datumaro_dataset": ("datumaro", 4),
    "dota_dataset": ("dota", 3),
    "imagenet_txt_dataset/basic": ("picture-list", 4),
    "kaggle_dataset/image_csv/ann.csv": ("table", 5),
    "kaggle_dataset/image_csv_det/ann.csv": ("table", 3),
    "kaggle_dataset/image_csv_det/ann2.csv": ("table", 3),
    "kaggle_dataset/image_csv_multi_label/ann.csv": ("table", 6),
    "kaggle_dataset/image_txt/ann.txt": ("picture-list", 5),
    "kaggle_dataset/relaxed_coco": ("coco", 2),
    "kaggle_dataset/relaxed_voc1": ("voc", 1),
    "labelme_dataset": ("labelme", 1),
    "open_images_dataset/v6": ("open-images", 4),
    "roboflow_dataset/createml": ("createml", 3),
    "roboflow_dataset/voc": ("voc", 3),
    "roboflow_dataset/yolo": ("yolo", 3),
    "roboflow_dataset/yolo_obb": ("dota", 3),
    "roboflow_dataset/multiclass/train/_classes.csv": ("table", 2),
    "voc_dataset/voc_dataset1": ("voc", 1),
    "voc_dataset/voc_dataset3": ("voc", 1),
    "vott_csv_dataset/dataset/train-export.csv": ("table", 2),
    "vott_json_dataset/dataset": ("vott", 3),
    "widerface_dataset": ("wider-face", 3),
    "yolo_dataset/strict": ("darknet", 1),
    "yolo_dataset/labels": ("darknet", 2),
}
REFUSED = {
    "cifar10_dataset": "pickle",
    "cifar100_dataset": "pickle",
    "mnist_dataset": "IDX",
    "mnist_csv_dataset": "pixel table",
    "mot_dataset": "MOT",
    "icdar_dataset/text_localization": "ICDAR",
    "icdar_dataset/word_recognition": "ICDAR",
    "lfw_dataset": "LFW",
    "image_dir_dataset": "images without annotations",
    "segment_anything_dataset": "Segment Anything",
    "tf_detection_api_dataset": "TFRecord",
    "cvat_dataset/for_video": "CVAT for video",
    "coco_dataset/coco_captions": "captions",
    "coco_dataset/coco_panoptic": "panoptic",
    "kaggle_dataset/relaxed_yolo": "without names",
    "kaggle_dataset/image_mask_with_labelmap": "masks",
    "celeba_dataset/dataset_with_meta_file": "CelebA without attributes",
    "kaggle_dataset/image_csv": "contains several annotation files",
    "kaggle_dataset/image_csv_det/ann3.csv": "--boxes xyxy-pixels",
    "imagenet_dataset": "concept/image",
}


@pytest.mark.shared
@pytest.mark.parametrize("place", READ)
def test_files_of_other_tools(shared, place):
    form, images = READ[place]
    found = parse_annotations(shared / "formats_datumaro" / place)
    assert len(found.images) == images
    assert len(found.annotations) > 0
    assert form in ANNOTATION_FORMATS


@pytest.mark.shared
@pytest.mark.parametrize("place", REFUSED)
def test_unsupported_formats_are_refused_with_a_remedy(shared, workspace, place):
    with pytest.raises(PellucidError, match=REFUSED[place]) as refusal:
        workspace.add("v", shared / "formats_datumaro" / place)
    assert re.search(
        r"(Write|Use|Convert|Export|Put|Add|Specify|Move|Unpack|pickle)", str(refusal.value)
    ), refusal.value


def facts(found):
    """What a source says, in plain words."""
    table = found.annotations
    rows = [
        (
            str(found.images.path[image]),
            found.concepts[concept],
            None if table.box is None else [round(side, 6) for side in table.box[row].tolist()],
            bool(table.ignore[row]),
            bool(table.positive[row]),
        )
        for row, (image, concept) in enumerate(zip(table.image, table.concept, strict=True))
    ]
    return found.kind, rows


def read_text(tmp_path, name, text, kind=None, pictures=None):
    return parse_annotations(
        toys.write(tmp_path / name, text if isinstance(text, str) else json.dumps(text)),
        None,
        ReadOptions(kind, pictures),
    )


def test_lvis(tmp_path):
    found = read_text(
        tmp_path,
        "lvis.json",
        {
            "images": [
                {
                    "id": 1,
                    "coco_url": "http://x/val/1.jpg",
                    "width": 10,
                    "height": 20,
                    "neg_category_ids": [2],
                    "not_exhaustive_category_ids": [3],
                }
            ],
            "categories": [
                {"id": 1, "name": "a"},
                {"id": 2, "name": "b"},
                {"id": 3, "name": "c"},
                {"id": 4, "name": "d"},
            ],
            "annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "area": 9}],
        },
    )
    assert facts(found)[1] == [
        ("1.jpg", "a", [1, 2, 3, 4], False, True),
        ("1.jpg", "b", [0, 0, 0, 0], False, False),
        ("1.jpg", "c", [0, 0, 10, 20], True, True),
    ]


def test_unverified_lvis_concepts_are_ignored(tmp_path, workspace):
    source = toys.write(
        tmp_path / "lvis.json",
        json.dumps(
            {
                "images": [
                    {
                        "id": 1,
                        "file_name": "1.jpg",
                        "width": 100,
                        "height": 100,
                        "neg_category_ids": [2],
                        "not_exhaustive_category_ids": [3],
                    }
                ],
                "categories": [
                    {"id": number, "name": name} for number, name in enumerate("abcd", 1)
                ],
                "annotations": [
                    {"image_id": 1, "category_id": 1, "bbox": [10, 10, 10, 10], "area": 100}
                ],
            }
        ),
    )
    view, _ = workspace.add("v", source)
    version = view.start("m")
    version.add_predictions(
        {
            "image": ["1.jpg"] * 5,
            "concept": ["a", "a", "b", "c", "d"],
            "score": [0.9, 0.8, 0.7, 0.6, 0.5],
            "x": [10, 50, 50, 50, 50],
            "y": [10, 50, 50, 50, 50],
            "width": [10] * 5,
            "height": [10] * 5,
        }
    )
    assert [(item.concept, item.outcome) for item in version.gallery("all", threshold=0)] == [
        ("a", "matched"),
        ("a", "missing"),
        ("b", "missing"),
        ("c", "ignored"),
        ("d", "ignored"),
    ]
    assert len(version.gallery("extra")) == 0


def test_label_studio(tmp_path):
    region = {
        "x": 10,
        "y": 20,
        "width": 30,
        "height": 40,
        "rotation": 0,
        "rectanglelabels": ["dent"],
    }
    task = {
        "id": 1,
        "data": {"image": "/data/upload/1/0a1b2c3d-line%201.jpg"},
        "annotations": [
            {"was_cancelled": True, "result": []},
            {
                "result": [
                    {
                        "type": "rectanglelabels",
                        "value": region,
                        "original_width": 200,
                        "original_height": 100,
                    },
                    {"type": "choices", "value": {"choices": ["night"]}},
                ]
            },
        ],
    }
    kind, rows = facts(read_text(tmp_path, "full.json", [task]))
    assert (kind, rows) == ("detection", [("line 1.jpg", "dent", [20, 20, 60, 40], False, True)])
    short = [
        {
            "image": "a.jpg",
            "id": 1,
            "annotator": 1,
            "label": [{**region, "original_width": 200, "original_height": 100}],
        },
        {"image": "b.jpg", "id": 2, "annotator": 1, "choice": "night"},
    ]
    assert facts(read_text(tmp_path, "min.json", short))[1] == [
        ("a.jpg", "dent", [20, 20, 60, 40], False, True)
    ]
    assert facts(read_text(tmp_path, "min.json", short, "classification"))[1] == [
        ("b.jpg", "night", None, False, True)
    ]


def test_kitti_dont_care_is_ignored_for_every_concept(tmp_path):
    line = "{} 0 0 0 {} 1 1 1 0 0 0 0"
    toys.write(
        tmp_path / "label_2/000001.txt",
        "\n".join(
            [
                line.format("Car", "10 20 30 40"),
                line.format("DontCare", "0 0 5 5"),
                line.format("Van", "1 1 9 9"),
            ]
        ),
    )
    _, rows = facts(parse_annotations(tmp_path / "label_2"))
    assert rows == [
        ("000001.png", "Car", [10, 20, 20, 20], False, True),
        ("000001.png", "Van", [1, 1, 8, 8], False, True),
        ("000001.png", "Car", [0, 0, 5, 5], True, True),
        ("000001.png", "Van", [0, 0, 5, 5], True, True),
    ]


def test_voc_first_pixel_is_inferred_for_the_whole_dataset(tmp_path):
    def picture(name, *corners):
        objects = "".join(
            f"<object><name>dent</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
            for a, b, c, d in corners
        )
        return f"<annotation><filename>{name}.jpg</filename><size><width>50</width><height>40</height></size>{objects}</annotation>"

    toys.write(tmp_path / "one/a.xml", picture("a", (1, 1, 50, 40)))
    assert facts(parse_annotations(tmp_path / "one"))[1][0][2] == [0, 0, 50, 40]
    toys.write(tmp_path / "zero/a.xml", picture("a", (1, 1, 50, 40)))
    toys.write(tmp_path / "zero/b.xml", picture("b", (0, 5, 10, 10)))
    found = parse_annotations(tmp_path / "zero")
    assert [row[2] for row in facts(found)[1]] == [[1, 1, 49, 39], [0, 5, 10, 5]]
    assert (found.inferences[0].question, found.inferences[0].answer) == ("first pixel", "0")
    forced = parse_annotations(tmp_path / "zero", options=ReadOptions(first_pixel=1))
    assert [row[2] for row in facts(forced)[1]] == [[0, 0, 50, 40], [-1, 4, 11, 6]]
    assert forced.inferences[0].forced


@pytest.mark.parametrize("name", ["bomb", "outside"])
def test_external_xml_entities_are_refused(tmp_path, name):
    entity = {
        "bomb": '<!ENTITY a "1234567890"><!ENTITY b "&a;&a;&a;">',
        "outside": '<!ENTITY b SYSTEM "file:///etc/passwd">',
    }[name]
    text = (
        "<?xml version='1.0'?><!DOCTYPE x "
        f"[{entity}]><annotation><filename>&b;</filename><object><bndbox></bndbox></object></annotation>"
    )
    with pytest.raises(PellucidError, match="unsafe XML"):
        read_text(tmp_path, "a.xml", text)


def test_fiftyone_and_deepomatic_boxes_are_fractions(tmp_path):
    sample = {
        "filepath": "/home/me/export/data/a.jpg",
        "tags": ["val"],
        "ground_truth": {
            "_cls": "Detections",
            "detections": [
                {"_cls": "Detection", "label": "dent", "bounding_box": [0.1, 0.2, 0.3, 0.4]}
            ],
        },
    }
    toys.write(tmp_path / "export/samples.json", json.dumps({"samples": [sample]}))
    found = parse_annotations(tmp_path / "export")
    assert (found.unit, facts(found)[1]) == (
        "fractions",
        [("a.jpg", "dent", [0.1, 0.2, 0.3, 0.4], False, True)],
    )
    studio = {
        "tags": ["dent", "night"],
        "images": [
            {
                "location": "a.jpg",
                "stage": "train",
                "annotated_regions": [
                    {
                        "region_type": "Box",
                        "tags": ["dent"],
                        "region": {"xmin": 0.1, "ymin": 0.2, "xmax": 0.5, "ymax": 0.4},
                    },
                    {"region_type": "Whole", "tags": ["night"]},
                ],
            }
        ],
    }
    found = read_text(tmp_path, "studio.json", studio)
    assert (found.unit, found.images.split.tolist()) == ("fractions", [0])
    assert facts(found)[1] == [("a.jpg", "dent", [0.1, 0.2, 0.4, 0.2], False, True)]


def test_hugging_face_tables_with_embedded_images(tmp_path, workspace):
    import duckdb

    picture = toys.picture(tmp_path / "one.png", 64, 48).read_bytes()
    features = json.dumps(
        {
            "info": {
                "features": {
                    "image": {"_type": "Image"},
                    "label": {"_type": "ClassLabel", "names": ["cat", "dog"]},
                }
            }
        }
    )
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE t AS SELECT {'bytes': ?::BLOB, 'path': 'x.png'} AS image, 1 AS label",
            [picture],
        )
        file = tmp_path / "train-00000-of-00001.parquet"
        connection.execute(
            f"COPY t TO '{file}' (FORMAT parquet, KV_METADATA {{huggingface: '{features}'}})"
        )
    view, notes = workspace.add("v", file)
    assert (view.kind, view.images_by_split) == ("classification", {"training": 1})
    assert [concept.name for concept in view.manifest.concepts] == ["cat", "dog"]
    assert not any(note.kind == "picture_absent" for note in notes)
    images, folders = view.images_and_folders
    from pellucid.images.locations import join_location
    from pellucid.images.sizes import display_size

    assert display_size(join_location(folders[images.root[0]], images.path[0])) == (64, 48)


class Detections:
    """As supervision has them."""

    def __init__(self, xyxy, confidence, class_id, names):
        self.xyxy, self.confidence, self.class_id = (
            np.array(xyxy),
            np.array(confidence),
            np.array(class_id),
        )
        self.data = {"class_name": np.array(names)}


@pytest.mark.parametrize(
    "predicted",
    [
        {
            "a/one.png": {
                "boxes": np.array([[10.0, 10, 30, 30]]),
                "scores": np.array([0.9]),
                "labels": np.array([1]),
            }
        },
        {"a/one.png": Detections([[10, 10, 30, 30]], [0.9], [0], ["dent"])},
        {
            "a/one.png": [
                {
                    "label": "dent",
                    "score": 0.9,
                    "box": {"xmin": 10, "ymin": 10, "xmax": 30, "ymax": 30},
                }
            ]
        },
    ],
    ids=["torchmetrics", "supervision", "a pipeline"],
)
def test_in_memory_predictions_of_other_libraries(tmp_path, workspace, predicted):
    view, _ = workspace.add("v", toys.coco(tmp_path, pictures=False))
    version = view.start("m")
    version.add_predictions(predicted)
    assert [(item.concept, item.box, item.score) for item in version.gallery("all")] == [
        ("dent", (10, 10, 20, 20), 0.9)
    ]


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
    toys.write(
        tmp_path / "preds/one.json",
        json.dumps({"labels": [0], "scores": [0.9], "bboxes": [[10, 10, 30, 30]]}),
    )
    vulcan = [
        {
            "location": "a/one.png",
            "outputs": [
                {
                    "labels": {
                        "predicted": [
                            {
                                "label_name": "dent",
                                "score": 0.9,
                                "roi": {
                                    "bbox": {
                                        "xmin": 10 / 64,
                                        "ymin": 10 / 48,
                                        "xmax": 30 / 64,
                                        "ymax": 30 / 48,
                                    }
                                },
                            }
                        ],
                        "discarded": [
                            {
                                "label_name": "rust",
                                "score": 0.1,
                                "roi": {"bbox": {"xmin": 0, "ymin": 0, "xmax": 0.5, "ymax": 0.5}},
                            }
                        ],
                    }
                }
            ],
        }
    ]
    toys.write(tmp_path / "vulcan.json", json.dumps(vulcan))
    for name, source in {"mm": tmp_path / "preds", "deepomatic": tmp_path / "vulcan.json"}.items():
        version = view.start(name)
        version.add_predictions(source)
        first = version.gallery("all")[0]
        assert (first.concept, first.outcome) == ("dent", "matched")
        assert first.box == pytest.approx((10, 10, 20, 20))
    assert len(version.gallery("all")) == 2


def test_every_format_can_be_selected_by_name(tmp_path):
    source = toys.coco(tmp_path, pictures=False)
    with pytest.raises(PellucidError, match="not recognised as voc"):
        parse_annotations(source, "voc")
    with pytest.raises(pellucid.PellucidError, match="unknown format 'pascal'"):
        parse_annotations(source, "pascal")
