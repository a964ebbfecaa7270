"""The column of a table that says which split an image is in, and what its cells mean."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.core.errors import summarize_names
from pellucid.core.tables import SPLITS
from pellucid.formats.dataset import parse_split
from pellucid.formats.errors import AmbiguousColumnsError, InvalidRecordError
from pellucid.formats.tabular.column_names import (
    IGNORE_NAMES,
    SPLIT_FLAGS,
    SPLIT_NAMES,
    ColumnName,
    parse_column_name,
)
from pellucid.formats.tabular.flags import FALSE_WORDS, TRUE_WORDS
from pellucid.formats.tabular.reader import TableReader

FLAG_NAMES = ("train", "training", "valid", "validation", "test", "testing")
"""Columns of 0 and 1 that may say whether an image is in a split."""
NUMBERED_NAMES = ("partition", "datasetpartition", "datasetsplit", "datasetpart")
"""Columns whose numbers, up to three of them, are splits."""
MAX_SPLIT_VALUES = 20
"""Distinct values of a column of splits, in all their spellings."""


def find_split_column(
    reader: TableReader, names: Sequence[ColumnName], has_concept: bool
) -> str | None:
    """A column that is named like a split and has at least one value that is a split; else one
    all of whose values are, at least two, or that says `is_valid`."""
    for name in names:
        if name.rest == "split" or (name.rest in SPLIT_NAMES and any(split_values(reader, name))):
            return name.column
        if name.rest in NUMBERED_NAMES and is_split_number(reader, name):
            return name.column  # which is refused, as nobody says what the numbers are
    for name in names:
        splits = split_values(reader, name)
        if len(set(splits)) > 1 and None not in splits:
            return name.column
    flags = [name.column for name in names if name.rest in SPLIT_FLAGS and is_flag(reader, name)]
    if len(flags) > 1:
        raise AmbiguousColumnsError(reader.path, "split", flags)
    if has_concept:  # else the columns of 0 and 1 may be concepts: a train is a vehicle
        flags += find_split_flags(reader, names)
    return next(iter(flags), None)


def is_split_number(reader: TableReader, name: ColumnName) -> bool:
    texts = {text for text in reader.first_texts(name.column) if text}
    return bool(texts) and texts <= {"0", "1", "2"}


def find_split_flags(reader: TableReader, names: Sequence[ColumnName]) -> list[str]:
    """The column of 0 and 1 that is called like a split: `train`.

    Raises:
        InvalidRecordError: several are, so that none alone says the split of an image, or it is
            called `valid`, which may mean another thing.
    """
    flags = [name.column for name in names if name.rest in FLAG_NAMES and is_flag(reader, name)]
    others = [
        name.column
        for name in names
        if name.rest not in FLAG_NAMES and name.rest not in IGNORE_NAMES and is_flag(reader, name)
    ]
    if others:  # among columns of concepts it is one of them
        return []
    if flags and parse_column_name(flags[0]).rest == "valid" and len(flags) == 1:
        raise InvalidRecordError(
            reader.path,
            f"column {flags[0]}",
            "it may say which images are validation, or which rows are valid",
            f"Specify --columns split={flags[0]}; or leave out the rows that are not valid, and "
            "the column.",
        )
    if len(flags) > 1:
        raise InvalidRecordError(
            reader.path,
            f"columns {summarize_names(flags)}",
            "each says whether an image is in one split",
            "Write one column `split` with the name of the split in each row.",
        )
    return flags


def is_flag(reader: TableReader, name: ColumnName) -> bool:
    values = {value.lower() for value in reader.encode_column(name.column)[0]}
    return values <= {*TRUE_WORDS, *FALSE_WORDS}


def split_values(reader: TableReader, name: ColumnName) -> list[str | None]:
    """The splits that the values of a column name, None for others."""
    if reader.is_numeric_or_empty(name.column):
        return []
    values = reader.encode_column(name.column)[0]
    if len(values) > MAX_SPLIT_VALUES:
        return []
    indexes = [parse_split(value) for value in values if value]
    return [None if index is None else SPLITS[index] for index in indexes]


def split_of_cell(column: str, cell: str) -> str:
    """The split that a cell states: `1` of a column `is_valid` or `valid` is validation."""
    flags = SPLIT_FLAGS.get(parse_column_name(column).rest)
    named = parse_split(column)
    if flags is None and named is not None and cell.lower() in (*TRUE_WORDS, *FALSE_WORDS):
        flags = (SPLITS[named], "training" if named else "validation")
    if flags is None or not cell:
        return cell
    return flags[cell.lower() not in TRUE_WORDS]
