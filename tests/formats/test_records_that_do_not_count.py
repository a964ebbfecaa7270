"""Records that a field marks as left out, images of one name, and annotations that may be there
several times: stopped or named."""

import json

import numpy as np
import pytest

import pellucid
import toys
from pellucid import PellucidError
from pellucid.formats.errors import AmbiguousColumnsError, InvalidRecordError

CATEGORIES = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]


def coco(folder, field=None, value=None, on="annotations"):
    """Twelve images with an object each, the second of which may carry a field."""
    document = {
        "images": [
            {"id": n, "file_name": f"{n}.jpg", "width": 640, "height": 480} for n in range(1, 13)
        ],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1 + n % 2, "bbox": [n, 5, 40 + n, 30]}
            for n in range(1, 13)
        ],
        "categories": CATEGORIES,
    }
    if field:
        document[on][1][field] = value
    return toys.write(folder / "truth.json", json.dumps(document))


def open_view(folder, source, **options):
    return pellucid.open(folder / "w").add("v", source, **options)


@pytest.mark.parametrize("on", ["annotations", "images"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("status", "rejected"), ("is_deleted", True), ("rejected", 1), ("valid", False)),
        *(("keep", "no"), ("isCrowd", 1), ("IsGroupOf", True), ("attributes", {"ignored": True})),
    ],
)
def test_fields_of_coco_that_leave_records_out_stop_the_import(tmp_path, on, field, value):
    with pytest.raises(InvalidRecordError, match=rf"\$\.{on}\[1\].*they may not count"):
        open_view(tmp_path, coco(tmp_path, field, value, on))


@pytest.mark.parametrize(
    ("field", "value"),
    [("status", "day"), ("valid", True), ("rejected", False), ("used", None), ("keep", 1)],
)
def test_the_same_fields_that_leave_nothing_out_are_no_obstacle(tmp_path, field, value):
    view, _ = open_view(tmp_path, coco(tmp_path, field, value))
    assert len(view.annotation_tables[1]) == 12


def results(folder, **field):
    rows = [
        {"image_id": n, "category_id": 1 + n % 2, "bbox": [n, 5, 40 + n, 30], "score": 0.5 + n / 50}
        for n in range(1, 13)
    ]
    rows[3] |= field
    return toys.write(folder / "results.json", json.dumps(rows))


def test_fields_of_results_that_leave_records_out_stop_the_import(tmp_path):
    view, _ = open_view(tmp_path, coco(tmp_path))
    version = view.start("m")
    with pytest.raises(InvalidRecordError, match=r"\$\[3\]\.suppressed: it is 'true'"):
        version.add_predictions(results(tmp_path, suppressed=True))
    version.add_predictions(results(tmp_path, correct=False))  # of the prediction, as evaluated
    assert len(version.gallery("all")) == 12


def test_a_mark_far_into_a_large_file_is_found(tmp_path):
    document = json.loads(coco(tmp_path).read_text())
    document["info"] = {"description": "x" * 3_000_000}
    document["annotations"][-1]["rejected"] = True
    source = toys.write(tmp_path / "large.json", json.dumps(document))
    with pytest.raises(InvalidRecordError, match=r"annotations\[11\]\.rejected"):
        open_view(tmp_path, source)


def test_objects_of_voc_that_are_rejected_stop_the_import(tmp_path):
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
    text = f"<object><name>a</name><rejected>1</rejected>{box}</object>"
    folder = tmp_path / "voc"
    folder.mkdir()
    toys.write(folder / "a.xml", f"<annotation><filename>a.jpg</filename>{text}</annotation>")
    with pytest.raises(PellucidError, match="object 0: <rejected> is 1: it may not count"):
        open_view(tmp_path, folder)


def test_annotations_with_scores_are_named(tmp_path):
    document = json.loads(coco(tmp_path).read_text())
    for n, annotation in enumerate(document["annotations"]):
        annotation["score"] = 0.3 + n / 20
    _, notes = open_view(tmp_path, toys.write(tmp_path / "s.json", json.dumps(document)))
    assert "scored_annotations" in [note.kind for note in notes]


def table(folder, header, rows):
    return toys.write(folder / "t.csv", "\n".join([header, *rows]) + "\n")


