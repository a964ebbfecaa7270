"""What is written out and read back is the same, in every format with a writer; what a format
cannot hold is counted and told."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_masks

import pellucid
import toys
from pellucid.core.errors import PellucidError
from pellucid.core.outlines import parse_outline
from pellucid.core.tables import EXHAUSTIVE, SPLITS, Annotations, Images, Predictions, string_column
from pellucid.export.datasets import export_view
from pellucid.formats.annotation_sources import parse_annotations
from pellucid.formats.prediction_sources import read_predictions
from pellucid.formats.probe import ReadOptions
from pellucid.formats.registry import PREDICTION_WRITERS, WRITERS
from pellucid.formats.writers.export_data import ExportData

CONCEPTS = ["dent", "rust & dust", "it's"]
ENDINGS = {
    "coco": ".json",
    "cvat": ".xml",
    "label-studio": ".json",
    "csv": ".csv",
    "parquet": ".parquet",
}
FRACTIONS = {"yolo", "label-studio", "fiftyone", "cvat", "voc"}
"""Formats whose numbers are worked out and not copied: they return to within rounding."""
SIDE = st.one_of(st.integers(0, 60).map(float), st.floats(0, 60, width=32))
BOX = st.tuples(SIDE, SIDE, st.floats(0.5, 30, width=32), st.floats(0.5, 30, width=32))


@st.composite
def sets(draw, kind):
    paths = ["a/1.jpg", "a/2.jpg", "b c/1.jpg"][: draw(st.integers(1, 3))]
    number = len(paths)
    images = Images(
        string_column(paths),
        np.array([draw(st.integers(0, 2)) for _ in paths], np.int8),
        np.full(number, 100, np.int32),
        np.full(number, 90, np.int32),
        np.full(number, -1, np.int32),
        string_column([str(7 + row) for row in range(number)]),
        np.full(number, EXHAUSTIVE, np.int8),
        string_column([""] * number),
    )
    if kind == "detection":
        rows = draw(
            st.lists(st.tuples(st.integers(0, number - 1), st.integers(0, 2), BOX), max_size=6)
        )
    elif kind == "tagging":
        pairs = [(image, concept) for image in range(number) for concept in range(3)]
        rows = [
            (*pair, None)
            for pair in draw(st.lists(st.sampled_from(pairs), unique=True, max_size=6))
        ]
    else:
        rows = [(image, draw(st.integers(0, 2)), None) for image in range(number)]
    image, concept = (
        np.array([row[place] for row in rows], np.int32).reshape(-1) for place in (0, 1)
    )
    box = np.array([row[2] for row in rows], float).reshape(-1, 4) if kind == "detection" else None
    area = None if box is None else box[:, 2] * box[:, 3]
    flags = np.zeros(len(rows), bool)
    return (
        images,
        Annotations(image, concept, box, flags, ~flags, area),
        [draw(st.floats(0, 1)) for _ in rows],
    )


def spoken(names, images, table, unit="pixels"):
    """(image, concept, box) of every row, sorted."""
    scale = (
        np.stack([images.width, images.height] * 2, axis=1)[table.image]
        if unit == "fractions"
        else 1
    )
    box = None if table.box is None else np.asarray(table.box * scale)
    rows = [
        (
            str(images.path[image]),
            names[concept],
            None if box is None else tuple(box[row].round(4).tolist()),
        )
        for row, (image, concept) in enumerate(zip(table.image, table.concept, strict=True))
    ]
    return sorted(rows, key=str)


WRITTEN_FOLDERS = "^(images|data|train|valid|val|validation|test)/"
"""Folders that the writers put the images into."""
FOLDER_FORMS = ("coco folder", "cvat folder", "label-studio folder")
"""Formats of one file that are a folder with images if the path has no ending."""


@pytest.mark.parametrize("kind", ["detection", "tagging", "classification"])
@pytest.mark.parametrize("form", [*(form for form in WRITERS if form != "dota"), *FOLDER_FORMS])
def test_annotations(form, kind, tmp_path_factory):
    form, _, is_folder = form.partition(" ")
    if kind != "detection" and form in ("yolo", "voc"):
        with pytest.raises(PellucidError, match="write csv or parquet"):
            WRITERS[form](
                ExportData(kind, [], [], None, object(), None, []),
                tmp_path_factory.mktemp("x") / "out",
            )
        return

    @settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(data=sets(kind))
    def holds(data):
        images, table, _ = data
        if form in (
            "csv",
            "parquet",
        ):  # boxes of a pixel in the corner, and no others, are as well the whole of their pictures
            assume(table.box is None or not len(table) or (table.box > 1).any())
        folder = tmp_path_factory.mktemp("out")
        ending = "" if is_folder else ENDINGS.get(form, "")
        path = folder / f"written{ending}"
        for name in images.path:
            toys.picture(folder / "pictures" / name, 100, 90)
        pictures = [str(folder / "pictures" / name) for name in images.path]
        WRITERS[form](
            ExportData(kind, CONCEPTS, ["4", "9", "11"], images, table, None, pictures), path
        )
        if not len(table) and kind != "detection":
            return
        found = parse_annotations(path, None, ReadOptions(kind))
        found.images.path[:] = [re.sub(WRITTEN_FOLDERS, "", name) for name in found.images.path]
        known = {str(name): row for row, name in enumerate(images.path)}
        rows = [known[str(name)] for name in found.images.path]
        found.images.width[:], found.images.height[:] = 100, 90
        assert spoken(found.concepts, found.images, found.annotations, found.unit) == spoken(
            CONCEPTS, images, table
        )
        if form != "label-studio" and (form != "coco" or is_folder):
            assert found.images.split.tolist() == images.split[rows].tolist()

    holds()


@pytest.mark.parametrize("form", PREDICTION_WRITERS)
def test_predictions(form, tmp_path_factory):
    @settings(deadline=None)
    @given(data=sets("detection"))
    def holds(data):
        images, table, scores = data
        if not len(table):
            return
        assume((table.box > 1).any())
        predictions = Predictions(
            table.image,
            table.concept,
            np.array(scores),
            table.box,
            np.arange(len(table), dtype=np.int32),
        )
        path = tmp_path_factory.mktemp("out") / f"written{ENDINGS.get(form, '')}"
        PREDICTION_WRITERS[form](
            ExportData(
                "detection",
                CONCEPTS,
                ["4", "9", "11"],
                images,
                None,
                predictions,
                [""] * len(images),
                "m",
            ),
            path,
        )
        found = read_predictions(path, None, ReadOptions("detection", concepts=tuple(CONCEPTS)))
        names = {"coco": ["7", "8", "9"], "yolo": ["a/1", "a/2", "b c/1"]}.get(
            form, [str(name) for name in images.path]
        )
        ids = {"coco": ["4", "9", "11"], "yolo": ["0", "1", "2"]}.get(form, CONCEPTS)
        scale = np.array([100, 90, 100, 90]) if found.unit == "fractions" else 1
        ours = sorted(
            (
                found.image_keys[image].removeprefix("data/"),
                found.concept_keys[concept],
                score,
                tuple((box * scale).round(4).tolist()),
            )
            for image, concept, score, box in zip(
                found.image, found.concept, found.score.tolist(), found.box, strict=True
            )
        )
        theirs = sorted(
            (names[image], ids[concept], score, tuple(box.round(4).tolist()))
            for image, concept, score, box in zip(
                table.image, table.concept, scores, table.box, strict=True
            )
        )
        assert ours == theirs

    holds()


@pytest.fixture
def version(tmp_path):
    view, _ = pellucid.open(tmp_path / "w.pellucid").add(
        "v",
        toys.coco(
            tmp_path,
            annotations=[
                {
                    "id": 1,
                    "image_id": 11,
                    "category_id": 1,
                    "bbox": [10, 10, 20, 20],
                    "area": 400,
                    "iscrowd": 0,
                },
                {
                    "id": 2,
                    "image_id": 12,
                    "category_id": 2,
                    "bbox": [0, 0, 30, 30],
                    "area": 900,
                    "iscrowd": 1,
                },
            ],
        ),
    )
    version = view.start("m")
    version.add_predictions(toys.results(tmp_path))
    return version


def test_workspace_round_trips(version, tmp_path):
    from pellucid.export.datasets import export_view

    for form in WRITERS:
        path = tmp_path / f"out-{form}{ENDINGS.get(form, '')}"
        notes = export_view(version.view, "annotations", form, path)
        assert [note.kind for note in notes] == (
            []
            if form in ("coco", "coco-roboflow", "voc", "dota", "fiftyone", "csv", "parquet")
            else ["left_out"]
        )
        again, _ = pellucid.open(tmp_path / f"again-{form}").add(
            "v", path, images=tmp_path / "images" if form in ENDINGS else None
        )
        assert again.manifest.folders, f"{form}: its pictures are found"
        assert again.images_by_split == {"validation": 2}
        with pytest.raises(PellucidError, match="it already exists"):
            export_view(version.view, "annotations", form, path)


def test_dota_holds_four_corners(tmp_path):
    """Oriented boxes come back as they were; other outlines as their boxes, which is said."""
    shapes = [
        [[10.5, 20, 40, 10, 50, 30, 20.25, 40]],
        [[60, 60, 90, 60, 90, 90]],
        None,
    ]
    images = [{"id": 1, "file_name": "a/one.png", "width": 100, "height": 100}]
    annotations = [
        {
            "id": number,
            "image_id": 1,
            "category_id": number % 2 + 1,
            "bbox": [10, 10, 40, 30] if shape is None else None,
            "segmentation": shape,
            "iscrowd": number == 2,
        }
        for number, shape in enumerate(shapes)
    ]
    categories = [{"id": 1, "name": "large vehicle"}, {"id": 2, "name": "ship"}]
    source = toys.coco(tmp_path, "c.json", images, annotations, categories)
    view, _ = pellucid.open(tmp_path / "w").add("v", source, images=tmp_path / "images")
    notes = export_view(view, "annotations", "dota", tmp_path / "out")
    assert sorted(note.kind for note in notes) == ["concepts_renamed", "outlines_left_out"]
    text = (tmp_path / "out/val/labelTxt/one.txt").read_text().splitlines()
    assert text[0] == "10.5 20 40 10 50 30 20.25 40 large-vehicle 0"
    assert text[2] == "10 10 50 10 50 40 10 40 large-vehicle 1"
    again, _ = pellucid.open(tmp_path / "w2").add("v", tmp_path / "out")
    images, table, _ = again.annotation_tables
    assert images.path.tolist() == ["val/images/one.png"]
    assert again.images_by_split == {"validation": 1}
    assert table.ignore.tolist() == [False, False, True]
    assert [json.loads(outline) for outline in table.outline[:1]] == [shapes[0]]


def test_labelme_holds_masks(tmp_path):
    """Polygons and masks of several parts come back with the same pixels."""
    pixels = np.zeros((60, 80), bool)
    pixels[5:20, 10:30], pixels[40:50, 60:70], pixels[10:12, 15:18] = True, True, False
    encoded = coco_masks.encode(np.asfortranarray(pixels.astype(np.uint8)))
    mask = {"size": [60, 80], "counts": encoded["counts"].decode()}
    polygon = [[10.5, 20, 40, 10, 50, 30]]
    images = [{"id": 1, "file_name": "a/one.png", "width": 80, "height": 60}]
    annotations = [
        {"id": number, "image_id": 1, "category_id": 1, "segmentation": shape}
        for number, shape in enumerate((mask, polygon))
    ]
    source = toys.coco(tmp_path, "c.json", images, annotations)
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    assert not export_view(view, "annotations", "labelme", tmp_path / "out")
    again, _ = pellucid.open(tmp_path / "w2").add("v", tmp_path / "out")
    _, table, _ = again.annotation_tables
    found = parse_outline(table.outline[0])
    found_pixels = coco_masks.decode({**found, "counts": found["counts"].encode()}).astype(bool)
    np.testing.assert_array_equal(found_pixels, pixels)
    assert parse_outline(table.outline[1]) == polygon


def test_gallery_and_thresholds(version, tmp_path):
    import duckdb

    from pellucid.export.datasets import export_view
    from pellucid.export.export_options import ExportOptions

    export_view(
        version.view, "gallery", "csv", tmp_path / "g.csv", version, ExportOptions(tab="all")
    )
    rows = duckdb.sql(
        f"SELECT image, concept, score, x, outcome FROM read_csv('{tmp_path / 'g.csv'}')"
    ).fetchall()
    assert rows == [
        (item.image, item.concept, item.score, item.box[0], item.outcome)
        for item in version.gallery("all")
    ]
    export_view(version.view, "thresholds", "json", tmp_path / "t.json", version)
    import json

    assert json.loads((tmp_path / "t.json").read_text())["thresholds"] == {
        name: one.value for name, one in version.thresholds.items()
    }
    with pytest.raises(PellucidError, match="specify one with --version"):
        export_view(version.view, "predictions", "csv", tmp_path / "p.csv")
    assert SPLITS[1] == "validation"


@pytest.fixture
def pixel_table(tmp_path):
    """A view of a CSV with boxes in pixels, which states no sizes; its pictures are at hand."""
    for name in ("one/a.jpg", "two/a.jpg"):
        toys.picture(tmp_path / "pictures" / name, 200, 100)
    source = toys.write(
        tmp_path / "boxes.csv",
        "image,split,concept,x,y,width,height\n"
        "one/a.jpg,training,rust,20,10,60,50\n"
        "one/a.jpg,training,dent,0,0,10,10\n"
        "two/a.jpg,validation,,,,,\n",
    )
    view, _ = pellucid.open(tmp_path / "w").add("v", source, images=tmp_path / "pictures")
    return view


def write_view(view, form, path):
    from pellucid.export.datasets import export_view

    return export_view(view, "annotations", form, path)


def test_yolo_is_found_from_any_folder(pixel_table, tmp_path):
    """Lists of images begin with `./`, which ultralytics takes from the list's own folder, and
    images are files, not links to another place."""
    write_view(pixel_table, "yolo", tmp_path / "out")
    assert (tmp_path / "out/train.txt").read_text() == "./images/one/a.jpg\n"
    assert (tmp_path / "out/val.txt").read_text() == "./images/two/a.jpg\n"
    picture = tmp_path / "out/images/one/a.jpg"
    assert picture.is_file()
    assert not picture.is_symlink()
    assert picture.read_bytes() == (tmp_path / "pictures/one/a.jpg").read_bytes()
    lines = (tmp_path / "out/labels/one/a.txt").read_text().splitlines()
    assert [float(number) for number in lines[0].split()[1:]] == [0.25, 0.35, 0.3, 0.5]
    again, _ = pellucid.open(tmp_path / "again").add("v", tmp_path / "out")
    assert again.images_by_split == {"training": 1, "validation": 1}


@pytest.mark.parametrize("form", ["coco", "coco-roboflow", "cvat"])
def test_sizes_are_read_from_the_images(pixel_table, tmp_path, form):
    """The table does not state them."""
    notes = write_view(pixel_table, form, tmp_path / "out")
    assert not [note for note in notes if "size" in note.message]
    again, _ = pellucid.open(tmp_path / "again").add("v", tmp_path / "out")
    images = again.annotation_tables[0]
    assert (images.width.tolist(), images.height.tolist()) == ([200, 200], [100, 100])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_tables_keep_the_metadata_of_images(tmp_path, suffix):
    rows = ["a.jpg,cat,1,2,3,4,rain", "b.jpg,,,,,,sun", "a.jpg,dog,1,2,3,4,rain"]
    header = "image,concept,x,y,width,height,weather"
    table = toys.write(tmp_path / "a.csv", "\n".join([header, *rows]) + "\n")
    view, _ = pellucid.open(tmp_path / "w").add("v", table)
    write_view(view, suffix[1:], tmp_path / f"out{suffix}")
    again, _ = pellucid.open(tmp_path / "again").add("v", tmp_path / f"out{suffix}")
    metadata = {
        path: json.loads(text)["weather"]
        for images in [again.annotation_tables[0]]
        for path, text in zip(images.path, images.metadata, strict=True)
    }
    assert metadata == {"a.jpg": "rain", "b.jpg": "sun"}


@pytest.mark.parametrize("form", ["coco", "cvat"])
def test_unknown_sizes_are_said(tmp_path, form):
    table = toys.write(tmp_path / "a.csv", "image,concept,x,y,width,height\na.jpg,cat,1,2,3,4\n")
    view, _ = pellucid.open(tmp_path / "w").add("v", table)
    (note,) = [n for n in write_view(view, form, tmp_path / "out") if n.kind == "size_unknown"]
    assert "size of 1 image unknown" in note.message


def test_voc_has_the_layout_of_other_tools(pixel_table, tmp_path):
    notes = write_view(pixel_table, "voc", tmp_path / "out")
    files = sorted(
        str(path.relative_to(tmp_path / "out"))
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    )
    assert files == [
        "Annotations/one/a.xml",
        "Annotations/two/a.xml",
        "ImageSets/Main/train.txt",
        "ImageSets/Main/val.txt",
        "JPEGImages/one/a.jpg",
        "JPEGImages/two/a.jpg",
        "labelmap.txt",
    ]
    assert (tmp_path / "out/ImageSets/Main/val.txt").read_text() == "two/a\n"
    text = (tmp_path / "out/Annotations/one/a.xml").read_text()
    assert "<width>200</width><height>100</height>" in text
    assert "<xmin>20</xmin><ymin>10</ymin><xmax>80</xmax><ymax>60</ymax>" in text
    assert notes == []
    again, _ = pellucid.open(tmp_path / "again").add("v", tmp_path / "out")
    assert again.images_by_split == {"training": 1, "validation": 1}
    assert again.annotation_tables[1].box.tolist() == [[20, 10, 60, 50], [0, 0, 10, 10]]


@pytest.mark.parametrize("place", ["images/", "train/images/", "a.b/", ""])
def test_yolo_labels_are_found_wherever_images_lie(tmp_path, place):
    images = [{"id": 1, "file_name": f"{place}x.y.jpg", "width": 100, "height": 50}]
    source = toys.coco(
        tmp_path,
        images=images,
        annotations=[{"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 20]}],
    )
    view, _ = pellucid.open(tmp_path / "w").add("v", source, images=tmp_path / "images")
    write_view(view, "yolo", tmp_path / "out")
    again, notes = pellucid.open(tmp_path / "again").add("v", tmp_path / "out")
    assert len(again.annotation_tables[1]) == 1, notes


def test_voc_lists_every_concept(tmp_path):
    source = toys.coco(tmp_path, annotations=[])
    view, _ = pellucid.open(tmp_path / "w").add("v", source, images=tmp_path / "images")
    write_view(view, "voc", tmp_path / "out")
    again, _ = pellucid.open(tmp_path / "again").add("v", tmp_path / "out")
    assert [one.name for one in again.manifest.concepts] == ["dent", "rust"]


def test_images_that_are_not_here_are_counted(tmp_path):
    source = toys.coco(tmp_path, pictures=False)
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    notes = write_view(view, "yolo", tmp_path / "out")
    assert [(note.kind, note.count) for note in notes] == [("images_not_copied", 2)]


def test_two_images_with_one_label_file_are_refused(tmp_path):
    images = [
        {"id": number, "file_name": name, "width": 9, "height": 9}
        for number, name in enumerate(("a.jpg", "a.png"))
    ]
    source = toys.coco(tmp_path, images=images, annotations=[], pictures=False)
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    with pytest.raises(PellucidError, match=r"two images would share a\.xml"):
        write_view(view, "voc", tmp_path / "out")


FORMULAS = ["=1+2", "+x", "-x", "@sum", "'=1", "''-x", "plain", "it's", "'quoted'", "-1"]


def test_formulas_are_marked_in_csv_and_read_back(tmp_path):
    """A spreadsheet runs no concept as a formula; Pellucid reads the same names."""
    source = toys.coco(
        tmp_path,
        categories=[{"id": number, "name": name} for number, name in enumerate(FORMULAS)],
        annotations=[
            {"id": number + 1, "image_id": 11, "category_id": number, "bbox": [1, 2, 3, 4]}
            for number in range(len(FORMULAS))
        ],
        pictures=False,
    )
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    for form in ("csv", "parquet"):
        write_view(view, form, tmp_path / f"out.{form}")
        again, _ = pellucid.open(tmp_path / form).add("v", tmp_path / f"out.{form}")
        assert sorted(one.name for one in again.manifest.concepts) == sorted(FORMULAS), form
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell[:1] in tuple("=+@\t\r") or cell[:2] == "-x"]
    assert "'=1+2" in cells
    assert "'plain" not in cells


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6))
def test_every_text_survives_the_marking(text):
    import duckdb

    from pellucid.formats.tabular.formula_cells import neutralize_formulas, restore_formulas_sql

    (cell,) = neutralize_formulas(string_column([text]))
    assert not str(cell).startswith(("=", "+", "-", "@", "\t", "\r"))
    with duckdb.connect() as connection:
        query = f"SELECT {restore_formulas_sql('cell')} FROM (SELECT ? AS cell)"
        assert connection.execute(query, [str(cell)]).fetchone() == (text,)


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(form, marks=() if form in ("coco", "yolo", "csv") else pytest.mark.slow)
        for form in (*WRITERS, *FOLDER_FORMS)
    ],
)
def test_failed_export_leaves_nothing(version, tmp_path, form):
    """A file that grows over the limit of the process fails as on a full disk."""
    name, _, is_folder = form.partition(" ")
    target = tmp_path / "exports" / f"out{'' if is_folder else ENDINGS.get(name, '')}"
    for image in version.view.images_and_folders[0].path:
        picture = tmp_path / "images" / image
        picture.unlink()
        Image.effect_noise((64, 48), 80).save(picture)
    code = (
        "import resource, sys, pellucid\n"
        "from pathlib import Path\n"
        "from pellucid.core.errors import WriteError\n"
        "from pellucid.export.datasets import export_view\n"
        "workspace, form, target = sys.argv[1:]\n"
        "view = pellucid.open(workspace).view('v')\n"
        "import os\n"
        "def no_links(source, target):\n    raise OSError\n"
        "os.link = no_links\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (90, 90))\n"
        "try:\n    export_view(view, 'annotations', form, Path(target))\n"
        "except WriteError as error:\n    print(error)\n"
    )
    arguments = [sys.executable, "-c", code, version.view.workspace.folder, name, target]
    command = subprocess.run(list(map(str, arguments)), check=False, capture_output=True, text=True)
    assert "Free disk space" in command.stdout, command.stderr
    assert list((tmp_path / "exports").iterdir()) == []
    write_view(version.view, name, target)
    assert target.exists(), "and it can be repeated"


def test_killed_export_is_not_taken_for_a_smaller_set(tmp_path):
    images = [
        {"id": row, "file_name": f"{row}.png", "width": 64, "height": 48} for row in range(600)
    ]
    source = toys.coco(tmp_path, images=images, annotations=[], pictures=False)
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    target = tmp_path / "exports" / "out"
    arguments = [sys.executable, "-m", "pellucid", "export", view.workspace.folder, "v"]
    arguments += ["--what", "annotations", "--format", "yolo", "--output", target]
    process = subprocess.Popen(list(map(str, arguments)))
    while process.poll() is None:
        if len(list((tmp_path / "exports").glob(".out.*.partial/labels/*"))) > 20:
            break
    process.kill()
    process.wait()
    assert not target.exists() or len(list((target / "labels").iterdir())) == 600
    shutil.rmtree(target, ignore_errors=True)
    write_view(view, "yolo", target)
    assert len(list((target / "labels").iterdir())) == 600
    assert [path.name for path in target.parent.iterdir() if path.name[0] != "."] == ["out"]


def test_empty_folder_is_filled_and_a_full_one_refused(version, tmp_path, monkeypatch):
    target = tmp_path / "here"
    target.mkdir()
    monkeypatch.chdir(target)
    write_view(version.view, "yolo", Path())
    assert (target / "data.yaml").is_file()
    with pytest.raises(PellucidError, match="already exists"):
        write_view(version.view, "yolo", Path())


def test_label_studio_folder_has_all_that_a_project_needs(version, tmp_path):
    """Tasks whose pictures Label Studio can open below its document root, and the labelling
    configuration that names the concepts."""
    write_view(version.view, "label-studio", tmp_path / "to label")
    (first, second) = json.loads((tmp_path / "to label/tasks.json").read_text())
    assert first["data"] == {
        "image": "/data/local-files/?d=to%20label/images/a/one.png",
        "name": "a/one.png",
    }
    for task in (first, second):
        address = parse_qs(urlsplit(task["data"]["image"]).query)["d"][0]
        assert (tmp_path / address).is_file()
    root = ElementTree.parse(tmp_path / "to label/labels.xml").getroot()
    control = root.find("RectangleLabels")
    result = first["annotations"][0]["result"][0]
    assert (control.get("name"), control.get("toName")) == (result["from_name"], result["to_name"])
    assert [label.get("value") for label in control] == ["dent", "rust"]
    again, _ = pellucid.open(tmp_path / "again").add("v", tmp_path / "to label")
    assert sorted(again.annotation_tables[0].path) == ["a/one.png", "a/two.png"]


def test_label_studio_predictions_are_decisions(version, tmp_path):
    from pellucid.export.datasets import export_view

    notes = export_view(
        version.view, "predictions", "label-studio", tmp_path / "tasks.json", version
    )
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    written = [
        result for task in tasks for entry in task["predictions"] for result in entry["result"]
    ]
    counted = len(version.gallery("matched")) + len(version.gallery("missing"))
    assert len(written) == counted < 4
    assert [(note.kind, note.count) for note in notes] == [("below_threshold", 4 - counted)]


@pytest.mark.parametrize("form", [*FOLDER_FORMS, "coco-roboflow", "fiftyone"])
def test_pictures_of_an_exported_folder_are_found(version, tmp_path, form):
    name, _, _ = form.partition(" ")
    write_view(version.view, name, tmp_path / "out")
    again, _ = pellucid.open(tmp_path / "again").add("v", tmp_path / "out")
    images, _, folders = again.annotation_tables
    assert all((Path(folders[images.root[row]]) / images.path[row]).is_file() for row in range(2))
