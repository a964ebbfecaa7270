"""Prediction tables with the k best concepts of each image: numbered pairs of columns, or lists of
concepts and scores in one cell."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from pellucid.core.tables import Float64Array, Int32Array, Int64Array
from pellucid.formats.dataset import encode_texts
from pellucid.formats.errors import AmbiguousColumnsError, InvalidRecordError
from pellucid.formats.tabular.cell_lists import UNIT_SEPARATOR, is_list_cell, parse_list_cell
from pellucid.formats.tabular.column_names import (
    CONCEPT_NAMES,
    SCORE_NAMES,
    name_tier,
    parse_column_name,
)
from pellucid.formats.tabular.column_roles import ColumnRoles
from pellucid.formats.tabular.reader import TableReader

NUMBERED_NAME = re.compile(r"(?P<before>[^\d]*?)(?P<number>\d+)(?P<after>[^\d]*)")


@dataclass(frozen=True)
class RankedConcepts:
    """One row per image and rank.

    Attributes:
        rows: of the table
    """

    rows: Int64Array
    concept_keys: list[str]
    concepts: Int32Array
    scores: Float64Array


def find_numbered_pairs(reader: TableReader) -> list[tuple[str, str]]:
    """Pairs of a concept column and a score column with the same number: `index_0, prob_0` or
    `top1_label, top1_score`."""
    concepts: dict[str, str] = {}
    scores: dict[str, str] = {}
    for column in reader.column_types:
        match = NUMBERED_NAME.fullmatch(column)
        if match is None:
            continue
        words = match["before"] + " " + match["after"]
        name = parse_column_name(re.sub(r"(?i)\btop(?![a-z])", "", words))
        is_top = "top" in words.lower()
        if name.marker == "true":
            continue
        if name.rest in SCORE_NAMES:
            scores.setdefault(match["number"], column)
        elif name_tier(name.rest, CONCEPT_NAMES) is not None or (
            not name.rest and (name.marker or is_top)
        ):
            concepts.setdefault(match["number"], column)
    return [
        (concepts[number], scores[number])
        for number in sorted(concepts, key=int)
        if number in scores
    ]


def parse_numbered_pairs(reader: TableReader, pairs: list[tuple[str, str]]) -> RankedConcepts:
    rows, texts, scores = [], [], []
    for concept_column, score_column in pairs:
        concept_texts = reader.text_column(concept_column)
        column_scores = reader.score_column(score_column)
        stated = np.flatnonzero((concept_texts != "") & ~np.isnan(column_scores))
        rows.append(stated)
        texts += [str(text) for text in concept_texts[stated]]
        scores.append(column_scores[stated])
    ranked = rank_by_row(np.concatenate(rows), texts, np.concatenate(scores))
    keys = ranked.rows * max(1, len(ranked.concept_keys)) + ranked.concepts
    if len(np.unique(keys)) < len(keys):
        raise AmbiguousColumnsError(
            reader.path,
            "concept",
            [column for pair in pairs for column in pair],
            "concept=COLUMN,score=COLUMN (the same concept occurs twice in a row)",
        )
    return ranked


def has_list_cells(reader: TableReader, roles: ColumnRoles) -> bool:
    """Whether concepts and scores are lists in one cell each."""
    if roles.concept is None or roles.score is None or reader.is_numeric(roles.score):
        return False
    cells = [cell for cell in reader.encode_column(roles.score)[0][:100] if cell]
    if any(UNIT_SEPARATOR in cell for cell in cells):
        return True
    return bool(cells) and all(map(is_list_cell, cells))


def list_items(cell: str) -> list[str]:
    """The items of a list as text, or of a list column, where a list of one is its item."""
    if is_list_cell(cell):
        return parse_list_cell(cell)
    return [item for item in cell.split(UNIT_SEPARATOR) if item]


def parse_list_cells(reader: TableReader, roles: ColumnRoles) -> RankedConcepts:
    assert roles.concept is not None
    assert roles.score is not None
    rows: list[int] = []
    texts: list[str] = []
    scores: list[float] = []
    cells = zip(reader.text_column(roles.concept), reader.text_column(roles.score), strict=True)
    for row, (concept_cell, score_cell) in enumerate(cells):
        row_concepts, row_scores = list_items(concept_cell), list_items(score_cell)
        if len(row_concepts) != len(row_scores):
            raise InvalidRecordError(
                reader.path,
                reader.row_location(row),
                f"{len(row_concepts)} concepts and {len(row_scores)} scores",
                "Write as many scores as concepts.",
            )
        rows += [row] * len(row_scores)
        texts += row_concepts
        try:
            scores += [float(score) for score in row_scores]
        except ValueError:
            raise InvalidRecordError(
                reader.path,
                reader.row_location(row),
                f"{roles.score} is '{score_cell}'",
                "Expected a list of numbers.",
            ) from None
    return rank_by_row(np.array(rows, np.int64), texts, np.array(scores, float))


def rank_by_row(rows: Int64Array, texts: list[str], scores: Float64Array) -> RankedConcepts:
    order = np.argsort(rows, kind="stable")
    concept_keys, concepts = encode_texts([texts[index] for index in order.tolist()])
    return RankedConcepts(rows[order], concept_keys, concepts, scores[order])
