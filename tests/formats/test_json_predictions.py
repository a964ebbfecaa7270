"""Predictions in the JSON of people's own programs: every layout gives the same version."""

import gzip
import json

import pytest

import pellucid
import toys
from formats import truth
from pellucid import PellucidError
from pellucid.formats.prediction_sources import contains_predictions
from pellucid.formats.probe import probe_source
from pellucid.formats.readers.json_predictions import holds_scored_annotations


def corners(box):
    x, y, width, height = box
    return [x, y, x + width, y + height]


def by_image(entry):
    """entry: of a list of (concept, score, box) of an image."""
    return {
        image: entry([row[1:] for row in truth.predictions() if row[0] == image])
        for image in truth.IMAGES
    }


def parallel(rows):
    return {
        "boxes": [corners(box) for _, _, box in rows],
        "labels": [concept for concept, _, _ in rows],
        "scores": [score for _, score, _ in rows],
    }


def tensorflow(rows):
    """Corners with y first."""
    return {
        "detection_boxes": [[b, a, d, c] for a, b, c, d in parallel(rows)["boxes"]],
        "detection_classes": parallel(rows)["labels"],
        "detection_scores": parallel(rows)["scores"],
    }


def pipeline(rows):
    names = ("xmin", "ymin", "xmax", "ymax")
    return [
        {"label": concept, "score": score, "box": dict(zip(names, corners(box), strict=True))}
        for concept, score, box in rows
    ]


def listed(rows):
    return [{"class": concept, "confidence": score, "bbox": box} for concept, score, box in rows]


def flat_rows():
    return [
        {"file_name": image, "category": concept, "score": score, "bbox": box}
        for image, concept, score, box in truth.predictions()
    ]


def full_coco():
    """A whole document of COCO, whose ids and categories are its own."""
    numbers = {"mango": 5, "zebra": 9, "apple": 12}
    return {
        "images": [{"id": 700 + n, "file_name": name} for n, name in enumerate(truth.IMAGES)],
        "categories": [{"id": number, "name": name} for name, number in numbers.items()],
        "annotations": [
            {
                "image_id": 700 + truth.IMAGES.index(image),
                "category_id": numbers[concept],
                "bbox": box,
                "score": score,
            }
            for image, concept, score, box in truth.predictions()
        ],
    }


def lines(records):
    return "\n".join(map(json.dumps, records))


