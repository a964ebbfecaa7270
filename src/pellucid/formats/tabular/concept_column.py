"""Which column of a table names the concept, or whether each concept has a column."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from pellucid.formats.errors import AmbiguousColumnsError
from pellucid.formats.tabular.box_columns import COORDINATE_NAMES, FOUR_NUMBERS
from pellucid.formats.tabular.column_names import (
    CONCEPT_NAMES,
    MARKED_CONCEPT_NAMES,
    ColumnName,
    Marker,
    Purpose,
    name_tier,
)
from pellucid.formats.tabular.flag_column import says_yes_and_no
from pellucid.formats.tabular.image_column import is_row_index
from pellucid.formats.tabular.reader import TableReader

MARKER_ORDER: dict[Purpose, tuple[Marker, ...]] = {
    "annotations": ("true", ""),
    "predictions": ("predicted", ""),
}
"""Which columns may describe a record, the most explicit first."""
MIN_AGREEMENT, MIN_AGREEMENT_GAIN = 0.5, 0.1
"""Share of rows in which two columns must agree, and by how much more than by always saying the
most frequent concept, to be of the same thing."""


def find_concept_column(
    reader: TableReader,
    names: Sequence[ColumnName],
    purpose: Purpose,
    concepts: Collection[str],
    image: str | None,
) -> str | None:
    """The column of concepts: the marked ones first (`pred_label` in predictions, `true_label` in
    annotations), names before ids.

    Raises:
        AmbiguousColumnsError: another column could be the concept too.
    """
    names = [name for name in names if not names_model(reader, name)]
    named = [name.column for name in names if is_named_concept(name)]
    answered = (
        column_of_each_concept(reader, image, named, concepts) if purpose == "predictions" else None
    )
    for marker in MARKER_ORDER[purpose]:
        ranked = [
            (tier, name)
            for name in names
            if name.marker == marker
            and (tier := concept_tier(name, purpose)) is not None
            and not (name.rest == "y" and has_coordinate_x(names, marker))
            if not is_row_index(reader, name) and not has_fractions(reader, name.column)
        ]
        if answered or (marker == "true" and named):
            # `ground_truth` or `pred` of 0 and 1 beside `label` says whether the label is there
            ranked = [
                pair
                for pair in ranked
                if pair[1].column == answered or not says_yes_and_no(reader, pair[1].column)
            ]
        if ranked:
            chosen = choose_concept_column(reader, ranked, concepts)
            if marker:
                reject_second_opinions(reader, names, marker, chosen)
            else:
                others = [
                    name
                    for name in names
                    if name.column != chosen
                    and not (answered and says_yes_and_no(reader, name.column))
                ]
                reject_rival_concepts(reader, others, purpose, chosen, concepts)
            return chosen
    return None


def names_model(reader: TableReader, name: ColumnName) -> bool:
    """Whether a column says of what kind the model is (`prediction_type`, as Roboflow writes)."""
    if name.rest != "type":
        return False
    texts, _ = reader.encode_column(name.column)
    return len(texts) == 1 and texts[0].lower().endswith("model")


def is_named_concept(name: ColumnName) -> bool:
    """Whether an unmarked column is named as concepts are."""
    return not name.marker and name_tier(name.rest, CONCEPT_NAMES) == 0


def column_of_each_concept(
    reader: TableReader, image: str | None, columns: Sequence[str], concepts: Collection[str]
) -> str | None:
    """The column that names each of its concepts once for each image, None if none does: the rows
    are then of tags, and no row is of the concept that is annotated."""
    if image is None or reader.is_unique(image):
        return None
    images, image_of_row = reader.encode_column(image)
    for column in columns_with_concepts(reader, columns, concepts):
        names, name_of_row = reader.encode_column(column)
        if len(names) < 2 or len(image_of_row) != len(images) * len(names):
            continue
        pairs = {*zip(image_of_row.tolist(), name_of_row.tolist(), strict=True)}
        if len(pairs) == len(image_of_row):
            return column
    return None


def reject_rival_concepts(
    reader: TableReader,
    others: Sequence[ColumnName],
    purpose: Purpose,
    chosen: str,
    concepts: Collection[str],
) -> None:
    """Raise AmbiguousColumnsError if a column beside an unmarked one is marked for this purpose
    (`pred_text` beside `label`), or holds the same texts in another way."""
    preferred = MARKER_ORDER[purpose][0]
    known = set(concepts) or set(reader.encode_column(chosen)[0]) - {""}
    for name in others:
        is_preferred = name.marker == preferred
        is_numeric = reader.is_numeric_or_empty(name.column)
        if name.marker and not is_preferred:
            continue
        if is_numeric and not (is_preferred and is_concept_id(name)):
            may_number = purpose == "predictions" and name.rest not in COORDINATE_NAMES
            if may_number and numbers_concepts(reader, name.column, chosen):
                raise AmbiguousColumnsError(reader.path, "concept", [chosen, name.column])
            continue
        values = set(reader.encode_column(name.column)[0]) - {""}
        shares_values = len(values & known) * 2 > len(values)
        is_rival = is_preferred or shares_values
        if not is_rival or is_box_cell(values) or reader.is_equal(chosen, name.column):
            continue
        # a number and a name of the same concept are no contradiction
        if shares_values or not reader.is_one_to_one(chosen, name.column):
            raise AmbiguousColumnsError(reader.path, "concept", [chosen, name.column])


def reject_second_opinions(
    reader: TableReader, names: Sequence[ColumnName], marker: Marker, chosen: str
) -> None:
    """Raise AmbiguousColumnsError if another column is marked like the chosen one and repeats it in
    part of the rows: `ensemble_prediction` beside `prediction`. One that never agrees, such as that
    of the second best concept, is none."""
    known = set(reader.encode_column(chosen)[0])
    for name in names:
        if name.marker != marker or name.column == chosen or reader.is_numeric(name.column):
            continue
        values = set(reader.encode_column(name.column)[0]) - {""}
        if len(values & known) * 2 <= len(values) or reader.is_one_to_one(chosen, name.column):
            continue
        if reader.equal_share(chosen, name.column) > 0:
            raise AmbiguousColumnsError(reader.path, "concept", [chosen, name.column])


MAX_NUMBERED_CONCEPTS = 10_000


def has_fractions(reader: TableReader, column: str) -> bool:
    """Whether a column holds numbers that are not whole: scores, not concepts."""
    if not reader.is_numeric(column) or reader.column_types[column] == "BOOLEAN":
        return False
    cells = (cell for cell in reader.first_texts(column) if cell)
    return not all(map(is_whole_number, cells))


def numbers_concepts(reader: TableReader, column: str, concepts: str) -> bool:
    """Whether a column of whole numbers seems to number the concepts of another column and
    contradicts it in some rows: a second opinion of the same thing, whatever its name."""
    values, codes = reader.encode_column(column)
    numbers = [value for value in values if value]
    if not 1 < len(numbers) <= MAX_NUMBERED_CONCEPTS or not all(map(is_whole_number, numbers)):
        return False
    names, name_codes = reader.encode_column(concepts)
    if not 1 < len(names) <= MAX_NUMBERED_CONCEPTS or reader.is_one_to_one(column, concepts):
        return False
    pairs, counts = np.unique(np.stack([codes, name_codes]), axis=1, return_counts=True)
    best: dict[int, tuple[int, int]] = {}
    for number, name, count in zip(*pairs.tolist(), counts.tolist(), strict=True):
        if values[number]:
            best[number] = max(best.get(number, (0, -1)), (count, name))
    agreement = sum(count for count, _ in best.values()) / max(1, len(codes))
    most_frequent = np.bincount(name_codes).max() / max(1, len(codes))
    is_numbering = len({name for _, name in best.values()}) == len(best)
    return is_numbering and agreement >= max(MIN_AGREEMENT, most_frequent + MIN_AGREEMENT_GAIN)


def is_whole_number(text: str) -> bool:
    return text.removesuffix(".0").removeprefix("-").isdecimal()


def is_concept_id(name: ColumnName) -> bool:
    """Whether a marked name is of a number of a concept: `pred_idx`."""
    return name.rest in ("", "y", "id", "idx", "index", "top1") or (
        name_tier(name.rest, CONCEPT_NAMES) is not None
    )


def is_box_cell(values: Collection[str]) -> bool:
    return any(FOUR_NUMBERS.fullmatch(value) for value in values)


def has_coordinate_x(names: Sequence[ColumnName], marker: Marker) -> bool:
    """Whether `y` with this marker is a coordinate, as there is an `x`."""
    return any(name.marker == marker and name.rest == "x" for name in names)


def concept_tier(name: ColumnName, purpose: Purpose) -> int | None:
    if name.marker and name.rest in MARKED_CONCEPT_NAMES:
        return 0
    if name.rest == "index" and purpose == "annotations":
        return None
    return name_tier(name.rest, CONCEPT_NAMES)


def choose_concept_column(
    reader: TableReader, ranked: Sequence[tuple[int, ColumnName]], concepts: Collection[str]
) -> str:
    ranked = [(tier, name) for tier, name in ranked if not reader.is_empty(name.column)] or ranked[
        :1
    ]
    if len(ranked) == 1:
        return ranked[0][1].column
    if agreeing := columns_with_concepts(reader, [name.column for _, name in ranked], concepts):
        if len(agreeing) == 1:
            return agreeing[0]
        ranked = [(tier, name) for tier, name in ranked if name.column in agreeing]
    best_tier = min(tier for tier, _ in ranked)
    best = [name.column for tier, name in ranked if tier == best_tier]
    first = best[0]
    if best_tier and any(tier != best_tier for tier, _ in ranked):
        best = [name.column for _, name in ranked]  # weak names and numbers: any may be meant
    rivals = [c for c in best[1:] if not reader.is_one_to_one(first, c)]
    if rivals:
        raise AmbiguousColumnsError(reader.path, "concept", [first, *rivals])
    # `class` beside `name`: the number and the name of the same concept
    equivalents = best + [
        name.column
        for tier, name in ranked
        if tier != best_tier and reader.is_one_to_one(first, name.column)
    ]
    return next((c for c in equivalents if not reader.is_numeric(c)), first)


def columns_with_concepts(
    reader: TableReader, columns: Sequence[str], concepts: Collection[str]
) -> list[str]:
    """The columns most of whose values are concepts of the view."""
    if not concepts:
        return []
    agreeing = []
    for column in columns:
        values = [value for value in reader.encode_column(column)[0] if value]
        if values and sum(value in concepts for value in values) * 2 > len(values):
            agreeing.append(column)
    return agreeing
