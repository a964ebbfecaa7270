"""Sorted runs, one a concept, read as if they were one sorted list.

"All concepts" needs no global sort: where a page begins in each run is found by bisection, first on the
score's bits, then, among equal scores, on the image, then on the input order. The cost is that of the
number of runs and the logarithm of their length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.columns import Floats, Integers, Longs

STRIDE = 64
"""Rows from one entry of an index to the next."""


@dataclass(frozen=True, eq=False)
class Through:
    """A column seen through a list of its rows, without a copy; rows None: the column itself.

    index: every STRIDE-th value, in memory, so that a search in a mapped column reads one place of each run and not twenty.
    """

    values: np.ndarray
    rows: Integers | Joined | None = None
    index: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values) if self.rows is None else len(self.rows)

    def __getitem__(self, places: Any) -> Any:
        return self.values[places if self.rows is None else self.rows[places]]


@dataclass(frozen=True, eq=False)
class Joined:
    """Two columns as one, without a copy. The second begins at the next multiple of STRIDE, so that their indices join too."""

    first: np.ndarray
    second: np.ndarray
    index: np.ndarray | None = None

    def __len__(self) -> int:
        return self.begin + len(self.second)

    @property
    def begin(self) -> int:
        """Where the second column begins."""
        return -(-len(self.first) // STRIDE) * STRIDE

    def __getitem__(self, places: Any) -> Any:
        places = np.asarray(places)
        later = places >= self.begin
        if not len(self.first) or later.all():
            return self.second[np.maximum(places - self.begin, 0)]
        found = np.asarray(self.first[np.minimum(places, len(self.first) - 1)])
        if later.any():
            found[later] = self.second[places[later] - self.begin]
        return found


@dataclass(frozen=True, eq=False)
class Runs:
    """Rows sorted by (split, concept), then score descending, image, input order.

    rows: the rows of the underlying table, in this order; None where it is the table's own · score: float64, image, order: int32,
    theirs · begin, end: int64 (splits, concepts), where each run lies; all rows of a split lie together unless a run was replaced.
    """

    rows: Integers | Joined | None
    score: Through | Joined
    image: Through
    order: Through | Joined
    begin: Longs
    end: Longs

    def span(self, split: int, concept: int) -> tuple[int, int]:
        return int(self.begin[split, concept]), int(self.end[split, concept])

    def whole(self, split: int) -> tuple[int, int]:
        """Where all runs of the split lie."""
        return (int(self.begin[split, 0]), int(self.end[split, -1])) if self.begin.shape[1] else (0, 0)

    def lengths(self, split: int) -> Longs:
        return np.asarray(self.end[split] - self.begin[split])

    def rows_at(self, places: Longs) -> Longs:
        return places if self.rows is None else np.asarray(self.rows[places], np.int64)


def index_of(values: np.ndarray, rows: Integers | None = None) -> np.ndarray:
    """The index of a column seen through rows."""
    return np.array(values[::STRIDE] if rows is None else values[rows[::STRIDE]])


def make_runs(
    rows: Integers | None, start: Longs, splits: int, score: np.ndarray, image: np.ndarray, order: np.ndarray, index: Floats
) -> Runs:  # fmt: skip
    """Runs of a table's columns over `rows`, which lie in run order; start: int64 (splits * concepts + 1,); index: of the scores."""
    begin, end = start[:-1].reshape(splits, -1), start[1:].reshape(splits, -1)
    return Runs(rows, Through(score, rows, index), Through(image, rows), Through(order, rows), begin, end)


def at_or_over(runs: Runs, split: int, concepts: Longs, thresholds: Floats) -> Longs:
    """For each of these concepts, how many rows of its run have score >= its threshold (thresholds: one a concept of the version)."""
    begin, end, thresholds = runs.begin[split, concepts], runs.end[split, concepts], thresholds[concepts]
    return count_before(runs.score, begin, begin, end, thresholds, descending=True, inclusive=True)


def count_before(
    column: Through | Joined, begin: Longs, low: Longs, high: Longs, wanted: Any, *, descending: bool, inclusive: bool
) -> Longs:
    """Per run, how many entries lie before `wanted`: binary search in all runs at once, between low and high."""

    def is_before(value: Any) -> Any:
        if descending:
            return value >= wanted if inclusive else value > wanted
        return value <= wanted if inclusive else value < wanted

    low, high = by_index(column, low, high, is_before)
    return np.asarray(search(column, low, high, is_before) - begin)


