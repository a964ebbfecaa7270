"""Prediction tables with one row per image and one column of scores per concept."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.core.errors import summarize_names
from pellucid.formats.dataset import Note, ParsedPredictions
from pellucid.formats.errors import (
    AmbiguousColumnsError,
    ColumnsMissingError,
    InvalidRecordError,
    TrueColumnsError,
)
from pellucid.formats.tabular.column_names import normalize_column_name, parse_column_name
from pellucid.formats.tabular.column_roles import ColumnRoles
from pellucid.formats.tabular.flag_column import says_yes_and_no
from pellucid.formats.tabular.flags import FALSE_WORDS, TRUE_WORDS
from pellucid.formats.tabular.long_format import NAME
from pellucid.formats.tabular.reader import TableReader
from pellucid.formats.tabular.wide_annotations import reject_repeated_images

Affixes = tuple[str, str]
"""What stands before and after the concept in the names of score columns."""


def parse_wide_scores(
    reader: TableReader,
    roles: ColumnRoles,
    image_keys: list[str],
    image_indexes: Any,
    concepts: Collection[str],
) -> ParsedPredictions:
    reject_repeated_images(reader, image_keys, image_indexes)
    candidates = [
        column
        for column in reader.column_types
        if column not in (roles.image, roles.split, roles.concept)
    ]
    score_columns = list(roles.concept_columns) or find_score_columns(reader, candidates, concepts)
    if not score_columns and roles.score is not None:
        raise ColumnsMissingError(
            reader.path,
            "the concept",
            list(reader.column_types),
            "Name it with --columns concept=COLUMN, or rename it to concept.",
        )
    if not score_columns:
        raise ColumnsMissingError(
            reader.path,
            "a score",
            candidates,
            "Add a column score beside the concept, or one score column per concept.",
        )
    if not roles.concept_columns:
        reject_answers_of_concepts(reader, candidates, score_columns, concepts)
    score_table = np.stack([reader.score_column(column) for column in score_columns], axis=1)
    if not roles.concept_columns:
        is_score = of_the_distribution(
            score_table, [bool(concept_of(column, concepts)) for column in score_columns]
        )
        score_columns = [name for name, kept in zip(score_columns, is_score, strict=True) if kept]
        score_table = score_table[:, is_score]
    row_indexes, concept_indexes = np.nonzero(~np.isnan(score_table))
    notes = [columns_note(roles, score_columns, candidates)]
    if empty_count := int(np.isnan(score_table).sum()):
        message = f"{empty_count:,} empty cells: no score for that image and concept"
        notes.append(Note("no_score", message, empty_count))
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
        remedy_for_names=remedy_for_names(reader, roles, candidates, score_columns, concepts),
    )


SUM_TOLERANCE = 0.01
"""By how much rounded probabilities of an image may sum to another number than one."""
LEAST_EXCESS = 1e-3
"""By how much other numbers change the sum."""


def of_the_distribution(score_table: NDArray[Any], are_concepts: Sequence[bool]) -> NDArray[Any]:
    """Which columns are scores: without the numbers beside them, such as a time, where the columns
    of the concepts alone sum to one in every row and all columns do not.

    Args:
        score_table: [row, column]
        are_concepts: of each column, whether the annotations have its concept
    """
    named = np.array(are_concepts)
    if named.sum() < 2 or named.all() or not len(score_table):
        return np.ones(len(named), bool)
    excess = np.abs(score_table[:, named].sum(axis=1) - 1).max()
    excess_of_all = np.abs(score_table.sum(axis=1) - 1).max()
    are_complete = excess <= SUM_TOLERANCE and excess_of_all > 2 * excess + LEAST_EXCESS
    return named if are_complete else np.ones(len(named), bool)


def remedy_for_names(
    reader: TableReader,
    roles: ColumnRoles,
    candidates: Sequence[str],
    score_columns: Sequence[str],
    concepts: Collection[str],
) -> str:
    """What helps if the one column of scores is named like no concept, and another column holds
    the concepts that were predicted: the names of both are not known."""
    if len(score_columns) != 1:
        return ""
    others = [
        column
        for column in candidates
        if column not in score_columns and parse_column_name(column).marker != "true"
    ]
    held = [
        column
        for column in others
        if (texts := {text for text in reader.encode_column(column)[0] if text})
        and texts <= {*concepts}
    ]
    if len(held) != 1:
        return ""
    return (
        f" If '{held[0]}' is what was predicted, with its score in '{score_columns[0]}', specify "
        f"--columns image={roles.image},concept={held[0]},score={score_columns[0]}."
    )


LEAST_CHOSEN = 0.5
"""The confidence of one of two answers is not below it."""


def reject_answers_of_concepts(
    reader: TableReader,
    candidates: Sequence[str],
    score_columns: Sequence[str],
    concepts: Collection[str],
) -> None:
    """Raise InvalidRecordError if columns say yes or no to concepts, and the scores beside them are
    never low: they are then the confidences of these answers, not the scores of the concepts."""
    column_by_concept = {concept_of(column, concepts): column for column in score_columns}
    answers = [
        (column, column_by_concept[concept])
        for column in candidates
        if column not in score_columns
        and (concept := concept_of(column, concepts)) in column_by_concept
        and concept
        and parse_column_name(column).marker != "true"
        and says_yes_and_no(reader, column)
    ]
    scores = [reader.score_column(score_column) for _, score_column in answers]
    if not scores or np.nanmin(scores) < LEAST_CHOSEN or np.nanmax(scores) > 1:
        return
    column, score_column = answers[0]
    raise InvalidRecordError(
        reader.path,
        f"column {column}",
        f"it says yes or no, so '{score_column}' may be the confidence of that answer",
        f"Write the score of the concept, 1 - {score_column} where the answer is no; if it is that "
        f"already, remove '{column}'.",
    )


def concept_of(column: str, concepts: Collection[str]) -> str:
    """The concept that a column is named after, '' if none."""
    affixes = find_affixes(column, concepts)
    return column.removeprefix(affixes[0]).removesuffix(affixes[1]) if affixes else ""


def columns_note(
    roles: ColumnRoles, score_columns: Sequence[str], candidates: Sequence[str]
) -> Note:
    unread = [column for column in candidates if column not in score_columns]
    message = f"columns: image from {roles.image}, scores from {summarize_names(score_columns, 6)}"
    if unread:
        message += f"; not read: {summarize_names(unread, 12)}"
    return Note("columns", message, max(1, len(unread)), "info")


def find_score_columns(
    reader: TableReader, candidates: Sequence[str], concepts: Collection[str]
) -> list[str]:
    """The columns named after concepts in one way, such as `p_fox` or `fox_pred`, and the other
    numeric columns named in the same way. Columns of true values are not scores.

    Raises:
        AmbiguousColumnsError: two sets of columns could be the scores.
    """
    columns_by_affixes = group_by_affixes(candidates, concepts)
    reject_other_quantities(reader, columns_by_affixes)
    sets = plausible_sets(reader, columns_by_affixes)
    if len(sets) > 1:
        raise AmbiguousColumnsError(
            reader.path,
            "score of a concept",
            [columns[0] for columns in sets.values()],
            " or ".join(f"concept={columns[0]},..." for columns in sets.values()),
        )
    affixes, concept_columns = next(iter(sets.items()), (("", ""), []))
    rejected = {c for key, cs in columns_by_affixes.items() if key not in sets for c in cs}
    unnumbered = reader.drop_index_columns(candidates)
    return [
        column
        for column in candidates
        if column in concept_columns
        or (
            column in unnumbered
            and column not in rejected
            and column.startswith(affixes[0])
            and column.endswith(affixes[1])
            and parse_column_name(column).marker != "true"
            and not is_derived(column.removeprefix(affixes[0]).removesuffix(affixes[1]))
            and reader.is_numeric(column)
        )
    ]


NEGATING_WORDS = {
    *("no", "not", "non", "un", "without", "free", "absent", "absence", "negative", "neg"),
    *("missing", "false", "inv", "inverse", "anti", "kein", "keine", "ohne", "sans", "pas"),
}
NEGATING_SIGNS = ("1-", "!", "~", "\u00ac")
OTHER_WORDS = {
    *("distance", "dist", "area", "bbox", "box"),
    *("uncertainty", "threshold", "thresholds", "std", "var", "variance", "entropy", "loss"),
    *("rank", "count", "error", "time", "weight"),
}
"""Words beside a concept in names of columns that are not its score: of its absence, or of another
quantity."""


def reject_other_quantities(
    reader: TableReader, columns_by_affixes: dict[Affixes, list[str]]
) -> None:
    """Raise InvalidRecordError if all columns named after concepts are of their absence, or of
    other quantities."""
    if columns_by_affixes and all(map(names_other_quantity, columns_by_affixes)):
        column = next(iter(columns_by_affixes.values()))[0]
        raise InvalidRecordError(
            reader.path,
            f"column {column}",
            "its name says that it is the score of the absence of a concept, or another quantity",
            "Write the score of the concept itself, in a column with the name of the concept.",
        )


MAX_QUANTITY_WORDS = 2


def names_other_quantity(affixes: Affixes) -> bool:
    tokens = {*parse_column_name(" ".join(affixes)).tokens}
    is_negated = affixes[0].replace(" ", "").startswith(NEGATING_SIGNS)
    is_short = len(tokens) <= MAX_QUANTITY_WORDS  # `weight_decay_` is the name of a model
    return is_negated or (is_short and bool(tokens & (NEGATING_WORDS | OTHER_WORDS)))


DERIVED_WORDS = {
    *("idx", "index", "id", "argmax", "class", "label", "top", "top1", "entropy", "margin"),
    *("max", "min", "mean", "std", "sum", "score", "scores", "prob", "probability", "conf"),
    *("confidence", "uncertainty", "variance", "correct", "threshold", "rank"),
}


def is_derived(name: str) -> bool:
    """Whether what remains of a score column's name is of a number made from the scores."""
    return normalize_column_name(name) in DERIVED_WORDS


