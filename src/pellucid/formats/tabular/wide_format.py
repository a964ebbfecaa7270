"""Tables with one row per image and one 0/1 column or score column per concept."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from pellucid.core.errors import summarize_names
from pellucid.core.tables import EXHAUSTIVE, PARTIAL
from pellucid.formats.dataset import Note, ParsedAnnotations, ParsedPredictions
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.tabular.column_roles import (
    FALSE_WORDS,
    INDEX_COLUMN_PATTERN,
    TRUE_WORDS,
    ColumnRoles,
)
from pellucid.formats.tabular.long_format import NAME, LongRows, build_table_annotations
from pellucid.formats.tabular.reader import TableReader, normalize_column_name


def one_hot_columns(reader: TableReader, roles: ColumnRoles) -> list[str]:
    """Non-empty columns of 0 and 1, except the unnamed index of an exported data frame."""
    one_hot_names = []
    for column_name in roles.unassigned_columns(reader):
        cell_texts = {str(cell).lower() for cell in reader.text_column(column_name)}
        if (
            cell_texts <= {*TRUE_WORDS, *FALSE_WORDS, ""}
            and cell_texts != {""}
            and not INDEX_COLUMN_PATTERN.fullmatch(normalize_column_name(column_name))
        ):
            one_hot_names.append(column_name)
    return one_hot_names


def read_one_hot(
    reader: TableReader, roles: ColumnRoles, image_paths: list[str], image_indexes: Any
) -> ParsedAnnotations:
    """One 0/1 column per concept; an empty cell is unknown."""
    if len(image_paths) < reader.row_count:
        duplicate_row = first_duplicate_row(image_indexes)
        raise InvalidRecordError(
            reader.path,
            reader.row_location(duplicate_row),
            f"duplicate image '{image_paths[image_indexes[duplicate_row]]}'",
            "Write one line per image.",
        )
    concepts = one_hot_columns(reader, roles)
    cell_texts = np.array(
        [
            [str(cell).lower() for cell in reader.text_column(concept_name)]
            for concept_name in concepts
        ],
        dtype=object,
    ).T
    is_positive, is_stated = np.isin(cell_texts, TRUE_WORDS), cell_texts != ""
    row_indexes, concept_indexes = np.nonzero(is_stated if not is_stated.all() else is_positive)
    long_rows = LongRows(
        "tagging",
        row_indexes,
        [concepts[concept_index] for concept_index in concept_indexes],
        None,
        np.zeros(len(row_indexes), bool),
        is_positive[row_indexes, concept_indexes],
        EXHAUSTIVE if is_stated.all() else PARTIAL,
    )
    long_rows.listed_concepts = concepts
    return build_table_annotations(reader, roles, image_paths, image_indexes, long_rows)


def first_duplicate_row(image_indexes: Any) -> int:
    """The first row whose image occurs in an earlier row."""
    _, first_rows = np.unique(image_indexes, return_index=True)
    return int(np.setdiff1d(np.arange(len(image_indexes)), first_rows)[0])


def read_wide_scores(
    reader: TableReader,
    roles: ColumnRoles,
    image_keys: list[str],
    image_indexes: Any,
    concepts: Collection[str],
) -> ParsedPredictions:
    if len(image_keys) < reader.row_count:
        duplicate_row = first_duplicate_row(image_indexes)
        raise InvalidRecordError(
            reader.path,
            reader.row_location(duplicate_row),
            f"duplicate image '{image_keys[image_indexes[duplicate_row]]}'",
            "Write one line per image.",
        )
    candidate_columns = [
        column_name
        for column_name in reader.column_types
        if column_name not in (roles.image_column, roles.split_column, roles.concept_column)
    ]
    concept_columns = match_concept_columns(candidate_columns, concepts)
    score_columns = [
        column_name
        for column_name in candidate_columns
        if column_name in concept_columns
        or (
            reader.is_numeric(column_name)
            and not INDEX_COLUMN_PATTERN.fullmatch(normalize_column_name(column_name))
        )
    ]
    if not score_columns:
        raise InvalidRecordError(
            reader.path,
            "header",
            f"no score column among {summarize_names(candidate_columns)}",
            "Add one score column per concept.",
        )
    score_table = np.stack(
        [reader.score_column(column_name) for column_name in score_columns], axis=1
    )
    row_indexes, concept_indexes = np.nonzero(~np.isnan(score_table))
    notes = []
    if skipped_columns := [
        column_name for column_name in candidate_columns if column_name not in score_columns
    ]:
        notes.append(
            Note(
                "columns_left_out",
                f"ignored columns without scores: {summarize_names(skipped_columns)}",
                len(skipped_columns),
                "info",
            )
        )
    if empty_count := int(np.isnan(score_table).sum()):
        notes.append(
            Note(
                "no_score",
                f"{empty_count:,} empty cells: no score for that image and concept",
                empty_count,
            )
        )
    return ParsedPredictions(
        reader.path,
        NAME,
        image_keys,
        image_indexes[row_indexes],
        score_columns,
        concept_indexes.astype(np.int32),
        "column",
        score_table[row_indexes, concept_indexes],
        None,
        "pixels",
        row_indexes + reader.first_record,
        reader.row_noun,
        notes,
    )


def match_concept_columns(column_names: list[str], concepts: Collection[str]) -> set[str]:
    """Columns named after a concept, with or without the most common prefix."""
    prefix = shared_prefix(column_names, concepts)
    return {
        column_name
        for column_name in column_names
        if column_name in concepts
        or (
            prefix
            and column_name.startswith(prefix)
            and column_name.removeprefix(prefix) in concepts
        )
    }


def shared_prefix(column_names: Collection[str], concepts: Collection[str]) -> str:
    """The most common prefix of concept names in the columns, for example `p_`."""
    prefixes = [
        column_name.removesuffix(concept_name)
        for column_name in column_names
        for concept_name in concepts
        if column_name.endswith(concept_name) and column_name != concept_name
    ]
    return max(prefixes, key=prefixes.count, default="")
