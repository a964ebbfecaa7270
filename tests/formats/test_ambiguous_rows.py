"""Rows, lines and records that would mean something else than what they say: they are refused, or
read as they are meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import pellucid
import toys
from pellucid.core.errors import PellucidError
from pellucid.project import View

IMAGES = ("a.jpg", "b.jpg", "c.jpg", "d.jpg")
REFUSED_TABLES = {
    "deleted": ("image,label,deleted\na.jpg,cat,0\nb.jpg,dog,1\n", "line 3: deleted is '1'"),
    "keep": ("image,label,keep\na.jpg,cat,1\nb.jpg,dog,0\n", "line 3: keep is '0'"),
    "answer": ("image,label,answer\na.jpg,cat,accept\nb.jpg,dog,reject\n", "answer is 'reject'"),
    "count": ("image,species,count\na.jpg,cat,2\na.jpg,dog,0\nb.jpg,dog,1\n", "count is 0"),
    "probability": (
        "image,label,probability\na.jpg,cat,0.9\na.jpg,dog,0.05\nb.jpg,dog,0.8\n",
        "probability is 0.05",
    ),
    "flags": (
        "image,attribute,label\na.jpg,cat,1\na.jpg,dog,0\nb.jpg,cat,0\nb.jpg,dog,1\n",
        "--columns concept=attribute,value=label",
    ),
    "masks": ("image,label\na.jpg,masks/a.png\nb.jpg,masks/b.png\n", "is a file, not a concept"),
    "points": ('image,label,points\na.jpg,cat,"[[1, 2], [30, 40]]"\n', "'points' look like boxes"),
    "total": ("image,label\na.jpg,cat\nb.jpg,dog\nTotal:,2\n", "looks like a row that sums up"),
    "splits": ("image,in_train,in_val\na.jpg,0,1\nb.jpg,1,0\n", "could be the split"),
    "words": (
        "image,tags\na.jpg,sun and sea\nb.jpg,sea\nc.jpg,sun\nd.jpg,sea and city\n",
        "--separator ' and '",
    ),
    "valid": ("image,label,valid\na.jpg,cat,true\nb.jpg,dog,false\n", "which rows are valid"),
}
REFUSED_LISTS = {
    "masks": ("images/a.jpg labels/a.png\nimages/b.jpg labels/b.png\n", "is a file"),
    "annotations": (
        "images/a.jpg Annotations/a.xml\nimages/b.jpg Annotations/b.xml\n",
        "is a file",
    ),
    "boxes": ("a.jpg 10 20 110 140\nb.jpg 11 21 111 141\n", "may be a box or a value"),
    "named-boxes": (
        "a.jpg 10 20 110 140 dog\nb.jpg 11 21 111 141 cat\n",
        "may be a box or a value",
    ),
    "scores": ("a.jpg dog 0.90\nb.jpg cat 0.91\n", "a name and a number behind it"),
    "values": ("a.jpg 0.000\nb.jpg 0.370\n", "may be a box or a value"),
}
ACCEPTED_TABLES = {
    "nothing deleted": "image,label,deleted\na.jpg,cat,0\nb.jpg,dog,0\n",
    "counts of what is there": "image,species,count\na.jpg,cat,2\na.jpg,dog,1\nb.jpg,dog,1\n",
    "one row an image": "image,label,confidence\na.jpg,cat,0.4\nb.jpg,dog,0.9\n",
    "status of the camera": "image,label,status\na.jpg,cat,open\nb.jpg,dog,rejected\n",
    "named by the user": "image,label,is_valid\na.jpg,cat,true\nb.jpg,dog,false\n",
}


def add(folder: Path, source: Path) -> View:
    return pellucid.open(folder / "w").add("v", source)[0]


@pytest.mark.parametrize(
    ("file_name", "text", "message"),
    [
        *(pytest.param("a.csv", *case, id=name) for name, case in REFUSED_TABLES.items()),
        *(pytest.param("list.txt", *case, id=f"list-{n}") for n, case in REFUSED_LISTS.items()),
    ],
)
def test_file_is_refused(file_name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(PellucidError) as refusal:
        add(tmp_path, toys.write(tmp_path / file_name, text))
    assert message in str(refusal.value)


@pytest.mark.parametrize("name", ACCEPTED_TABLES)
def test_table_is_accepted(name: str, tmp_path: Path) -> None:
    view = add(tmp_path, toys.write(tmp_path / "a.csv", ACCEPTED_TABLES[name]))
    assert sum(view.images_by_split.values()) == 2


def test_lists_of_tags_and_of_flags_are_read(tmp_path: Path) -> None:
    toys.write(tmp_path / "classes.txt", "\n".join("abcdefghi"))
    for name, text in (("tags", "a.jpg 3 4 5 6\nb.jpg 1 2 7 8\n"), ("names", "a.jpg x\nb.jpg y\n")):
        source = toys.write(tmp_path / f"{name}.txt", text)
        view, _ = pellucid.open(tmp_path / "w").add(name, source)
        assert len(view.manifest.concepts) >= 2


def test_answers_of_annotators_in_json(tmp_path: Path) -> None:
    rows = [
        {"image": name, "label": "cat", "answer": "reject" if name == "b.jpg" else "accept"}
        for name in IMAGES
    ]
    text = "\n".join(map(json.dumps, rows))
    with pytest.raises(PellucidError, match="answer is 'reject', as in 1 row"):
        add(tmp_path, toys.write(tmp_path / "a.jsonl", text))


def test_groups_of_records_keep_their_images(tmp_path: Path) -> None:
    """The keys are splits or batches, not images."""
    records = [{"image": name, "label": "cat" if name < "c" else "dog"} for name in IMAGES]
    for first, second, splits in (
        ("train", "val", {"training": 2, "validation": 2}),
        ("batch1", "batch2", {"validation": 4}),
    ):
        document = {first: records[:2], second: records[2:]}
        view = add(tmp_path / first, toys.write(tmp_path / first / "a.json", json.dumps(document)))
        assert {split: count for split, count in view.images_by_split.items() if count} == splits
        assert view.kind == "classification"


def test_splits_in_paths_of_one_file_are_named(tmp_path: Path) -> None:
    source = toys.write(tmp_path / "a.csv", "image,label\ntrain/a.jpg,cat\nval/b.jpg,dog\n")
    _, notes = pellucid.open(tmp_path / "w").add("v", source)
    assert [note.severity for note in notes if note.kind == "unread_split"] == ["warning"]
    source = toys.write(
        tmp_path / "b.csv", "image,label,split\ntrain/a.jpg,cat,train\nval/b.jpg,dog,val\n"
    )
    _, notes = pellucid.open(tmp_path / "w").add("u", source)
    assert not [note for note in notes if note.kind == "unread_split"]


def yolo(folder: Path, labels: dict[str, str]) -> Path:
    settings = "train: images/train\nval: images/val\nnames: [cat, dog]\n"
    toys.write(folder / "data.yaml", settings)
    for split in ("train", "val"):
        for number in range(2):
            toys.picture(folder / f"images/{split}/{split}{number}.jpg")
    for path, text in labels.items():
        toys.write(folder / "labels" / path, text)
    return folder


def test_a_whole_split_without_labels_is_refused(tmp_path: Path) -> None:
    box = "0 0.5 0.5 0.2 0.2\n"
    misnamed = yolo(tmp_path / "y", {"train/train0.txt": box, "valid/val0.txt": box})
    with pytest.raises(PellucidError, match="images/val: none of its 2 images has a label file"):
        add(tmp_path, misnamed)
    background = yolo(tmp_path / "z", {"train/train0.txt": box, "val/other.txt": ""})
    assert add(tmp_path / "z", background).kind == "detection"


def test_settings_with_other_names_are_not_chosen_from(tmp_path: Path) -> None:
    box = "0 0.5 0.5 0.2 0.2\n"
    folder = yolo(tmp_path / "y", {"train/train0.txt": box, "val/val0.txt": box})
    toys.write(folder / "coco.yaml", "train: images/train\nval: images/val\nnames: [dog, cat]\n")
    with pytest.raises(PellucidError, match=r"several annotation files \('coco.yaml', 'data.yaml'"):
        add(tmp_path, folder)
    assert add(tmp_path / "one", folder / "data.yaml").manifest.concepts[0].name == "cat"


def test_other_files_beside_the_settings_are_no_settings(tmp_path: Path) -> None:
    box = "0 0.5 0.5 0.2 0.2\n"
    folder = yolo(tmp_path / "y", {"train/train0.txt": box, "val/val0.txt": box})
    toys.write(folder / "hyp.yaml", "lr0: 0.01\nfilenames: [a, b]\n")
    toys.write(folder / "notes.yaml", "names: [\n")
    assert add(tmp_path, folder).manifest.concepts[0].name == "cat"


def test_frames_of_videos_are_no_images(tmp_path: Path) -> None:
    line = "0 {} Car 0 0 -1.5 100.0 150.0 180.0 220.0 1.5 1.6 3.8 1.0 1.5 20.0 -1.5\n"
    toys.write(tmp_path / "k/0000.txt", line.format(0) + line.format(1))
    with pytest.raises(PellucidError, match="unsupported format: KITTI tracking"):
        add(tmp_path, tmp_path / "k")


BOXES = "image,label,xmin,ymin,xmax,ymax\na.jpg,cat,10,20,110,120\nb.jpg,dog,10,20,110,120\n"


@pytest.mark.parametrize(
    ("column", "annotated", "predicted"),
    [("is_gt", "1", "0"), ("type", "gt", "pred"), ("source", "ground_truth", "prediction")],
)
def test_annotations_among_predictions(
    column: str, annotated: str, predicted: str, tmp_path: Path
) -> None:
    view = add(tmp_path, toys.write(tmp_path / "a.csv", BOXES))
    rows = [
        f"a.jpg,cat,0.9,300,20,400,120,{predicted}",
        f"a.jpg,cat,1.0,10,20,110,120,{annotated}",
    ]
    header = f"image,label,score,xmin,ymin,xmax,ymax,{column}"
    source = toys.write(tmp_path / "p.csv", "\n".join([header, *rows]))
    with pytest.raises(PellucidError, match="some rows are annotations, not predictions"):
        view.version_or_draft("m").add_predictions(source)


def test_predictions_given_as_annotations(tmp_path: Path) -> None:
    results = [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]
    source = toys.write(tmp_path / "r.json", json.dumps(results))
    with pytest.raises(PellucidError, match="contains predictions; expected annotations"):
        add(tmp_path, source)


def test_own_records_under_the_key_of_coco(tmp_path: Path) -> None:
    records = [{"image": name, "label": "cat", "x": 1, "y": 2, "w": 30, "h": 40} for name in IMAGES]
    source = toys.write(
        tmp_path / "a.json", json.dumps({"classes": ["cat"], "annotations": records})
    )
    view, _ = pellucid.open(tmp_path / "w").add("v", source, boxes="xywh-pixels")
    assert (view.kind, view.images_by_split["validation"]) == ("detection", 4)


def test_paths_of_windows_with_repeated_names(tmp_path: Path) -> None:
    boxes = "image,label,xmin,ymin,xmax,ymax"
    names = [f"cam{camera}/{number}.jpg" for camera in range(2) for number in range(2)]
    rows = [f"{name},cat,{10 + 9 * n},20,110,120" for n, name in enumerate(names)]
    view = add(tmp_path, toys.write(tmp_path / "a.csv", "\n".join([boxes, *rows])))
    predicted = ["D:\\data\\" + row.replace("/", "\\").replace("cat,", "cat,0.9,") for row in rows]
    header = "image,label,score,xmin,ymin,xmax,ymax"
    version = view.start("m")
    version.add_predictions(toys.write(tmp_path / "p.csv", "\n".join([header, *predicted])))
    assert version.metrics().overall.errors == 0


def test_results_of_whole_images(tmp_path: Path) -> None:
    """COCO's records without a box, of a classifier."""
    view = add(tmp_path, toys.write(tmp_path / "a.csv", "image,label\na.jpg,cat\nb.jpg,dog\n"))
    rows = [
        {"image_id": "a.jpg", "category_id": "cat", "score": 0.9},
        {"image_id": "b.jpg", "category_id": "cat", "score": 0.8},
    ]
    version = view.start("m")
    version.add_predictions(toys.write(tmp_path / "p.json", json.dumps(rows)))
    assert version.metrics().overall.accuracy == 0.5


