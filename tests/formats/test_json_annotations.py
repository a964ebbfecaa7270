"""Annotations in the JSON of people's own programs: every layout gives the same view."""

import json

import pytest

import pellucid
import toys
from formats import truth
from pellucid import PellucidError


def add(folder, document, name="a.json"):
    text = document if isinstance(document, str) else json.dumps(document)
    return pellucid.open(folder / "w").add("v", toys.write(folder / name, text))


def by_image():
    rows = {image: [] for image in truth.IMAGES}
    for image, concept, box in truth.boxes():
        rows[image].append((concept, box))
    return rows


def named(box):
    return dict(zip(("x", "y", "width", "height"), box, strict=True))


def corners(box):
    x, y, width, height = box
    return {"xmin": x, "ymin": y, "xmax": x + width, "ymax": y + height}


SIZE = {"image_width": truth.WIDTH, "image_height": truth.HEIGHT}
LAYOUTS = {
    "records": lambda: [
        {"image": i, "label": c, "bbox": named(box), **SIZE} for i, c, box in truth.boxes()
    ],
    "flat records": lambda: [
        {"filename": i, "class": c, **corners(box)} for i, c, box in truth.boxes()
    ],
    "objects of an image": lambda: [
        {"file_name": i, "objects": [{"name": c, "box": corners(box)} for c, box in rows]}
        for i, rows in by_image().items()
    ],
    "by image": lambda: {
        i: [{"label": c, "box": corners(box)} for c, box in rows] for i, rows in by_image().items()
    },
    "under a key": lambda: {
        "version": 1,
        "records": [{"image": i, "label": c, "bbox": named(b)} for i, c, b in truth.boxes()],
    },
    "lines": lambda: "\n".join(
        json.dumps({"image": i, "label": c, "bbox": named(b)}) for i, c, b in truth.boxes()
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_boxes(tmp_path, layout):
    view, _ = add(tmp_path, LAYOUTS[layout]())
    assert truth.annotation_rows(view) == sorted(truth.boxes())


def test_classes_and_predictions_without_scores(tmp_path):
    records = [{"image": f"{n}.jpg", "label": "ab"[n % 2], "split": "val"} for n in range(9)]
    view, _ = add(tmp_path, records)
    assert (view.kind, view.images_by_split["validation"]) == ("classification", 9)
    version = view.start("m")
    source = toys.write(tmp_path / "p.json", json.dumps([{**r, "label": "a"} for r in records]))
    version.add_predictions(source, no_scores=True)
    assert version.metrics("validation").overall.accuracy == pytest.approx(5 / 9)


@pytest.mark.parametrize(
    "document",
    [
        [{"image": "a.jpg", "label": "a", "score": 0.9}],
        [{"id": 1, "name": "x"}],
        {"a": 1},
        [],
        [{"image": "a.jpg"}],
    ],
)
def test_other_json_is_refused(tmp_path, document):
    with pytest.raises(PellucidError):
        add(tmp_path, document)


def test_fields_that_the_user_names(tmp_path):
    """Their names are words of another language."""
    rows = [
        {"Bild": "a.jpg", "Klasse": "Hund", "bbox": [1, 2, 30, 40]},
        {"Bild": "b.jpg", "Klasse": "Katze", "bbox": [300, 2, 30, 40]},
    ]
    source = toys.write(tmp_path / "a.json", json.dumps(rows))
    workspace = pellucid.open(tmp_path / "w")
    with pytest.raises(PellucidError, match=r"'Bild', 'Klasse', 'bbox'; .* --columns image=FIELD"):
        workspace.add("v", source)
    view, _ = workspace.add("v", source, columns={"image": "Bild", "concept": "Klasse"})
    images, annotations, _ = view.annotation_tables
    assert list(images.path) == ["a.jpg", "b.jpg"]
    assert annotations.box.tolist() == [[1, 2, 30, 40], [300, 2, 30, 40]]
    scored = [{**row, "Wert": 0.5} for row in rows]
    results = toys.write(tmp_path / "p.json", json.dumps(scored))
    version = view.start("m")
    version.add_predictions(
        results, columns={"image": "Bild", "concept": "Klasse", "score": "Wert"}
    )
    assert version.metrics().overall.errors == 0
