"""Images selected by their properties: size, shape, file type and the user's columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.analysis.slice_features import Property, file_properties, metadata_properties
from pellucid.core.tables import BoolArray, Images
from pellucid.results.errors import FilterError, UnknownColumnError
from pellucid.results.filters import parse_clause, parse_condition
from pellucid.results.image_columns import metadata_columns


def match_images(images: Images, clauses: Sequence[str]) -> BoolArray:
    """Mask of the images that satisfy all clauses (`where:weather=rain`).

    Raises:
        FilterError: a clause is not about images, or names an unknown property.
    """
    is_selected = np.ones(len(images), bool)
    properties = {p.name: p for p in known_properties(images)}
    for clause in clauses:
        key, argument = parse_clause(clause)
        if key != "where":
            raise FilterError(clause, "a property of images, where:PROPERTY=VALUE")
        condition = parse_condition(argument)
        known = properties.get(condition.name)
        if known is None:
            raise FilterError(clause, f"one of the properties {', '.join(sorted(properties))}")
        if (known.labels is None) != (condition.values is None):
            operand = "LOW..HIGH" if known.labels is None else "VALUE"
            raise FilterError(clause, f"where:{condition.name}={operand}")
        is_selected &= condition.matches(known)
    return is_selected


def known_properties(images: Images) -> list[Property]:
    """What is known of each image; the user's columns come first and hide others of their name."""
    own = metadata_properties(metadata_columns(images))
    own_names = {p.name for p in own}
    return [*own, *(p for p in file_properties(images) if p.name not in own_names)]


def values_by_image(images: Images, column: str) -> list[str]:
    """The value of a metadata column for each image, '' if missing. Raises UnknownColumnError."""
    columns = metadata_columns(images)
    if column not in columns:
        raise UnknownColumnError(column, sorted(columns))
    return columns[column]
