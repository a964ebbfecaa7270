"""What the fields and the numbers of annotations mean is decided by evidence, or asked."""

import csv
import io
import json

import numpy as np
import pytest

import pellucid
import toys
from formats import truth
from pellucid import PellucidError
from pellucid.core.tables import UNANNOTATED
from pellucid.formats.annotation_sources import parse_annotations
from pellucid.formats.probe import ReadOptions
from pellucid.images.locations import join_location
from pellucid.images.sizes import display_size


def add(tmp_path, source, **options):
    return pellucid.open(tmp_path / "w").add("v", source, **options)


def by_image():
    return {image: [row[1:] for row in truth.boxes() if row[0] == image] for image in truth.IMAGES}


def center(box):
    x, y, width, height = box
    return [x + width / 2, y + height / 2, width, height]


def corner(box):
    x, y, width, height = box
    return [x, y, x + width, y + height]


def fractions(box):
    return [side / size for side, size in zip(box, [truth.WIDTH, truth.HEIGHT] * 2, strict=True)]


def pictures(tmp_path):
    for image in truth.IMAGES:
        toys.picture(tmp_path / "images" / image, truth.WIDTH, truth.HEIGHT)
    return tmp_path / "images"


def metadata(tmp_path, record):
    """A metadata.jsonl of Hugging Face. record: of a list of (concept, box)."""
    lines = [json.dumps({"file_name": name, **record(rows)}) for name, rows in by_image().items()]
    return toys.write(tmp_path / "images" / "metadata.jsonl", "\n".join(lines)).parent


WANTED = sorted(truth.boxes())


@pytest.mark.parametrize("shape", [list, center, corner])
@pytest.mark.parametrize(
    "fields",
    [
        lambda rows, shape: {
            "objects": {
                "bbox": [shape(box) for _, box in rows],
                "category": [truth.CONCEPTS.index(name) for name, _ in rows],
                "category_name": [name for name, _ in rows],
            }
        },
        lambda rows, shape: {
            "objects": [{"bbox": shape(box), "label": name, "area": 3} for name, box in rows]
        },
        lambda rows, shape: {
            "bbox": [shape(box) for _, box in rows],
            "label": [name for name, _ in rows],
        },
    ],
)
def test_boxes_of_hugging_face(tmp_path, fields, shape):
    pictures(tmp_path)
    source = metadata(tmp_path, lambda rows: fields(rows, shape))
    view, notes = add(tmp_path, source)
    assert truth.annotation_rows(view) == WANTED
    assert any(note.kind == "boxes" for note in notes) == (shape is not list)


def parquet(folder, name, select, features=None):
    import duckdb

    picture = toys.picture(folder / "one.png", 64, 48).read_bytes()
    file = folder / name
    stated = json.dumps({"info": {"features": features or {}}})
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE p AS SELECT ?::BLOB AS data", [picture])
        connection.execute(
            f"COPY (SELECT {{'bytes': data, 'path': 'x' || i || '.png'}} AS {select} FROM p, "
            f"range(6) r(i)) TO '{file}' (FORMAT parquet, KV_METADATA {{huggingface: '{stated}'}})"
        )
    (folder / "one.png").unlink()
    return file


NAMES = {"_type": "ClassLabel", "names": ["cat", "dog"]}
OTHER = {"_type": "ClassLabel", "names": ["sun", "rain"]}


def test_the_class_label_of_the_field_that_is_read(tmp_path):
    features = {"weather": OTHER, "label": NAMES}
    select = "image, i % 2 AS weather, (i + 1) % 2 AS label"
    view, notes = add(tmp_path, parquet(tmp_path, "train-0.parquet", select, features))
    assert [concept.name for concept in view.manifest.concepts] == ["cat", "dog"]
    assert any("weather" in note.message for note in notes)
    _, annotations, _ = view.annotation_tables
    assert annotations.concept.tolist() == [1, 0] * 3