def test_names_in_another_spelling_are_said(tmp_path: Path) -> None:
    view = add(tmp_path, toys.write(tmp_path / "a.csv", "image,label\na.jpg,TV\nb.jpg,Dog\n"))
    source = toys.write(tmp_path / "p.csv", "image,label,score\na.jpg,tv,0.9\nb.jpg,Dog,0.8\n")
    notes = view.start("m").add_predictions(source)
    messages = [note.message for note in notes if note.kind == "folded_names"]
    assert messages == ["concepts matched by names, ignoring case: 'tv' as 'TV'"]


def test_flags_without_a_zero_are_warned_about(tmp_path: Path) -> None:
    for name, zero, severity in (("a", "", "warning"), ("b", "0", "info")):
        rows = f"a.jpg,1,{zero}\nb.jpg,,1\nc.jpg,1,\n"
        source = toys.write(tmp_path / f"{name}.csv", f"image,cat,dog\n{rows}")
        _, notes = pellucid.open(tmp_path / "w").add(name, source)
        assert [note.severity for note in notes if note.kind == "unknown_labels"] == [severity]


def test_unlikely_predictions_without_scores_are_predictions(tmp_path: Path) -> None:
    labels = "image,tags\na.jpg,cat|dog\nb.jpg,dog\n"
    view = add(tmp_path, toys.write(tmp_path / "a.csv", labels))
    rows = "image,tag,agreement\na.jpg,cat,0.3\na.jpg,dog,0.9\nb.jpg,dog,0.4\n"
    version = view.start("m")
    version.add_predictions(toys.write(tmp_path / "p.csv", rows), no_scores=True)
    assert version.metrics().overall.errors == 0


def test_a_long_outline_before_the_image_is_still_coco(tmp_path: Path) -> None:
    """The first record is longer than what is looked at to recognise the format."""
    polygon = [number % 50 + 0.125 for number in range(20_000)]
    document = {
        "annotations": [
            {"segmentation": [polygon], "bbox": [1, 2, 30, 40], "image_id": 1, "category_id": 1}
        ],
        "images": [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}],
        "categories": [{"id": 1, "name": "cat"}],
    }
    source = toys.write(tmp_path / "a.json", json.dumps(document))
    assert add(tmp_path, source).manifest.sources[0].format == "coco"
