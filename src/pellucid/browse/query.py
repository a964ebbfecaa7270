"""The query that selects a list of items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pellucid.browse.selection import TABS, Tab
from pellucid.core.errors import InvalidChoiceError
from pellucid.core.tables import SPLITS, Split

Order = Literal["score", "margin", "size", "mistakes", "similar"]
ORDERS: tuple[Order, ...] = ("score", "margin", "size", "mistakes", "similar")
ReviewFilter = Literal["all", "new", "reviewed", "unsure"]
REVIEW_FILTERS: tuple[ReviewFilter, ...] = ("all", "new", "reviewed", "unsure")


@dataclass(frozen=True)
class ListQuery:
    """A list of items, parsed once where a request comes in and passed on as a whole.

    Raises:
        InvalidChoiceError: the tab, split, order or review filter is unknown.
    """

    tab: Tab
    split: Split = "validation"
    concept: str | None = None
    """None for all concepts."""
    order: Order = "score"
    """`score`: the order of the tab · `margin`: predictions by their score minus their own
    concept's threshold, in Extra as `score` · `size`: the largest boxes first, without boxes as
    `score` · `mistakes`: likely label errors first · `similar`:
    similar items next to one another."""
    review: ReviewFilter = "all"
    """`new` leaves out reviewed items."""
    filters: tuple[str, ...] = ()
    """Clauses such as `cause:background`, all of which an item must satisfy."""
    reverse: bool = False

    def __post_init__(self) -> None:
        for option, value, choices in (
            ("tab", self.tab, TABS),
            ("split", self.split, SPLITS),
            ("order", self.order, ORDERS),
            ("review", self.review, REVIEW_FILTERS),
        ):
            if value not in choices:
                raise InvalidChoiceError(option, value, choices)
