"""Files as people have them, which were read wrongly, refused, or refused with a remedy that did
not work. Each has the right answer beside it; remedies are tried."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pellucid
import toys
from pellucid.core.errors import PellucidError
from pellucid.formats.tabular.text_files import suggest_header

NAMES = ["ants", "bees", "wasps"]
IMAGES = [f"im_{number}.jpg" for number in range(9)]
TRUE = {image: NAMES[number % 3] for number, image in enumerate(IMAGES)}
Labels = dict[str, str]


def table(path: Path, header: str, rows: list[list[Any]]) -> Path:
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    return toys.write(path, "\n".join(lines) + "\n")


def scores(image: str) -> list[float]:
    return [0.8 if name == TRUE[image] else 0.1 for name in NAMES]


def view_of(folder: Path, rows: list[list[Any]] | None = None, header: str = "image,label") -> Any:
    rows = [[*pair] for pair in TRUE.items()] if rows is None else rows
    return pellucid.open(folder / "w").add("v", table(folder / "truth.csv", header, rows))[0]


def accuracy(view: Any, source: Path, name: str = "m", **options: Any) -> float:
    version = view.start(name)
    version.add_predictions(source, **options)
    return float(version.metrics().overall.argmax_accuracy or 0)


@pytest.fixture
def by_number(tmp_path: Path) -> Any:
    """Images that are called by other numbers than their ids."""
    rows = [[8 - n, f"{n}.jpg", NAMES[n % 3]] for n in range(9)]
    return view_of(tmp_path, rows, "id,image,label")


@pytest.mark.parametrize("column", ["filename", "image", "path"])
def test_a_number_that_is_an_id_and_a_name_is_asked_about(
    by_number: Any, column: str, tmp_path: Path
) -> None:
    rows = [[n, *scores(f"im_{n}.jpg")] for n in range(9)]
    source = table(tmp_path / "p.csv", f"{column},{','.join(NAMES)}", rows)
    with pytest.raises(PellucidError, match="--image-ids path-without-ending"):
        by_number.start("asked").add_predictions(source)
    assert accuracy(by_number, source, image_ids="path-without-ending") == 1
    assert accuracy(by_number, source, "by id", image_ids="id") < 1


def test_a_column_of_ids_has_ids(by_number: Any, tmp_path: Path) -> None:
    rows = [[8 - n, *scores(f"im_{n}.jpg")] for n in range(9)]
    assert accuracy(by_number, table(tmp_path / "p.csv", f"image_id,{','.join(NAMES)}", rows)) == 1


def test_few_rows_tell_the_probability_of_one_of_two_classes(tmp_path: Path) -> None:
    labels = ["dogs"] * 40 + ["cats"] * 4
    view = view_of(tmp_path, [[f"{n}.jpg", label] for n, label in enumerate(labels)])
    rows = [
        [f"{n}.jpg", label, 0.1 + n / 400 if label == "cats" else 0.5 + n / 100]
        for n, label in enumerate(labels)
    ]
    version = view.start("m")
    notes = version.add_predictions(table(tmp_path / "p.csv", "image,prediction,probability", rows))
    assert any("read as the probability of 'dogs'" in note.message for note in notes)
    assert version.results(thresholds=0.5).metrics().overall.errors == 0


@pytest.mark.parametrize("form", ["prob_{}", "class {}", "p{}"])
def test_numbered_columns_of_probabilities(form: str, tmp_path: Path) -> None:
    view = view_of(tmp_path)
    header = ",".join(["image", *(form.format(n) for n in range(3))])
    source = table(tmp_path / "p.csv", header, [[image, *scores(image)] for image in IMAGES])
    with pytest.raises(PellucidError, match="--category-ids positions-from-0"):
        view.start("asked").add_predictions(source)
    assert accuracy(view, source, category_ids="positions-from-0") == 1


def test_a_header_of_numbers(tmp_path: Path) -> None:
    view = view_of(tmp_path)
    source = table(tmp_path / "p.csv", "id_code,0,1,2", [[i, *scores(i)] for i in IMAGES])
    columns = {"image": "id_code"}
    assert accuracy(view, source, category_ids="positions-from-0", columns=columns) == 1


@pytest.mark.parametrize("form", ["P({})", "score[{}]", "p_{}_model"])
def test_names_between_a_beginning_and_an_end(form: str, tmp_path: Path) -> None:
    view = view_of(tmp_path)
    header = ",".join(["image", *map(form.format, NAMES)])
    source = table(tmp_path / "p.csv", header, [[i, *scores(i)] for i in IMAGES])
    assert accuracy(view, source) == 1


def test_headers_in_another_language_are_named(tmp_path: Path) -> None:
    view = view_of(tmp_path)
    rows = [[image, TRUE[image], 0.9] for image in IMAGES]
    source = table(tmp_path / "p.csv", "Bild,Klasse,Konfidenz", rows)
    remedy = "--columns image=Bild,concept=Klasse,score=Konfidenz"
    with pytest.raises(PellucidError, match=remedy):
        view.start("asked").add_predictions(source)
    columns = {"image": "Bild", "concept": "Klasse", "score": "Konfidenz"}
    assert accuracy(view, source, columns=columns) == 1


def test_true_classes_beside_a_score_are_not_proposed_as_predicted(tmp_path: Path) -> None:
    """The remedy would have made every image right."""
    view = view_of(tmp_path, [["a.jpg", "Defect"], ["b.jpg", "OK"], ["c.jpg", "OK"]])
    rows = [["a.jpg", "Defect", 0.2], ["b.jpg", "OK", 0.9], ["c.jpg", "OK", 0.1]]
    source = table(tmp_path / "p.csv", "image,actual_class,prob_defect", rows)
    with pytest.raises(PellucidError, match="--map 'prob_defect=Defect'") as raised:
        view.start("asked").add_predictions(source)
    assert "actual_class" not in str(raised.value)
    assert accuracy(view, source, rename={"prob_defect": "Defect"}) == pytest.approx(1 / 3)


def test_columns_of_numbers_in_brackets_are_boxes(tmp_path: Path) -> None:
    source = table(
        tmp_path / "a.csv", "image,label,bbox[x,y,w,h]", [["a.jpg", "cat", 1, 2, 30, 40]]
    )
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    assert view.annotation_tables[1].box.tolist() == [[1, 2, 30, 40]]


def test_pictures_beside_flat_columns_of_parquet(tmp_path: Path) -> None:
    view = view_of(tmp_path)
    columns = {
        "image": [{"bytes": b"\x89P", "path": image} for image in IMAGES],
        "file_name": IMAGES,
        "label": [TRUE[image] for image in IMAGES],
        "score": [0.9] * len(IMAGES),
        "meta": [{"camera": 1}] * len(IMAGES),
    }
    pq.write_table(pa.table(columns), tmp_path / "p.parquet")
    assert accuracy(view, tmp_path / "p.parquet") == 1


@pytest.mark.parametrize("names", ['[["a", "b"], ["a", "c"]]', "3"])
def test_a_frame_without_plain_names_is_refused(names: str, tmp_path: Path) -> None:
    source = toys.write(
        tmp_path / "a.json", f'{{"columns": {names}, "index": [0], "data": [[1, 2]]}}'
    )
    with pytest.raises(PellucidError, match="not recognised as annotations"):
        pellucid.open(tmp_path / "w").add("v", source)


def test_a_tag_may_be_called_approved(tmp_path: Path) -> None:
    rows = [["a.jpg", 1, 0, 1], ["b.jpg", 0, 1, 1], ["c.jpg", 1, 1, 0]]
    source = table(tmp_path / "a.csv", "image,approved,dented,scratched", rows)
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    assert [concept.name for concept in view.manifest.concepts] == [
        "approved",
        "dented",
        "scratched",
    ]


def test_options_of_predictions_have_their_names_where_both_are_given(tmp_path: Path) -> None:
    truth = table(tmp_path / "truth.csv", "image,label", [[*pair] for pair in TRUE.items()])
    rows = [[image, TRUE[image], 0.9, 0.2] for image in IMAGES]
    source = table(tmp_path / "p.csv", "image,label,score,class_score", rows)
    for command in ("open", "doctor"):
        printed = toys.run_cli(command, truth, source, *(["--no-browser"] * (command == "open")))
        assert "--prediction-columns score=score" in printed.stdout + printed.stderr
    done = toys.run_cli("doctor", truth, source, "--prediction-columns", "score=score")
    assert done.returncode == 0, done.stderr


def test_columns_of_a_folder_are_refused(tmp_path: Path) -> None:
    toys.coco(tmp_path / "set")
    workspace = pellucid.open(tmp_path / "w")
    with pytest.raises(PellucidError, match="is a folder, and --columns names those of a table"):
        workspace.add("v", tmp_path / "set", columns={"concept": "label"})


def boxes(image: int) -> list[list[int]]:
    return [[4 + 3 * image, 6 + 2 * image, 20 + image, 16], [60, 40 + image, 24, 30 + 2 * image]]


def coco(folder: Path, categories: list[dict[str, Any]], first: int = 1) -> Path:
    images = [
        {"id": n, "file_name": f"{n}.jpg", "width": 160, "height": 120, **PER_IMAGE.get(n, {})}
        for n in range(8)
    ]
    annotations = [
        {"id": 10 * n + k, "image_id": n, "category_id": first + k, "bbox": box}
        for n in range(8)
        for k, box in enumerate(boxes(n))
    ]
    document = {"images": images, "categories": categories, "annotations": annotations}
    return toys.write(folder / "_annotations.coco.json", json.dumps(document))


PER_IMAGE: dict[int, dict[str, Any]] = {}
CATEGORIES = [
    {"id": n, "name": name, "supercategory": "animals"} for n, name in ((1, "cat"), (2, "dog"))
]
GROUP = {"id": 0, "name": "animals", "supercategory": "none"}


def write_labels(folder: Path) -> Path:
    for n in range(8):
        lines = [
            f"{k} {(x + w / 2) / 160} {(y + h / 2) / 120} {w / 160} {h / 120} 0.{9 - k}"
            for k, (x, y, w, h) in enumerate(boxes(n))
        ]
        toys.write(folder / f"{n}.txt", "\n".join(lines))
    return folder


def test_the_group_of_roboflow_is_no_concept(tmp_path: Path) -> None:
    view, notes = pellucid.open(tmp_path / "w").add("v", coco(tmp_path, [GROUP, *CATEGORIES]))
    assert [concept.name for concept in view.manifest.concepts] == ["cat", "dog"]
    assert any("'animals' is the group of the others" in note.message for note in notes)
    version = view.start("m")
    version.add_predictions(write_labels(tmp_path / "labels"))
    assert version.metrics().overall.errors == 0


@pytest.mark.parametrize("first", [0, 1])
def test_a_category_with_objects_or_without_a_group_is_a_concept(
    first: int, tmp_path: Path
) -> None:
    group = GROUP if first == 0 else GROUP | {"supercategory": "animals"}
    source = coco(tmp_path, [group, *CATEGORIES], first)
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    assert [concept.name for concept in view.manifest.concepts] == ["animals", "cat", "dog"]


def test_a_group_with_objects_in_one_of_the_files_is_a_concept(tmp_path: Path) -> None:
    for split, first in (("train", 0), ("valid", 1)):
        coco(tmp_path / "set" / split, [GROUP, *CATEGORIES], first)
    view, notes = pellucid.open(tmp_path / "w").add("v", tmp_path / "set", boxes="xywh-pixels")
    assert [concept.name for concept in view.manifest.concepts] == ["animals", "cat", "dog"]
    assert not any(note.kind == "group_category" for note in notes)
    for split in ("train", "valid"):
        coco(tmp_path / "other" / split, [GROUP, *CATEGORIES])
    view, notes = pellucid.open(tmp_path / "w").add("o", tmp_path / "other", boxes="xywh-pixels")
    assert [concept.name for concept in view.manifest.concepts] == ["cat", "dog"]
    assert sum(note.kind == "group_category" for note in notes) == 1


def test_named_numbers_are_not_doubted(tmp_path: Path) -> None:
    """The warning was about what the numbers would mean without the names."""
    reordered = [CATEGORIES[1] | {"id": 2}, CATEGORIES[0], {"id": 3, "name": "emu"}]
    view, _ = pellucid.open(tmp_path / "w").add("v", coco(tmp_path, reordered))
    version = view.start("m")
    notes = version.add_predictions(
        write_labels(tmp_path / "labels"), rename={"0": "cat", "1": "dog"}
    )
    assert not any("check the concept ids" in note.message for note in notes)
    assert version.metrics().overall.errors == 0


@pytest.mark.parametrize(
    "keys", [("x1", "y1", "x2", "y2"), ("x", "y", "width", "height"), ("cx", "cy", "w", "h")]
)
def test_boxes_with_named_numbers_in_a_cell(keys: tuple[str, ...], tmp_path: Path) -> None:
    """As ultralytics' `to_csv` writes them."""
    view, _ = pellucid.open(tmp_path / "w").add("v", coco(tmp_path, CATEGORIES))
    rows = []
    for n in range(8):
        for k, (x, y, w, h) in enumerate(boxes(n)):
            numbers = {
                "x1": [x, y, x + w, y + h],
                "x": [x, y, w, h],
                "cx": [x + w / 2, y + h / 2, w, h],
            }[keys[0]]
            cell = str(dict(zip(keys, numbers, strict=True)))
            rows.append([f"{n}.jpg", ["cat", "dog"][k], k, 0.9, f'"{cell}"'])
    source = table(tmp_path / "p.csv", "image,name,class,confidence,box", rows)
    version = view.start("m")
    version.add_predictions(source)
    assert version.metrics().overall.errors == 0
    assert version.evaluation.iou.min() == pytest.approx(1)