def by_index(column: Through | Joined, low: Longs, high: Longs, is_before: Callable[[Any], Any]) -> tuple[Longs, Longs]:
    """Between which places the search ends, as far as the index tells without a look at the column."""
    if column.index is None:
        return low, high
    first, last = -(-low // STRIDE), -(-high // STRIDE)
    found = search(column.index, first, last, is_before)
    return np.where(found > first, (found - 1) * STRIDE + 1, low), np.where(found < last, found * STRIDE, high)


def search(column: Any, low: Longs, high: Longs, is_before: Callable[[Any], Any]) -> Longs:
    """Per run, the first place from `low` up to `high` whose value is not before; `high` where all are."""
    low, high = low.copy(), high.copy()
    while (active := low < high).any():
        middle = (low + high) // 2
        before = is_before(column[np.minimum(middle, len(column) - 1)])
        low = np.where(active & before, middle + 1, low)
        high = np.where(active & ~before, middle, high)
    return low


def page_of_runs(runs: Runs, split: int, lengths: Longs, offset: int, limit: int) -> Longs:
    """Rows `offset` to `offset + limit` of the first `lengths[c]` rows of every run, merged.

    Merged order: score descending, then image, then input order.
    """
    begin = runs.begin[split]
    first, last = (cut(runs, begin, lengths, position) for position in (offset, offset + limit))
    pieces = [np.arange(b + f, b + s) for b, f, s in zip(begin, first, last, strict=True) if s > f]
    if not pieces:
        return np.zeros(0, np.int64)
    places = np.concatenate(pieces)
    merged = np.lexsort((runs.order[places], runs.image[places], -runs.score[places]))
    return np.asarray(runs.rows_at(places[merged]))


def cut(runs: Runs, begin: Longs, lengths: Longs, position: int) -> Longs:
    """Per run, how many of its rows are among the first `position` of the merged order."""
    if position >= lengths.sum():
        return lengths
    low, high = begin.copy(), begin + lengths
    score = bisect_scores(runs.score, begin, low, high, position)
    low = begin + count_before(runs.score, begin, low, high, score, descending=True, inclusive=False)
    high = begin + count_before(runs.score, begin, low, high, score, descending=True, inclusive=True)
    for column in (runs.image, runs.order):
        low, high = bisect_whole(column, begin, low, high, position)
    return low - begin


def bisect_scores(score: Through | Joined, begin: Longs, low: Longs, high: Longs, position: int) -> np.float64:
    """The score of the row at `position`: the highest s such that over `position` rows have score >= s."""
    worst, best = ordered_bits(-LARGEST), ordered_bits(LARGEST)
    low, high = low.copy(), high.copy()
    while worst < best:
        middle = (worst + best + 1) // 2
        wanted = from_ordered_bits(middle)
        least, most = by_index(score, low, high, wanted.__le__)
        if (least - begin).sum() <= position < (most - begin).sum():  # the index alone does not tell
            least = most = search(score, least, most, wanted.__le__)
        if (least - begin).sum() > position:
            worst, high = middle, most
        else:
            best, low = middle - 1, least
    return from_ordered_bits(worst)


def bisect_whole(column: Through | Joined, begin: Longs, low: Longs, high: Longs, position: int) -> tuple[Longs, Longs]:
    """Narrow every run's [low, high) to the rows whose value equals that of the row at `position`."""
    ties = np.flatnonzero(high > low)
    least = min(int(column[low[run]]) for run in ties)
    most = max(int(column[high[run] - 1]) for run in ties)
    while least < most:
        middle = (least + most) // 2
        reached = begin + count_before(column, begin, low, high, np.int64(middle), descending=False, inclusive=True)
        if (reached - begin).sum() > position:
            most, high = middle, reached
        else:
            least, low = middle + 1, reached
    return low, high


LARGEST = np.finfo(np.float64).max
SIGN = 1 << 63


def ordered_bits(value: np.float64) -> int:
    """A float64 as an integer that sorts as it does (-0.0 as 0.0)."""
    bits = int((value + 0.0).view(np.uint64))
    return (~bits & (2 * SIGN - 1)) if bits & SIGN else bits | SIGN


def from_ordered_bits(number: int) -> np.float64:
    bits = number & ~SIGN if number & SIGN else ~number & (2 * SIGN - 1)
    return np.uint64(bits).view(np.float64)