def group_by_affixes(columns: Sequence[str], concepts: Collection[str]) -> dict[Affixes, list[str]]:
    """The columns that contain a concept's name, by what stands around it; names that most
    columns share come first. A column counts for the longest concept that fits."""
    by_affixes: dict[Affixes, list[str]] = defaultdict(list)
    for column in columns:
        if affixes := find_affixes(column, concepts):
            by_affixes[affixes].append(column)
    most = max((len(group) for group in by_affixes.values()), default=0)
    kept = {key: group for key, group in by_affixes.items() if len(group) * 2 >= most}
    shapes = {tuple(re.sub(r"\d+", "#", affix) for affix in affixes) for affixes in kept}
    if most == 1 and len(kept) > 1 and len(shapes) == 1:  # `0_fox`, `1_dog`: numbered
        return {("", ""): [column for group in kept.values() for column in group]}
    return kept


def find_affixes(column: str, concepts: Collection[str]) -> Affixes | None:
    """What stands around the longest concept in a column's name."""
    if column in concepts:
        return "", ""
    fitting = [
        (concept, affixes)
        for concept in concepts
        if concept
        for affixes in (
            (column.removesuffix(concept), ""),
            ("", column.removeprefix(concept)),
        )
        if "".join((affixes[0], concept, affixes[1])) == column
        and (affixes[0] or is_suffix(affixes[1]))
    ]
    return max(fitting, key=lambda fit: len(fit[0]), default=(None, None))[1]


