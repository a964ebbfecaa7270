"""Places where a silent misreading was, or could be: pictures of one name, stated absences,
outlines, names of columns, ties."""

import json

import numpy as np
import pytest

import pellucid
import toys
from formats.test_every_format import facts, read_text
from pellucid.core.errors import PellucidError
from pellucid.export.datasets import export_view
from pellucid.export.export_options import ExportOptions
from pellucid.formats.annotation_sources import parse_annotations


def voc_picture(name, folder):
    box = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>8</ymax></bndbox>"
    return f"<annotation><folder>{folder}</folder><filename>{name}</filename><size><width>9</width></size><object><name>x</name>{box}</object></annotation>"


@pytest.mark.parametrize("form", ["label-studio", "kitti", "voc", "labelme", "coco"])
def test_images_with_the_same_name_are_not_merged(tmp_path, form):
    source = tmp_path / "set"
    if form == "label-studio":
        tasks = [
            {
                "id": place,
                "data": {"image": f"s3://bucket/cam{place}/0001.jpg"},
                "annotations": [{"result": []}],
            }
            for place in (1, 2)
        ]
        source = toys.write(tmp_path / "tasks.json", json.dumps(tasks))
    for split in ("train", "val"):
        if form == "kitti":
            toys.write(source / split / "label_2/000000.txt", "Car 0 0 0 1 2 3 4 1 1 1 0 0 0 0\n")
        elif form == "voc":
            toys.write(source / split / "1.xml", voc_picture("1.jpg", split))
        elif form == "labelme":
            toys.write(
                source / split / "1.json",
                json.dumps(
                    {"imagePath": "1.jpg", "shapes": [{"label": "x", "points": [[1, 2], [3, 4]]}]}
                ),
            )
        elif form == "coco":
            document = {
                "images": [{"id": 1, "file_name": "1.jpg"}],
                "categories": [{"id": 3, "name": "x"}],
                "annotations": [],
            }
            toys.write(source / f"{split}.json", json.dumps(document))
    with pytest.raises(PellucidError, match=r"\.(jpg|png)'"):
        parse_annotations(source)


def test_folder_of_coco_files_keeps_category_ids(tmp_path):
    for number, split in enumerate(("train", "val")):
        document = {
            "images": [{"id": number, "file_name": f"{number}.jpg"}],
            "annotations": [],
            "categories": [{"id": 3, "name": "cat"}, {"id": 1, "name": "dog"}],
        }
        toys.write(tmp_path / f"set/instances_{split}.json", json.dumps(document))
    found = parse_annotations(tmp_path / "set")
    assert (found.concepts, found.concept_ids) == (["cat", "dog"], ["3", "1"])


@pytest.mark.parametrize(
    ("heading", "row", "box", "unit"),
    [
        (
            "filename,width,height,class,x,y,w,h",
            "a.jpg,640,480,cat,10,20,30,40",
            [10, 20, 30, 40],
            "pixels",
        ),
        (
            "filename,width,height,class,xmin,ymin,xmax,ymax",
            "a.jpg,640,480,cat,10,20,30,40",
            [10, 20, 20, 20],
            "pixels",
        ),
        (
            "image,concept,x_center,y_center,width,height",
            "a.jpg,cat,50,60,20,40",
            [40, 40, 20, 40],
            "pixels",
        ),
        (
            "image,concept,x,y,width,height",
            "a.jpg,cat,0.1,0.2,0.3,0.4",
            [0.1, 0.2, 0.3, 0.4],
            "fractions",
        ),
    ],
)
def test_box_column_names_of_tables(tmp_path, heading, row, box, unit):
    found = read_text(tmp_path, "a.csv", f"{heading}\n{row}\n")
    assert (found.kind, found.unit) == ("detection", unit)
    assert found.annotations.box.tolist() == [box]


def test_poses_use_their_box_and_masks_are_refused(tmp_path):
    toys.picture(tmp_path / "images/val/1.png", 100, 50)
    label = toys.write(tmp_path / "labels/val/1.txt", "0 0.5 0.5 0.1 0.1 0.48 0.48 2 0.52 0.52 2\n")
    settings = toys.write(
        tmp_path / "data.yaml", "val: images/val\nnames: [dent]\nkpt_shape: [2, 3]\n"
    )
    assert parse_annotations(settings).annotations.box.tolist() == [
        pytest.approx([0.45, 0.45, 0.1, 0.1])
    ]
    label.write_text("0 320 240 64 48\n")
    with pytest.raises(PellucidError, match="fractions of the image"):
        parse_annotations(settings)


