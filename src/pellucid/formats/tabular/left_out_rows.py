"""Rows of a table that a column marks as no part of it: deleted, rejected, or of the other side."""

from __future__ import annotations

import numpy as np

from pellucid.core.errors import format_count
from pellucid.core.tables import BoolArray
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.tabular.column_names import parse_column_name
from pellucid.formats.tabular.column_roles import ColumnRoles
from pellucid.formats.tabular.flag_column import says_yes_and_no
from pellucid.formats.tabular.flags import NEGATIVE_WORDS
from pellucid.formats.tabular.marking_words import (
    ACCEPTING_WORDS,
    ANSWER_NAMES,
    DELETED_WORDS,
    KEPT_WORDS,
    REJECTING_WORDS,
    marking_word,
)
from pellucid.formats.tabular.reader import TableReader

GROUND_TRUTH_FLAGS = ("isgt", "gt", "isgroundtruth")
SIDE_NAMES = (*GROUND_TRUTH_FLAGS, "type", "source", "kind", "origin", "set")
ANNOTATED_WORDS = ("gt", "ground_truth", "groundtruth", "ground truth", "annotation", "target")
PREDICTED_WORDS = ("pred", "prediction", "predicted", "dt", "det", "detection")
"""How columns say of each row which side it is of."""


def reject_left_out_rows(reader: TableReader, roles: ColumnRoles) -> None:
    """Raise InvalidRecordError if a column that is not read marks rows as deleted or rejected."""
    for column in roles.unassigned_columns(reader):
        if roles.concept is None and marking_word(column) in KEPT_WORDS:
            continue  # beside columns of concepts it may be one
        if marking_word(column) == "correct" and has_predictions(reader, roles):
            continue  # it says whether the prediction is right
        is_left_out = left_out_rows(reader, column)
        if is_left_out is not None and is_left_out.any():
            count = format_count(int(is_left_out.sum()), "row")
            cell = reader.text_column(column)[np.flatnonzero(is_left_out)[0]]
            raise InvalidRecordError(
                reader.path,
                reader.row_location(int(np.flatnonzero(is_left_out)[0])),
                f"{column} is '{cell}', as in {count}: they may not count",
                f"Leave these rows out, or remove the column '{column}'.",
            )


def has_predictions(reader: TableReader, roles: ColumnRoles) -> bool:
    """Whether the table has scores, or a column marked as predicted."""
    markers = {parse_column_name(column).marker for column in reader.column_types}
    return roles.score is not None or "predicted" in markers


def left_out_rows(reader: TableReader, column: str) -> BoolArray | None:
    name, word = parse_column_name(column).rest, marking_word(column)
    if name not in ANSWER_NAMES and word not in DELETED_WORDS | KEPT_WORDS:
        return None
    cells = [str(cell).lower() for cell in reader.text_column(column)]
    if name in ANSWER_NAMES and {*cells} <= {*REJECTING_WORDS, *ACCEPTING_WORDS}:
        return np.array([cell in REJECTING_WORDS for cell in cells], bool)
    if name in ANSWER_NAMES or not says_yes_and_no(reader, column):
        return None
    is_no = np.array([cell in NEGATIVE_WORDS for cell in cells], bool)
    return is_no if word in KEPT_WORDS else ~is_no & np.array([cell != "" for cell in cells])


def reject_annotated_rows(reader: TableReader, roles: ColumnRoles) -> None:
    """Raise InvalidRecordError if a column of a table of predictions says that some of its rows are
    annotations."""
    for column in roles.unassigned_columns(reader):
        compact = "".join(parse_column_name(column).tokens)
        if compact not in SIDE_NAMES:
            continue
        cells = {str(cell).lower() for cell in reader.encode_column(column)[0]}
        is_flag = compact in GROUND_TRUTH_FLAGS and says_yes_and_no(reader, column)
        if is_flag or (cells & {*ANNOTATED_WORDS} and cells & {*PREDICTED_WORDS}):
            raise InvalidRecordError(
                reader.path,
                f"column {column}",
                "it says that some rows are annotations, not predictions",
                "Write the predictions and the annotations into one file each.",
            )