def test_objects_have_the_names_of_their_own_field(tmp_path):
    features = {
        "weather": OTHER,
        "objects": {"feature": {"bbox": {}, "category": {"feature": NAMES}}, "_type": "Sequence"},
    }
    objects = "{'bbox': [[1.0, 2.0, 30.0, 20.0]], 'category': [i % 2]}"
    select = f"img, i % 2 AS weather, {objects} AS objects"
    view, _ = add(tmp_path, parquet(tmp_path, "validation-0.parquet", select, features))
    assert [concept.name for concept in view.manifest.concepts] == ["cat", "dog"]
    assert view.images_by_split == {"validation": 6}
    images, _, folders = view.annotation_tables
    assert display_size(join_location(folders[images.root[3]], images.path[3])) == (64, 48)


def test_two_class_labels_are_asked_for(tmp_path):
    features = {"fine_label": NAMES, "coarse_label": OTHER}
    select = "img, i % 2 AS fine_label, i // 3 AS coarse_label"
    source = parquet(tmp_path, "train-0.parquet", select, features)
    with pytest.raises(PellucidError, match=r"concept=fine_label or concept=coarse_label"):
        add(tmp_path, source)
    view, _ = add(tmp_path, source, columns={"concept": "coarse_label"})
    assert [concept.name for concept in view.manifest.concepts] == ["sun", "rain"]
    with pytest.raises(PellucidError, match=r"'label'.*fine_label"):
        parse_annotations(source, None, read_options(columns={"concept": ["label"]}))


def read_options(**options):
    return ReadOptions(**options)


def test_label_and_category_that_differ_are_asked_for(tmp_path):
    pictures(tmp_path)
    source = metadata(tmp_path, lambda rows: {"label": "fruit", "category": rows[0][0]})
    with pytest.raises(PellucidError, match="concept=category or concept=label"):
        add(tmp_path, source)


def test_a_label_and_its_number_are_one(tmp_path):
    pictures(tmp_path)
    source = metadata(
        tmp_path,
        lambda rows: {"label": truth.CONCEPTS.index(rows[0][0]), "label_text": rows[0][0]},
    )
    view, _ = add(tmp_path, source)
    assert {concept.name for concept in view.manifest.concepts} <= set(truth.CONCEPTS)


