"""No bytes make a reader do anything but read or refuse: no other error, no hang."""

import contextlib
import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import toys
from pellucid.core.errors import PellucidError
from pellucid.formats.annotation_sources import read_annotations
from pellucid.formats.prediction_sources import read_predictions
from pellucid.formats.probe import ReadOptions, probe_source
from pellucid.formats.registry import (
    PREDICTION_READERS,
    READERS,
    WRITERS,
)

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


def attempt(path):
    """The front doors, and every reader that takes it for its own: each reads, or refuses as
    Pellucid does."""
    for kind in (None, "tagging"):
        with contextlib.suppress(PellucidError):
            read_annotations(path, None, ReadOptions(kind))
    for kind in ("detection", "classification"):
        with contextlib.suppress(PellucidError):
            read_predictions(path, None, ReadOptions(kind, concepts=("x",)))
    for reader in (*READERS, *PREDICTION_READERS):
        with contextlib.suppress(PellucidError):
            seen = probe_source(path)
            if reader.matches(seen):
                reader.read(seen, ReadOptions("detection"))


@pytest.mark.parametrize("name", SEEDS)
def test_seeds_are_read_or_refused(name, tmp_path):
    attempt(toys.write(tmp_path / name, SEEDS[name]))


@pytest.mark.parametrize("name", SEEDS)
def test_mutated_bytes_and_tokens(name, tmp_path):
    chance = random.Random(name)
    for _ in range(60):
        text = bytearray(SEEDS[name].encode())
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(text))
            how = chance.randrange(4)
            if how == 0:
                text[place : place + chance.randint(1, 6)] = b""
            elif how == 1:
                text[place:place] = chance.choice(WORDS)
            elif how == 2:
                text[place : place + 1] = chance.choice(WORDS)
            else:
                begin = chance.randrange(len(text))
                text[place:place] = text[begin : begin + chance.randint(1, 40)]
            text = text or bytearray(b" ")
        (tmp_path / name).write_bytes(bytes(text))
        attempt(tmp_path / name)


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(), st.text(max_size=5)
    ),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


def paths_in(value, here=()):
    yield here
    several = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in several:
        yield from paths_in(inner, (*here, key))


@pytest.mark.parametrize("name", [name for name in SEEDS if name.endswith(".json")])
def test_wrong_json_types_anywhere(name, tmp_path):
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(data=st.data())
    def holds(data):
        document = json.loads(SEEDS[name])
        *way, last = data.draw(st.sampled_from([path for path in paths_in(document) if path]))
        inner = document
        for key in way:
            inner = inner[key]
        inner[last] = data.draw(VALUES)
        attempt(toys.write(tmp_path / name, json.dumps(document)))

    holds()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    data=st.binary(max_size=300),
    name=st.sampled_from(["a.json", "a.xml", "a.csv", "a.txt", "a.parquet", "a.yaml", "a.data"]),
)
def test_arbitrary_bytes(data, name, tmp_path):
    (tmp_path / name).write_bytes(data)
    attempt(tmp_path / name)


def test_every_writer_has_a_reader():
    read_as = {"coco-roboflow": "coco", "csv": "table", "parquet": "table"}
    readers = {reader.name for reader in READERS}
    assert {read_as.get(name, name) for name in WRITERS} <= readers
