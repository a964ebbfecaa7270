"""The share of correct predictions that were scored as errors, from the scores alone.

The probability that a prediction matches rises with its score, and would approach 1 if all
annotations were right. Where it levels off below 1 instead, the most confident errors are likely
errors of the annotations. The model is a logistic function with an upper asymptote of 1 minus the
lapse rate (Wichmann and Hill, 2001, "The psychometric function: I").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.core.tables import BoolArray, Float64Array

MIN_MATCHES, MIN_ERRORS = 20, 3
MAX_BINS = 400
"""Predictions are pooled into at most so many bins of neighbouring scores."""
LOGIT_LIMIT = 13.8
"""Scores beyond 1e-6 and 1 - 1e-6 count as these."""
MAX_LAPSE_RATE = 0.5


@dataclass(frozen=True, eq=False)
class LapseFit:
    """slope, offset: of the logistic function of the score's logit · lapse_rate: 0 to 0.5 ·
    p_value: of the likelihood ratio test that the lapse rate is 0."""

    slope: float
    offset: float
    lapse_rate: float
    p_value: float

    def lapse_probability(self, scores: Float64Array) -> Float64Array:
        """The probability that an error with this score (0 to 1) is a lapse, float64 (n,)."""
        correct = logistic(self.slope * logit(scores) + self.offset)
        lapses = self.lapse_rate * correct
        return np.asarray(lapses / np.maximum(lapses + 1 - correct, 1e-300))


def fit_lapse_rate(scores: Float64Array, is_match: BoolArray) -> LapseFit | None:
    """scores: probabilities, 0 to 1 · is_match: which predictions match. None with fewer than
    20 matches or 3 errors."""
    match_count = int(is_match.sum())
    if match_count < MIN_MATCHES or len(scores) - match_count < MIN_ERRORS:
        return None
    positions, matches, totals = bin_scores(logit(scores), is_match)
    restricted = maximize_likelihood(positions, matches, totals, 0.0)
    free = max(
        (maximize_likelihood(positions, matches, totals, start) for start in (0.02, 0.2)),
        key=lambda fit: fit[1],
    )
    ratio = 2 * (free[1] - restricted[1])
    slope, offset, lapse_rate = free[0]
    return LapseFit(slope, offset, lapse_rate, boundary_p_value(ratio))


def logit(scores: Float64Array) -> Float64Array:
    with np.errstate(divide="ignore"):
        return np.asarray(
            np.clip(np.log(scores) - np.log1p(-np.minimum(scores, 1)), -LOGIT_LIMIT, LOGIT_LIMIT)
        )


def logistic(values: Float64Array) -> Float64Array:
    return np.asarray((1 + np.tanh(values / 2)) / 2)


def bin_scores(
    positions: Float64Array, is_match: BoolArray
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Mean position, matches and size of bins with about equally many predictions each."""
    order = np.argsort(positions, kind="stable")
    bins = np.arange(len(order)) * min(MAX_BINS, len(order)) // len(order)
    totals = np.bincount(bins).astype(np.float64)
    return (
        np.asarray(np.bincount(bins, positions[order]) / totals),
        np.bincount(bins, is_match[order]).astype(np.float64),
        totals,
    )


def maximize_likelihood(
    positions: Float64Array, matches: Float64Array, totals: Float64Array, lapse_start: float
) -> tuple[tuple[float, float, float], float]:
    """Slope, offset and lapse rate, and their log-likelihood. lapse_start: where to start; at 0 the
    lapse rate stays 0."""
    from scipy.optimize import minimize

    def loss(parameters: Float64Array) -> tuple[float, Float64Array]:
        """The negative log-likelihood and its gradient."""
        slope, offset, lapse_rate = parameters
        correct = logistic(slope * positions + offset)
        chance = np.clip((1 - lapse_rate) * correct, 1e-12, 1 - 1e-12)
        errors = totals - matches
        value = -float((matches * np.log(chance) + errors * np.log1p(-chance)).sum())
        by_chance = errors / (1 - chance) - matches / chance
        by_offset = by_chance * (1 - lapse_rate) * correct * (1 - correct)
        by_slope = by_offset * positions
        return value, np.array([by_slope.sum(), by_offset.sum(), -(by_chance * correct).sum()])

    lapse_bounds = (0.0, MAX_LAPSE_RATE if lapse_start else 0.0)
    best = minimize(
        loss,
        np.array([1.0, 0.0, lapse_start]),
        method="L-BFGS-B",
        jac=True,
        bounds=[(0.0, 20.0), (-60.0, 60.0), lapse_bounds],
    )
    slope, offset, lapse_rate = (float(value) for value in best.x)
    return (slope, offset, lapse_rate), -float(best.fun)


def boundary_p_value(ratio: float) -> float:
    """Of a likelihood ratio whose parameter is 0 or more: half of it is 0 by chance (Self and
    Liang, 1987)."""
    from scipy.stats import chi2

    return 1.0 if ratio <= 0 else 0.5 * float(chi2.sf(ratio, 1))