def table(tmp_path, cells):
    """A table with a list of numbers in one column. cells: of a box."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["image", "label", "bbox", "width", "height"])
    for image, concept, box in truth.boxes():
        writer.writerow([image, concept, json.dumps(cells(box)), truth.WIDTH, truth.HEIGHT])
    return toys.write(tmp_path / "a.csv", text.getvalue())


def y_first(box):
    x, y, width, height = box
    return [y, x, y + height, x + width]


@pytest.mark.parametrize("shape", [list, center, corner, y_first])
def test_lists_in_tables(tmp_path, shape):
    pictures(tmp_path)
    view, _ = add(tmp_path, table(tmp_path, shape), images=tmp_path / "images")
    assert truth.annotation_rows(view) == WANTED


@pytest.mark.parametrize("has_fractions", [False, True])
def test_small_boxes_could_be_corners_or_centers(tmp_path, has_fractions):
    def small(box):
        inner = [60 + box[0] / 10, 50 + box[1] / 10, 8, 8]
        return fractions(inner) if has_fractions else inner

    unit = "fractions" if has_fractions else "pixels"
    pictures(tmp_path)
    with pytest.raises(PellucidError, match=f"--boxes xywh-{unit} or --boxes cxcywh-{unit}"):
        add(tmp_path, table(tmp_path, small), images=tmp_path / "images")


def test_percent_is_asked_for(tmp_path):
    def percent(box):
        return [100 * side for side in fractions(box)]

    text = "\n".join(
        f"{image},{concept},{','.join(map(str, percent(box)))},{truth.WIDTH},{truth.HEIGHT}"
        for image, concept, box in [*truth.boxes(), (truth.IMAGES[0], "apple", [150, 90, 50, 60])]
    )
    source = toys.write(tmp_path / "a.csv", "image,label,x,y,w,h,width,height\n" + text)
    with pytest.raises(PellucidError, match=r"may be in percent.*--boxes xywh-percent"):
        add(tmp_path, source)
    view, _ = add(tmp_path, source, boxes="xywh-percent")
    found = truth.annotation_rows(view)
    assert len(found) == len(WANTED) + 1
    assert found[0][2] == pytest.approx(
        sorted([*WANTED, (truth.IMAGES[0], "apple", [150, 90, 50, 60])])[0][2]
    )


def coco(tmp_path, box):
    images = [
        {"id": number, "file_name": name, "width": truth.WIDTH, "height": truth.HEIGHT}
        for number, name in enumerate(truth.IMAGES, 1)
    ]
    annotations = [
        {"id": n, "image_id": truth.IMAGES.index(image) + 1, "category_id": 1, "bbox": box(stated)}
        for n, (image, _, stated) in enumerate(truth.boxes())
    ]
    return toys.coco(tmp_path, "a.json", images, annotations, pictures=False)


def test_coco_with_centers_is_noticed(tmp_path):
    view, notes = add(tmp_path, coco(tmp_path, center))
    found = sorted((image, box) for image, _, box in truth.annotation_rows(view))
    assert found == sorted((image, box) for image, _, box in truth.boxes())
    assert any("cxcywh-pixels" in note.message and note.severity == "warning" for note in notes)


def test_numbers_that_fit_nothing_are_refused(tmp_path):
    with pytest.raises(PellucidError, match="boxes lie inside their image"):
        add(tmp_path, coco(tmp_path, lambda box: [box[1] + 90, box[0] + 90, box[3], box[2] + 60]))


def test_coco_without_annotations_is_no_ground_truth(tmp_path):
    source = toys.write(
        tmp_path / "a.json",
        json.dumps({"images": [{"id": 1, "file_name": "a.jpg"}], "categories": []}),
    )
    with pytest.raises(PellucidError, match="missing required field `annotations`"):
        add(tmp_path, source)


def voc(tmp_path, box):
    for image, rows in by_image().items():
        objects = "".join(
            f"<object><name>{name}</name><bndbox><xmin>{x}</xmin><ymin>{y}</ymin><xmax>{right}"
            f"</xmax><ymax>{bottom}</ymax></bndbox></object>"
            for name, (x, y, right, bottom) in ((name, box(corner(b))) for name, b in rows)
        )
        size = f"<size><width>{truth.WIDTH}</width><height>{truth.HEIGHT}</height></size>"
        toys.write(
            tmp_path / "voc" / image.replace("jpg", "xml"),
            f"<annotation><filename>{image}</filename>{size}{objects}</annotation>",
        )
    return tmp_path / "voc"


def test_fractions_where_a_format_has_pixels(tmp_path):
    view, notes = add(tmp_path, voc(tmp_path, fractions))
    _, annotations, _ = view.annotation_tables
    np.testing.assert_allclose(
        sorted(annotations.box.tolist()), sorted(box for _, _, box in truth.boxes()), atol=1e-6
    )
    assert any("no number exceeds 1" in note.message for note in notes)


def test_boxes_of_a_stated_format_are_not_renamed(tmp_path):
    with pytest.raises(PellucidError, match="voc defines what the numbers"):
        add(tmp_path, voc(tmp_path, list), boxes="cxcywh-pixels")


def test_yolo_labels_with_corners_are_refused(tmp_path):
    pictures(tmp_path)
    toys.write(tmp_path / "data.yaml", "path: .\nval: images\nnames: [zebra, apple, mango]\n")
    for image, rows in by_image().items():
        lines = [
            " ".join(map(str, [truth.CONCEPTS.index(name), *fractions(corner(box))]))
            for name, box in rows
        ]
        toys.write(tmp_path / "labels" / image.replace("jpg", "txt"), "\n".join(lines))
    with pytest.raises(PellucidError, match=r"boxes lie inside their image, read as yolo"):
        add(tmp_path, tmp_path / "data.yaml")


@pytest.mark.parametrize("key", ["annotations", "annotation"])
@pytest.mark.parametrize("shape", [center, list])
def test_createml(tmp_path, key, shape):
    names = ("x", "y", "width", "height")
    records = [
        {
            "image" if key == "annotations" else "imagefilename": image,
            key: [
                {"label": name, "coordinates": dict(zip(names, shape(box), strict=True))}
                for name, box in rows
            ],
        }
        for image, rows in by_image().items()
    ]
    pictures(tmp_path)
    source = toys.write(tmp_path / "a.json", json.dumps(records))
    view, _ = add(tmp_path, source, images=tmp_path / "images")
    assert truth.annotation_rows(view) == WANTED


QUARTER_TURN = {"rotation": 90.0}


def turned(box):
    """The box before a quarter turn about its center."""
    x, y, width, height = box
    return [x + (width - height) / 2, y + (height - width) / 2, height, width]


@pytest.mark.parametrize("form", ["coco", "datumaro"])
def test_turned_boxes_of_cvat(tmp_path, form):
    if form == "coco":
        source = coco(tmp_path, turned)
        document = json.loads(source.read_text())
        for annotation in document["annotations"]:
            annotation |= {"attributes": QUARTER_TURN, "segmentation": []}
    else:
        source = tmp_path / "annotations" / "default.json"
        document = {
            "categories": {"label": {"labels": [{"name": "dent"}]}},
            "items": [
                {
                    "id": image.removesuffix(".jpg"),
                    "image": {"path": image, "size": [truth.HEIGHT, truth.WIDTH]},
                    "annotations": [
                        {
                            "type": "bbox",
                            "label_id": 0,
                            "bbox": turned(box),
                            "attributes": QUARTER_TURN,
                        }
                        for _, box in rows
                    ],
                }
                for image, rows in by_image().items()
            ],
        }
    toys.write(source, json.dumps(document))
    view, _ = add(tmp_path, source)
    found = [row[2] for row in truth.annotation_rows(view)]
    assert found == [row[2] for row in sorted((image, "dent", box) for image, _, box in WANTED)]


def test_turned_boxes_of_fiftyone_are_counted(tmp_path):
    label = {"_cls": "Detection", "label": "dent", "bounding_box": [0.1, 0.1, 0.2, 0.2]}
    samples = [
        {
            "filepath": f"data/{name}.jpg",
            "metadata": {"width": 90, "height": 60},
            "ground_truth": {"_cls": "Detections", "detections": detections},
        }
        for name, detections in (("a", [{**label, "rotation": 0.3}, label]), ("b", [label]))
    ]
    source = toys.write(tmp_path / "samples.json", json.dumps({"samples": samples}))
    view, notes = add(tmp_path, source)
    assert any("1 rotated box" in note.message for note in notes)
    assert [row[0] for row in truth.annotation_rows(view)] == ["b.jpg"]


def test_via_asks_which_attribute_is_the_concept(tmp_path):
    def region(number):
        return {
            "shape_attributes": {"name": "rect", "x": number, "y": 2, "width": 9, "height": 9},
            "region_attributes": {"name": f"object {number}", "type": "dent"},
        }

    document = {
        "a.png7": {
            "filename": "a.png",
            "size": 7,
            "file_attributes": {},
            "regions": [region(1), region(2)],
        }
    }
    source = toys.write(tmp_path / "via.json", json.dumps(document))
    with pytest.raises(PellucidError, match="concept=name or concept=type"):
        add(tmp_path, source)
    view, _ = add(tmp_path, source, columns={"concept": "type"})
    assert [concept.name for concept in view.manifest.concepts] == ["dent"]


def studio_value(box, name):
    x, y, width, height = (100 * side for side in fractions(box))
    return {
        "x": x,
        "y": y,
        "width": width,
        "height": height,
        "rotation": 0,
        "rectanglelabels": [name],
        "original_width": truth.WIDTH,
        "original_height": truth.HEIGHT,
    }


def test_label_studio_csv_of_regions(tmp_path):
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        [
            "annotation_id",
            "annotator",
            "created_at",
            "id",
            "image",
            "my_boxes",
            "lead_time",
            "updated_at",
        ]
    )
    for number, (image, rows) in enumerate(by_image().items()):
        regions = json.dumps([studio_value(box, name) for name, box in rows])
        writer.writerow(
            [number, 1, "2024", number, f"/data/upload/3/1a2b3c4d-{image}", regions, 1.0, "2024"]
        )
    view, _ = add(tmp_path, toys.write(tmp_path / "a.csv", text.getvalue()))
    assert truth.annotation_rows(view) == WANTED


@pytest.mark.parametrize("form", ["csv", "json"])
def test_label_studio_choices_of_any_control(tmp_path, form):
    rows = [
        {
            "image": image,
            "id": n,
            "fruit": truth.CONCEPTS[n % 3],
            "annotator": 1,
            "annotation_id": n,
            "created_at": str(n),
            "updated_at": str(n),
            "lead_time": 1.5,
        }
        for n, image in enumerate(truth.IMAGES)
    ]
    if form == "json":
        source = toys.write(tmp_path / "a.json", json.dumps(rows))
    else:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        source = toys.write(tmp_path / "a.csv", text.getvalue())
    view, _ = add(tmp_path, source)
    assert view.kind == "classification"
    assert sorted(concept.name for concept in view.manifest.concepts) == sorted(truth.CONCEPTS)
    for row in rows:
        row["mood"] = "good"
    source = toys.write(tmp_path / "b.json", json.dumps(rows))
    with pytest.raises(PellucidError, match="concept=fruit or concept=mood"):
        parse_annotations(source)


def task(image, *results, **fields):
    return {
        "data": {"image": image},
        "annotations": [{"result": list(result), **fields} for result in results],
    }


def region(box, name):
    value = studio_value(box, name)
    return {
        "type": "rectanglelabels",
        "original_width": truth.WIDTH,
        "original_height": truth.HEIGHT,
        "value": value,
    }


def test_label_studio_reads_the_ground_truth_of_several_annotations(tmp_path):
    both = task("a.jpg", [region([0, 0, 9, 9], "apple")], [region([9, 9, 30, 30], "mango")])
    both["annotations"][1]["ground_truth"] = True
    empty = task("b.jpg", [], [])
    cancelled = task("c.jpg", [], was_cancelled=True)
    source = toys.write(tmp_path / "a.json", json.dumps([both, empty, cancelled]))
    found = parse_annotations(source)
    assert [found.concepts[concept] for concept in found.annotations.concept] == ["mango"]
    assert (found.images.stated != UNANNOTATED).tolist() == [True, True, False]


def test_label_studio_upload_names_as_they_are_stored(tmp_path):
    toys.picture(tmp_path / "media" / "1a2b3c4d-a.jpg")
    source = toys.write(
        tmp_path / "a.json", json.dumps([task("/data/upload/3/1a2b3c4d-a.jpg", [])])
    )
    found = parse_annotations(source, None, read_options(image_folder=str(tmp_path / "media")))
    assert found.images.path.tolist() == ["1a2b3c4d-a.jpg"]
    assert parse_annotations(source).images.path.tolist() == ["a.jpg"]


class Feature:
    """A feature as `datasets` has it: `names` of a ClassLabel, `feature` of a sequence."""

    def __init__(self, names=None, feature=None):
        if names is not None:
            self.names = names
        if feature is not None:
            self.feature = feature


class DataSet:
    """As `datasets.Dataset`: columns by name."""

    def __init__(self, features, **columns):
        self.features, self._columns = features, columns
        self.column_names = list(columns)
        self.num_rows = len(next(iter(columns.values())))

    def __getitem__(self, name):
        return self._columns[name]


def test_data_sets_in_memory(tmp_path):
    classes = {"label": Feature(["cat", "dog"])}
    view, _ = add(tmp_path, DataSet(classes, image=[None] * 4, label=[0, 1, 1, 0]))
    assert view.kind == "classification"
    assert view.annotation_tables[0].path.tolist() == [f"{row:07d}" for row in range(4)]
    several = {"fine_label": Feature(["cat", "dog"]), "coarse_label": Feature(["pet"])}
    source = DataSet(several, img=[None] * 2, fine_label=[0, 1], coarse_label=[0, 0])
    with pytest.raises(PellucidError, match="concept=fine_label or concept=coarse_label"):
        parse_annotations(source)
    tags = {"labels": Feature(feature=Feature(["cat", "dog"]))}
    found = parse_annotations(DataSet(tags, image=[None] * 3, labels=[[0], [0, 1], []]))
    assert (found.kind, len(found.annotations)) == ("tagging", 3)
    with pytest.raises(PellucidError, match="expected label or objects"):
        parse_annotations(DataSet({}, image=[None], caption=["a cat"]))


def test_splits_in_memory_keep_their_own_numbers(tmp_path):
    objects = Feature(feature={"bbox": Feature(), "category": Feature(["cat", "dog"])})
    other = Feature(feature={"bbox": Feature(), "category": Feature(["dog", "cat"])})
    row = {"bbox": [[1, 2, 30, 20], [5, 5, 9, 3]], "category": [0, 1]}
    splits = {
        "train": DataSet({"objects": objects}, objects=[row] * 3, width=[64] * 3, height=[48] * 3),
        "test": DataSet({"objects": other}, objects=[row] * 3, width=[64] * 3, height=[48] * 3),
    }
    view, _ = add(tmp_path, splits)
    assert view.images_by_split == {"training": 3, "test": 3}
    names = [concept.name for concept in view.manifest.concepts]
    _, annotations, _ = view.annotation_tables
    first = [names[annotations.concept[annotations.image == image][0]] for image in range(6)]
    assert first == ["cat"] * 3 + ["dog"] * 3


def test_saved_data_sets_are_refused_by_name(tmp_path):
    toys.write(tmp_path / "d" / "data-00000-of-00001.arrow", "x")
    toys.write(tmp_path / "d" / "dataset_info.json", "{}")
    with pytest.raises(PellucidError, match="save_to_disk"):
        parse_annotations(tmp_path / "d")


def test_ids_of_coco_as_numbers_and_texts(tmp_path):
    """pandas writes whole numbers with a point, other programs as text."""
    document = {
        "images": [{"id": 7.0, "file_name": "a.jpg"}, {"id": "8", "file_name": "b.jpg"}],
        "categories": [{"id": "1", "name": "cat"}, {"id": 2.0, "name": "dog"}],
        "annotations": [
            {"id": 1, "image_id": "7", "category_id": 2, "bbox": [1, 2, 30, 40]},
            {"id": 2, "image_id": 8, "category_id": 1.0, "bbox": [1, 2, 30, 40]},
        ],
    }
    source = toys.write(tmp_path / "a.json", json.dumps(document))
    view, _ = add(tmp_path, source)
    found = [(image, concept) for image, concept, _ in truth.annotation_rows(view)]
    assert found == [("a.jpg", "dog"), ("b.jpg", "cat")]
    rows = [{"image_id": 7, "category_id": 2, "bbox": [1, 2, 30, 40], "score": 0.9}]
    version = view.start("m")
    version.add_predictions(toys.write(tmp_path / "r.json", json.dumps(rows)))
    assert [item.outcome for item in version.gallery("all")[:9]] == ["matched"]


def test_classes_in_coco_without_boxes(tmp_path):
    document = {
        "images": [{"id": n, "file_name": f"{n}.jpg"} for n in range(3)],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [{"id": n, "image_id": n, "category_id": n % 2 + 1} for n in range(3)],
    }
    source = toys.write(tmp_path / "a.json", json.dumps(document))
    assert parse_annotations(source).kind == "tagging"
    assert parse_annotations(source, None, read_options(kind="classification")).kind == (
        "classification"
    )


def test_rectangles_with_labels_of_label_studio(tmp_path):
    """`Rectangle` beside `Labels`: each region comes twice, once without its label."""
    size = {"original_width": truth.WIDTH, "original_height": truth.HEIGHT, "id": "r1"}
    value = studio_value([10, 20, 30, 40], "cat")
    label = {**value, "labels": value.pop("rectanglelabels")}
    both = task("a.jpg", [{**size, "type": "rectangle", "value": value}, {**size, "value": label}])
    found = parse_annotations(toys.write(tmp_path / "a.json", json.dumps([both])))
    assert len(found.annotations) == 1
    assert not [note for note in found.notes if note.kind == "skipped_shapes"]
