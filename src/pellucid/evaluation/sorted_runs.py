"""Sorted runs, one per concept, read as one merged sorted list.

"All concepts" needs no global sort: samples of the scores tell which rows of each run may be on a
page, and these are sorted. Where too many have equal scores, the start of the page in each run is
found by bisection, first on the score's bits, then on the image, then on the input order. The cost
grows with the number of runs and little with their length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.tables import NO_SCORE, Float64Array, Int32Array, Int64Array

STRIDE = 64
"""Number of rows between two entries of an index."""
MAX_SAMPLES = 1 << 14
"""Entries of an index that are sorted at a time."""
MAX_CANDIDATES = 5 * STRIDE
"""Rows per run that are read, beside those of a page, to find these."""


@dataclass(frozen=True, eq=False)
class IndirectColumn:
    """A view of a column through a list of rows, without a copy; source_rows None: the column
    itself.

    Attributes:
        index: every STRIDE-th value, in memory, so a binary search in a mapped column reads one
            block per run, not twenty
    """

    source: np.ndarray
    source_rows: Int32Array | ConcatColumn | None = None
    index: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.source) if self.source_rows is None else len(self.source_rows)

    def __getitem__(self, positions: Any) -> Any:
        return self.source[positions if self.source_rows is None else self.source_rows[positions]]


@dataclass(frozen=True, eq=False)
class ConcatColumn:
    """Two concatenated columns, without a copy. The second starts at a multiple of STRIDE, so
    their indices concatenate too."""

    first: np.ndarray
    second: np.ndarray
    index: np.ndarray | None = None

    def __len__(self) -> int:
        return self.second_start + len(self.second)

    @property
    def second_start(self) -> int:
        """Start position of the second column."""
        return -(-len(self.first) // STRIDE) * STRIDE

    def __getitem__(self, positions: Any) -> Any:
        positions = np.asarray(positions)
        is_in_second = positions >= self.second_start
        if not len(self.first) or is_in_second.all():
            return self.second[np.maximum(positions - self.second_start, 0)]
        items = np.asarray(self.first[np.minimum(positions, len(self.first) - 1)])
        if is_in_second.any():
            items[is_in_second] = self.second[positions[is_in_second] - self.second_start]
        return items


@dataclass(frozen=True, eq=False)
class SortedRuns:
    """Rows sorted by (split, concept), then score descending, image, input order.

    Attributes:
        table_rows: rows of the underlying table, in this order; None if sorted already
        score: float64, image, input_order: int32, of these rows
        run_begin, run_end: int64 (splits, concepts), bounds of each run; a split is contiguous
            unless a run was replaced
    """

    table_rows: Int32Array | ConcatColumn | None
    score: IndirectColumn | ConcatColumn
    image: IndirectColumn
    input_order: IndirectColumn | ConcatColumn
    run_begin: Int64Array
    run_end: Int64Array

    def span(self, split: int, concept: int) -> tuple[int, int]:
        """Where the run of a split and concept begins and ends."""
        return int(self.run_begin[split, concept]), int(self.run_end[split, concept])

    def split_span(self, split: int) -> tuple[int, int]:
        """Bounds of all runs of the split."""
        return (
            (int(self.run_begin[split, 0]), int(self.run_end[split, -1]))
            if self.run_begin.shape[1]
            else (0, 0)
        )

    def lengths(self, split: int) -> Int64Array:
        """How many rows each concept has in a split; int64 (concepts,)."""
        return np.asarray(self.run_end[split] - self.run_begin[split])

    def to_table_rows(self, positions: Int64Array) -> Int64Array:
        """The rows of the table at positions in the runs."""
        return (
            positions
            if self.table_rows is None
            else np.asarray(self.table_rows[positions], np.int64)
        )


def strided_index(source: np.ndarray, source_rows: Int32Array | None = None) -> np.ndarray:
    """Every STRIDE-th value of a column, optionally through `source_rows`."""
    return np.array(source[::STRIDE] if source_rows is None else source[source_rows[::STRIDE]])


def build_runs(
    table_rows: Int32Array | None,
    run_starts: Int64Array,
    split_count: int,
    score: np.ndarray,
    image: np.ndarray,
    input_order: np.ndarray,
    score_index: Float64Array,
) -> SortedRuns:
    """Build runs of table columns

    Args:
        table_rows: in run order
        run_starts: int64 (splits * concepts + 1,)
        score_index: of the scores
    """
    begin, end = run_starts[:-1].reshape(split_count, -1), run_starts[1:].reshape(split_count, -1)
    return SortedRuns(
        table_rows,
        IndirectColumn(score, table_rows, score_index),
        IndirectColumn(image, table_rows),
        IndirectColumn(input_order, table_rows),
        begin,
        end,
    )


def count_above_thresholds(
    runs: SortedRuns, split: int, concepts: Int64Array, thresholds: Float64Array
) -> Int64Array:
    """Per given concept, the number of rows of its run with score >= its threshold (thresholds:
    one per concept of the version)."""
    begin, end, thresholds = (
        runs.run_begin[split, concepts],
        runs.run_end[split, concepts],
        thresholds[concepts],
    )
    return count_before(runs.score, begin, begin, end, thresholds, descending=True, inclusive=True)


def count_before(
    column: IndirectColumn | ConcatColumn,
    begin: Int64Array,
    low: Int64Array,
    high: Int64Array,
    target: Any,
    *,
    descending: bool,
    inclusive: bool,
) -> Int64Array:
    """Per run, the number of entries before `target`: binary search in all runs at once, between
    low and high."""

    def is_before(candidate: Any) -> Any:
        if descending:
            return candidate >= target if inclusive else candidate > target
        return candidate <= target if inclusive else candidate < target

    low, high = narrow_by_index(column, low, high, is_before)
    return np.asarray(binary_search(column, low, high, is_before) - begin)


def narrow_by_index(
    column: IndirectColumn | ConcatColumn,
    low: Int64Array,
    high: Int64Array,
    is_before: Callable[[Any], Any],
) -> tuple[Int64Array, Int64Array]:
    """Narrow the search bounds with the in-memory index, without reading the column."""
    if column.index is None:
        return low, high
    index_low, index_high = -(-low // STRIDE), -(-high // STRIDE)
    index_position = binary_search(column.index, index_low, index_high, is_before)
    return np.where(index_position > index_low, (index_position - 1) * STRIDE + 1, low), np.where(
        index_position < index_high, index_position * STRIDE, high
    )


def binary_search(
    column: Any, low: Int64Array, high: Int64Array, is_before: Callable[[Any], Any]
) -> Int64Array:
    """Per run, the first position from `low` to `high` whose value is not before the target;
    `high` if all are."""
    low, high = low.copy(), high.copy()
    while (active := low < high).any():
        middle = (low + high) // 2
        goes_before = is_before(column[np.minimum(middle, len(column) - 1)])
        low = np.where(active & goes_before, middle + 1, low)
        high = np.where(active & ~goes_before, middle, high)
    return low


def merge_page(
    runs: SortedRuns, split: int, run_lengths: Int64Array, offset: int, limit: int
) -> Int64Array:
    """Rows `offset` to `offset + limit` of the first `run_lengths[c]` rows of every run, merged.

    Merged order: score descending, then image, then input order.
    """
    begin = runs.run_begin[split]
    end = begin + run_lengths
    last = min(offset + limit, int(run_lengths.sum()))
    if offset >= last:
        return np.zeros(0, np.int64)
    low, high = narrow_by_samples(runs.score, begin, end, offset, last)
    if (high - low).sum() > MAX_CANDIDATES * len(begin) + limit:  # many equal scores, or no index
        low, high = (begin + prefix_lengths(runs, begin, run_lengths, r) for r in (offset, last))
    before = int((low - begin).sum())
    return merge_candidates(runs, concatenate_spans(low, high), offset - before, last - before)


def merge_candidates(runs: SortedRuns, positions: Int64Array, first: int, last: int) -> Int64Array:
    """Rows `first` to `last`, in merged order, of the rows at these positions."""
    score = -np.asarray(runs.score[positions])
    first_score, last_score = np.partition(score, [first, last - 1])[[first, last - 1]]
    is_near = (score >= first_score) & (score <= last_score)
    positions, before = positions[is_near], np.count_nonzero(score < first_score)
    merged_order = np.lexsort((runs.input_order[positions], runs.image[positions], score[is_near]))
    return np.asarray(runs.to_table_rows(positions[merged_order[first - before : last - before]]))


def concatenate_spans(low: Int64Array, high: Int64Array) -> Int64Array:
    """The integers from low[i] to high[i], exclusive, for each i."""
    lengths = high - low
    ends = np.cumsum(lengths)
    return np.asarray(np.arange(int(lengths.sum())) + np.repeat(low - ends + lengths, lengths))


def narrow_by_samples(
    score: IndirectColumn | ConcatColumn,
    begin: Int64Array,
    end: Int64Array,
    first: int,
    last: int,
) -> tuple[Int64Array, Int64Array]:
    """Per run, bounds of the rows that may be from `first` to `last` in merged order, from the
    in-memory index alone.

    Of n samples, one in every `stride` rows, that reach a score, the number of rows that reach it
    follows up to `stride - 1` rows a run.
    """
    low, high = begin, end
    if score.index is None:
        return low, high
    step = 1 << int((end - begin).sum() // (STRIDE * MAX_SAMPLES)).bit_length()
    while step:
        stride = STRIDE * step
        samples = -np.concatenate(
            [
                score.index[sample_begin * step : sample_end * step : step]
                for sample_begin, sample_end in zip(
                    (-(-low // stride)).tolist(), (-(-high // stride)).tolist(), strict=True
                )
            ]
        )
        slack, before = (stride - 1) * len(begin), int((low - begin).sum())
        first_sample = (first - before - slack) // stride
        last_sample = -(-(last - before + slack) // stride) - 1
        narrowed_low, narrowed_high = low, high
        if 0 <= first_sample < len(samples):
            samples.partition(first_sample)
            narrowed_low, _ = narrow_by_index(score, low, high, (-samples[first_sample]).__lt__)
        if last_sample < len(samples):
            samples.partition(last_sample)
            _, narrowed_high = narrow_by_index(score, low, high, (-samples[last_sample]).__le__)
        low, high = narrowed_low, narrowed_high
        step //= 2
    return low, high


def prefix_lengths(
    runs: SortedRuns, begin: Int64Array, run_lengths: Int64Array, rank: int
) -> Int64Array:
    """Per run, the number of its rows among the first `rank` rows of the merged order."""
    if rank >= run_lengths.sum():
        return run_lengths
    low, high = begin.copy(), begin + run_lengths
    score = find_score(runs.score, begin, low, high, rank)
    low = begin + count_before(
        runs.score, begin, low, high, score, descending=True, inclusive=False
    )
    high = begin + count_before(
        runs.score, begin, low, high, score, descending=True, inclusive=True
    )
    for tie_breaker in (runs.image, runs.input_order):
        low, high = bisect_integers(tie_breaker, begin, low, high, rank)
    return low - begin


def find_score(
    score: IndirectColumn | ConcatColumn,
    begin: Int64Array,
    low: Int64Array,
    high: Int64Array,
    rank: int,
) -> np.float64:
    """The score of the row at `rank`: the highest s such that more than `rank` rows have score >=
    s."""
    lowest_code = float_to_sortable(-MAX_SCORE)
    highest_code = float_to_sortable(np.float64(NO_SCORE))
    low, high = low.copy(), high.copy()
    while lowest_code < highest_code:
        middle_code = (lowest_code + highest_code + 1) // 2
        candidate = sortable_to_float(middle_code)
        fewest, most = narrow_by_index(score, low, high, candidate.__le__)
        if (fewest - begin).sum() <= rank < (most - begin).sum():  # the index alone does not decide
            fewest = most = binary_search(score, fewest, most, candidate.__le__)
        if (fewest - begin).sum() > rank:
            lowest_code, high = middle_code, most
        else:
            highest_code, low = middle_code - 1, fewest
    return sortable_to_float(lowest_code)


def bisect_integers(
    column: IndirectColumn | ConcatColumn,
    begin: Int64Array,
    low: Int64Array,
    high: Int64Array,
    rank: int,
) -> tuple[Int64Array, Int64Array]:
    """Narrow every run's [low, high) to the rows whose value equals that of the row at `rank`."""
    tied_runs = np.flatnonzero(high > low)
    smallest = min(int(column[low[tied_run]]) for tied_run in tied_runs)
    largest = max(int(column[high[tied_run] - 1]) for tied_run in tied_runs)
    while smallest < largest:
        middle = (smallest + largest) // 2
        run_ends = begin + count_before(
            column, begin, low, high, np.int64(middle), descending=False, inclusive=True
        )
        if (run_ends - begin).sum() > rank:
            largest, high = middle, run_ends
        else:
            smallest, low = middle + 1, run_ends
    return low, high


MAX_SCORE = np.finfo(np.float64).max
SIGN_BIT = 1 << 63


def float_to_sortable(score: np.float64) -> int:
    """Map a float64 to an integer of the same sort order (-0.0 as 0.0)."""
    bits = int((score + 0.0).view(np.uint64))
    return (~bits & (2 * SIGN_BIT - 1)) if bits & SIGN_BIT else bits | SIGN_BIT


def sortable_to_float(code: int) -> np.float64:
    """The number with this code: the inverse of the codes that sort like their numbers."""
    bits = code & ~SIGN_BIT if code & SIGN_BIT else ~code & (2 * SIGN_BIT - 1)
    return np.uint64(bits).view(np.float64)
