"""Images selected by their properties: size, shape, file type and the user's columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.analysis.slice_features import Condition, Property, file_properties, parse_numbers
from pellucid.core.errors import summarize_names
from pellucid.core.tables import BoolArray, Images
from pellucid.results.errors import FilterError, UnknownColumnError
from pellucid.results.filters import match_path, parse_clause, parse_condition
from pellucid.results.image_columns import metadata_columns


def match_images(images: Images, clauses: Sequence[str]) -> BoolArray:
    """Mask of the images that satisfy all clauses (`where:weather=rain`, `where:width=..640`,
    `file:night`).

    Raises:
        FilterError: a clause is not about images, names an unknown property, or a value that no
            image has.
    """
    is_selected = np.ones(len(images), bool)
    columns = metadata_columns(images)
    file_facts = {p.name: p for p in file_properties(images)}
    for clause in clauses:
        key, argument = parse_clause(clause)
        if key == "file":
            if not (is_match := match_path(images, argument)).any():
                raise FilterError(clause, "a text that is part of an image's path")
            is_selected &= is_match
            continue
        if key != "where":
            expected = "a property of images, where:PROPERTY=VALUE, or file:TEXT"
            raise FilterError(clause, expected)
        condition = parse_condition(argument)
        if condition.name in columns:
            is_match = match_column(clause, columns[condition.name], condition)
        elif condition.name in file_facts:
            is_match = match_property(clause, file_facts[condition.name], condition)
        else:
            names = sorted({*columns, *file_facts})
            expected = f"one of the properties {', '.join(names)}"
            raise FilterError(clause, expected, condition.name, names)
        is_selected &= is_match
    return is_selected


def match_column(clause: str, values: list[str], condition: Condition) -> BoolArray:
    """Which values of the user's column satisfy a condition: numbers in a range, or texts."""
    if condition.values is None:
        numbers = parse_numbers(values)
        if numbers is None:
            raise FilterError(clause, f"where:{condition.name}=VALUE, as its values are no numbers")
        return condition.matches(Property(condition.name, numbers))
    is_match = np.zeros(len(values), bool)
    for wanted in condition.values:
        has_value = np.array([same_value(value, wanted) for value in values], bool)
        if not has_value.any():
            known = sorted({value for value in values if value})
            expected = f"a value of the column: {summarize_names(known, 8)}"
            raise FilterError(clause, expected, wanted, known)
        is_match |= has_value
    return is_match


def same_value(value: str, wanted: str) -> bool:
    """Whether two texts are equal, or the same number (`1`, `1.0`)."""
    if value == wanted:
        return True
    try:
        return float(value) == float(wanted)
    except ValueError:
        return False


def match_property(clause: str, known: Property, condition: Condition) -> BoolArray:
    if (known.labels is None) != (condition.values is None):
        operand = "LOW..HIGH" if known.labels is None else "VALUE"
        raise FilterError(clause, f"where:{condition.name}={operand}")
    unknown = set(condition.values or ()) - set(known.labels or ())
    if unknown:
        raise FilterError(clause, f"one of {', '.join(known.labels or ())}")
    return condition.matches(known)


def values_by_image(images: Images, column: str) -> list[str]:
    """The value of a metadata column for each image, '' if missing. Raises UnknownColumnError."""
    columns = metadata_columns(images)
    if column not in columns:
        raise UnknownColumnError(column, sorted(columns))
    return columns[column]
