"""Columns of predictions that are not read, and without which the others mean something else."""

from __future__ import annotations

from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.tabular.column_names import VALUE_NAMES, parse_column_name
from pellucid.formats.tabular.column_roles import ColumnRoles, says_yes_and_no
from pellucid.formats.tabular.reader import TableReader

ANSWER_NAMES = (*VALUE_NAMES, "decision", "result", "verdict", "detected", "found", "visible")
"""Compact names of columns that may say whether the concept of a row is there."""
MODEL_NAMES = (
    *("model", "modelname", "modelid", "epoch", "fold", "run", "runid", "checkpoint", "ckpt"),
    *("experiment", "seed", "tta", "ensemble"),
)
"""Compact names of columns that say which of several models a row is of."""


def reject_answers(reader: TableReader, roles: ColumnRoles) -> None:
    """Raise InvalidRecordError if a column says yes or no: the score is then the confidence of that
    answer, not the score of the concept."""
    for column in roles.unassigned_columns(reader):
        name = parse_column_name(column)
        if name.rest in ANSWER_NAMES and not name.marker and says_yes_and_no(reader, column):
            raise InvalidRecordError(
                reader.path,
                f"column {column}",
                f"it says yes or no, so '{roles.score}' may be the confidence of that answer",
                f"Write the score of the concept, 1 - {roles.score} where the answer is no, and "
                f"remove {column}.",
            )


def reject_several_models(reader: TableReader, roles: ColumnRoles) -> None:
    """Raise InvalidRecordError if the rows of an image are of several models. Each image may be of
    another fold."""
    assert roles.image is not None
    for column in roles.unassigned_columns(reader):
        if parse_column_name(column).rest not in MODEL_NAMES:
            continue
        if not reader.determines(roles.image, column):
            values = sorted(set(reader.encoded_column(column)[0]))
            raise InvalidRecordError(
                reader.path,
                f"column {column}",
                f"images have predictions of several ('{values[0]}', '{values[-1]}', ...)",
                "Write one file for each, and import each as a version of its own; or remove the "
                "column if they are one model.",
            )
