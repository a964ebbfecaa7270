"""Small files of every format, and an attempt to read one by everything that reads."""

import contextlib
import json
from pathlib import Path

from pellucid.core.errors import PellucidError
from pellucid.formats.annotation_sources import parse_annotations
from pellucid.formats.prediction_sources import read_predictions
from pellucid.formats.probe import ReadOptions, probe_source
from pellucid.formats.registry import PREDICTION_READERS, READERS

BOX = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>8</ymax></bndbox>"
SEEDS = {
    "coco.json": json.dumps(
        {
            "images": [{"id": 1, "file_name": "a.jpg", "width": 9, "height": 9}],
            "categories": [{"id": 1, "name": "x"}],
            "annotations": [
                {
                    "image_id": 1,
                    "category_id": 1,
                    "bbox": [1, 2, 3, 4],
                    "segmentation": [[1, 2, 3, 4]],
                }
            ],
        }
    ),
    "results.json": json.dumps(
        [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]
    ),
    "voc.xml": f"<annotation><filename>a.jpg</filename><size><width>9</width></size><object><name>x</name>{BOX}</object></annotation>",
    "cvat.xml": '<annotations><version>1.1</version><image id="0" name="a.jpg" width="9" '
    'height="9"><box label="x" xtl="1" ytl="2" xbr="3" ybr="4"/></image></annotations>',
    "labelme.json": json.dumps(
        {
            "imagePath": "a.jpg",
            "imageWidth": 9,
            "imageHeight": 9,
            "shapes": [{"label": "x", "points": [[1, 2], [3, 4]], "shape_type": "circle"}],
        }
    ),
    "datumaro.json": json.dumps(
        {
            "categories": {"label": {"labels": [{"name": "x"}]}},
            "items": [
                {"id": "a", "annotations": [{"type": "bbox", "label_id": 0, "bbox": [1, 2, 3, 4]}]}
            ],
        }
    ),
    "vott-export.json": json.dumps(
        {
            "assets": {
                "1": {
                    "asset": {"name": "a.jpg"},
                    "regions": [{"tags": ["x"], "points": [{"x": 1, "y": 2}]}],
                }
            }
        }
    ),
    "createml.json": json.dumps(
        [
            {
                "image": "a.jpg",
                "annotations": [
                    {"label": "x", "coordinates": {"x": 1, "y": 2, "width": 3, "height": 4}}
                ],
            }
        ]
    ),
    "studio.json": json.dumps(
        [
            {
                "id": 1,
                "data": {"image": "a.jpg"},
                "annotations": [
                    {
                        "result": [
                            {
                                "original_width": 9,
                                "original_height": 9,
                                "value": {
                                    "x": 1,
                                    "y": 2,
                                    "width": 3,
                                    "height": 4,
                                    "rotation": 5,
                                    "rectanglelabels": ["x"],
                                },
                            }
                        ]
                    }
                ],
                "predictions": [{"model_version": "m", "score": 0.5, "result": []}],
            }
        ]
    ),
    "samples.json": json.dumps(
        {
            "samples": [
                {
                    "filepath": "data/a.jpg",
                    "ground_truth": {
                        "_cls": "Detections",
                        "detections": [
                            {"label": "x", "bounding_box": [0.1, 0.2, 0.3, 0.4], "confidence": 0.5}
                        ],
                    },
                }
            ]
        }
    ),
    "deepomatic.json": json.dumps(
        {
            "images": [
                {
                    "location": "a.jpg",
                    "annotated_regions": [
                        {
                            "tags": ["x"],
                            "region": {"xmin": 0.1, "ymin": 0.1, "xmax": 0.5, "ymax": 0.5},
                        }
                    ],
                }
            ]
        }
    ),
    "vulcan.json": json.dumps(
        [
            {
                "location": "a.jpg",
                "outputs": [
                    {"labels": {"predicted": [{"label_name": "x", "score": 0.5}], "discarded": []}}
                ],
            }
        ]
    ),
    "mm.json": json.dumps({"labels": [0], "scores": [0.5], "bboxes": [[1, 2, 3, 4]]}),
    "mm-masks.json": json.dumps(
        {
            "labels": [0],
            "scores": [0.5],
            "bboxes": [[1, 2, 3, 4]],
            "masks": [{"size": [9, 9], "counts": "11h2"}],
        }
    ),
    "metadata.jsonl": json.dumps(
        {"file_name": "a.jpg", "objects": {"bbox": [[1, 2, 3, 4]], "category": [0]}}
    )
    + "\n",
    "boxes.csv": "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsGroupOf\na,x,/m/0,1,0.1,0.5,0.2,0.6,0\n",
    "kitti.txt": "Car 0 0 0 1 2 3 4 1 1 1 0 0 0 0\nDontCare 0 0 0 1 2 3 4 1 1 1 0 0 0 0\n",
    "dota.txt": "0 0 2 0 2 2 0 2 plane 0\n",
    "wider_face_val_bbx_gt.txt": "a.jpg\n1\n1 2 3 4 0 0 0 0 0 0\n",
    "list_attr_celeba.txt": "1\nBald Young\n000001.jpg -1 1\n",
    "list.txt": "a.jpg cat\nb.jpg dog\n",
    "data.yaml": "names: [a, b]\ntrain: .\n",
    "table.csv": "image,concept,x,y,width,height,split\na.jpg,x,1,2,3,4,val\n",
    "wide.csv": "image,cat,dog\na.jpg,1,0\n",
    "scores.csv": "image,concept,score,x,y,width,height\na.jpg,x,0.5,1,2,3,4\n",
}
WORDS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b",",
    b":",
    b"null",
    b"-1",
    b"1e999",
    b"NaN",
    b"\xff",
    b"\0",
    b"\n",
    b"<",
    b">",
    b"&b;",
    b"9" * 40,
    b"../",
    b"true",
    b"'",
]


def attempt(path: Path) -> None:
    """Read the file as annotations and as predictions, and by every reader that recognises it: each
    reads it or raises a PellucidError."""
    for kind in (None, "tagging"):
        with contextlib.suppress(PellucidError):
            parse_annotations(path, None, ReadOptions(kind))
    for kind in ("detection", "classification"):
        with contextlib.suppress(PellucidError):
            read_predictions(path, None, ReadOptions(kind, concepts=("x",)))
    for reader in (*READERS, *PREDICTION_READERS):
        with contextlib.suppress(PellucidError):
            seen = probe_source(path)
            if reader.matches(seen):
                reader.read(seen, ReadOptions("detection"))


NAMES = [*SEEDS, "a.parquet", "a.data"]
SEED_INPUTS = [bytes([NAMES.index(name)]) + text.encode() for name, text in SEEDS.items()]
"""Inputs of `read_input`."""


def read_input(data: bytes, folder: Path) -> None:
    """Attempt to read a file: the first byte chooses its name, the rest is its content."""
    if not data:
        return
    path = folder / NAMES[data[0] % len(NAMES)]
    path.write_bytes(data[1:])
    try:
        attempt(path)
    finally:
        path.unlink()
