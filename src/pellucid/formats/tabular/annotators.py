"""Tables with the labels of several people, or with several revisions of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core.errors import format_count
from pellucid.core.tables import Int32Array, Int64Array, StringArray
from pellucid.formats.dataset import Note
from pellucid.formats.errors import DisagreeingAnnotatorsError
from pellucid.formats.tabular.column_names import parse_column_name
from pellucid.formats.tabular.reader import TableReader

NAMES = {
    "annotator",
    "annotatedby",
    "labeler",
    "labeller",
    "labeledby",
    "labelledby",
    "rater",
    "ratedby",
    "rad",
    "radiologist",
    "grader",
    "physician",
    "doctor",
    "expert",
    "observer",
    "reviewer",
    "worker",
    "crowdworker",
    "coder",
    "reader",
    "assessor",
    *("user", "useremail", "email", "createdby", "updatedby", "submittedby", "author"),
}
"""Compact names of columns that say who annotated a row."""
PASSES = {
    *("revision", "rev", "version", "annotationversion", "labelversion", "round", "iteration"),
    *("assignment", "hit", "job", "pass"),
}
"""Compact names of columns that say in which pass a row was annotated."""


def find_annotator_column(reader: TableReader) -> str | None:
    """The column that says who annotated a row, or in which pass, if it says so of more than
    one."""
    for column in reader.column_types:
        if annotator_name(column) in NAMES | PASSES:
            return column if len(set(reader.text_column(column).tolist())) > 1 else None
    return None


def annotator_name(column: str) -> str:
    return parse_column_name(column).rest.removesuffix("id").removesuffix("name")


def reject_disagreement(
    reader: TableReader, images: Int32Array, concepts: StringArray, rows: Int64Array
) -> None:
    """Raise DisagreeingAnnotatorsError if images have several labels, each person gave one, and so
    they may be one class that people disagree on, or several tags.

    Args:
        images: int32 (n,), the image of each used row
        concepts: (n,) of these rows
        rows: (n,), their places in the table
    """
    column = find_annotator_column(reader)
    if column is None:
        return
    people = reader.text_column(column)[rows]
    labels: dict[int, set[Any]] = {}
    given: dict[tuple[int, Any], set[Any]] = {}
    for image, person, concept in zip(images.tolist(), people, concepts, strict=True):
        labels.setdefault(image, set()).add(concept)
        given.setdefault((image, person), set()).add(concept)
    disputed = sum(len(several) > 1 for several in labels.values())
    if disputed and all(len(own) == 1 for own in given.values()):
        raise DisagreeingAnnotatorsError(reader.path, column, disputed)


def annotator_notes(reader: TableReader, images: Int32Array) -> list[Note]:
    """A warning if boxes of several people lie on the same images: an object may be there twice."""
    column = find_annotator_column(reader)
    if column is None:
        return []
    people = np.unique(reader.text_column(column).astype(str), return_inverse=True)[1]
    pairs = np.unique(np.stack([images, people.astype(np.int64)], axis=1), axis=0)
    shared = int((np.bincount(pairs[:, 0]) > 1).sum()) if len(pairs) else 0
    if not shared:
        return []
    sources = "passes" if annotator_name(column) in PASSES else "people"
    message = (
        f"{format_count(shared, 'image')} with boxes of several {sources} (column '{column}'): all "
        "are read, so an object may be annotated more than once. Keep the rows of one of them, or "
        "merge them first"
    )
    return [Note("several_annotators", message, shared)]
