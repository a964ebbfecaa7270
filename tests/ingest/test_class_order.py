"""Classes of a classifier, or its images, in another order than they are read in."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import numpy as np
import pytest

import pellucid
import toys
from pellucid.core.errors import PellucidError
from pellucid.project import Workspace

NAMES = ["bird", "car", "cat", "dog", "frog"]


def scored(
    workspace: Workspace, order: list[int], accuracy: float, images: int = 60
) -> list[pellucid.Note]:
    """The notes on scores whose columns stand in that order, of a model that is right so often."""
    random = Random(3)
    truth = [number % len(NAMES) for number in range(images)]
    paths = [f"{number}.jpg" for number in range(images)]
    view, _ = workspace.add("v", {"image": paths, "label": [NAMES[place] for place in truth]})
    scores = np.full((images, len(NAMES)), 0.1)
    for image, place in enumerate(truth):
        is_right = random.random() < accuracy
        scores[image, place if is_right else (place + 1 + random.randrange(4)) % 5] = 0.6
    columns = {NAMES[place]: scores[:, order[place]] for place in range(len(NAMES))}
    return view.start("m").add_predictions({"image": paths, **columns})


def has_warning(notes: list[pellucid.Note]) -> bool:
    return any(note.kind == "class_order" and note.severity == "warning" for note in notes)


@pytest.mark.parametrize(
    ("order", "accuracy", "images", "warns"),
    [
        ([1, 2, 3, 4, 0], 1.0, 60, True),
        ([1, 2, 3, 4, 0], 0.9, 60, True),
        ([0, 1, 2, 3, 4], 0.9, 60, False),
        ([0, 1, 2, 3, 4], 0.3, 60, False),
        ([1, 0, 2, 3, 4], 1.0, 60, False),  # most are right: two classes may be hard to tell apart
        ([1, 2, 3, 4, 0], 1.0, 10, False),
    ],
)
def test_other_orders_are_warned_about(
    workspace: Workspace, order: list[int], accuracy: float, images: int, warns: bool
) -> None:
    assert has_warning(scored(workspace, order, accuracy, images)) == warns


def test_the_warning_says_what_would_be_read(workspace: Workspace) -> None:
    notes = scored(workspace, [1, 2, 3, 4, 0], 1.0)
    (message,) = [note.message for note in notes if note.kind == "class_order"]
    assert "in 0% of the images" in message
    assert "('frog' read as 'bird', ...) it would be in 100%" in message


def numbered(folder: Path, ids: list[int], images: int) -> tuple[Path, Path]:
    """COCO labels of images with such ids, and right predictions with the numbers of the files."""
    labels = [number * number % len(NAMES) for number in range(images)]
    document = {
        "images": [{"id": ids[n], "file_name": f"pic_{n:03}.jpg"} for n in range(images)],
        "categories": [{"id": n, "name": name} for n, name in enumerate(NAMES)],
        "annotations": [
            {"id": n, "image_id": ids[n], "category_id": label} for n, label in enumerate(labels)
        ],
    }
    rows = "".join(f"{n},{NAMES[label]},0.9\n" for n, label in enumerate(labels))
    return (
        toys.write(folder / "a.json", json.dumps(document)),
        toys.write(folder / "p.csv", f"image_id,category,score\n{rows}"),
    )


def test_ids_that_agree_as_numbers_of_files_are_asked_for(
    workspace: Workspace, tmp_path: Path
) -> None:
    ids = [(number * 7 + 3) % 40 for number in range(40)]
    annotated, predicted = numbered(tmp_path, ids, 40)
    view, _ = workspace.add("v", annotated, kind="classification")
    with pytest.raises(PellucidError, match="ambiguous image ids: could be read as id"):
        view.version_or_draft("m").add_predictions(predicted)
    version = view.version_or_draft("m")
    version.add_predictions(predicted, image_ids="number in file name")
    assert version.metrics().overall.errors == 0
    other = view.version_or_draft("n")
    other.add_predictions(predicted, image_ids="id")
    assert other.metrics().overall.errors > 10


def test_ids_that_agree_are_taken(workspace: Workspace, tmp_path: Path) -> None:
    annotated, predicted = numbered(tmp_path, list(range(40)), 40)
    view, _ = workspace.add("v", annotated, kind="classification")
    version = view.start("m")
    version.add_predictions(predicted)
    assert version.metrics().overall.errors == 0
