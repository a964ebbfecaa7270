"""Tables, CSV or Parquet: one row a fact (the long form), or one row an image (the wide form).

Long: `image, concept[, split]`, with a box, `ignore` or `value`; predictions with a `score`.
Wide: a 0/1 column a concept, or a list `a|b`; predictions with one column of scores a concept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

import numpy as np

from pellucid.columns import CLOSED, OPEN, UNANNOTATED, Annotations, Bytes, Floats, Images, Kind, Texts, texts
from pellucid.errors import FileEmpty, RecordBad, SplitConflict, TwoConcepts, few
from pellucid.formats.cells import Cells, tidy
from pellucid.formats.source import (
    AnnotationSource,
    Note,
    PredictionSource,
    check_boxes,
    check_scores,
    codes,
    image_path,
    split_code,
)

ANNOTATIONS = "table"
PREDICTIONS = "table"

IMAGE = ("image", "image_path", "path", "filename", "file_name", "file", "image_name", "image_file", "img", "image_id", "id")
CONCEPT = (
    "concept",
    "label",
    "class",
    "category",
    "class_name",
    "category_name",
    "label_name",
    "name",
    "tag",
    "tags",
    "labels",
    "concepts",
)
SCORE = ("score", "confidence", "conf", "probability", "prob")
SPLIT = ("split", "subset", "partition", "set")
IGNORE = ("ignore", "iscrowd", "difficult")
VALUE = ("value",)
SIZED = (("x", "y", "width", "height"), ("x", "y", "w", "h"), ("left", "top", "width", "height"))
CORNERS = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"),
    ("x1", "y1", "x2", "y2"),
    ("left", "top", "right", "bottom"),
)
TRUE, FALSE = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no")
MANY = ("tags", "labels", "concepts")
"""Column names that promise a list."""


class Roles:
    """Which column plays which part, by its name."""

    def __init__(self, cells: Cells) -> None:
        self.names = {tidy(name): name for name in reversed(cells.columns)}
        self.image = self.first(IMAGE)
        self.concept = self.first(CONCEPT)
        self.score = self.first(SCORE)
        self.split = self.first(SPLIT)
        self.ignore = self.first(IGNORE)
        self.value: str | None = None  # of tags alone; elsewhere a column of that name is the user's own
        self.sized = next((columns for columns in SIZED if all(name in self.names for name in columns)), None)
        self.corners = next((columns for columns in CORNERS if all(name in self.names for name in columns)), None)

    def first(self, candidates: tuple[str, ...]) -> str | None:
        return next((self.names[name] for name in candidates if name in self.names), None)

    @property
    def has_boxes(self) -> bool:
        return bool(self.sized or self.corners)

    def others(self, cells: Cells) -> list[str]:
        """Columns that play no part of the long form."""
        box = [self.names[name] for name in (self.sized or self.corners or ())]
        taken = {self.image, self.concept, self.score, self.split, self.ignore, self.value, *box}
        return [name for name in cells.columns if name not in taken]


def is_annotations(cells: Cells) -> bool:
    roles = Roles(cells)
    return roles.image is not None and (roles.concept is not None or bool(one_hot_columns(cells, roles)))


def is_predictions(cells: Cells) -> bool:
    roles = Roles(cells)
    return roles.image is not None and ((roles.score is not None and roles.concept is not None) or bool(roles.others(cells)))


def read_annotations(cells: Cells, kind: Kind | None, home: str | None) -> AnnotationSource:
    """kind: the view's, where it is known; else what the columns say. home: the folder of the pictures."""
    roles = Roles(cells)
    assert roles.image is not None
    image_texts = cells.text(roles.image)
    for row in np.flatnonzero(image_texts == ""):
        raise RecordBad(cells.path, cells.place(int(row)), "the image is empty", "Name the image's path.")
    keys, image = codes(image_texts)
    names, same = codes([image_path(cells.path, key, home) for key in keys])
    image = same[image] if len(keys) else image
    if roles.concept is None:
        return read_one_hot(cells, roles, names, image)
    return assemble(cells, roles, names, image, long_facts(cells, roles, kind, image))


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