@pytest.mark.parametrize("column", ["site", "well", "Ordner", "deployment"])
@pytest.mark.parametrize("by_image", [True, False])
def test_images_of_one_name_in_several_places_are_not_merged(tmp_path, column, by_image):
    random = np.random.default_rng(3)
    rows = [
        (image, place, f"{place},{image}.jpg,{'cat' if random.random() < 0.5 else 'dog'},{box}")
        for image in range(12)
        for place in "AB"
        for box in (f"{random.integers(300)},{random.integers(200)},40,{30 + n}" for n in range(3))
    ]
    rows.sort(key=lambda row: row[0] if by_image else row[1])
    header = f"{column},image_name,label,x,y,width,height"
    with pytest.raises(AmbiguousColumnsError, match=f"'image_name', '{column}'"):
        open_view(tmp_path, table(tmp_path, header, [text for *_, text in rows]))


def test_a_property_of_objects_does_not_divide_images(tmp_path):
    random = np.random.default_rng(3)
    rows = [
        f"{image}.jpg,dog,{random.choice(['red', 'blue'])},{random.integers(300)},9,40,{30 + n}"
        for image in range(12)
        for n in range(6)
    ]
    view, _ = open_view(tmp_path, table(tmp_path, "image,label,color,x,y,width,height", rows))
    assert len(view.annotation_tables[0]) == 12


def test_numbers_of_the_objects_of_an_image_do_not_divide_it(tmp_path):
    rows = [
        f"{image}.jpg,{('cat', 'dog')[n % 2]},{n},{9 * n + image},9,40,{30 + n}"
        for image in range(12)
        for n in range(6)
    ]
    view, _ = open_view(tmp_path, table(tmp_path, "image,label,track,x,y,width,height", rows))
    assert len(view.annotation_tables[0]) == 12


def test_objects_that_several_people_annotated_are_named(tmp_path):
    rows = [
        f"{image}.jpg,dog,{who},{20 * image + shift},50,{100 + shift},80"
        for image in range(20)
        for shift, who in enumerate(("AB", "CD", "EF"))
    ]
    source = table(tmp_path, "image,label,initials,x,y,width,height", rows)
    _, notes = open_view(tmp_path, source)
    assert "repeated_boxes" in [note.kind for note in notes]


def test_a_detector_that_was_not_run_on_most_images_is_named(tmp_path):
    view, _ = open_view(tmp_path, coco(tmp_path))
    rows = json.loads(results(tmp_path).read_text())[:3]
    source = toys.write(tmp_path / "few.json", json.dumps(rows))
    kinds = [note.kind for note in view.start("m").add_predictions(source)]
    assert "images_without_scores" in kinds
    listed = view.start("n").add_predictions(source, covered="listed")
    assert "images_without_scores" not in [note.kind for note in listed]


@pytest.mark.parametrize("column", ["count", "votes"])
def test_a_box_of_which_there_is_none_stops_the_import(tmp_path, column):
    rows = [f"{n}.jpg,dog,{n},5,40,{30 + n},{n % 3}" for n in range(9)]
    header = f"image,label,x,y,width,height,{column}"
    with pytest.raises(InvalidRecordError, match=f"{column} is 0"):
        open_view(tmp_path, table(tmp_path, header, rows))


@pytest.mark.parametrize("key", ["annotator", "annotation_id", "lead_time"])
def test_records_with_a_field_of_label_studio_are_records(tmp_path, key):
    records = [
        {"image": f"{n // 2}.jpg", "label": "dog", "bbox": [n, 5, 40 + n, 30], key: "ann"}
        for n in range(12)
    ]
    view, _ = open_view(
        tmp_path, toys.write(tmp_path / "r.json", json.dumps(records)), boxes="xywh-pixels"
    )
    assert len(view.annotation_tables[0]) == 6
    assert view.kind == "detection"


def test_results_whose_images_have_names_are_records(tmp_path):
    view, _ = open_view(tmp_path, coco(tmp_path))
    records = [
        {"image": f"{n}.jpg", "label": ("cat", "dog")[n % 2], "category_id": 1 + n % 2}
        | {"bbox": [n, 5, 40 + n, 30], "score": 0.5 + n / 50}
        for n in range(1, 13)
    ]
    version = view.start("m")
    version.add_predictions(
        toys.write(tmp_path / "p.json", json.dumps(records)), boxes="xywh-pixels"
    )
    assert len(version.gallery("matched")) == 12


