"""Numbers of classes are named by the list or the table that a JSON document states beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import pellucid
import toys
from pellucid.core.errors import PellucidError

LABELS = {"a.jpg": 0, "b.jpg": 1, "c.jpg": 2, "d.jpg": 1}
NAMES = ["cat", "dog", "bird"]
STATED: dict[str, dict[str, Any]] = {
    "list": {"names": NAMES},
    "names by number": {"id2label": {str(number): name for number, name in enumerate(NAMES)}},
    "numbers by name": {"label_map": {name: number for number, name in enumerate(NAMES)}},
    "records": {"classes": [{"id": number, "name": name} for number, name in enumerate(NAMES)]},
    "of the whole": {"metainfo": {"classes": NAMES}},
}


def document(stated: dict[str, Any], field: str = "class_id", **fields: Any) -> dict[str, Any]:
    return {**stated, "items": [{"image": i, field: n, **fields} for i, n in LABELS.items()]}


def add(folder: Path, content: object) -> pellucid.View:
    source = toys.write(folder / "a.json", json.dumps(content))
    return pellucid.open(folder / "w").add("v", source)[0]


def labels(view: pellucid.View) -> dict[str, str]:
    images, rows, _ = view.annotation_tables
    names = [concept.name for concept in view.manifest.concepts]
    return {
        str(images.path[image]): names[concept]
        for image, concept in zip(rows.image.tolist(), rows.concept.tolist(), strict=True)
    }


@pytest.mark.parametrize("field", ["class_id", "label", "category_id"])
@pytest.mark.parametrize("form", STATED)
def test_annotations_are_named(form: str, field: str, tmp_path: Path) -> None:
    view = add(tmp_path, document(STATED[form], field))
    assert labels(view) == {image: NAMES[number] for image, number in LABELS.items()}


def test_annotations_by_image_are_named(tmp_path: Path) -> None:
    entries = {image: {"label": number} for image, number in LABELS.items()}
    view = add(tmp_path, {"names": NAMES, **entries})
    assert labels(view) == {image: NAMES[number] for image, number in LABELS.items()}


@pytest.mark.parametrize("form", STATED)
def test_predictions_are_named(form: str, tmp_path: Path) -> None:
    view = add(tmp_path, [{"image": i, "label": NAMES[n]} for i, n in LABELS.items()])
    version = view.start("m")
    source = toys.write(tmp_path / "p.json", json.dumps(document(STATED[form], score=0.9)))
    notes = version.add_predictions(source)
    assert version.metrics().overall.errors == 0
    assert any("named by" in note.message for note in notes)


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"names": ["cat", "dog"]}, "class_id 2: 'names' has no name for it"),
        ({"names": {"1": "cat", "2": "dog", "3": "bird"}}, "class_id 0: 'names' has no name"),
    ],
)
def test_numbers_without_a_name_are_refused(
    stated: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(PellucidError, match=message):
        add(tmp_path, document(stated))


def test_names_beside_names_change_nothing(tmp_path: Path) -> None:
    rows = [
        {"image": image, "class_id": 2 - number, "label": NAMES[number]}
        for image, number in LABELS.items()
    ]
    view = add(tmp_path, {"names": NAMES[::-1], "items": rows})
    assert labels(view) == {image: NAMES[number] for image, number in LABELS.items()}


def test_concepts_and_scores_in_pairs(tmp_path: Path) -> None:
    """`{"a.jpg": [["cat", 0.9], ["dog", 0.1]]}`, the best first."""
    view = add(tmp_path, [{"image": i, "label": NAMES[n]} for i, n in LABELS.items()])
    version = view.start("m")
    pairs = {image: [[NAMES[n], 0.8], [NAMES[n - 1], 0.2]] for image, n in LABELS.items()}
    version.add_predictions(toys.write(tmp_path / "p.json", json.dumps(pairs)))
    assert version.metrics().overall.errors == 0
