"""Calibration: the reliability curve and the expected calibration error (Naeini et al., 2015)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.core.tables import Float64Array, Int64Array
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.match_result import MATCHED, WRONG
from pellucid.evaluation.sorted_runs import IndirectColumn

CALIBRATION_BINS = 15


@dataclass(frozen=True, eq=False)
class Calibration:
    """Bins include their lower edge and exclude their upper edge; the last one includes both.

    Attributes:
        edges: float64 (bins + 1,), 0 to 1
        prediction_counts: int64 (bins,)
        match_counts: true positives
        mean_score: float64, NaN in an empty bin
        error: expected calibration error (ECE), mean |score - match rate|, weighted
    """

    edges: Float64Array
    prediction_counts: Int64Array
    match_counts: Int64Array
    mean_score: Float64Array
    error: float

    @property
    def match_rate(self) -> Float64Array:
        """The share of predictions that match, of each bin; NaN for an empty one."""
        return np.asarray(
            np.divide(
                self.match_counts,
                self.prediction_counts,
                out=np.full(len(self.prediction_counts), np.nan),
                where=self.prediction_counts > 0,
            )
        )


def measure_calibration(
    evaluation: Evaluation, split: int, concept: int | None, bin_count: int = CALIBRATION_BINS
) -> Calibration | None:
    """Of the predictions that can match: boxes, tag scores, top-1 classes. None without
    predictions, or if scores are not probabilities (outside 0 to 1)."""
    runs = (
        evaluation.predicted_concepts
        if concept is None or evaluation.kind == "classification"
        else evaluation.all_predictions
    )
    begin, end = runs.split_span(split) if concept is None else runs.span(split, concept)
    scores, states = (
        np.asarray(runs.score[begin:end]),
        IndirectColumn(evaluation.state, runs.table_rows)[slice(begin, end)],
    )
    is_counted = (states == MATCHED) | (states == WRONG)
    scores, is_match = scores[is_counted], states[is_counted] == MATCHED
    if not len(scores) or scores.min() < 0 or scores.max() > 1:
        return None
    return bin_calibration(scores, is_match.astype(float), bin_count)


def bin_calibration(scores: Float64Array, matches: Float64Array, bin_count: int) -> Calibration:
    """Calibration in bins of equal width from 0 to 1.

    Args:
        scores: of each prediction
        matches: 1 where it matches, else 0
    """
    edges = np.linspace(0, 1, bin_count + 1)
    bin_index = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, bin_count - 1)
    prediction_counts = np.bincount(bin_index, minlength=bin_count)
    match_counts, score_sums = (
        np.bincount(bin_index, weights, minlength=bin_count) for weights in (matches, scores)
    )
    mean_scores = np.divide(
        score_sums, prediction_counts, out=np.full(bin_count, np.nan), where=prediction_counts > 0
    )
    return Calibration(
        edges,
        prediction_counts,
        match_counts.astype(np.int64),
        mean_scores,
        float(np.abs(match_counts - score_sums).sum() / len(scores)),
    )