def is_suffix(text: str) -> bool:
    """Whether a text behind a concept's name is set off from it: `_pred`, not `s`."""
    return bool(text) and not text[0].isalnum()


def plausible_sets(
    reader: TableReader, by_affixes: dict[Affixes, list[str]]
) -> dict[Affixes, list[str]]:
    """The sets of columns that may be scores: not true values, not text, and not 0 and 1 alone
    beside a set of other numbers."""
    numeric = {
        key: columns
        for key, columns in by_affixes.items()
        if all(reader.is_numeric_or_empty(column) for column in columns)
    } or by_affixes
    others = {
        key: columns
        for key, columns in numeric.items()
        if parse_column_name(" ".join(key)).marker != "true"
    }
    if numeric and not others:
        raise TrueColumnsError(reader.path, [c for columns in numeric.values() for c in columns])
    plain = others.get(("", ""))
    if len(others) > 1 and plain and all(is_flag_column(reader, column) for column in plain):
        others = {key: columns for key, columns in others.items() if key != ("", "")}
    graded = {
        key: columns
        for key, columns in others.items()
        if not all(is_flag_column(reader, column) for column in columns)
    }
    others = graded or others  # probabilities say more than the decisions made from them
    predicted = {
        key: columns
        for key, columns in others.items()
        if parse_column_name(" ".join(key)).marker == "predicted"
    }
    return predicted if len(predicted) == 1 else others


def is_flag_column(reader: TableReader, column: str) -> bool:
    texts = {text.lower() for text in reader.encode_column(column)[0]}
    return texts <= {*TRUE_WORDS, *FALSE_WORDS, ""}


def common_prefix(column_names: Collection[str], concepts: Collection[str]) -> str:
    """The most common prefix of concept names in the columns, for example `p_`."""
    prefixes = [
        column_name.removesuffix(concept_name)
        for column_name in column_names
        for concept_name in concepts
        if column_name.endswith(concept_name) and column_name != concept_name
    ]
    return max(prefixes, key=prefixes.count, default="")


def common_suffix(column_names: Collection[str], concepts: Collection[str]) -> str:
    """The most common suffix after concept names in the columns, for example `_pred`."""
    suffixes = [
        column_name.removeprefix(concept_name)
        for column_name in column_names
        for concept_name in concepts
        if column_name.startswith(concept_name)
        and is_suffix(column_name.removeprefix(concept_name))
    ]
    return max(suffixes, key=suffixes.count, default="")