def long_facts(cells: Cells, roles: Roles, kind: Kind | None, image: Any) -> Facts:
    """What each row says, as the view's kind or the kind that the columns suggest."""
    assert roles.concept is not None
    concept = cells.text(roles.concept)
    rows = np.flatnonzero(concept != "")
    if roles.has_boxes and kind in (None, "detection"):
        names = [str(name) for name in concept[rows]]
        ones = np.ones(len(rows), bool)
        return Facts("detection", rows, names, boxes(cells, roles)[rows], flags(cells, roles.ignore)[rows], ones, CLOSED)
    lists = tidy(roles.concept) in MANY or any("|" in cell for cell in concept)
    several = len({(place, name) for place, name in zip(image[rows].tolist(), concept[rows], strict=True)}) > len(set(image[rows].tolist()))
    stated = roles.first(VALUE)
    if kind == "tagging" or (kind is None and (lists or several or states_tags(cells, stated))):
        roles.value = stated
        return tags(cells, roles, concept)
    names = [str(name) for name in concept[rows]]
    return Facts(kind or "classification", rows, names, None, np.zeros(len(rows), bool), np.ones(len(rows), bool), CLOSED)


def states_tags(cells: Cells, stated: str | None) -> bool:
    return stated is not None and {str(word).lower() for word in cells.text(stated)} <= {"positive", "negative", ""}


def tags(cells: Cells, roles: Roles, concept: Texts) -> Facts:
    """A row may hold a list `a|b`; a file that states negatives leaves what it does not state unknown."""
    pairs = [(row, part.strip()) for row, cell in enumerate(concept) for part in cell.split("|") if part.strip()]
    rows = np.array([row for row, _ in pairs], np.int64)
    positive = positives(cells, roles)[rows]
    stated = CLOSED if positive.all() else OPEN
    return Facts("tagging", rows, [name for _, name in pairs], None, np.zeros(len(rows), bool), positive, stated)


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
    if roles.sized:
        return np.stack([cells.number(roles.names[name]) for name in roles.sized], axis=1)
    assert roles.corners is not None
    left, top, right, bottom = (cells.number(roles.names[name]) for name in roles.corners)
    return np.stack([left, top, right - left, bottom - top], axis=1)


