"""The cut with the fewest errors of a run too long for one memory: from histograms over the bits of its scores, in two passes, exact.

First pass: how many predictions, and how many right ones, fall in each of many bins. At a bin's lower edge the errors are then known;
within a bin they fall by at most the number of its right predictions. Second pass: the rows of the few bins in which the
minimum can lie, and nothing else. Both passes take the rows in blocks, in any order, wherever they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.columns import Flags, Floats, Longs
from pellucid.understand.runs import from_ordered_bits
from pellucid.understand.thresholds import Cuts, Threshold, best_cut

BINS = 1 << 16
LITTLE = 2.0**-30
"""Scores from 0 to here share the last bin: half of all numbers lie there, and hardly a score."""

Block = tuple[Floats, Flags]
"""Scores of counted predictions, in any order, and which of them match."""


@dataclass(frozen=True)
class Scale:
    """Even bins over the scores' bits, numbered from the highest score down. lowest, highest: of all scores."""

    lowest: float
    highest: float
    bins: int = BINS

    def bins_of(self, score: Floats) -> Longs:
        high, width = self._ends
        return np.minimum(((np.uint64(high) - ordered(score)) // np.uint64(width)).astype(np.int64), self.bins - 1)

    def ceiling(self, place: int) -> float:
        """The lowest score above the bin: what is at or over it lies in earlier bins."""
        high, width = self._ends
        return float(from_ordered_bits(high - place * width + 1))

    @property
    def _ends(self) -> tuple[int, int]:
        """The bits of the highest score, and of how many scores a bin is."""
        tiny = LITTLE if 0 <= self.lowest < LITTLE < self.highest else self.lowest
        low, high = (int(bits) for bits in ordered(np.array([tiny, self.highest])))
        return high, (high - low) // self.bins + 1


@dataclass(frozen=True, eq=False)
class Tally:
    """rows, right: int64 (bins,). Tallies of blocks are added."""

    rows: Longs
    right: Longs

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.rows + other.rows, self.right + other.right)


def ordered(score: Floats) -> NDArray[np.uint64]:
    """float64 as unsigned integers that sort as they do."""
    bits = np.ascontiguousarray(score + 0.0).view(np.uint64)
    sign = np.uint64(1 << 63)
    return np.where(bits & sign, ~bits, bits | sign)


def tally(scale: Scale, block: Block) -> Tally:
    """The first pass over a block."""
    score, right = block
    place = scale.bins_of(score)
    return Tally(np.bincount(place, minlength=scale.bins), np.bincount(place[right], minlength=scale.bins))


def wanted_bins(found: Tally, annotations: int) -> Flags:
    """The bins in which the minimum can lie, each with the next one below that holds rows; bool (bins,)."""
    rows, right = np.cumsum(found.rows), np.cumsum(found.right)
    errors = annotations + rows - 2 * right
    before = np.concatenate([[annotations], errors[:-1]])
    some = found.rows > 0
    least = min(annotations, int(errors[some].min(initial=annotations)))
    wanted = some & (before - found.right <= least)
    filled = np.flatnonzero(some)
    place = np.searchsorted(filled, np.flatnonzero(wanted), side="right")
    wanted[filled[place[place < len(filled)]]] = True
    wanted[filled[:1]] = True  # the highest score of all: above it lies the cut that predicts nothing
    return wanted


def picked(scale: Scale, wanted: Flags, block: Block) -> Block:
    """The second pass over a block: its rows in the wanted bins."""
    score, right = block
    here = wanted[scale.bins_of(score)]
    return score[here], right[here]


def fewest_errors_of(scale: Scale, found: Tally, wanted: Flags, block: Block, annotations: int) -> Threshold:
    """The same as `thresholds.fewest_errors` of all rows. block: all rows of the wanted bins."""
    score, right = block
    order = np.argsort(-score, kind="stable")
    score, right = score[order], right[order]
    last = np.append(np.flatnonzero(score[1:] != score[:-1]), len(score) - 1)
    bins = scale.bins_of(score[last])
    missed = np.where(wanted, 0, 1)  # bins whose rows are not here come in as a whole
    rows_left_out, right_left_out = (np.cumsum(number * missed) for number in (found.rows, found.right))
    included = last + 1 + rows_left_out[bins]
    tp = np.cumsum(right)[last] + right_left_out[bins]
    gap = np.diff(np.concatenate([[0], rows_left_out[bins]])) > 0
    return best_cut(Cuts(score[last], included, tp, gap), annotations)
