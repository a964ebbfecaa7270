"""Assign roles to the columns of a table, by names, contents and agreement with the annotations.

A role that two columns could equally have, or numbers that look like boxes and are not
understood, stop the import: the user then names the columns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pellucid.core.errors import InvalidChoiceError
from pellucid.formats.errors import AmbiguousColumnsError
from pellucid.formats.tabular.box_columns import BoxLayout
from pellucid.formats.tabular.box_roles import COORDINATE_ROLES, find_box_columns
from pellucid.formats.tabular.column_names import (
    IGNORE_NAMES,
    SCORE_NAMES,
    VALUE_NAMES,
    ColumnName,
    Purpose,
    is_index_name,
    parse_column_name,
)
from pellucid.formats.tabular.concept_column import MARKER_ORDER, find_concept_column, has_fractions
from pellucid.formats.tabular.flag_column import find_flag_column
from pellucid.formats.tabular.image_column import find_image_column
from pellucid.formats.tabular.reader import TableReader
from pellucid.formats.tabular.split_columns import find_split_column

SINGLE_ROLES = ("image", "score", "split", "ignore", "value", "box")
COLUMN_ROLES = ("image", "concept", *SINGLE_ROLES[1:], *COORDINATE_ROLES)
"""What `--columns ROLE=COLUMN` accepts."""


@dataclass(frozen=True)
class ColumnRoles:
    """The column of each role, None where there is none.

    Attributes:
        concept_columns: columns that the user named as one concept each
        image_size: width and height of the image
        coordinates: columns that look like coordinates of a box
        has_tag_values: whether `value` states what is absent
    """

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
        if column not in taken and not is_index_name(column)
    ]
    if not forced:
        names = without_score_columns(reader, names, concepts)
    image = single_column(forced, "image") or find_image_column(reader, names)
    concept_columns = forced_score_columns(forced)
    concept = (
        find_concept_column(reader, names, purpose, concepts, image)
        if not concept_columns
        else concept_columns[0]
        if len(concept_columns) == 1
        else None
    )
    are_scores = bool(concept_columns) and "concept" not in forced
    named_score = None if are_scores else single_column(forced, "score")
    score = named_score or find_score_column(reader, names, purpose)
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


def without_score_columns(
    reader: TableReader, names: Sequence[ColumnName], concepts: Collection[str]
) -> list[ColumnName]:
    """The columns that may have a role: where several are named exactly like concepts and hold
    fractions, they are scores, even one called `index` or `split`."""
    scored = {
        name.column
        for name in names
        if name.column in concepts and has_fractions(reader, name.column)
    }
    return [name for name in names if len(scored) < 2 or name.column not in scored]


def forced_score_columns(forced: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The columns that the user named as one concept each: as several concepts, or as several
    scores without a concept."""
    scores = tuple(forced.get("score", ()))
    return tuple(forced.get("concept", ())) or (scores if len(scores) > 1 else ())


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