def assemble(cells: Cells, roles: Roles, names: list[str], image: Any, facts: Facts) -> AnnotationSource:
    concepts = facts.concepts or sorted(set(facts.concept))
    number = {name: row for row, name in enumerate(concepts)}
    owner = image[facts.rows].astype(np.int32)
    notes = check_boxes(cells.path, facts.box, lambda row: cells.place(int(facts.rows[row]))) if facts.box is not None else []
    stated = np.full(len(names), facts.stated, np.int8)
    if facts.kind == "classification":
        stated = one_concept_each(cells, names, owner, facts)
    nothing = np.zeros(len(names), np.int32)
    images = Images(
        texts(names), splits(cells, roles, names, image), nothing, nothing, nothing - 1, texts([""] * len(names)), stated,
        metadata(cells, roles, image, len(names), facts),
    )  # fmt: skip
    concept = np.array([number[name] for name in facts.concept], np.int32)
    area = None if facts.box is None else facts.box[:, 2] * facts.box[:, 3]
    annotations = Annotations(owner, concept, facts.box, facts.ignore, facts.positive, area)
    return AnnotationSource(
        cells.path, ANNOTATIONS, facts.kind, concepts, [""] * len(concepts), facts.concepts is not None,
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


def one_hot_columns(cells: Cells, roles: Roles) -> list[str]:
    """Columns of 0 and 1, some of them filled; the unnamed index that a data frame leaves behind is none."""
    found = []
    for name in roles.others(cells):
        words = {str(cell).lower() for cell in cells.text(name)}
        if words <= {*TRUE, *FALSE, ""} and words != {""} and not UNNAMED.fullmatch(tidy(name)):
            found.append(name)
    return found


UNNAMED = re.compile(r"(unnamed|column)_?\d*|index|_*index_level_0_*|")


def read_one_hot(cells: Cells, roles: Roles, names: list[str], image: Any) -> AnnotationSource:
    """A 0/1 column a concept; an empty cell is unknown."""
    if len(names) < cells.rows:
        twice = first_repeated(image)
        raise RecordBad(cells.path, cells.place(twice), f"image '{names[image[twice]]}' stands twice", "Give each image one line.")
    concepts = one_hot_columns(cells, roles)
    words = np.array([[str(cell).lower() for cell in cells.text(name)] for name in concepts], dtype=object).T
    positive, known = np.isin(words, TRUE), words != ""
    rows, column = np.nonzero(known if not known.all() else positive)
    facts = Facts(
        "tagging", rows, [concepts[place] for place in column], None, np.zeros(len(rows), bool), positive[rows, column],
        CLOSED if known.all() else OPEN,
    )  # fmt: skip
    facts.concepts = concepts
    return assemble(cells, roles, names, image, facts)


def first_repeated(image: Any) -> int:
    """The first row whose image was named before."""
    _, first = np.unique(image, return_index=True)
    return int(np.setdiff1d(np.arange(len(image)), first)[0])


def read_predictions(cells: Cells, kind: Kind, concepts: Collection[str]) -> PredictionSource:
    """Long, with a score column, or wide, with a column of scores a concept."""
    roles = Roles(cells)
    assert roles.image is not None
    if not cells.rows:
        raise FileEmpty(cells.path, "at least one row")
    keys, image = codes(cells.text(roles.image))
    if roles.score is None or roles.concept is None:
        return read_wide(cells, roles, keys, image, concepts)
    concept = cells.text(roles.concept)
    rows = np.flatnonzero(concept != "")
    score = cells.number(roles.score)[rows]
    box = None
    if kind == "detection":
        if not roles.has_boxes:
            raise RecordBad(cells.path, "header", "it has no box columns", "Add x, y, width, height (pixels) for a detection view.")
        box = boxes(cells, roles)[rows]
    concept_keys, concept_code = codes(concept[rows])
    source = PredictionSource(
        cells.path, PREDICTIONS, keys, image[rows], concept_keys, concept_code, "name", score, box, "pixels",
        rows + cells.first_record, cells.noun,
    )  # fmt: skip
    check_scores(source)
    if box is not None:
        source.notes.extend(check_boxes(cells.path, box, source.place))
    return source


def read_wide(cells: Cells, roles: Roles, keys: list[str], image: Any, concepts: Collection[str]) -> PredictionSource:
    if len(keys) < cells.rows:
        twice = first_repeated(image)
        raise RecordBad(cells.path, cells.place(twice), f"image '{keys[image[twice]]}' stands twice", "Give each image one line.")
    columns = [name for name in cells.columns if name not in (roles.image, roles.split, roles.concept)]
    named = columns_of_concepts(columns, concepts)
    scored = [name for name in columns if name in named or (cells.is_numeric(name) and not UNNAMED.fullmatch(tidy(name)))]
    if not scored:
        raise RecordBad(cells.path, "header", f"none of {few(columns)} is a column of scores", "Add a column of scores a concept.")
    table = np.stack([cells.finite(name) for name in scored], axis=1)
    rows, column = np.nonzero(~np.isnan(table))
    notes = []
    if words := [name for name in columns if name not in scored]:
        notes.append(Note("columns_left_out", f"columns without scores, left out: {few(words)}", len(words), "info"))
    if empty := int(np.isnan(table).sum()):
        notes.append(Note("no_score", f"{empty:,} empty cells: no score for that image and concept", empty))
    return PredictionSource(
        cells.path, PREDICTIONS, keys, image[rows], scored, column.astype(np.int32), "column",
        table[rows, column], None, "pixels", rows + cells.first_record, cells.noun, notes,
    )  # fmt: skip


def columns_of_concepts(columns: list[str], concepts: Collection[str]) -> set[str]:
    """Columns named by a concept, alone or behind the prefix that most have in common."""
    prefix = shared_prefix(columns, concepts)
    return {name for name in columns if name in concepts or (prefix and name.startswith(prefix) and name.removeprefix(prefix) in concepts)}


def shared_prefix(columns: Collection[str], concepts: Collection[str]) -> str:
    """What stands before a concept's name in most columns, for instance `p_`."""
    prefixes = [column.removesuffix(name) for column in columns for name in concepts if column.endswith(name) and column != name]
    return max(prefixes, key=prefixes.count, default="")
