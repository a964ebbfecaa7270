"""Rows of annotation tables that are labels of images: one per image, or tags."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import EXHAUSTIVE, PARTIAL, Int64Array, StringArray
from pellucid.formats.dataset import Note
from pellucid.formats.errors import AmbiguousColumnsError, UnreadBoxColumnsError
from pellucid.formats.probe import ReadOptions
from pellucid.formats.tabular.annotators import reject_disagreement
from pellucid.formats.tabular.cell_lists import find_separator, split_cell
from pellucid.formats.tabular.column_names import (
    CONCEPT_LIST_NAMES,
    looks_like_metadata,
    parse_column_name,
)
from pellucid.formats.tabular.column_roles import ColumnRoles
from pellucid.formats.tabular.concept_cells import (
    has_tag_values,
    missing_concept_notes,
    parse_boolean_column,
    parse_concept_texts,
    parse_positive_flags,
)
from pellucid.formats.tabular.image_column import has_image_names
from pellucid.formats.tabular.long_format import LongRows
from pellucid.formats.tabular.reader import TableReader

MIN_IMAGES_WITH_ONE = 10
"""Images needed to say that one concept is usual."""


@dataclass(frozen=True, eq=False)
class LabelColumn:
    """The column of concepts.

    Attributes:
        texts: of each row, '' where missing
        rows: those with a concept
        separator: of several concepts in a cell
        pairs: image index and text of each label
    """

    texts: StringArray
    rows: Int64Array
    separator: str | None
    announces_lists: bool
    pairs: set[tuple[int, str]]

    @property
    def has_lists(self) -> bool:
        """Whether its name or its cells say that there may be several concepts."""
        return self.announces_lists or self.separator is not None

    @property
    def has_several_concepts(self) -> bool:
        """Whether some image has several rows with different texts."""
        return len(self.pairs) > len({image for image, _ in self.pairs})


def parse_label_rows(
    reader: TableReader, roles: ColumnRoles, options: ReadOptions, image_indexes: Any
) -> tuple[ColumnRoles, LongRows]:
    """Labels of images: one per image (classification), or several (tagging)."""
    if not options.columns:
        reject_exchanged_columns(reader, roles)
    column = parse_label_column(reader, roles, options, image_indexes)
    if options.kind is None and not options.columns:
        reject_repeated_labels(reader, roles, column, image_indexes)
    if options.kind is None and column.has_several_concepts and not column.has_lists:
        images, texts = image_indexes[column.rows], column.texts[column.rows]
        reject_disagreement(reader, images, texts, column.rows)
    are_tags = (
        column.has_lists or column.has_several_concepts or has_tag_values(reader, roles.value)
    )
    if options.kind == "tagging" or (options.kind is None and are_tags):
        roles = replace(roles, has_tag_values=roles.value is not None)
        tag_rows = parse_tag_rows(reader, roles, column.texts, column.separator)
        if options.kind is None and not roles.has_tag_values:
            tag_rows.notes += unsure_tag_notes(reader, roles, column)
        return roles, tag_rows
    return roles, parse_single_labels(reader, roles, options, column)


LEAST_NUMBERS_OF_BOX = 4
NUMBER_PAIR = re.compile(r"[\[(]\s*-?[\d.]+\s*[,;\s]\s*-?[\d.]+\s*[\])]")


def reject_repeated_labels(
    reader: TableReader, roles: ColumnRoles, column: LabelColumn, image_indexes: Any
) -> None:
    """Raise UnreadBoxColumnsError if an image has the same concept in several rows, and columns
    without a role hold the four numbers of a box: the rows are objects, not tags."""
    if column.has_lists or len(column.pairs) == len(column.rows) or roles.image is None:
        return
    unread = [
        name
        for name in roles.unassigned_columns(reader)
        if not looks_like_metadata(name) and not reader.determines(roles.image, name)
    ]
    numeric = [name for name in unread if reader.is_numeric(name)]
    pairs = [name for name in unread if has_number_pairs(reader, name)]
    if len(numeric) + 2 * len(pairs) >= LEAST_NUMBERS_OF_BOX:
        raise UnreadBoxColumnsError(reader.path, [*numeric, *pairs], may_have_none=True)


def has_number_pairs(reader: TableReader, column: str) -> bool:
    """Whether the cells of a column are points such as `[10, 20]`."""
    cells = [cell for cell in reader.first_texts(column) if cell]
    return bool(cells) and all(map(NUMBER_PAIR.fullmatch, cells))


def parse_label_column(
    reader: TableReader, roles: ColumnRoles, options: ReadOptions, image_indexes: Any
) -> LabelColumn:
    texts = parse_concept_texts(reader, roles)
    assert roles.concept is not None
    rows = np.flatnonzero(texts != "")
    separator = None
    if options.kind != "classification" or options.separator:
        separator = find_separator(reader.path, roles.concept, texts.tolist(), options.separator)
    pairs = set(zip(image_indexes[rows].tolist(), texts[rows], strict=True))
    announces_lists = parse_column_name(roles.concept).rest in CONCEPT_LIST_NAMES
    return LabelColumn(texts, rows, separator, announces_lists, pairs)


def unsure_tag_notes(reader: TableReader, roles: ColumnRoles, column: LabelColumn) -> list[Note]:
    """Notes on tags that may be classes."""
    if not column.has_lists:
        return few_tags_notes(reader, roles, column.pairs)
    if column.separator is None and not column.has_several_concepts:
        return [single_tags_note(roles.concept)]
    return []


def parse_single_labels(
    reader: TableReader, roles: ColumnRoles, options: ReadOptions, column: LabelColumn
) -> LongRows:
    """One label per image; rows that are to be ignored are left out."""
    notes = missing_concept_notes(reader, roles)
    rows = column.rows
    if roles.ignore is not None:
        is_ignored = parse_boolean_column(reader, roles.ignore)[rows]
        if count := int(is_ignored.sum()):
            message = f"{format_count(count, 'row')} left out: '{roles.ignore}' says so"
            notes.append(Note("ignored_rows", message, count))
        rows = rows[~is_ignored]
    long_rows = LongRows(
        options.kind or "classification",
        rows,
        [str(text) for text in column.texts[rows]],
        None,
        np.zeros(len(rows), bool),
        np.ones(len(rows), bool),
        EXHAUSTIVE,
    )
    long_rows.notes += notes
    return long_rows


def reject_exchanged_columns(reader: TableReader, roles: ColumnRoles) -> None:
    """Raise AmbiguousColumnsError if the concepts are the names of image files and the images are
    not."""
    assert roles.image is not None
    assert roles.concept is not None
    if has_image_names(reader, roles.concept) and not has_image_names(reader, roles.image):
        raise AmbiguousColumnsError(
            reader.path,
            "image",
            [roles.image, roles.concept],
            f"image={roles.concept},concept={roles.image}, as the cells of {roles.concept} are the "
            "names of image files",
        )


def single_tags_note(column: str | None) -> Note:
    message = (
        f"no image has several concepts in '{column}': read as tags; use --kind classification if "
        "concepts exclude each other"
    )
    return Note("single_concepts", message, 1, "info")


MAX_FEW_SHARE = 0.1
"""Share of images with several concepts up to which these may be mistakes."""


def few_tags_notes(
    reader: TableReader, roles: ColumnRoles, pairs: Collection[tuple[int, str]]
) -> list[Note]:
    """A warning if nearly all images have one concept. pairs: image index and concept."""
    counts = Counter(image for image, _ in pairs)
    several = [image for image, count in counts.items() if count > 1]
    if len(several) > max(1, MAX_FEW_SHARE * len(counts)) or len(counts) < MIN_IMAGES_WITH_ONE:
        return []
    image = several[0]
    names = summarize_names(sorted(text for owner, text in pairs if owner == image))
    assert roles.image is not None
    key = reader.encode_column(roles.image)[0][image]
    message = (
        f"read as tags, as {len(several):,} of {format_count(len(counts), 'image')} have several "
        f"concepts ('{key}': {names}). If they are mistakes, correct them and use --kind "
        "classification"
    )
    return [Note("few_tags", message, len(several))]


def parse_tag_rows(
    reader: TableReader, roles: ColumnRoles, concept_texts: StringArray, separator: str | None
) -> LongRows:
    """A cell may hold several concepts. With negative labels, missing labels are unknown;
    `ignore` marks a row as unknown."""
    row_concepts = [
        (row_index, concept_text)
        for row_index, cell in enumerate(concept_texts)
        for concept_text in split_cell(cell, separator)
    ]
    row_indexes = np.array([row_index for row_index, _ in row_concepts], np.int64)
    is_positive = parse_positive_flags(reader, roles.value)[row_indexes]
    is_ignored = parse_boolean_column(reader, roles.ignore)[row_indexes]
    long_rows = LongRows(
        "tagging",
        row_indexes,
        [concept_name for _, concept_name in row_concepts],
        None,
        is_ignored,
        is_positive,
        EXHAUSTIVE if is_positive.all() else PARTIAL,
    )
    if separator is not None:
        name = {"list": "lists", "\n": "line breaks"}.get(separator, f"'{separator}'")
        message = f"{roles.concept}: several concepts per cell, separated by {name}"
        long_rows.notes.append(Note("separator", message, 1, "info"))
    return long_rows
