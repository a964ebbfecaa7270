"""Tables of one row an image: a 0/1 column a concept, or a column of scores a concept."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from pellucid.columns import CLOSED, OPEN
from pellucid.errors import RecordBad, few
from pellucid.formats.cells import Cells, tidy
from pellucid.formats.facts import NAME, Facts, assemble
from pellucid.formats.roles import FALSE, TRUE, UNNAMED, Roles
from pellucid.formats.source import AnnotationSource, Note, PredictionSource


def one_hot_columns(cells: Cells, roles: Roles) -> list[str]:
    """Columns of 0 and 1, some of them filled; the unnamed index that a data frame leaves behind is none."""
    found = []
    for name in roles.others(cells):
        words = {str(cell).lower() for cell in cells.text(name)}
        if words <= {*TRUE, *FALSE, ""} and words != {""} and not UNNAMED.fullmatch(tidy(name)):
            found.append(name)
    return found


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
        cells.path, NAME, keys, image[rows], scored, column.astype(np.int32), "column",
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