def test_the_kind_of_the_model_is_no_concept(tmp_path: Path) -> None:
    """Roboflow's own predictions."""
    view, _ = pellucid.open(tmp_path / "w").add("v", coco(tmp_path, CATEGORIES))
    found = [
        {
            "x": x + w / 2,
            "y": y + h / 2,
            "width": w,
            "height": h,
            "confidence": 0.9,
            "class": ["cat", "dog"][k],
            "class_id": k,
            "image_path": f"/content/{n}.jpg",
            "prediction_type": "ObjectDetectionModel",
        }
        for n in range(8)
        for k, (x, y, w, h) in enumerate(boxes(n))
    ]
    source = toys.write(tmp_path / "p.json", json.dumps({"predictions": found}))
    version = view.start("m")
    version.add_predictions(source)
    assert version.metrics().overall.errors == 0


def test_boxes_of_half_the_size_are_not_read_as_those_of_a_square(tmp_path: Path) -> None:
    view, _ = pellucid.open(tmp_path / "w").add("v", coco(tmp_path, CATEGORIES))
    rows = [
        {"image_id": n, "category_id": 1 + k, "score": 0.9, "bbox": [side / 2 for side in box]}
        for n in range(8)
        for k, box in enumerate(boxes(n))
    ]
    notes = view.start("m").add_predictions(toys.results(tmp_path, rows))
    assert any("only 0% of confident boxes overlap" in note.message for note in notes)