def test_all_labelled_cvat_shapes_are_read(tmp_path):
    shapes = (
        '<ellipse label="e" cx="10" cy="10" rx="5" ry="4"/><mask label="m" rle="1" left="1" '
        'top="2" width="3" height="4"/>'
        '<cuboid label="c" xtl1="1" ytl1="2" xbl1="1" ybl1="9" xtr1="7" ytr1="2" xbr1="7" '
        'ybr1="9"/>'
        '<skeleton label="s"><points label="p" points="1,1"/><points label="q" '
        'points="5,6"/></skeleton>'
    )
    text = f'<annotations><version>1.1</version><image id="0" name="a.jpg" width="20" height="20">{shapes}</image></annotations>'
    found = read_text(tmp_path, "a.xml", text)
    assert [(row[1], row[2]) for row in facts(found)[1]] == [
        ("e", [5, 6, 10, 8]),
        ("m", [1, 2, 3, 4]),
        ("c", [1, 2, 6, 7]),
        ("s", [1, 1, 4, 5]),
    ]


def test_unlabelled_images_are_not_empty_images(tmp_path, workspace):
    tasks = [
        {"id": 1, "data": {"image": "a.jpg"}, "annotations": []},
        {
            "id": 2,
            "data": {"image": "b.jpg"},
            "annotations": [{"result": [{"value": {"choices": ["night"]}}]}],
        },
    ]
    view, _ = workspace.add("v", toys.write(tmp_path / "t.json", json.dumps(tasks)))
    assert [
        note.kind for note in export_view(view, "annotations", "coco", tmp_path / "out.json")
    ] == ["unannotated"]
    assert not export_view(view, "annotations", "csv", tmp_path / "out.csv")
    assert sorted((tmp_path / "out.csv").read_text().splitlines()[1:]) == [
        'a.jpg,validation,""',
        "b.jpg,validation,night",
    ]


def test_negative_tags_round_trip_through_a_table(tmp_path, workspace):
    lvis = {
        "images": [
            {"id": 1, "file_name": "1.jpg", "width": 10, "height": 20, "neg_category_ids": [2]}
        ],
        "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}],
    }
    view, _ = workspace.add("v", toys.write(tmp_path / "lvis.json", json.dumps(lvis)))
    export_view(view, "annotations", "csv", tmp_path / "out.csv")
    again = parse_annotations(tmp_path / "out.csv")
    assert facts(again)[1] == facts(parse_annotations(tmp_path / "lvis.json"))[1]


def test_exports_of_one_workspace_are_consistent(tmp_path, workspace):
    lines = ["image,split,concept,x,y,width,height"]
    lines += [
        f"{split[0]}{place}.jpg,{split},cat,1,1,9,9"
        for split in ("training", "validation")
        for place in range(3)
    ]
    view, _ = workspace.add("v", toys.write(tmp_path / "a.csv", "\n".join(lines)))
    version = view.start("m")
    names = [f"v{place}.jpg" for place in range(3)]
    sides = {"x": [1] * 3, "y": [1] * 3, "width": [9] * 3, "height": [9] * 3}
    version.add_predictions({"image": names, "concept": ["cat"] * 3, "score": [0.9] * 3, **sides})
    export_view(view, "annotations", "coco", tmp_path / "ann.json", version)
    export_view(
        view, "predictions", "coco", tmp_path / "pred.json", version, ExportOptions("validation")
    )
    again, _ = pellucid.open(tmp_path / "again").add("v", tmp_path / "ann.json")
    other = again.start("m")
    other.add_predictions(tmp_path / "pred.json")
    assert sorted((item.image, item.outcome) for item in other.gallery("all")) == [
        (name, "matched") for name in names
    ]


def test_crowded_image_has_linear_cost(tmp_path, workspace):
    view, _ = workspace.add("v", toys.coco(tmp_path, pictures=False))
    number = 4_000
    rows = {
        "image": ["a/one.png"] * number,
        "concept": ["dent"] * number,
        "score": np.linspace(0, 1, number),
        "x": np.linspace(0, 5, number),
        "y": np.zeros(number),
        "width": np.full(number, 20.0),
        "height": np.full(number, 20.0),
    }
    notes = view.start("m").add_predictions(rows)
    assert "repeated_boxes" in {note.kind for note in notes}


def test_polygons_are_stored_and_served(tmp_path, workspace):
    """A polygon drawn beside the box, through an import of annotations, two imports of
    predictions and a second look from disk."""
    outline = [[1, 2, 9, 2, 5, 8]]
    annotations = [
        {"id": 1, "image_id": 11, "category_id": 1, "bbox": [1, 2, 8, 6], "segmentation": outline},
        {
            "id": 2,
            "image_id": 12,
            "category_id": 1,
            "bbox": [0, 0, 3, 3],
            "segmentation": {"counts": "x", "size": [1, 1]},
        },
    ]
    view, _ = workspace.add("v", toys.coco(tmp_path, annotations=annotations, pictures=False))
    version = view.start("m")
    for number, image in enumerate((11, 12)):
        row = {"image_id": image, "category_id": 1, "bbox": [1, 2, 8, 6], "score": 0.9}
        version.add_predictions(toys.results(tmp_path, [row], f"{number}.json"), covered="listed")
    again = pellucid.open(workspace.folder).view("v").version("m")
    assert again.outlines(again.results(), [0, 1]) == [outline, []]
    view.add(
        toys.write(tmp_path / "more.csv", "image,concept,x,y,width,height\nb.jpg,dent,1,1,2,2\n")
    )
    first, *others = view.annotation_tables[1].outline.tolist()
    assert json.loads(first) == outline
    assert others == ["", ""]


