"""From the rows of an annotation table to columns."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from pellucid.columns import CLOSED, UNANNOTATED, Annotations, Bytes, Floats, Kind, Texts, texts
from pellucid.errors import SplitConflict, TwoConcepts
from pellucid.formats.cells import Cells
from pellucid.formats.roles import Roles
from pellucid.formats.source import AnnotationSource, check_boxes, listed_images, split_code

NAME = "table"


class Facts:
    """Rows of the long form: the row of the table, its concept's text, its box and what is said of it."""

    def __init__(self, kind: Kind, rows: Any, concept: list[str], box: Floats | None, ignore: Any, positive: Any, stated: int) -> None:
        self.kind: Kind = kind
        self.rows = rows
        self.concept = concept
        self.box = box
        self.ignore = ignore
        self.positive = positive
        self.stated = stated
        self.concepts: list[str] | None = None


def assemble(cells: Cells, roles: Roles, names: list[str], image: Any, facts: Facts) -> AnnotationSource:
    concepts = facts.concepts or sorted(set(facts.concept))
    number = {name: row for row, name in enumerate(concepts)}
    owner = image[facts.rows].astype(np.int32)
    notes = check_boxes(cells.path, facts.box, lambda row: cells.place(int(facts.rows[row]))) if facts.box is not None else []
    stated = np.full(len(names), facts.stated, np.int8)
    if facts.kind == "classification":
        stated = one_concept_each(cells, names, owner, facts)
    images = listed_images(names, splits(cells, roles, names, image), stated, metadata=metadata(cells, roles, image, len(names), facts))
    concept = np.array([number[name] for name in facts.concept], np.int32)
    area = None if facts.box is None else facts.box[:, 2] * facts.box[:, 3]
    annotations = Annotations(owner, concept, facts.box, facts.ignore, facts.positive, area)
    return AnnotationSource(
        cells.path, NAME, facts.kind, concepts, [""] * len(concepts), facts.concepts is not None,
        images, annotations, None, notes,
    )  # fmt: skip


def one_concept_each(cells: Cells, names: list[str], owner: Any, facts: Facts) -> Bytes:
    first: dict[int, str] = {}
    for place, concept in zip(owner.tolist(), facts.concept, strict=True):
        if place in first:
            raise TwoConcepts(cells.path, names[place], first[place], concept)
        first[place] = concept
    stated = np.full(len(names), UNANNOTATED, np.int8)
    stated[list(first)] = CLOSED
    return stated


def splits(cells: Cells, roles: Roles, names: list[str], image: Any) -> Bytes:
    """Each image's split, -1 where the table does not say."""
    found = np.full(len(names), -1, np.int8)
    if roles.split is None:
        return found
    words = cells.text(roles.split)
    known = {word: split_code(word, cells.path, cells.place(int(np.flatnonzero(words == word)[0]))) for word in set(words) if word}
    for row, (place, word) in enumerate(zip(image.tolist(), words, strict=True)):
        if word and found[place] not in (-1, known[word]):
            raise SplitConflict(cells.path, names[place], f"another split before {cells.place(row)}", word)
        if word:
            found[place] = known[word]
    return found


def metadata(cells: Cells, roles: Roles, image: Any, images: int, facts: Facts) -> Texts:
    """The user's own columns that say one thing of each image, as a JSON object an image."""
    taken = set(facts.concepts or ())
    kept: list[dict[str, str]] = [{} for _ in range(images)]
    for name in roles.others(cells):
        if name in taken:
            continue
        values: dict[int, str] = {}
        column = cells.text(name)
        if all(values.setdefault(place, cell) == cell for place, cell in zip(image.tolist(), column, strict=True)):
            for place, cell in values.items():
                kept[place][name] = cell
    return texts([json.dumps(one, ensure_ascii=False) if one else "" for one in kept])