def test_images_renamed_with_their_files(tmp_path: Path) -> None:
    """The names stated inside VOC and LabelMe files are from before."""
    for kind in ("voc", "labelme"):
        for n in range(3):
            toys.picture(tmp_path / kind / f"new_{n}.png", 64, 48)
        toys.picture(tmp_path / kind / "kept.png", 64, 48)
        for stem, stated in [
            *((f"new_{n}", f"old_{n}.png") for n in range(3)),
            ("kept", "kept.png"),
        ]:
            if kind == "voc":
                text = (
                    f"<annotation><filename>{stated}</filename><size><width>64</width><height>48"
                    "</height></size><object><name>cat</name><bndbox><xmin>1</xmin><ymin>2</ymin>"
                    "<xmax>30</xmax><ymax>20</ymax></bndbox></object></annotation>"
                )
                toys.write(tmp_path / kind / f"{stem}.xml", text)
            else:
                shape = {"label": "cat", "points": [[1, 2], [30, 20]], "shape_type": "rectangle"}
                size = {"imageWidth": 64, "imageHeight": 48}
                document = {"imagePath": stated, "shapes": [shape], **size}
                toys.write(tmp_path / kind / f"{stem}.json", json.dumps(document))
        view, notes = pellucid.open(tmp_path / "w").add(kind, tmp_path / kind)
        assert sorted(view.annotation_tables[0].path.tolist()) == [
            "kept.png",
            *(f"new_{n}.png" for n in range(3)),
        ]
        assert any(note.message.startswith("3 images named like") for note in notes)