LAYOUTS = {
    "coco results": lambda: json.dumps(truth.coco_rows()),
    "coco results under a key": lambda: json.dumps({"predictions": truth.coco_rows()}),
    "coco with images and categories": lambda: json.dumps(full_coco()),
    "coco results on lines": lambda: lines(truth.coco_rows()),
    "records": lambda: json.dumps(flat_rows()),
    "records on lines": lambda: lines(flat_rows()),
    "parallel lists by image": lambda: json.dumps(by_image(parallel)),
    "pipeline by image": lambda: json.dumps(by_image(pipeline)),
    "objects by image": lambda: json.dumps(by_image(lambda rows: {"detections": listed(rows)})),
    "images with objects": lambda: json.dumps(
        [{"image": image, "predictions": rows} for image, rows in by_image(listed).items()]
    ),
    "lists of MMDetection by image": lambda: json.dumps(
        [
            {"img_path": image, "pred_instances": entry}
            for image, entry in by_image(parallel).items()
        ]
    ),
    "lists of TensorFlow by image": lambda: json.dumps(
        [
            {"image": image, "num_detections": len(rows), **tensorflow(rows)}
            for image, rows in by_image(lambda rows: rows).items()
        ]
    ),
    "images with parallel lists": lambda: lines(
        [{"image": image, **entry} for image, entry in by_image(parallel).items()]
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("is_compressed", [False, True])
def test_layouts_of_one_file(tmp_path, layout, is_compressed):
    text = LAYOUTS[layout]()
    source = toys.write(tmp_path / "p.json", text)
    if is_compressed:
        source = tmp_path / "p.json.gz"
        source.write_bytes(gzip.compress(text.encode()))
    rows, _ = truth.read_predictions(tmp_path, source)
    assert rows == truth.predictions()


@pytest.mark.parametrize("entry", [parallel, pipeline, lambda rows: {"predictions": listed(rows)}])
def test_one_file_per_image(tmp_path, entry):
    for image, content in by_image(entry).items():
        toys.write(tmp_path / "p" / image.replace("jpg", "json"), json.dumps(content))
    rows, _ = truth.read_predictions(tmp_path, tmp_path / "p")
    assert rows == truth.predictions()


def test_images_without_detections_were_evaluated(tmp_path):
    entries = by_image(listed)
    entries[truth.IMAGES[0]] = []
    source = toys.write(tmp_path / "p.json", json.dumps(entries))
    version = truth.view(tmp_path).start("m")
    version.add_predictions(source)
    assert (version.results().evaluation.coverage != 0).all()


def test_classes_of_images_by_file_name(tmp_path):
    rows = [f"{image},{truth.CONCEPTS[n % 3]}" for n, image in enumerate(truth.IMAGES)]
    table = toys.write(tmp_path / "a.csv", "\n".join(["image,label", *rows]))
    view, _ = pellucid.open(tmp_path / "w").add("c", table)
    entries = {
        image: {"label": ["zebra", "apple", "mango"], "prob": [0.5, 0.3, 0.2]}
        for image in truth.IMAGES
    }
    version = view.start("m")
    version.add_predictions(toys.write(tmp_path / "p.json", json.dumps(entries)))
    for concept, score in (("zebra", 0.5), ("apple", 0.3), ("mango", 0.2)):
        items = version.gallery("all", concept)[:100]
        assert [round(item.score, 3) for item in items] == [score] * len(truth.IMAGES)


def test_names_of_categories_win_over_their_numbers(tmp_path):
    numbers = {"mango": 1, "zebra": 2, "apple": 3}  # of another list
    rows = [
        {**row, "category_id": numbers[concept], "category_name": concept}
        for row, (_, concept, _, _) in zip(truth.coco_rows(), truth.predictions(), strict=True)
    ]
    found, _ = truth.read_predictions(tmp_path, toys.write(tmp_path / "p.json", json.dumps(rows)))
    assert found == truth.predictions()


def test_numbers_of_another_list_stop_the_import(tmp_path):
    numbers = {1: 2, 2: 3, 3: 1}
    rows = [{**row, "category_id": numbers[row["category_id"]]} for row in truth.coco_rows()]
    source = toys.write(tmp_path / "p.json", json.dumps(rows))
    view = truth.view(tmp_path)
    with pytest.raises(PellucidError, match=r"--map '1=mango'.*--category-ids ids") as stopped:
        view.start("m").add_predictions(source)
    assert "100%" in str(stopped.value)
    version = view.start("n")
    version.add_predictions(source, rename={"1": "mango", "2": "zebra", "3": "apple"})
    assert truth.version_rows(version) == truth.predictions()
    forced = view.start("o")
    forced.add_predictions(source, category_ids="ids")
    assert len(truth.version_rows(forced)) == len(truth.predictions())


def test_images_counted_from_0_are_found_by_their_boxes(tmp_path):
    rows = [{**row, "image_id": row["image_id"] - 1} for row in truth.coco_rows()]
    source = toys.write(tmp_path / "p.json", json.dumps(rows))
    found, notes = truth.read_predictions(tmp_path, source)
    assert found == truth.predictions()
    assert any("positions from 0" in note.message for note in notes)


def test_annotations_without_scores_are_still_no_predictions(tmp_path):
    document = full_coco()
    for record in document["annotations"]:
        del record["score"]
    source = toys.write(tmp_path / "p.json", json.dumps(document))
    with pytest.raises(PellucidError, match="without scores"):
        truth.view(tmp_path).start("m").add_predictions(source)


def test_json_without_predictions_says_so(tmp_path):
    source = toys.write(tmp_path / "p.json", json.dumps({"score": 3, "note": "later"}))
    with pytest.raises(PellucidError, match=r"p\.json"):
        truth.view(tmp_path).start("m").add_predictions(source)


def test_damaged_gzip_names_the_file(tmp_path):
    source = tmp_path / "p.json.gz"
    source.write_bytes(gzip.compress(json.dumps(truth.coco_rows()).encode())[:-20])
    with pytest.raises(PellucidError, match=r"p\.json\.gz: cannot be decompressed"):
        truth.view(tmp_path).start("m").add_predictions(source)


def studio(tmp_path):
    value = {"x": 1, "y": 2, "width": 30, "height": 40, "rectanglelabels": ["cat"]}
    size = {"original_width": 100, "original_height": 100, "type": "rectanglelabels"}
    tasks = [
        {
            "data": {"image": f"{n}.jpg"},
            "annotations": [{"result": [{**size, "value": value}]}],
            "predictions": [],
        }
        for n in range(3)
    ]
    return toys.write(tmp_path / "tasks.json", json.dumps(tasks))


def megadetector(tmp_path):
    image = {"file": "a.jpg", "detections": [{"category": "1", "conf": 0.9, "bbox": [0, 0, 1, 1]}]}
    document = {"images": [image], "detection_categories": {"1": "animal"}, "info": {}}
    return toys.write(tmp_path / "md.json", json.dumps(document))


@pytest.mark.parametrize(
    ("write", "wanted"),
    [
        (lambda folder: toys.coco(folder, pictures=False), False),
        (lambda folder: toys.write(folder / "p.json", json.dumps(full_coco())), True),
        (lambda folder: toys.write(folder / "p.json", json.dumps(truth.coco_rows())), True),
        (lambda folder: toys.write(folder / "p.json", json.dumps(by_image(parallel))), True),
        (lambda folder: toys.write(folder / "p.csv", "image;cat;dog\na.jpg;0,2;0,8\n"), True),
        (lambda folder: toys.write(folder / "p.csv", "image;cat;dog\na.jpg;0;1\n"), False),
        (studio, False),
        (megadetector, True),
    ],
)
def test_which_files_are_predictions(tmp_path, write, wanted):
    assert contains_predictions(write(tmp_path)) is wanted


def test_a_model_that_found_nothing(tmp_path):
    listed_images = [{"image": name, "detections": []} for name in truth.IMAGES]
    for content in ({name: [] for name in truth.IMAGES}, listed_images):
        view = truth.view(tmp_path / str(len(list(tmp_path.iterdir()))))
        version = view.start("m")
        version.add_predictions(toys.write(tmp_path / "p.json", json.dumps(content)))
        assert len(version.gallery("all")) == 0
        assert (version.results().evaluation.coverage != 0).all()


@pytest.mark.parametrize(
    "document",
    [
        lambda: {str(n): row for n, row in enumerate(flat_rows())},
        lambda: {"model": "best.pt", **by_image(listed)},
        lambda: [{"image_name": i, "detections": r} for i, r in by_image(listed).items()],
        lambda: {
            i: {"image": {"width": 200}, "predictions": r} for i, r in by_image(listed).items()
        },
        lambda: [
            {"image": {"width": 200, "path": i}, "predictions": r}
            for i, r in by_image(listed).items()
        ],
        lambda: {"data": flat_rows()},
    ],
    ids=[
        *("numbered", "facts beside", "other key of images", "roboflow", "roboflow, listed"),
        "other key of records",
    ],
)
def test_other_layouts(tmp_path, document):
    source = toys.write(tmp_path / "p.json", json.dumps(document()))
    rows, _ = truth.read_predictions(tmp_path, source)
    assert rows == truth.predictions()


def test_one_file_of_one_image(tmp_path):
    """The image is named once, beside its objects."""
    name = truth.IMAGES[2]
    document = {"image": name, "predictions": by_image(listed)[name]}
    source = toys.write(tmp_path / "p.json", json.dumps(document))
    rows, _ = truth.read_predictions(tmp_path, source)
    assert rows == [row for row in truth.predictions() if row[0] == name]


@pytest.mark.parametrize("scored", [True, False])
def test_scores_of_large_files_are_counted_whole(tmp_path, scored):
    """Keys may lie across the parts in which a file is read."""
    score = ', "score": 0.5' if scored else ""
    for length in range(30):
        record = f'{{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]{score}}}'
        padding = " " * length
        text = f'{{"annotations": [{padding}{", ".join([record] * 40_000)}]}}'
        source = toys.write(tmp_path / "p.json", text)
        assert holds_scored_annotations(probe_source(source)) is scored


def test_tables_of_the_file_name_its_records(tmp_path):
    """Records with other fields than COCO's, whose ids are those of the file's own tables."""
    document = full_coco()
    records = [
        {"image_id": row["image_id"], "label": concept, "confidence": score, "box": box}
        for row, (_, concept, score, box) in zip(
            document["annotations"], truth.predictions(), strict=True
        )
    ]
    del document["annotations"], document["categories"]
    source = toys.write(tmp_path / "p.json", json.dumps({**document, "predictions": records}))
    rows, _ = truth.read_predictions(tmp_path, source)
    assert rows == truth.predictions()


def test_sizes_of_images_are_not_those_of_boxes(tmp_path):
    rows = [
        {
            "image": image,
            "label": concept,
            "score": score,
            "bbox": dict(zip(("x", "y", "width", "height"), box, strict=True)),
            "width": truth.WIDTH,
            "height": truth.HEIGHT,
        }
        for image, concept, score, box in truth.predictions()
    ]
    found, _ = truth.read_predictions(tmp_path, toys.write(tmp_path / "p.json", json.dumps(rows)))
    assert found == truth.predictions()


def test_parallel_lists_of_other_lengths_are_refused(tmp_path):
    entries = by_image(parallel)
    entries[truth.IMAGES[1]]["labels"].append("apple")
    source = toys.write(tmp_path / "p.json", json.dumps(entries))
    with pytest.raises(PellucidError, match=r"4 labels"):
        truth.view(tmp_path).start("m").add_predictions(source)


@pytest.mark.parametrize("content", ["json", "csv"])
def test_a_score_without_a_concept_is_refused(tmp_path, content):
    rows = flat_rows()
    rows[3]["category"] = None
    source = toys.write(tmp_path / "p.json", json.dumps(rows))
    if content == "csv":
        lines = [f"{r['file_name']},{r['category'] or ''},{r['score']},1,2,30,40" for r in rows]
        header = "image,label,score,x,y,width,height"
        source = toys.write(tmp_path / "p.csv", "\n".join([header, *lines]))
    with pytest.raises(PellucidError, match=r"row 3|line 5|no concept"):
        truth.view(tmp_path).start("m").add_predictions(source)


def test_columns_are_named_in_json_too(tmp_path):
    rows = [{**row, "what": row.pop("category"), "category": "thing"} for row in flat_rows()]
    source = toys.write(tmp_path / "p.json", json.dumps(rows))
    found, _ = truth.read_predictions(tmp_path, source, columns={"concept": "what"})
    assert found == truth.predictions()


def test_long_first_lines(tmp_path):
    records = [{"noise": "x" * 70_000, **row} for row in flat_rows()]
    source = toys.write(tmp_path / "p.jsonl", lines(records))
    found, _ = truth.read_predictions(tmp_path, source)
    assert found == truth.predictions()


def test_a_tail_of_low_scores_hides_nothing(tmp_path):
    """Numbers from 0, among thousands of boxes that agree with nothing."""
    rows = [{**row, "category_id": row["category_id"] - 1} for row in truth.coco_rows()]
    noise = [
        {
            "image_id": n % 12 + 1,
            "category_id": n % 3,
            "bbox": [n % 150, n % 99, 9, 8],
            "score": 0.002,
        }
        for n in range(4000)
    ]
    source = toys.write(tmp_path / "p.json", json.dumps([*rows, *noise]))
    found, _ = truth.read_predictions(tmp_path, source)
    assert found[: len(rows)] == truth.predictions()


def test_a_wrong_model_of_some_classes_is_not_corrected(tmp_path):
    """All objects are called by the number after theirs, and the last number never occurs: this may
    be another numbering, or a model that is wrong."""
    rows = [{**row, "category_id": 2} for row in truth.coco_rows() if row["category_id"] == 1]
    assert 3 <= len(rows) < 20
    source = toys.write(tmp_path / "p.json", json.dumps(rows))
    with pytest.raises(PellucidError, match=r"--category-ids ids or --category-ids positions"):
        truth.view(tmp_path).start("m").add_predictions(source)
    version = truth.view(tmp_path / "again").start("m")
    version.add_predictions(source, category_ids="ids")
    assert {row[1] for row in truth.version_rows(version)} == {"apple"}


def test_many_boxes_decide_with_a_warning(tmp_path):
    rows = [{**row, "category_id": 2} for row in truth.coco_rows() if row["category_id"] == 1] * 3
    boxes = [{**row, "score": row["score"] - n / 1000} for n, row in enumerate(rows)]
    source = toys.write(tmp_path / "p.json", json.dumps(boxes))
    notes = truth.view(tmp_path).start("m").add_predictions(source)
    reading = next(note for note in notes if "category ids read as positions" in note.message)
    assert reading.severity == "warning"


def test_numbers_of_rows_are_not_images(tmp_path):
    names = [f"{image},{truth.CONCEPTS[n % 3]}" for n, image in enumerate(truth.IMAGES)]
    table = toys.write(tmp_path / "a.csv", "\n".join(["image,label", *names]))
    view, _ = pellucid.open(tmp_path / "w").add("c", table)
    shuffled = truth.IMAGES[5:] + truth.IMAGES[:5]
    rows = [f"{n},{image},{truth.CONCEPTS[n % 3]},0.9" for n, image in enumerate(shuffled)]
    source = toys.write(tmp_path / "p.csv", "\n".join(["id,sample,label,score", *rows]))
    version = view.start("m")
    version.add_predictions(source)
    found = {item.image: item.concept for item in version.gallery("all")[:100]}
    assert found == {image: truth.CONCEPTS[n % 3] for n, image in enumerate(shuffled)}
    numbered = toys.write(
        tmp_path / "n.csv",
        "\n".join(["image_id,label,score", *(f"{n},apple,0.9" for n in range(50, 62))]),
    )
    with pytest.raises(PellucidError, match="none of its images"):
        view.start("n").add_predictions(numbered)  # neither rows nor numbers in the names


@pytest.mark.parametrize("unit", ["pixels", "fractions"])
def test_boxes_with_y_first(tmp_path, unit):
    """TensorFlow writes [top, left, bottom, right]."""
    width, height = (truth.WIDTH, truth.HEIGHT) if unit == "fractions" else (1, 1)
    rows = [
        {
            "image": image,
            "label": concept,
            "score": score,
            "box": [y / height, x / width, (y + h) / height, (x + w) / width],
        }
        for image, concept, score, (x, y, w, h) in truth.predictions()
    ]
    found, _ = truth.read_predictions(tmp_path, toys.write(tmp_path / "p.json", json.dumps(rows)))
    assert found == truth.predictions()
