"""What the items of a list can be filtered by: properties of boxes and images, and the user's
columns, with how their values are distributed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.analysis.slice_features import Property
from pellucid.core.tables import Int64Array
from pellucid.evaluation.evaluation import Evaluation
from pellucid.results.image_columns import metadata_columns
from pellucid.results.slices import item_properties

MAX_SAMPLE = 20_000
"""Items whose properties are looked at, spread over the list."""
BINS = 24


@dataclass(frozen=True)
class ValueCount:
    value: str
    count: int


@dataclass(frozen=True)
class PropertyRange:
    """The values of a property of items, for a filter.

    Attributes:
        name: for a filter `where:NAME=...`
        low, high, bins: of numbers, with equally wide bins
        values: of categories, most frequent first
        is_column: a column of the images, by which figures can be narrowed too. Counts are of the
            items looked at.
    """

    name: str
    low: float | None
    high: float | None
    bins: list[int]
    values: list[ValueCount]
    is_column: bool


@dataclass(frozen=True)
class PropertyRanges:
    """The properties that items can be filtered by.

    Attributes:
        looked_at: the items behind the counts, all of the list or a sample
    """

    properties: list[PropertyRange]
    looked_at: int


def property_ranges(
    evaluation: Evaluation, item_rows: Int64Array, are_annotations: bool
) -> PropertyRanges:
    """Of these rows of annotations or predictions; properties with one value alone are left out."""
    step = max(1, -(-len(item_rows) // MAX_SAMPLE))
    sample = np.asarray(item_rows[::step], np.int64)
    if not len(sample):
        return PropertyRanges([], 0)
    columns = metadata_columns(evaluation.images)
    ranges = [
        describe_property(item_property, item_property.name in columns)
        for item_property in item_properties(evaluation, sample, are_annotations, None)
    ]
    return PropertyRanges([found for found in ranges if found is not None], len(sample))


def describe_property(item_property: Property, is_column: bool) -> PropertyRange | None:
    """None if all items have the same value."""
    name = item_property.name
    if item_property.labels is not None:
        known = np.asarray(item_property.values[item_property.values >= 0], np.int64)
        counts = np.bincount(known, minlength=len(item_property.labels))
        values = [
            ValueCount(item_property.labels[index], int(counts[index]))
            for index in np.argsort(-counts, kind="stable").tolist()
            if counts[index]
        ]
        return PropertyRange(name, None, None, [], values, is_column) if len(values) > 1 else None
    numbers = np.asarray(item_property.values, float)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers) or numbers.min() == numbers.max():
        return None
    counts, edges = np.histogram(numbers, BINS)
    low, high = float(edges[0]), float(edges[-1])
    return PropertyRange(name, low, high, counts.tolist(), [], is_column)