def test_numbers_from_zero_are_followed_past_images_that_were_left_out(tmp_path):
    """`image_id` is the number in the name less one; some images are not in the set."""
    random = np.random.default_rng(8)
    numbers = [n for n in range(1, 41) if not 6 <= n <= 10]
    boxes = {n: [*random.integers(0, 200, 2).tolist(), 60 + n, 50] for n in numbers}
    truth = [f"img_{n:03d}.jpg,cat,{','.join(map(str, box))}" for n, box in boxes.items()]
    view, _ = open_view(tmp_path, table(tmp_path, "image,label,x,y,width,height", truth))
    rows = [f"{n - 1},cat,0.9,{','.join(map(str, box))}" for n, box in boxes.items()]
    predicted = toys.write(
        tmp_path / "p.csv", "\n".join(["image_id,label,score,x,y,width,height", *rows]) + "\n"
    )
    version = view.start("m")
    version.add_predictions(predicted)
    assert len(version.gallery("matched")) == len(numbers)


@pytest.mark.parametrize(
    "place", ["labels/train/{}.txt", "labels/val/part/{}.txt", "labels/val/{}.TXT"]
)
def test_label_files_of_yolo_in_another_place_are_named(tmp_path, place):
    for n in range(8):
        toys.picture(tmp_path / f"images/val/{n}.png")
        target = tmp_path / (place if n < 3 else "labels/val/{}.txt").format(n)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("0 0.5 0.5 0.2 0.2\n")
    settings = toys.write(tmp_path / "data.yaml", "val: images/val\nnames: [cat]\n")
    _, notes = open_view(tmp_path, settings)
    assert {note.kind: note.count for note in notes}["labels_elsewhere"] == 3


def test_label_files_of_other_images_of_the_same_name_are_not(tmp_path):
    for split in ("train", "val"):
        for n in range(4):
            toys.picture(tmp_path / f"images/{split}/{n}.png")
        (tmp_path / f"labels/{split}").mkdir(parents=True)
    for name in ("train/0", "train/1", "val/1"):
        (tmp_path / f"labels/{name}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    settings = toys.write(tmp_path / "data.yaml", "val: images/val\nnames: [cat]\n")
    _, notes = open_view(tmp_path, settings)
    assert "labels_elsewhere" not in [note.kind for note in notes]


def test_listed_images_without_annotations_are_named(tmp_path):
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
    (tmp_path / "voc/Annotations").mkdir(parents=True)
    (tmp_path / "voc/ImageSets/Main").mkdir(parents=True)
    for n in range(3):
        text = f"<filename>{n}.jpg</filename><object><name>a</name>{box}</object>"
        toys.write(tmp_path / f"voc/Annotations/{n}.xml", f"<annotation>{text}</annotation>")
    toys.write(tmp_path / "voc/ImageSets/Main/val.txt", "0\n1\n2\n7\n8\n")
    _, notes = open_view(tmp_path, tmp_path / "voc")
    assert {note.kind: note.count for note in notes}["listed_without_annotation"] == 2


def test_pixels_where_a_format_has_fractions_are_named(tmp_path):
    """Open Images columns with pixels: the remedy that the message names reads them rightly."""
    rows = [f"{n},cat,{n + 10},{n + 60},{n + 5},{n + 90}" for n in range(30)]
    source = table(tmp_path, "ImageID,LabelName,XMin,XMax,YMin,YMax", rows)
    with pytest.raises(PellucidError, match="As pixels they do: specify --boxes xywh-pixels"):
        open_view(tmp_path, source)
    view, _ = open_view(tmp_path, source, boxes="xywh-pixels")
    assert view.annotation_tables[1].box[0].tolist() == [10, 5, 50, 85]


def test_ids_of_two_files_ask_for_the_split(tmp_path):
    for split in ("training", "validation"):
        document = json.loads(coco(tmp_path).read_text())
        for image in document["images"]:
            image["file_name"] = f"{split}/{image['file_name']}"
        for annotation in document["annotations"]:
            annotation["bbox"][1] += 300 if split == "training" else 0
        source = toys.write(tmp_path / f"{split}.json", json.dumps(document))
        view, _ = open_view(tmp_path, source, split=split)
    version = view.start("m")
    with pytest.raises(PellucidError, match="--split"):
        version.add_predictions(results(tmp_path))
    version.add_predictions(results(tmp_path), split="validation")
    assert len(version.gallery("matched", split="validation")) == 12


def test_splits_of_predictions_that_contradict_the_view_are_named(tmp_path):
    rows = [f"{n}.jpg,{('cat', 'dog')[n % 2]}" for n in range(8)]
    view, _ = open_view(tmp_path, table(tmp_path, "image,label", rows), split="validation")
    scored = [f"{row},0.9,{'train' if n < 3 else 'val'}" for n, row in enumerate(rows)]
    source = toys.write(tmp_path / "p.csv", "\n".join(["image,label,score,split", *scored]) + "\n")
    notes = view.start("m").add_predictions(source)
    assert {note.kind: note.count for note in notes}["stated_split"] == 3
