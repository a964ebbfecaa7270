"""Sorted runs, one a concept, read as if they were one sorted list.

"All concepts" needs no global sort: where a page begins in each run is found by bisection, first on the
score's bits, then, among equal scores, on the image, then on the input order. The cost is that of the
number of runs and the logarithm of their length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.columns import Floats, Integers, Longs


@dataclass(frozen=True, eq=False)
class Runs:
    """Rows sorted by (split, concept), then score descending, image, input order.

    rows: the rows of the underlying table, in this order · score: float64, theirs · image: int32 · order:
    int64 · start: int64 (splits, concepts + 1), where each run begins; a split's runs follow one another.
    """

    rows: Longs
    score: Floats
    image: Integers
    order: Longs
    start: Longs

    def span(self, split: int, concept: int) -> tuple[int, int]:
        return int(self.start[split, concept]), int(self.start[split, concept + 1])


def make_runs(
    rows: Longs, split: np.ndarray, concept: Integers, score: Floats, image: Integers, order: Longs,
    splits: int, concepts: int,
) -> Runs:  # fmt: skip
    """Runs over `rows`, which already lie in run order; the other columns are those of the rows."""
    key = split.astype(np.int64) * concepts + concept
    edges = np.searchsorted(key, np.arange(splits * concepts + 1))
    start = np.empty((splits, concepts + 1), np.int64)
    for number in range(splits):
        start[number] = edges[number * concepts : (number + 1) * concepts + 1]
    return Runs(rows, score, image, order, start)


def at_or_over(runs: Runs, split: int, thresholds: Floats) -> Longs:
    """Per concept, how many rows of its run have score >= its threshold."""
    begin, end = runs.start[split, :-1], runs.start[split, 1:]
    return count_before(runs.score, begin, begin, end, thresholds, descending=True, inclusive=True)


def count_before(column: np.ndarray, begin: Longs, low: Longs, high: Longs, wanted: Any, *, descending: bool, inclusive: bool) -> Longs:
    """Per run, how many entries lie before `wanted`: binary search in all runs at once, between low and high."""
    low, high = low.copy(), high.copy()
    while (active := low < high).any():
        middle = (low + high) // 2
        value = column[np.minimum(middle, len(column) - 1)]
        if descending:
            before = value >= wanted if inclusive else value > wanted
        else:
            before = value <= wanted if inclusive else value < wanted
        low = np.where(active & before, middle + 1, low)
        high = np.where(active & ~before, middle, high)
    return low - begin


def page_of_runs(runs: Runs, split: int, lengths: Longs, offset: int, limit: int) -> Longs:
    """Rows `offset` to `offset + limit` of the first `lengths[c]` rows of every run, merged.

    Merged order: score descending, then image, then input order.
    """
    begin = runs.start[split, :-1]
    first, last = (cut(runs, begin, lengths, position) for position in (offset, offset + limit))
    pieces = [np.arange(b + f, b + s) for b, f, s in zip(begin, first, last, strict=True) if s > f]
    if not pieces:
        return np.zeros(0, np.int64)
    places = np.concatenate(pieces)
    merged = np.lexsort((runs.order[places], runs.image[places], -runs.score[places]))
    return np.asarray(runs.rows[places[merged]])


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


def bisect_scores(score: Floats, begin: Longs, low: Longs, high: Longs, position: int) -> np.float64:
    """The score of the row at `position`: the highest s such that over `position` rows have score >= s."""
    present = high > low
    worst = int(ordered_bits(score[high[present] - 1].min()))
    best = int(ordered_bits(score[low[present]].max()))
    low, high = low.copy(), high.copy()
    while worst < best:
        middle = (worst + best + 1) // 2
        reached = begin + count_before(score, begin, low, high, from_ordered_bits(middle), descending=True, inclusive=True)
        if (reached - begin).sum() > position:
            worst, high = middle, reached
        else:
            best, low = middle - 1, reached
    return from_ordered_bits(worst)


def bisect_whole(column: np.ndarray, begin: Longs, low: Longs, high: Longs, position: int) -> tuple[Longs, Longs]:
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


SIGN = 1 << 63


def ordered_bits(value: np.float64) -> int:
    """A float64 as an integer that sorts as it does (-0.0 as 0.0)."""
    bits = int((value + 0.0).view(np.uint64))
    return (~bits & (2 * SIGN - 1)) if bits & SIGN else bits | SIGN


def from_ordered_bits(number: int) -> np.float64:
    bits = number & ~SIGN if number & SIGN else ~number & (2 * SIGN - 1)
    return np.uint64(bits).view(np.float64)