def test_pictures_elsewhere_keep_their_stated_names(tmp_path: Path) -> None:
    """A mask or an overlay beside a file is not its picture."""
    text = (
        "<annotation><filename>{}</filename><size><width>64</width><height>48</height></size>"
        "<object><name>cat</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>20"
        "</ymax></bndbox></object></annotation>"
    )
    toys.write(tmp_path / "set/a.xml", text.format("a.jpg"))
    toys.picture(tmp_path / "set/a.png", 64, 48)
    toys.write(tmp_path / "set/b.xml", text.format("old.jpg"))
    for ending in ("png", "jpg"):
        toys.picture(tmp_path / f"set/b.{ending}", 64, 48)
    view, _ = pellucid.open(tmp_path / "w").add("v", tmp_path / "set")
    assert sorted(view.annotation_tables[0].path.tolist()) == ["a.jpg", "old.jpg"]


def test_objects_elsewhere_are_refused(tmp_path: Path) -> None:
    text = (
        "<annotation><filename>1.tif</filename><size><width>10</width><height>10</height></size>"
        "<objects><object><possibleresult><name>ship</name></possibleresult></object></objects>"
        "</annotation>"
    )
    source = toys.write(tmp_path / "xml/1.xml", text).parent
    with pytest.raises(PellucidError, match="has its objects in <objects>"):
        pellucid.open(tmp_path / "w").add("v", source)


