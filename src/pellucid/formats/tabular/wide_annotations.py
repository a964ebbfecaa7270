"""Annotation tables with one row per image and one column of 0 and 1 per concept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import EXHAUSTIVE, PARTIAL, BoolArray, Kind
from pellucid.formats.dataset import Note, ParsedAnnotations, parse_split
from pellucid.formats.errors import InvalidRecordError, MetadataColumnsError
from pellucid.formats.tabular.column_names import looks_like_metadata, parse_column_name
from pellucid.formats.tabular.column_roles import ColumnRoles
from pellucid.formats.tabular.flags import FALSE_WORDS, MINUS_WORDS, MISSING_WORDS, TRUE_WORDS
from pellucid.formats.tabular.long_format import LongRows, build_table_annotations
from pellucid.formats.tabular.reader import TableReader

FLAG_WORDS = {*TRUE_WORDS, *FALSE_WORDS, *MINUS_WORDS}


def one_hot_columns(reader: TableReader, roles: ColumnRoles) -> list[str]:
    """Columns of 0, 1, -1 and empty cells, or those that the user named."""
    if roles.concept_columns:
        return list(roles.concept_columns)
    columns = reader.drop_index_columns(roles.unassigned_columns(reader))
    return [
        column_name
        for column_name in without_predicted(columns)
        if {*flag_texts(reader, column_name)} <= {*FLAG_WORDS, *MISSING_WORDS}
        and not reader.is_empty(column_name)
    ]


def without_predicted(columns: Sequence[str]) -> list[str]:
    """The columns without those that predict another one: `pred_cat` beside `cat`, `true_cat`."""
    names = [parse_column_name(column) for column in columns]
    stated = {name.rest for name in names if name.marker != "predicted"}
    return [name.column for name in names if name.marker != "predicted" or name.rest not in stated]


def flag_texts(reader: TableReader, column_name: str) -> list[str]:
    """The distinct cells of a column in lower case."""
    return [cell.lower() for cell in reader.encode_column(column_name)[0]]


def parse_one_hot(
    reader: TableReader,
    roles: ColumnRoles,
    kind: Kind | None,
    image_paths: list[str],
    image_indexes: Any,
) -> ParsedAnnotations:
    """One 0/1 column per concept; an empty cell or -1 is unknown. A table with 1 and -1 alone
    means -1 as negative, as CelebA writes it."""
    reject_repeated_images(reader, image_paths, image_indexes)
    concepts = one_hot_columns(reader, roles)
    if not roles.concept_columns:
        reject_unclear_columns(reader, roles, concepts)
    cell_texts = np.array(
        [[str(cell).lower() for cell in reader.text_column(concept)] for concept in concepts],
        dtype=object,
    ).T
    reject_other_cells(reader, concepts, cell_texts)
    is_positive, is_stated, notes = parse_flag_columns(cell_texts)
    is_single = bool((is_positive.sum(axis=1) == 1).all()) and bool(is_stated.all())
    if kind == "classification" and is_single:
        row_indexes, concept_indexes = np.nonzero(is_positive)
    else:
        row_indexes, concept_indexes = np.nonzero(is_stated if not is_stated.all() else is_positive)
    long_rows = LongRows(
        "classification" if kind == "classification" and is_single else "tagging",
        row_indexes,
        [concepts[concept_index] for concept_index in concept_indexes],
        None,
        np.zeros(len(row_indexes), bool),
        is_positive[row_indexes, concept_indexes],
        EXHAUSTIVE if is_stated.all() else PARTIAL,
    )
    long_rows.listed_concepts = concepts
    long_rows.notes += notes
    if kind is None and is_single and len(concepts) > 1 and reader.row_count > 1:
        message = (
            "every image has exactly one concept: read as tags; use --kind classification if "
            "concepts exclude each other"
        )
        long_rows.notes.append(Note("single_concepts", message, 1, "info"))
    return build_table_annotations(reader, roles, image_paths, image_indexes, long_rows)


def parse_flag_columns(cell_texts: Any) -> tuple[BoolArray, BoolArray, list[Note]]:
    """Which cells are positive, which state anything, and notes on the others.

    Args:
        cell_texts: rows by concepts
    """
    is_positive = np.isin(cell_texts, TRUE_WORDS)
    is_minus = np.isin(cell_texts, MINUS_WORDS)
    is_empty = np.isin(cell_texts, MISSING_WORDS)
    if is_minus.any() and not is_empty.any() and not np.isin(cell_texts, FALSE_WORDS).any():
        note = Note(
            "minus_one", "-1 read as negative: the table has 1 and -1 only", int(is_minus.sum())
        )
        return is_positive, np.ones(is_positive.shape, bool), [note]
    notes = []
    if count := int(is_minus.sum()):
        cells = format_count(count, "cell")
        notes.append(Note("unknown_labels", f"{cells} with -1 read as unknown", count))
    if count := int(is_empty.sum()):
        cells = f"{format_count(count, 'cell')} {'is' if count == 1 else 'are'} empty"
        has_zeros = bool((is_minus | np.isin(cell_texts, FALSE_WORDS)).any())
        consequence = (
            ""
            if has_zeros
            else ", so that no prediction can be a false positive. Write 0 where it is absent"
        )
        message = f"{cells}: read as unknown{consequence}"
        notes.append(Note("unknown_labels", message, count, "info" if has_zeros else "warning"))
    return is_positive, ~is_minus & ~is_empty, notes


def reject_unclear_columns(reader: TableReader, roles: ColumnRoles, concepts: list[str]) -> None:
    """Raise MetadataColumnsError where it is not clear whether a column is a concept: its name
    suggests otherwise, or nearly all of its cells are 0 and 1."""
    splits = [concept for concept in concepts if parse_split(concept) is not None]
    is_concept = splits == ["train"]  # the vehicle
    described = [
        concept
        for concept in concepts
        if looks_like_metadata(concept) or (concept in splits and not is_concept)
    ]
    if described:
        clear = [concept for concept in concepts if concept not in described]
        raise MetadataColumnsError(
            reader.path, f"columns {summarize_names(described)} may describe the image", clear
        )
    others = [c for c in roles.unassigned_columns(reader) if c not in concepts]
    for column_name in reader.drop_index_columns(others):
        cells = [str(cell).lower() for cell in reader.text_column(column_name)]
        odd_rows = [
            row for row, cell in enumerate(cells) if cell not in {*FLAG_WORDS, *MISSING_WORDS}
        ]
        flag_count = sum(cell in FLAG_WORDS for cell in cells)
        is_share = reader.is_numeric(column_name) and all_within_unit(reader, column_name)
        is_count = not looks_like_metadata(column_name) and are_small_counts(cells)
        if odd_rows and (len(odd_rows) <= flag_count or is_share or is_count):
            raise MetadataColumnsError(
                reader.path,
                f"column {column_name} could be a concept, but has '{cells[odd_rows[0]]}' in "
                f"{reader.row_location(odd_rows[0])}",
                concepts,
            )


def are_small_counts(cells: Sequence[str]) -> bool:
    """Whether all cells are numbers below ten, one of them 0: how often a concept is there."""
    numbers = {cell.removesuffix(".0") for cell in cells}
    return "0" in numbers and all(len(number) == 1 and number.isdecimal() for number in numbers)


def all_within_unit(reader: TableReader, column_name: str) -> bool:
    """Whether all numbers of a column are between 0 and 1: shares, not flags."""
    numbers = reader.number_column(column_name)
    numbers = numbers[~np.isnan(numbers)]
    return bool(((numbers >= 0) & (numbers <= 1)).all())


MARKS = {
    *("x", "✓", "✔", "✗", "✘", "v", "+", "-", "?", "t", "f", "u", "unk", "unknown", "unclear"),
    *("positive", "negative", "pos", "neg", "maybe", "uncertain", "2", "3", "9", "-9", "99", "-99"),
    *("0.5", "2.0", "9.0", "-9.0"),
}
"""Cells that may say whether a concept is there, and that are not read."""


def reject_marks(reader: TableReader, roles: ColumnRoles) -> None:
    """Raise InvalidRecordError if several columns have the same few cells, as if each were of a
    concept, but others than 0 and 1."""
    known = {*FLAG_WORDS, *MISSING_WORDS}
    marked = {
        column: texts
        for column in reader.drop_index_columns(roles.unassigned_columns(reader))
        if (texts := {*flag_texts(reader, column)}) <= known | MARKS and texts - {""}
    }
    odd = {text for texts in marked.values() for text in texts - known}
    if len(marked) > 1 and odd:
        raise InvalidRecordError(
            reader.path,
            f"columns {summarize_names(list(marked))}",
            f"they have {summarize_names(sorted(odd))}, as if each were of a concept",
            "Write 1 where it is there, 0 where it is not, and leave the cell empty where that is "
            "not known.",
        )


def reject_other_cells(reader: TableReader, concepts: list[str], cell_texts: Any) -> None:
    is_other = ~np.isin(cell_texts, [*FLAG_WORDS, *MISSING_WORDS])
    if is_other.any():
        row, concept_index = (int(positions[0]) for positions in np.nonzero(is_other))
        raise InvalidRecordError(
            reader.path,
            reader.row_location(row),
            f"{concepts[concept_index]} is '{cell_texts[row, concept_index]}'",
            "Expected 0, 1, -1 or an empty cell.",
        )


def reject_repeated_images(
    reader: TableReader, image_names: Sequence[str], image_indexes: Any
) -> None:
    """Raise InvalidRecordError for the first row whose image occurs in an earlier row."""
    if len(image_names) == reader.row_count:
        return
    _, first_rows = np.unique(image_indexes, return_index=True)
    row = int(np.setdiff1d(np.arange(len(image_indexes)), first_rows)[0])
    raise InvalidRecordError(
        reader.path,
        reader.row_location(row),
        f"duplicate image '{image_names[image_indexes[row]]}'",
        "Write one line per image.",
    )
