"""The categories of COCO's results: a number, or a name where the writer states it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pellucid.formats.dataset import ConceptInterpretation

CocoId = int | float | str


class CategorizedResult(Protocol):
    category_id: CocoId | None
    category_name: str | None


def require_category(result: CategorizedResult) -> None:
    """Raise ValueError if a record has neither a category_id nor a category_name; an empty name
    is none."""
    result.category_name = result.category_name or None
    if result.category_id is None and result.category_name is None:
        raise ValueError("object missing required field `category_id`")


def category_keys(results: Sequence[CategorizedResult]) -> list[CocoId]:
    """The name of each record's category, else its number."""
    keys = []
    for result in results:
        key = result.category_id if result.category_name is None else result.category_name
        assert key is not None  # of require_category
        keys.append(key)
    return keys


def interpretation_of(concept_keys: Sequence[str]) -> ConceptInterpretation:
    """Numbers are ids, anything else a name."""
    return "id" if all(key.removeprefix("-").isdecimal() for key in concept_keys) else "name"