def test_polygons_in_fractions_become_pixels(tmp_path, workspace):
    toys.picture(tmp_path / "images/val/1.png", 100, 50)
    toys.write(tmp_path / "labels/val/1.txt", "0 0.1 0.1 0.3 0.1 0.3 0.5\n0 0.5 0.5 0.2 0.2\n")
    view, _ = workspace.add(
        "v", toys.write(tmp_path / "data.yaml", "val: images/val\nnames: [dent]\n")
    )
    assert json.loads(view.annotation_tables[1].outline[0])[0] == pytest.approx(
        [10, 5, 30, 5, 30, 25]
    )
    assert view.annotation_tables[1].outline[1] == ""


@pytest.mark.parametrize("name", ["rowid", "file_row_number", "pellucid", "ROWID"])
def test_unusual_column_names_are_accepted(tmp_path, workspace, name):
    """DuckDB has names of its own for places; a user's column of that name is only the user's."""
    view, _ = workspace.add("v", {"image": ["a.jpg", "b.jpg", "c.jpg"], "concept": ["x", "y", "x"]})
    columns = {
        name: [2, 1, 0],
        "image": ["a.jpg", "b.jpg", "c.jpg"],
        "concept": ["x", "y", "x"],
        "score": [0.5, 0.6, 0.7],
    }
    import duckdb

    lines = [
        ",".join(columns),
        *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True)),
    ]
    csv = toys.write(tmp_path / "p.csv", "\n".join(lines))
    duckdb.sql(f"COPY (SELECT * FROM read_csv('{csv}')) TO '{tmp_path / 'p.parquet'}'")
    for number, source in enumerate([columns, csv, tmp_path / "p.parquet"]):
        version = view.start(f"m{number}")
        version.add_predictions(source)
        assert {item.image: item.score for item in version.gallery("all")} == {
            "a.jpg": 0.5,
            "b.jpg": 0.6,
            "c.jpg": 0.7,
        }


def test_lvis_metrics_are_the_same_without_a_workspace(tmp_path, workspace):
    document = {
        "images": [
            {
                "id": number,
                "file_name": f"{number}.jpg",
                "width": 100,
                "height": 100,
                "neg_category_ids": [] if number == 1 else [2],
            }
            for number in (1, 2, 3)
        ],
        "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
        "annotations": [
            {"image_id": 1, "category_id": place, "bbox": [10 * place, 10, 40, 40], "area": 1600}
            for place in (1, 2)
        ],
    }
    rows = [
        {"image_id": 1, "category_id": place, "bbox": [10 * place, 10, 40, 40], "score": 0.9}
        for place in (1, 2)
    ]
    rows.append({"image_id": 2, "category_id": 1, "bbox": [1, 1, 9, 9], "score": 0.95})
    source, results = (
        toys.write(tmp_path / "lvis.json", json.dumps(document)),
        toys.results(tmp_path, rows),
    )
    view, _ = workspace.add("v", source)
    version = view.start("m")
    version.add_predictions(results)
    straight = pellucid.coco_figures(source, results)
    assert straight == version.metrics().overall.coco
    assert straight["AP"] == pytest.approx(1)
    assert version.results().voc() == {"a": 1, "b": 1}


def test_ties_are_broken_the_same_without_a_workspace(tmp_path, workspace):
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


@pytest.mark.parametrize(
    "text",
    ['a.jpg,"5 pipe\nb.jpg,cat\nc.jpg,dog\n', "a.jpg,cat,dog\nb.jpg,cat\n", "a.jpg\nb.jpg,cat\n"],
)
def test_rows_that_do_not_fit_the_header_are_refused(tmp_path, text):
    """A stray quote would swallow the lines behind it; a cell too many would be lost."""
    with pytest.raises(PellucidError, match="line 2"):
        read_text(tmp_path, "a.csv", f"image,concept\n{text}")


@pytest.mark.parametrize("text", ['a.jpg,5" pipe\n', 'a.jpg,5" pipe,\n', 'a.jpg,"5"" pipe"\r\n'])
def test_quotes_and_delimiters_in_values(tmp_path, text):
    assert facts(read_text(tmp_path, "a.csv", f"image,concept\n{text}"))[1] == [
        ("a.jpg", '5" pipe', None, False, True)
    ]
