"""Two errors in one file, and concepts that a file exchanges, are noticed."""

import json

import numpy as np
import pytest

import pellucid
import toys
from formats import truth
from pellucid.core.errors import PellucidError


def corners(box):
    x, y, width, height = box
    return [x, y, x + width, y + height]


ERRORS = {
    "image_id": lambda row: {**row, "image_id": row["image_id"] - 1},
    "category_id": lambda row: {**row, "category_id": row["category_id"] - 1},
    "bbox": lambda row: {**row, "bbox": corners(row["bbox"])},
}


def write_rows(folder, rows, *errors):
    for error in errors:
        rows = [ERRORS[error](row) for row in rows]
    return toys.write(folder / "p.json", json.dumps(rows))


@pytest.mark.parametrize(
    "errors",
    [("image_id", "category_id"), ("image_id", "category_id", "bbox")],
    ids="+".join,
)
def test_images_from_0_and_another_error_stop_with_the_options(tmp_path, errors):
    source = write_rows(tmp_path, truth.coco_rows(), *errors)
    version = truth.view(tmp_path).start("m")
    with pytest.raises(PellucidError, match="of confident boxes overlap an annotation; with") as e:
        version.add_predictions(source)
    assert "--image-ids positions-from-0" in str(e.value)
    assert ("--category-ids positions-from-0" in str(e.value)) == ("category_id" in errors)
    assert ("--boxes xyxy-pixels" in str(e.value)) == ("bbox" in errors)
    options = str(e.value).split("; with ")[1].split(", ")[0].split()
    chosen = {
        name[2:].replace("-", "_"): value
        for name, value in zip(options[::2], options[1::2], strict=True)
    }
    version.add_predictions(source, **chosen)
    assert truth.version_rows(version) == truth.predictions()


def test_boxes_of_images_that_are_found_by_boxes(tmp_path):
    """The first image has no such id at first, and its boxes are converted all the same."""
    version = truth.view(tmp_path).start("m")
    notes = version.add_predictions(write_rows(tmp_path, truth.coco_rows(), "image_id", "bbox"))
    assert truth.version_rows(version) == truth.predictions()
    assert not any(note.severity == "warning" for note in notes)


def test_a_file_may_be_read_as_it_says(tmp_path):
    source = write_rows(tmp_path, truth.coco_rows(), "image_id", "category_id")
    version = truth.view(tmp_path).start("m")
    version.add_predictions(source, image_ids="id", category_ids="ids", ignore_concepts=["*"])
    first = next(row for row in truth.coco_rows() if row["image_id"] == 2)
    read = next(row for row in truth.version_rows(version) if row[2] == first["score"])
    assert read[0] == "img_000.jpg"


def test_a_poor_model_is_no_other_reading(tmp_path):
    draw = np.random.default_rng(0)
    rows = [
        {**row, "bbox": [*draw.integers(0, 80, 2).tolist(), 15, 12], "score": draw.random()}
        for row in truth.coco_rows()
    ]
    notes = truth.view(tmp_path).start("m").add_predictions(write_rows(tmp_path, rows))
    assert any(note.kind == "boxes_disagree" for note in notes)


NAMES = [f"thing {number}" for number in range(8)]


@pytest.fixture
def many(tmp_path):
    """A view of eight concepts with 24 boxes each, and rows of a file that finds them all."""
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 400, "height": 300} for n in range(24)]
    categories = [{"id": n, "name": name} for n, name in enumerate(NAMES)]
    rows = [
        {"image_id": image, "category_id": concept, "bbox": [45 * concept, 7 * image, 40, 30]}
        for image in range(24)
        for concept in range(8)
    ]
    annotations = [{"id": n, **row} for n, row in enumerate(rows)]
    source = toys.coco(tmp_path, "truth.json", images, annotations, categories)
    view, _ = pellucid.open(tmp_path / "w").add("v", source, images=tmp_path / "images")
    scored = [{**row, "score": 0.99 - n / 1000} for n, row in enumerate(rows)]
    return view, scored, tmp_path / "p.json"


@pytest.mark.parametrize(("first", "second"), [(2, 5), (0, 1)])
def test_two_of_many_numbers_exchanged_stop(many, first, second):
    view, rows, path = many
    exchange = {first: second, second: first}
    numbers = [{**r, "category_id": exchange.get(r["category_id"], r["category_id"])} for r in rows]
    source = toys.write(path, json.dumps(numbers))
    version = view.start("m")
    said = f"if {first} is '{NAMES[second]}', {second} is '{NAMES[first]}'"
    with pytest.raises(PellucidError, match=said):
        version.add_predictions(source)
    version.add_predictions(source, rename={str(first): NAMES[second], str(second): NAMES[first]})
    assert len(version.gallery("matched")[:200]) == 24 * 8


def test_names_exchanged_are_warned_about(many):
    view, rows, path = many
    exchange = {2: 5, 5: 6, 6: 2}
    names = [
        {**row, "category_name": NAMES[exchange.get(row["category_id"], row["category_id"])]}
        for row in rows
    ]
    for row in names:
        del row["category_id"]
    notes = view.start("m").add_predictions(toys.write(path, json.dumps(names)))
    (note,) = (note for note in notes if note.kind == "concepts_exchanged")
    assert note.message.startswith("'thing 5', 'thing 6', 'thing 2' may be exchanged")
    assert "--map 'thing 5=thing 2' --map 'thing 6=thing 5' --map 'thing 2=thing 6'" in note.message


def test_one_concept_called_another_is_a_wrong_model(many):
    view, rows, path = many
    wrong = [
        {**row, "category_id": 5 if row["category_id"] == 2 else row["category_id"]} for row in rows
    ]
    notes = view.start("m").add_predictions(toys.write(path, json.dumps(wrong)))
    assert not any(note.kind == "concepts_exchanged" for note in notes)
