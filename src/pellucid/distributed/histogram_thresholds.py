"""The exact fewest-errors threshold of a run that does not fit in memory, in two passes with
histograms of score bits.

First pass: count predictions and true positives per bin. This gives the errors at the lower edge
of each bin; within a bin they decrease by at most its number of true positives. Second pass: the
rows of the few bins in which the minimum can be. Both passes process the rows in blocks, in any
order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.core.tables import BoolArray, Float64Array, Int64Array
from pellucid.evaluation.sorted_runs import sortable_to_float
from pellucid.evaluation.thresholds import CandidateThresholds, Threshold, best_threshold

BIN_COUNT = 1 << 16
SMALL_SCORE_LIMIT = 2.0**-30
"""Scores from 0 to this limit share the last bin: half of all positive floats are below it, but
hardly any score."""

ScoreBlock = tuple[Float64Array, BoolArray]
"""Scores of countable predictions, in any order, and which of them are true positives."""


@dataclass(frozen=True)
class ScoreBins:
    """Equal-width bins over the bits of scores, in descending order.

    Attributes:
        lowest, highest: of all scores
    """

    lowest: float
    highest: float
    bin_count: int = BIN_COUNT

    def bin_indices(self, score: Float64Array) -> Int64Array:
        highest_bits, bin_width = self._bit_range
        return np.minimum(
            ((np.uint64(highest_bits) - sortable_bits(score)) // np.uint64(bin_width)).astype(
                np.int64
            ),
            self.bin_count - 1,
        )

    def upper_bound(self, bin_index: int) -> float:
        """The lowest score above the bin: scores at or over it are in earlier bins."""
        highest_bits, bin_width = self._bit_range
        return float(sortable_to_float(highest_bits - bin_index * bin_width + 1))

    @property
    def _bit_range(self) -> tuple[int, int]:
        """The bits of the highest score, and the width of a bin."""
        lowest_score = (
            SMALL_SCORE_LIMIT
            if 0 <= self.lowest < SMALL_SCORE_LIMIT < self.highest
            else self.lowest
        )
        lowest_bits, highest_bits = (
            int(bits) for bits in sortable_bits(np.array([lowest_score, self.highest]))
        )
        return highest_bits, (highest_bits - lowest_bits) // self.bin_count + 1


@dataclass(frozen=True, eq=False)
class BinCounts:
    """predictions, matches (true positives): int64 (bins,). Counts of several blocks can be
    added."""

    predictions: Int64Array
    matches: Int64Array

    def __add__(self, other: BinCounts) -> BinCounts:
        return BinCounts(self.predictions + other.predictions, self.matches + other.matches)


def sortable_bits(score: Float64Array) -> NDArray[np.uint64]:
    """float64 as unsigned integers that sort as they do."""
    bits = np.ascontiguousarray(score + 0.0).view(np.uint64)
    sign_bit = np.uint64(1 << 63)
    return np.where(bits & sign_bit, ~bits, bits | sign_bit)


def count_bins(score_bins: ScoreBins, block: ScoreBlock) -> BinCounts:
    """The first pass over a block: counts per bin."""
    score, is_match = block
    bin_indices = score_bins.bin_indices(score)
    return BinCounts(
        np.bincount(bin_indices, minlength=score_bins.bin_count),
        np.bincount(bin_indices[is_match], minlength=score_bins.bin_count),
    )


def candidate_bins(bin_counts: BinCounts, annotations: int) -> BoolArray:
    """The bins that may contain the minimum, each with the next non-empty bin below; bool
    (bins,)."""
    predictions_above, matches_above = (
        np.cumsum(bin_counts.predictions),
        np.cumsum(bin_counts.matches),
    )
    errors = annotations + predictions_above - 2 * matches_above
    errors_before = np.concatenate([[annotations], errors[:-1]])
    is_filled = bin_counts.predictions > 0
    min_errors = min(annotations, int(errors[is_filled].min(initial=annotations)))
    is_candidate = is_filled & (errors_before - bin_counts.matches <= min_errors)
    filled_bins = np.flatnonzero(is_filled)
    next_filled = np.searchsorted(filled_bins, np.flatnonzero(is_candidate), side="right")
    is_candidate[filled_bins[next_filled[next_filled < len(filled_bins)]]] = True
    is_candidate[filled_bins[:1]] = (
        True  # bin of the highest score: the cut above it predicts nothing
    )
    return is_candidate


def select_bins(score_bins: ScoreBins, candidates: BoolArray, block: ScoreBlock) -> ScoreBlock:
    """The second pass over a block: its rows in the candidate bins."""
    score, is_match = block
    is_selected = candidates[score_bins.bin_indices(score)]
    return score[is_selected], is_match[is_selected]


def fewest_errors_from_bins(
    score_bins: ScoreBins,
    bin_counts: BinCounts,
    candidates: BoolArray,
    block: ScoreBlock,
    annotations: int,
) -> Threshold:
    """The same result as `thresholds.min_error_threshold` on all rows.

    Args:
        block: all rows of the candidate bins
    """
    score, is_match = block
    order = np.argsort(-score, kind="stable")
    score, is_match = score[order], is_match[order]
    last_rows = np.append(np.flatnonzero(score[1:] != score[:-1]), len(score) - 1)
    bin_indices = score_bins.bin_indices(score[last_rows])
    is_skipped = np.where(candidates, 0, 1)  # bins outside the block are added as a whole
    skipped_predictions, skipped_matches = (
        np.cumsum(skipped_counts * is_skipped)
        for skipped_counts in (bin_counts.predictions, bin_counts.matches)
    )
    included = last_rows + 1 + skipped_predictions[bin_indices]
    tp = np.cumsum(is_match)[last_rows] + skipped_matches[bin_indices]
    gap = np.diff(np.concatenate([[0], skipped_predictions[bin_indices]])) > 0
    return best_threshold(CandidateThresholds(score[last_rows], included, tp, gap), annotations)
