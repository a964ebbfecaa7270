"""Which columns of a table, or fields of a record, name the image."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import pellucid
import toys
from pellucid.core.errors import PellucidError

BOXES = [
    ("v1", 0, "cat", 10, 20, 30, 40),
    ("v1", 1, "cat", 50, 20, 30, 40),
    ("v2", 0, "cat", 200, 120, 30, 40),
    ("v2", 1, "dog", 70, 20, 30, 40),
]
COLLECTIONS = (
    *("video", "video_name", "clip", "patient_id", "subject", "study", "series", "session"),
    *("bucket", "dir", "camera_id", "location", "site", "user", "batch"),
)


@pytest.mark.parametrize("collection", COLLECTIONS)
@pytest.mark.parametrize("image", ["frame", "image", "file_name"])
def test_an_image_named_by_two_columns_is_refused(
    collection: str, image: str, tmp_path: Path
) -> None:
    """The frames 0 of two videos are two images."""
    rows = [f"{name},{n}.jpg,{','.join(map(str, rest))}" for name, n, *rest in BOXES]
    header = f"{collection},{image},label,x,y,width,height"
    source = toys.write(tmp_path / "a.csv", "\n".join([header, *rows]) + "\n")
    with pytest.raises(PellucidError, match=f"a column that joins both.*values of {collection}"):
        pellucid.open(tmp_path / "w").add("v", source)
    joined = [f"{name}/{n}.jpg,{','.join(map(str, rest))}" for name, n, *rest in BOXES]
    toys.write(source, "\n".join(["image,label,x,y,width,height", *joined]) + "\n")
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    assert len(view.annotation_tables[0].path) == 4


def test_properties_of_objects_are_no_part_of_the_name(tmp_path: Path) -> None:
    """The site of a finding differs within an image, and its rows do not follow one another."""
    rows = ["a.jpg,left,1,2,30,40", "a.jpg,right,50,2,30,40", "b.jpg,left,1,2,30,40"]
    header = "image,site,x,y,width,height,label"
    source = toys.write(tmp_path / "a.csv", "\n".join([header, *(f"{r},x" for r in rows)]) + "\n")
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    assert sorted(view.annotation_tables[0].path) == ["a.jpg", "b.jpg"]


def test_a_record_named_by_two_fields_is_refused(tmp_path: Path) -> None:
    records = [
        {
            "patient_id": name,
            "image": n,
            "objects": [{"label": label, "x": x, "y": y, "width": w, "height": h}],
        }
        for name, n, label, x, y, w, h in BOXES
    ]
    source = toys.write(tmp_path / "a.json", json.dumps(records))
    with pytest.raises(PellucidError, match="several columns could be the image"):
        pellucid.open(tmp_path / "w").add("v", source)


def test_fields_beside_the_objects_of_a_record_are_read(tmp_path: Path) -> None:
    """The split, the size and the user's own fields are about the image."""
    box = {"label": "cat", "bbox": [1, 2, 30, 40]}
    record = {"width": 640, "height": 480, "weather": "rain"}
    records = [
        {**record, "image": "a.jpg", "split": "train", "objects": [box]},
        {**record, "image": "b.jpg", "split": "val", "objects": [box, {**box, "label": "dog"}]},
        {**record, "image": "c.jpg", "split": "val", "objects": []},
    ]
    source = toys.write(tmp_path / "a.json", json.dumps(records))
    view, _ = pellucid.open(tmp_path / "w").add("v", source, boxes="xywh-pixels")
    images = view.annotation_tables[0]
    assert dict(zip(images.path, images.split, strict=True)) == {"a.jpg": 0, "b.jpg": 1, "c.jpg": 1}
    assert images.width.tolist() == [640] * 3
    assert all("rain" in metadata for metadata in images.metadata)


@pytest.mark.parametrize("padded", ["annotations", "predictions"])
def test_ids_with_leading_zeros_are_ids(padded: str, tmp_path: Path) -> None:
    """Not the numbers in the names of the files, which are those of other images."""
    images = {1: ("4.jpg", "cat"), 2: ("3.jpg", "dog"), 3: ("2.jpg", "cat"), 4: ("1.jpg", "dog")}
    rows = [(i, f"{i:04}", file, label) for i, (file, label) in images.items()]
    in_annotations, in_predictions = (1, 0) if padded == "annotations" else (0, 1)
    annotations = "".join(f"{row[in_annotations]},{row[2]},{row[3]}\n" for row in rows)
    predictions = "".join(f"{row[in_predictions]},{row[3]},0.9\n" for row in rows)
    source = toys.write(tmp_path / "a.csv", "image_id,file_name,label\n" + annotations)
    results = toys.write(tmp_path / "p.csv", "image_id,label,score\n" + predictions)
    view, _ = pellucid.open(tmp_path / "w").add("v", source, kind="classification")
    version = view.start("m")
    version.add_predictions(results)
    assert version.metrics().overall.argmax_accuracy == 1
