"""Tables, CSV or Parquet: one row a fact (the long form), or one row an image (the wide form).

Long: `image, concept[, split]`, with a box, `ignore` or `value`; predictions with a `score`.
Wide: a 0/1 column a concept, or a list `a|b`; predictions with one column of scores a concept.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.columns import CLOSED, OPEN, Floats, Kind, Longs, Texts
from pellucid.errors import FileEmpty, RecordBad
from pellucid.formats.cells import Cells, cells_of_file, tidy
from pellucid.formats.facts import NAME, Facts, assemble
from pellucid.formats.look import AnnotationFormat, Asked, Look, PredictionFormat
from pellucid.formats.roles import FALSE, MANY, TRUE, VALUE, Roles
from pellucid.formats.source import AnnotationSource, BoxUnit, Note, PredictionSource, checked, codes, image_path
from pellucid.formats.wide import one_hot_columns, read_one_hot, read_wide


def is_annotations(cells: Cells) -> bool:
    roles = Roles(cells)
    return roles.image is not None and (roles.concept is not None or bool(one_hot_columns(cells, roles)))


def is_predictions(cells: Cells) -> bool:
    roles = Roles(cells)
    return roles.image is not None and ((roles.score is not None and roles.concept is not None) or bool(roles.others(cells)))


def is_text_table(look: Look) -> bool:
    """Parquet, or text whose first line has a delimiter and which is neither JSON nor XML."""
    if look.is_dir or look.head[:1] in "{[<":
        return False
    first = look.head.split("\n", maxsplit=1)[0]
    return look.head.startswith("PAR1") or ("\0" not in look.head and any(mark in first for mark in ",;\t|"))


def holds_annotations(look: Look) -> bool:
    return is_text_table(look) and is_annotations(cells_of_file(look.path))


def has_scores(look: Look) -> bool:
    """Whether a table has a column of scores, as predictions have and annotations seldom."""
    return is_text_table(look) and Roles(cells_of_file(look.path)).score is not None


def holds_predictions(look: Look) -> bool:
    return is_text_table(look) and is_predictions(cells_of_file(look.path))


def read(look: Look, asked: Asked) -> AnnotationSource:
    return read_annotations(cells_of_file(look.path), asked.kind, asked.pictures)


def read_scores(look: Look, asked: Asked) -> PredictionSource:
    return read_predictions(cells_of_file(look.path), asked.kind or "detection", asked.concepts)


def read_annotations(cells: Cells, kind: Kind | None, home: str | None) -> AnnotationSource:
    """kind: the view's, where it is known; else what the columns say. home: the folder of the pictures."""
    roles = Roles(cells)
    assert roles.image is not None
    keys, image = cells.coded(roles.image)
    if "" in keys:
        row = int(np.flatnonzero(image == keys.index(""))[0])
        raise RecordBad(cells.path, cells.place(row), "the image is empty", "Name the image's path.")
    names, same = codes([image_path(cells.path, key, home) for key in keys])
    image = same[image] if len(keys) else image
    if roles.concept is None:
        return read_one_hot(cells, roles, names, image)
    facts = long_facts(cells, roles, kind, image)
    found = assemble(cells, roles, names, image, facts)
    if facts.box is not None and are_fractions(facts.box):
        return replace(found, unit="fractions", notes=[*found.notes, Note("fractions", FRACTIONS, 1, "info")])
    return found


def long_facts(cells: Cells, roles: Roles, kind: Kind | None, image: Any) -> Facts:
    """What each row says, as the view's kind or the kind that the columns suggest."""
    assert roles.concept is not None
    concept = cells.text(roles.concept)
    rows = np.flatnonzero(concept != "")
    refuse_list(cells, roles, kind)
    if roles.has_boxes and kind in (None, "detection"):
        names = [str(name) for name in concept[rows]]
        stated = roles.first(VALUE)
        roles.value = stated if states_tags(cells, stated) else None
        positive = positives(cells, roles)[rows]
        box = boxes(cells, roles)[rows]
        box[~positive] = 0  # of what is stated to be absent there is no place
        return Facts("detection", rows, names, box, flags(cells, roles.ignore)[rows], positive, CLOSED if positive.all() else OPEN)
    lists = tidy(roles.concept) in MANY or any("|" in cell for cell in concept)
    several = len({(place, name) for place, name in zip(image[rows].tolist(), concept[rows], strict=True)}) > len(set(image[rows].tolist()))
    stated = roles.first(VALUE)
    if kind == "tagging" or (kind is None and (lists or several or states_tags(cells, stated))):
        roles.value = stated
        return tags(cells, roles, concept)
    names = [str(name) for name in concept[rows]]
    return Facts(kind or "classification", rows, names, None, np.zeros(len(rows), bool), np.ones(len(rows), bool), CLOSED)