@pytest.mark.parametrize("column", ["status", "review_status", "qc", "decision"])
def test_rejected_rows_are_asked_about(column: str, tmp_path: Path) -> None:
    rows = [
        [image, label, "rejected" if n == 4 else "approved"]
        for n, (image, label) in enumerate(TRUE.items())
    ]
    source = table(tmp_path / "a.csv", f"image,label,{column}", rows)
    with pytest.raises(PellucidError, match=f"line 6: {column} is 'rejected'"):
        pellucid.open(tmp_path / "w").add("v", source)


@pytest.mark.parametrize("column", ["rle_mask", "encoding", "segmentation"])
def test_run_lengths_are_called_so(column: str, tmp_path: Path) -> None:
    rows = [["a.jpg", "bowel", "879386 40 881253 141"], ["b.jpg", "bowel", "1 3 10 5 20 2"]]
    with pytest.raises(PellucidError, match="masks as run lengths"):
        pellucid.open(tmp_path / "w").add(
            "v", table(tmp_path / "a.csv", f"image,label,{column}", rows)
        )


def test_a_header_split_by_its_own_commas(tmp_path: Path) -> None:
    """NIH's table of chest X-rays."""
    header = "Image Index,Finding Labels,Patient Age,OriginalImagePixelSpacing[x,y]"
    rows = [["a.png", "Mass|Nodule", 57, 0.143, 0.143], ["b.png", "Mass", 58, 0.168, 0.168]]
    view, _ = pellucid.open(tmp_path / "w").add("v", table(tmp_path / "a.csv", header, rows))
    assert [concept.name for concept in view.manifest.concepts] == ["Mass", "Nodule"]


@pytest.mark.parametrize(
    ("line", "header"),
    [
        ("a.jpg,cat", "image,concept"),
        ("a.jpg,0", "image,concept"),
        ("validation,a.jpg,cat", "split,image,concept"),
        ("cat,a.jpg", "concept,image"),
        ("a.jpg,cat,0.7", "image,concept,score"),
        ("a.jpg,1,2,3,4,cat", "image,xmin,ymin,xmax,ymax,concept"),
        (
            "cat,1,2,3,4,a.jpg,640,480",
            "concept,column2,column3,column4,column5,image,column7,column8",
        ),
    ],
)
def test_the_header_that_is_proposed_has_a_name_for_each_column(line: str, header: str) -> None:
    assert suggest_header([line.split(",")]) == header


def test_concepts_that_lvis_states_to_be_absent_have_no_boxes(tmp_path: Path) -> None:
    PER_IMAGE.update(
        {n: {"neg_category_ids": [2], "not_exhaustive_category_ids": []} for n in range(8)}
    )
    try:
        source = coco(tmp_path, [*CATEGORIES, {"id": 3, "name": "emu"}])
    finally:
        PER_IMAGE.clear()
    _, notes = pellucid.open(tmp_path / "w").add("v", source)
    assert not any("zero width" in note.message for note in notes)


