"""Fields of records that may hold the concept: which of them say something of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

FieldValues = Sequence[tuple[str, ...]]
"""What a field says of each record: one concept, several, or none."""


def drop_repeats(values_by_field: Mapping[str, FieldValues]) -> list[str]:
    """The fields without those that number or repeat another. Names come before numbers."""
    ordered = sorted(values_by_field, key=lambda field: not has_names(values_by_field[field]))
    kept: list[str] = []
    for field in ordered:
        if not any(is_one_to_one(values_by_field[field], values_by_field[other]) for other in kept):
            kept.append(field)
    return kept


def has_names(values: FieldValues) -> bool:
    return any(not item.isdecimal() for items in values for item in items)


def is_one_to_one(first: FieldValues, second: FieldValues) -> bool:
    """Whether two fields name the same things, item by item."""
    pairs: set[tuple[str, str]] = set()
    for first_items, second_items in zip(first, second, strict=True):
        if len(first_items) != len(second_items):
            return False
        pairs.update(zip(first_items, second_items, strict=True))
    distinct_first, distinct_second = ({pair[side] for pair in pairs} for side in (0, 1))
    return len(pairs) == len(distinct_first) == len(distinct_second)