def refuse_list(cells: Cells, roles: Roles, kind: Kind | None) -> None:
    """A column of four numbers could be [left, top, width, height] or [left, top, right, bottom]: a guess would look like a bad model."""
    if roles.list_of_sides and not roles.has_boxes and kind in (None, "detection"):
        what = f"the column {roles.list_of_sides} could hold left, top, width, height or left, top, right, bottom"
        raise RecordBad(cells.path, "header", what, "Write columns x, y, width, height, or xmin, ymin, xmax, ymax.")


def states_tags(cells: Cells, stated: str | None) -> bool:
    return stated is not None and {str(word).lower() for word in cells.text(stated)} <= {"positive", "negative", ""}


def tags(cells: Cells, roles: Roles, concept: Texts) -> Facts:
    """A row may hold a list `a|b`; a file that states negatives leaves what it does not state unknown, as `ignore` does of its row."""
    pairs = [(row, part.strip()) for row, cell in enumerate(concept) for part in cell.split("|") if part.strip()]
    rows = np.array([row for row, _ in pairs], np.int64)
    positive = positives(cells, roles)[rows]
    stated = CLOSED if positive.all() else OPEN
    unknown = flags(cells, roles.ignore)[rows]
    return Facts("tagging", rows, [name for _, name in pairs], None, unknown, positive, stated)


def positives(cells: Cells, roles: Roles) -> np.ndarray:
    if roles.value is None:
        return np.ones(cells.rows, bool)
    words = [str(word).lower() for word in cells.text(roles.value)]
    for row, word in enumerate(words):
        if word not in ("positive", "negative", ""):
            raise RecordBad(cells.path, cells.place(row), f"value is '{word}'", "Write positive or negative.")
    return np.array([word != "negative" for word in words], bool)


def flags(cells: Cells, name: str | None) -> np.ndarray:
    if name is None:
        return np.zeros(cells.rows, bool)
    words = [str(word).lower() for word in cells.text(name)]
    for row, word in enumerate(words):
        if word not in (*TRUE, *FALSE, ""):
            raise RecordBad(cells.path, cells.place(row), f"{name} is '{word}'", "Write 0 or 1.")
    return np.array([word in TRUE for word in words], bool)


def boxes(cells: Cells, roles: Roles) -> Floats:
    """[left, top, width, height] of every row, NaN where a cell is empty."""
    box = np.empty((cells.rows, 4))
    names = roles.centred or roles.sized or roles.corners
    assert names is not None
    for side, name in enumerate(names):
        box[:, side] = cells.number(roles.names[name])
    if roles.centred:
        box[:, :2] -= box[:, 2:] / 2
    elif not roles.sized:
        box[:, 2:] -= box[:, :2]
    return box


FRACTIONS = "boxes taken as fractions of the picture: no side is over 1"


def are_fractions(box: Floats) -> bool:
    """Boxes of less than a pixel are none."""
    sides = box[~np.isnan(box).any(axis=1)]
    return bool(len(sides)) and bool((sides.max() <= 1) and (sides[:, 2:].max() > 0))


def read_predictions(cells: Cells, kind: Kind, concepts: Collection[str]) -> PredictionSource:
    """Long, with a score column, or wide, with a column of scores a concept."""
    roles = Roles(cells)
    assert roles.image is not None
    if not cells.rows:
        raise FileEmpty(cells.path, "at least one row")
    keys, image = cells.coded(roles.image)
    if roles.score is None or roles.concept is None:
        return read_wide(cells, roles, keys, image, concepts)
    concept_keys, concept = cells.coded(roles.concept)
    score, box = cells.number(roles.score), None
    if kind == "detection":
        refuse_list(cells, roles, kind)
        if not roles.has_boxes:
            raise RecordBad(cells.path, "header", "it has no box columns", "Add x, y, width, height (pixels) for a detection view.")
        box = boxes(cells, roles)
    record: Longs | range = range(cells.first_record, cells.first_record + cells.rows)
    if "" in concept_keys:  # an image of which nothing is predicted
        nothing = concept_keys.index("")
        rows = np.flatnonzero(concept != nothing)
        image, concept, score, box = image[rows], concept[rows], score[rows], box if box is None else box[rows]
        concept -= concept > nothing
        concept_keys.remove("")
        record = rows + cells.first_record
    unit: BoxUnit = "fractions" if box is not None and are_fractions(box) else "pixels"
    source = PredictionSource(
        cells.path, NAME, keys, image, concept_keys, concept, "name", score, box, unit, record, cells.noun
    )  # fmt: skip
    if unit == "fractions":
        source.notes.append(Note("fractions", FRACTIONS, 1, "info"))
    return checked(source)


FORMAT_OF_ANNOTATIONS = AnnotationFormat(NAME, holds_annotations, read)
FORMAT_OF_PREDICTIONS = PredictionFormat(NAME, holds_predictions, read_scores)
