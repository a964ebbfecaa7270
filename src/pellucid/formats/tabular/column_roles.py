"""Assign roles to the columns of a table, by names, contents and agreement with the annotations.

A role that two columns could equally have, or numbers that look like boxes and are not
understood, stop the import: the user then names the columns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pellucid.core.errors import InvalidChoiceError
from pellucid.formats.errors import AmbiguousColumnsError
from pellucid.formats.image_files import is_image_file
from pellucid.formats.tabular.box_columns import COORDINATE_NAMES, FOUR_NUMBERS, BoxLayout
from pellucid.formats.tabular.box_roles import COORDINATE_ROLES, find_box_columns
from pellucid.formats.tabular.column_names import (
    CONCEPT_NAMES,
    FOLDER_NAMES,
    IGNORE_NAMES,
    IMAGE_NAMES,
    INDEX_COLUMN_PATTERN,
    MARKED_CONCEPT_NAMES,
    SCORE_NAMES,
    VALUE_NAMES,
    ColumnName,
    Marker,
    name_tier,
    normalize_column_name,
    parse_column_name,
)
from pellucid.formats.tabular.flags import NEGATIVE_WORDS, POSITIVE_WORDS
from pellucid.formats.tabular.reader import TableReader
from pellucid.formats.tabular.split_columns import find_split_column

Purpose = Literal["annotations", "predictions"]
MARKER_ORDER: dict[Purpose, tuple[Marker, ...]] = {
    "annotations": ("true", ""),
    "predictions": ("predicted", ""),
}
"""Which columns may describe a record, the most explicit first."""
MIN_AGREEMENT, MIN_AGREEMENT_GAIN = 0.5, 0.1
"""Share of rows in which two columns must agree, and by how much more than by always saying the
most frequent concept, to be of the same thing."""
SINGLE_ROLES = ("image", "score", "split", "ignore", "value", "box")
COLUMN_ROLES = ("image", "concept", *SINGLE_ROLES[1:], *COORDINATE_ROLES)
"""What `--columns ROLE=COLUMN` accepts."""


@dataclass(frozen=True)
class ColumnRoles:
    """The column of each role, None where there is none. concept_columns: columns that the user
    named as one concept each · image_size: width and height of the image · coordinates: columns
    that look like coordinates of a box · has_tag_values: whether `value` states what is absent."""

    image: str | None
    concept: str | None
    score: str | None
    split: str | None
    ignore: str | None
    value: str | None
    layout: BoxLayout | None
    image_size: tuple[str, str] | None = None
    concept_columns: tuple[str, ...] = ()
    coordinates: tuple[str, ...] = ()
    has_tag_values: bool = False

    @property
    def assigned_columns(self) -> set[str]:
        value = self.value if self.has_tag_values else None
        single = (self.image, self.concept, self.score, self.split, self.ignore, value)
        box = self.layout.columns if self.layout else ()
        return {
            column
            for column in (*single, *box, *(self.image_size or ()), *self.concept_columns)
            if column is not None
        }

    def unassigned_columns(self, reader: TableReader) -> list[str]:
        """Columns without a role."""
        return [column for column in reader.column_types if column not in self.assigned_columns]

    def description(self) -> str:
        """What is read from which column, for notes."""
        named = {
            "image": self.image,
            "concept": self.concept,
            "score": self.score,
            "split": self.split,
            "ignore": self.ignore,
        }
        texts = [f"{role} from {column}" for role, column in named.items() if column]
        if self.layout:
            texts.append(f"box ({self.layout.shape}) from {', '.join(self.layout.columns)}")
        return ", ".join(texts)


def assign_roles(
    reader: TableReader,
    purpose: Purpose,
    concepts: Collection[str] = (),
    forced: Mapping[str, Sequence[str]] | None = None,
) -> ColumnRoles:
    """The roles of a table's columns.

    concepts: the view's concept names, to tell a column of concepts from others · forced: columns
    by role, as the user named them.

    Raises:
        AmbiguousColumnsError: several columns could have the same role.
        UnreadBoxColumnsError: the coordinates named by the user are not a box.
    """
    forced = check_forced_columns(reader, forced or {})
    taken = {column for columns in forced.values() for column in columns}
    names = [
        parse_column_name(column)
        for column in reader.column_types
        if column not in taken and not INDEX_COLUMN_PATTERN.fullmatch(normalize_column_name(column))
    ]
    image = single_column(forced, "image") or find_image_column(reader, names)
    concept_columns = tuple(forced.get("concept", ()))
    concept = (
        find_concept_column(reader, names, purpose, concepts, image)
        if not concept_columns
        else concept_columns[0]
        if len(concept_columns) == 1
        else None
    )
    score = single_column(forced, "score") or find_score_column(reader, names, purpose)
    used = {image, concept, score, *concept_columns}
    layout, image_size, coordinates = find_box_columns(
        reader,
        [name for name in names if name.column not in used],
        MARKER_ORDER[purpose],
        image,
        forced,
    )
    plain = [name for name in names if not name.marker and name.column not in used]
    return ColumnRoles(
        image,
        concept,
        score,
        single_column(forced, "split")
        or find_split_column(reader, plain, purpose == "annotations" and concept is not None),
        single_column(forced, "ignore") or first_named(plain, IGNORE_NAMES),
        single_column(forced, "value")
        or first_named(plain, VALUE_NAMES)
        or (find_flag_column(reader, names, image, concept) if purpose == "annotations" else None),
        layout,
        image_size,
        concept_columns if len(concept_columns) > 1 else (),
        coordinates,
    )


def check_forced_columns(
    reader: TableReader, forced: Mapping[str, Sequence[str]]
) -> Mapping[str, Sequence[str]]:
    for role, columns in forced.items():
        if role not in COLUMN_ROLES:
            raise InvalidChoiceError("--columns", role, COLUMN_ROLES)
        for column in columns:
            if column not in reader.column_types:
                raise InvalidChoiceError(f"--columns {role}", column, tuple(reader.column_types))
    return forced


def single_column(forced: Mapping[str, Sequence[str]], role: str) -> str | None:
    columns = forced.get(role, ())
    return columns[0] if columns else None


def first_named(names: Iterable[ColumnName], accepted: Collection[str]) -> str | None:
    return next((name.column for name in names if name.rest in accepted), None)


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


def find_image_column(reader: TableReader, names: Sequence[ColumnName]) -> str | None:
    """Paths before ids; of several columns, the one that determines the others. Without a known
    name, the only column whose cells are file names of images.

    Raises:
        AmbiguousColumnsError: no column determines the others, or the same name occurs in
            several folders.
    """
    unmarked = [name for name in names if not name.marker]
    files = [name.column for name in unmarked if has_image_names(reader, name.column)]
    for tier, tier_names in enumerate(IMAGE_NAMES):
        if tier == len(IMAGE_NAMES) - 1 and len(files) == 1:
            return files[0]  # a column `id` beside names of files numbers the rows
        columns = [
            name.column
            for rest in tier_names
            for name in unmarked
            if name.rest == rest and not reader.is_empty(name.column)
        ]
        named_files = [column for column in columns if has_image_names(reader, column)]
        columns = named_files or columns
        if columns:
            column = determining_column(reader, columns)
            reject_split_image_names(reader, unmarked, column)
            return column
    return files[0] if len(files) == 1 else None


def has_image_names(reader: TableReader, column: str) -> bool:
    """Whether the first cells are file names of images."""
    cells = [cell for cell in reader.first_texts(column) if cell]
    return bool(cells) and all(is_image_file(cell.replace("\\", "/")) for cell in cells)


def determining_column(reader: TableReader, columns: Sequence[str]) -> str:
    """The first column whose value determines all others. Raises AmbiguousColumnsError."""
    for column in columns:
        if all(reader.determines(column, other) for other in columns if other != column):
            return column
    raise AmbiguousColumnsError(reader.path, "image", columns)


def reject_split_image_names(reader: TableReader, names: Sequence[ColumnName], image: str) -> None:
    """Raise AmbiguousColumnsError if the same image name occurs with different folders or ids."""
    for name in names:
        if name.column == image or name.rest not in FOLDER_NAMES or reader.is_empty(name.column):
            continue
        if not reader.determines(image, name.column):
            raise AmbiguousColumnsError(
                reader.path,
                "image",
                [image, name.column],
                f"image={image}, or with a column that joins both (the same {image} occurs with "
                f"several values of {name.column})",
            )


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
            if not marker:
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


def is_row_index(reader: TableReader, name: ColumnName) -> bool:
    """Whether a column named `index` numbers the rows."""
    return name.rest == "index" and reader.row_count > 1 and reader.is_unique(name.column)


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


def find_score_column(
    reader: TableReader, names: Sequence[ColumnName], purpose: Purpose
) -> str | None:
    candidates = [
        name.column for name in names if name.marker != "true" and name.rest in SCORE_NAMES
    ]
    numeric = [column for column in candidates if reader.is_numeric(column)]
    if purpose == "annotations" or len(candidates) < 2:
        return candidates[0] if candidates else None
    numeric = numeric or candidates
    rivals = [column for column in numeric[1:] if not reader.is_equal(numeric[0], column)]
    if rivals:
        raise AmbiguousColumnsError(reader.path, "score", [numeric[0], *rivals])
    return numeric[0]
