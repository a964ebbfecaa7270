"""Which column of a table says whether the concept of a row is there."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.formats.tabular.column_names import SCORE_NAMES, ColumnName
from pellucid.formats.tabular.flags import NEGATIVE_WORDS, POSITIVE_WORDS
from pellucid.formats.tabular.reader import TableReader


def find_flag_column(
    reader: TableReader, names: Sequence[ColumnName], image: str | None, concept: str | None
) -> str | None:
    """A column of scores, states or truth in which annotations state whether the concept of a row
    is there: it says yes and no, and nothing else. Only where images have several rows: the one
    concept of an image is there."""
    if image is None or concept is None or reader.is_unique(image):
        return None
    accepted = {*SCORE_NAMES, "status", "state", ""}
    return next(
        (
            name.column
            for name in names
            if name.column != concept
            and name.marker != "predicted"
            and name.rest in accepted
            and says_yes_and_no(reader, name.column)
        ),
        None,
    )


def says_yes_and_no(reader: TableReader, column: str) -> bool:
    values = {value.lower() for value in reader.encode_column(column)[0]} - {""}
    return (
        values <= {*POSITIVE_WORDS, *NEGATIVE_WORDS}
        and not values.isdisjoint(POSITIVE_WORDS)
        and not values.isdisjoint(NEGATIVE_WORDS)
    )
