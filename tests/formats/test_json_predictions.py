"""Predictions in the JSON of people's own programs: every layout gives the same version."""

import gzip
import json

import pytest

import pellucid
import toys
from formats import truth
from pellucid import PellucidError
from pellucid.formats.registry import contains_predictions


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
