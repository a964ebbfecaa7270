"""Numbers beside the concepts of an image: how many there are, or how sure somebody is. A concept
of which there is none, or that is unlikely, is not there."""

from __future__ import annotations

import numpy as np

from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.tabular.column_names import SCORE_NAMES, parse_column_name
from pellucid.formats.tabular.column_roles import ColumnRoles
from pellucid.formats.tabular.reader import TableReader

AMOUNT_NAMES = (
    *("count", "counts", "n", "num", "number", "votes", "vote", "voters", "agreement"),
    *("weight", "share", "fraction", "ratio", "percent", "percentage"),
    *SCORE_NAMES,
)
"""Compact names of columns that may say how much of a concept is in an image."""
COUNT_NAMES = ("count", "counts", "votes", "vote", "voters")
"""Those that say of a box, or of the only concept of an image, that it is not there."""
UNLIKELY = 0.5


def reject_amounts(reader: TableReader, roles: ColumnRoles) -> None:
    """Raise InvalidRecordError if a number beside the tags of images says of some that there is
    none, or that they are unlikely."""
    if roles.concept is None or roles.value is not None:
        return
    columns = [*roles.unassigned_columns(reader), *([roles.score] if roles.score else [])]
    columns = [column for column in columns if is_amount(reader, column)]
    if columns and (roles.layout is not None or reader.is_unique(str(roles.image))):
        columns = [c for c in columns if parse_column_name(c).rest in COUNT_NAMES]
    for column in columns:
        amounts = reader.number_column(column)
        is_fraction = bool((amounts <= 1).all()) and not {*amounts.tolist()} <= {0.0, 1.0}
        is_absent = amounts < UNLIKELY if is_fraction else amounts == 0
        if is_absent.any():
            row = int(np.flatnonzero(is_absent)[0])
            raise InvalidRecordError(
                reader.path,
                reader.row_location(row),
                f"{column} is {amounts[row]:g}: the concept may not be in the image",
                "Leave out the rows of concepts that are not there, and remove the column "
                f"'{column}', or write 1 and 0 and specify --columns value={column}.",
            )


def reject_flags_as_concepts(reader: TableReader, roles: ColumnRoles) -> None:
    """Raise InvalidRecordError if the concepts were 0 and 1, and another column has the names of
    what they say yes or no to."""
    if roles.concept is None or roles.layout is not None:
        return
    if not {*reader.first_texts(roles.concept)} <= {"0", "1"}:
        return
    if {*reader.encode_column(roles.concept)[0]} != {"0", "1"}:
        return
    images, image_of_row = reader.encode_column(str(roles.image))
    for column in reader.drop_index_columns(roles.unassigned_columns(reader)):
        names, name_of_row = reader.encode_column(column)
        pairs = {*zip(image_of_row.tolist(), name_of_row.tolist(), strict=True)}
        is_crossed = len(pairs) == len(image_of_row) > len(images)
        if len(names) > 1 and is_crossed and not reader.has_number(column):
            raise InvalidRecordError(
                reader.path,
                f"column {roles.concept}",
                f"it has 0 and 1 alone, of what '{column}' names",
                f"Specify --columns concept={column},value={roles.concept}.",
            )


def is_amount(reader: TableReader, column: str) -> bool:
    name = parse_column_name(column).rest
    return name in AMOUNT_NAMES and reader.is_numeric(column)
