"""Read an exported data set with another program and print its boxes as JSON: runs in the
environment of the tools, without Pellucid.

python read_with.py TOOL FORMAT FOLDER
→ {"version": ..., "images": how many it opens, "boxes": {"a/one": [[concept, x, y, w, h], ...]}}
"""

import json
import os
import sys
from importlib.metadata import version
from pathlib import Path

import yaml
from PIL import Image


def stem(path, folder):
    return Path(os.path.relpath(path, folder)).with_suffix("").as_posix()


def read_datumaro(form, folder):
    import datumaro

    names = {"coco-roboflow": "roboflow_coco", "yolo": "yolo_ultralytics"}
    dataset = datumaro.Dataset.import_from(str(folder), names.get(form, form))
    labels = dataset.categories()[datumaro.AnnotationType.label]
    boxes = {
        item.id: [
            [labels[box.label].name, *map(float, box.get_bbox())]
            for box in item.annotations
            if box.type == datumaro.AnnotationType.bbox
        ]
        for item in dataset
    }
    images = sum(item.media is not None and item.media.data is not None for item in dataset)
    return images, boxes


def read_fiftyone(form, folder):
    os.environ["FIFTYONE_DISABLE_SERVICES"] = "1"  # its importer needs no database
    from fiftyone.utils.data import importers

    importer = importers._handle_legacy_formats(importers.FiftyOneDatasetImporter(str(folder)))
    importer.setup()
    boxes, images = {}, 0
    for sample in importer:
        images += Path(sample.filepath).is_file()
        width, height = sample.metadata.width, sample.metadata.height
        boxes[stem(sample.filepath, folder / "data")] = [
            [label.label, x * width, y * height, w * width, h * height]
            for label in sample["ground_truth"].detections
            for x, y, w, h in [label.bounding_box]
        ]
    return images, boxes


def read_datasets(form, folder):
    import datasets

    splits = datasets.load_dataset(
        "imagefolder", data_dir=str(folder), cache_dir=str(folder.parent / "cache")
    ).cast_column("image", datasets.Image(decode=False))
    boxes = {}
    for split, rows in splits.items():
        for row in rows:
            boxes[stem(row["image"]["path"], folder / split)] = [
                [concept, *box]
                for concept, box in zip(
                    row["objects"]["category"], row["objects"]["bbox"], strict=True
                )
            ]
    return len(boxes), boxes


def read_globox(form, folder):
    import globox

    sets = {
        "coco": lambda: [globox.AnnotationSet.from_coco(f) for f in folder.rglob("*.json")],
        "cvat": lambda: [globox.AnnotationSet.from_cvat(f) for f in folder.glob("*.xml")],
        "voc": lambda: [globox.AnnotationSet.from_pascal_voc(folder / "Annotations")],
    }[form]()
    boxes = {
        stem(annotation.image_id, "."): [
            [box.label, box.xmin, box.ymin, box.width, box.height] for box in annotation.boxes
        ]
        for annotations in sets
        for annotation in annotations
    }
    return None, boxes


def read_pycocotools(form, folder):
    from pycocotools.coco import COCO

    boxes, images = {}, 0
    for file in folder.rglob("*.json"):
        coco = COCO(str(file))
        for image in coco.loadImgs(coco.getImgIds()):
            images += (folder / "images" / image["file_name"]).is_file()
            boxes[stem(image["file_name"], ".")] = [
                [coco.cats[record["category_id"]]["name"], *record["bbox"]]
                for record in coco.loadAnns(coco.getAnnIds([image["id"]]))
            ]
    return images, boxes


def read_supervision(form, folder):
    import supervision

    parts, image_folder = [], folder / "images"
    if form == "yolo":
        parts = [
            supervision.DetectionDataset.from_yolo(
                str(image_folder), str(folder / "labels"), str(folder / "data.yaml")
            )
        ]
    else:
        parts = [
            supervision.DetectionDataset.from_coco(str(image_folder), str(file))
            for file in folder.rglob("*.json")
        ]
    boxes, images = {}, 0
    for part in parts:
        for path, _, detections in part:
            images += Path(path).is_file()
            boxes[stem(path, image_folder)] = [
                [part.classes[class_id], x1, y1, x2 - x1, y2 - y1]
                for (x1, y1, x2, y2), class_id in zip(
                    detections.xyxy.tolist(), detections.class_id.tolist(), strict=True
                )
            ]
    return images, boxes


def read_ultralytics(form, folder):
    from ultralytics.data import YOLODataset
    from ultralytics.data.utils import check_det_dataset

    data = check_det_dataset(str(folder / "data.yaml"))
    assert yaml.safe_load((folder / "data.yaml").read_text())["names"] == data["names"]
    boxes, images = {}, 0
    for split in ("train", "val"):
        for record in YOLODataset(data[split], data=data, augment=False).labels:
            height, width = record["shape"]
            images += Image.open(record["im_file"]).size == (width, height)
            boxes[stem(record["im_file"], folder / "images")] = [
                [
                    data["names"][int(concept)],
                    (cx - w / 2) * width,
                    (cy - h / 2) * height,
                    w * width,
                    h * height,
                ]
                for concept, (cx, cy, w, h) in zip(
                    record["cls"][:, 0].tolist(), record["bboxes"].tolist(), strict=True
                )
            ]
    return images, boxes


if __name__ == "__main__":
    tool, form, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    images, boxes = globals()[f"read_{tool}"](form, folder)
    result = {"version": version(tool), "images": images, "boxes": boxes}
    print("\n" + json.dumps(result))
