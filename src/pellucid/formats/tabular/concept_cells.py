"""Cells of annotation tables: the concept of each row, and columns of yes and no."""

from __future__ import annotations

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import BoolArray, StringArray
from pellucid.formats.dataset import Note
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.image_files import is_data_file
from pellucid.formats.tabular.column_roles import ColumnRoles
from pellucid.formats.tabular.flags import FALSE_WORDS, NEGATIVE_WORDS, POSITIVE_WORDS, TRUE_WORDS
from pellucid.formats.tabular.reader import TableReader

MISSING_CONCEPTS = ("nan", "<na>", "null", "nat", "n/a", "#n/a")
"""How tables write a missing concept, in lower case."""


def parse_concept_texts(reader: TableReader, roles: ColumnRoles) -> StringArray:
    """The concept of each row, '' where it is missing. Raises InvalidRecordError for a row that
    repeats the header."""
    assert roles.concept is not None
    texts = reader.text_column(roles.concept)
    repeats = np.flatnonzero(texts == roles.concept)
    if len(repeats) and reader.text_column(str(roles.image))[repeats[0]] == roles.image:
        raise InvalidRecordError(
            reader.path, reader.row_location(int(repeats[0])), "repeats the header", "Remove it."
        )
    reject_file_names(reader, roles.concept, texts)
    is_missing = np.array([is_missing_concept(str(text)) for text in texts], bool)
    return join_forms_of_numbers(np.where(is_missing, "", texts))


def reject_file_names(reader: TableReader, column: str, texts: StringArray) -> None:
    """Raise InvalidRecordError if all cells are files: masks, or files of annotations."""
    first = next((str(text) for text in texts if text), "")
    if is_data_file(first) and all(is_data_file(str(text)) for text in texts if text):
        raise InvalidRecordError(
            reader.path,
            f"column {column}",
            f"'{first}' is a file, not a concept",
            "Write the concept of each image, or import the files themselves.",
        )


def join_forms_of_numbers(texts: StringArray) -> StringArray:
    """`1` and `1.0` of one column are one concept, as an empty cell makes some programs write all
    numbers of a file with a decimal point. Texts without both forms are left as they are."""
    names = set(texts.tolist())
    whole_numbers = {
        name: whole
        for name in names
        if name != (whole := name.removesuffix(".0")) and whole.isdecimal()
    }
    if names.isdisjoint(whole_numbers.values()):
        return texts
    return np.array([whole_numbers.get(name, name) for name in texts.tolist()], object)


def is_missing_concept(text: str) -> bool:
    """R writes a missing value as NA; `Na` may be a concept."""
    return text == "NA" or text.lower() in MISSING_CONCEPTS


def missing_concept_notes(reader: TableReader, roles: ColumnRoles) -> list[Note]:
    """A note on rows without a concept; a warning where a word such as `null` may be one."""
    assert roles.concept is not None
    texts = reader.text_column(roles.concept)
    words = [str(text) for text in texts if not text or is_missing_concept(str(text))]
    if not words:
        return []
    named = sorted(set(words) - {""})
    cells = f" ({summarize_names(named)} in '{roles.concept}')" if named else ""
    message = f"{format_count(len(words), 'row')} without a concept{cells}"
    return [Note("no_concept", message, len(words), "warning" if named else "info")]


def has_tag_values(reader: TableReader, value_column: str | None) -> bool:
    """Whether a column states for each row whether its concept is there."""
    return value_column is not None and {
        cell.lower() for cell in reader.encode_column(value_column)[0]
    } <= {*POSITIVE_WORDS, *NEGATIVE_WORDS, ""}


def parse_positive_flags(reader: TableReader, value_column: str | None) -> BoolArray:
    if value_column is None:
        return np.ones(reader.row_count, bool)
    cell_texts = [str(cell).lower() for cell in reader.text_column(value_column)]
    for row_index, cell_text in enumerate(cell_texts):
        if cell_text not in (*POSITIVE_WORDS, *NEGATIVE_WORDS, ""):
            raise InvalidRecordError(
                reader.path,
                reader.row_location(row_index),
                f"{value_column} is '{cell_text}'",
                "Expected positive or negative, or 1 or 0.",
            )
    return np.array([cell_text not in NEGATIVE_WORDS for cell_text in cell_texts], bool)


def parse_boolean_column(reader: TableReader, column_name: str | None) -> BoolArray:
    if column_name is None:
        return np.zeros(reader.row_count, bool)
    cell_texts = [str(cell).lower() for cell in reader.text_column(column_name)]
    for row_index, cell_text in enumerate(cell_texts):
        if cell_text not in (*TRUE_WORDS, *FALSE_WORDS, ""):
            raise InvalidRecordError(
                reader.path,
                reader.row_location(row_index),
                f"{column_name} is '{cell_text}'",
                "Expected 0 or 1.",
            )
    return np.array([cell_text in TRUE_WORDS for cell_text in cell_texts], bool)