def test_predictions_on_images_that_nobody_annotated_are_counted(tmp_path: Path) -> None:
    rows = [[image, "" if n == 4 else label] for n, (image, label) in enumerate(TRUE.items())]
    view = view_of(tmp_path, rows)
    source = table(tmp_path / "p.csv", "image,label,score", [[i, TRUE[i], 0.9] for i in IMAGES])
    notes = view.start("m").add_predictions(source)
    expected = "1 prediction on 1 image that nobody annotated: ignored (bees 1)"
    assert [note.message for note in notes if note.kind == "unannotated_images"] == [expected]


def test_one_category_an_image_is_said_to_be_tags(tmp_path: Path) -> None:
    """As iNaturalist has them; the remedy is tried."""
    document = {
        "images": [{"id": n, "file_name": image} for n, image in enumerate(IMAGES)],
        "annotations": [{"id": n, "image_id": n, "category_id": n % 3} for n in range(9)],
        "categories": [{"id": n, "name": name} for n, name in enumerate(NAMES)],
    }
    source = toys.write(tmp_path / "a.json", json.dumps(document))
    view, notes = pellucid.open(tmp_path / "w").add("v", source)
    assert view.kind == "tagging"
    assert any("specify --kind classification" in note.message for note in notes)
    view, notes = pellucid.open(tmp_path / "w").add("c", source, kind="classification")
    assert view.kind == "classification"
    assert not any("read as tags" in note.message for note in notes)


def test_numbers_of_partitions_are_asked_about(tmp_path: Path) -> None:
    source = table(
        tmp_path / "a.csv", "image,label,partition", [["a.jpg", "x", 0], ["b.jpg", "y", 2]]
    )
    with pytest.raises(PellucidError, match="invalid split"):
        pellucid.open(tmp_path / "w").add("v", source)


def test_boxes_of_one_class_need_its_name(tmp_path: Path) -> None:
    """Kaggle's wheat; the remedy is tried."""
    header, rows = "image_id,x,y,w,h", [["a", 1, 2, 30, 40], ["b", 5, 6, 20, 30]]
    with pytest.raises(PellucidError, match="of one class, add a column with its name"):
        pellucid.open(tmp_path / "w").add("v", table(tmp_path / "a.csv", header, rows))
    named = table(tmp_path / "b.csv", f"{header},label", [[*row, "wheat"] for row in rows])
    view, _ = pellucid.open(tmp_path / "w").add("v", named)
    assert [concept.name for concept in view.manifest.concepts] == ["wheat"]


@pytest.mark.parametrize("name", ["Traffic_Light", "traffic-light", "traffic light"])
def test_names_with_underscores_for_blanks(name: str, tmp_path: Path) -> None:
    view = view_of(tmp_path, [["a.jpg", "Traffic Light"], ["b.jpg", "Stop Sign"]])
    rows = [["a.jpg", name, 0.9], ["b.jpg", "Stop Sign", 0.8]]
    version = view.start("m")
    notes = version.add_predictions(table(tmp_path / "p.csv", "image,label,score", rows))
    assert version.metrics().overall.errors == 0
    assert any(f"'{name}' as 'Traffic Light'" in note.message for note in notes)


@pytest.mark.parametrize("first", [0, 1])
def test_the_reading_of_image_numbers_that_agrees_best_is_taken(first: int, tmp_path: Path) -> None:
    """Numbers that count the images by path, where the ids count them in another order: some boxes
    agree in either reading."""
    order = [0, 1, 2, 3, 5, 4, 7, 6]  # half of the images have the place of their id
    images = [
        {"id": identifier + 1, "file_name": f"{n}.jpg", "width": 160, "height": 120}
        for n, identifier in enumerate(order)
    ]
    annotations = [
        {"id": 10 * n + k, "image_id": order[n] + 1, "category_id": 1 + k, "bbox": [x, y, w, h + n]}
        for n in range(8)
        for k, (x, y, w, h) in enumerate(boxes(n))
    ]
    document = {"images": images, "annotations": annotations, "categories": CATEGORIES}
    source = toys.write(tmp_path / "a.json", json.dumps(document))
    rows = [
        {"image_id": n + first, "category_id": 1 + k, "score": 0.9, "bbox": [x, y, w, h + n]}
        for n in range(8)
        for k, (x, y, w, h) in enumerate(boxes(n))
    ]
    view, _ = pellucid.open(tmp_path / "w").add("v", source, boxes="xywh-pixels")
    version = view.start("m")
    version.add_predictions(toys.results(tmp_path, rows))
    assert version.metrics().overall.errors == 0
