"""Classes of a classifier in another order than they are read in are warned about."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

import pellucid
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
