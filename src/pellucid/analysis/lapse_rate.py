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
    """A logistic curve of matches over scores with a share of lapses.

    Attributes:
        slope, offset: of the logistic function of the score's logit
        lapse_rate: 0 to 0.5
        p_value: of the likelihood ratio test that the lapse rate is 0
    """

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
    bins = bin_scores(logit(separate_ends(scores)), is_match)
    if np.ptp(bins.positions) == 0:
        return None  # equal scores say nothing about their errors
    restricted = fit_logistic(bins)
    fits = [restricted, *(fit_asymptote(bins, restricted, start) for start in LAPSE_STARTS)]
    best = max(fits, key=lambda fit: fit.likelihood)
    ratio = 2 * (best.likelihood - restricted.likelihood)
    return LapseFit(best.slope, best.offset, best.lapse_rate, boundary_p_value(ratio))


def separate_ends(scores: Float64Array) -> Float64Array:
    """Scores of exactly 0 and 1 are mostly rounded: they count as halfway to their neighbours."""
    inner = scores[(scores > 0) & (scores < 1)]
    if not len(inner):
        return scores
    return np.clip(scores, inner.min() / 2, (1 + inner.max()) / 2)


def logit(scores: Float64Array) -> Float64Array:
    """log(p / (1 - p)), limited so that scores of 0 and 1 are finite."""
    with np.errstate(divide="ignore"):
        return np.asarray(
            np.clip(np.log(scores) - np.log1p(-np.minimum(scores, 1)), -LOGIT_LIMIT, LOGIT_LIMIT)
        )


def logistic(values: Float64Array) -> Float64Array:
    """1 / (1 + exp(-x))."""
    return np.asarray((1 + np.tanh(values / 2)) / 2)


@dataclass(frozen=True, eq=False)
class ScoreBins:
    """Bins of neighbouring scores, float64 (bins,): mean position (a logit), predictions that
    match, and all predictions."""

    positions: Float64Array
    matches: Float64Array
    totals: Float64Array

    def likelihood(self, slope: float, offset: float, lapse_rate: float) -> float:
        """The log-likelihood."""
        chance = (1 - lapse_rate) * logistic(slope * self.positions + offset)
        chance = np.clip(chance, 1e-12, 1 - 1e-12)
        errors = self.totals - self.matches
        return float((self.matches * np.log(chance) + errors * np.log1p(-chance)).sum())


@dataclass(frozen=True)
class CurveFit:
    slope: float
    offset: float
    lapse_rate: float
    likelihood: float


def bin_scores(positions: Float64Array, is_match: BoolArray) -> ScoreBins:
    """Bins with about equally many predictions each."""
    order = np.argsort(positions, kind="stable")
    bins = np.arange(len(order)) * min(MAX_BINS, len(order)) // len(order)
    totals = np.bincount(bins).astype(np.float64)
    return ScoreBins(
        np.asarray(np.bincount(bins, positions[order]) / totals),
        np.bincount(bins, is_match[order]).astype(np.float64),
        totals,
    )


def fit_logistic(bins: ScoreBins) -> CurveFit:
    """Without lapses, by Newton's method with halved steps: the likelihood has one maximum."""
    design = np.stack([bins.positions, np.ones(len(bins.positions))], axis=1)
    share = float(bins.matches.sum() / bins.totals.sum())
    parameters = np.array([0.0, float(np.log(share / (1 - share)))])
    likelihood = bins.likelihood(float(parameters[0]), float(parameters[1]), 0.0)
    for _ in range(MAX_NEWTON_STEPS):
        chance = logistic(design @ parameters)
        weights = bins.totals * chance * (1 - chance)
        gradient = design.T @ (bins.matches - bins.totals * chance)
        curvature = (design * weights[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        for _ in range(MAX_HALVINGS):
            candidate = parameters + step
            candidate[0] = max(candidate[0], 0.0)
            value = bins.likelihood(float(candidate[0]), float(candidate[1]), 0.0)
            if value > likelihood:
                break
            step /= 2
        else:
            break
        gained, parameters, likelihood = value - likelihood, candidate, value
        if gained < 1e-9:
            break
    return CurveFit(float(parameters[0]), float(parameters[1]), 0.0, likelihood)


MAX_NEWTON_STEPS, MAX_HALVINGS = 100, 40
LAPSE_STARTS = (0.01, 0.05, 0.2)


def fit_asymptote(bins: ScoreBins, start: CurveFit, lapse_start: float) -> CurveFit:
    """With lapses, from the fit without and a lapse rate to start with."""
    from scipy.optimize import minimize

    errors = bins.totals - bins.matches

    def loss(parameters: Float64Array) -> tuple[float, Float64Array]:
        """The negative log-likelihood and its gradient."""
        slope, offset, lapse_rate = parameters
        correct = logistic(slope * bins.positions + offset)
        chance = np.clip((1 - lapse_rate) * correct, 1e-12, 1 - 1e-12)
        by_chance = errors / (1 - chance) - bins.matches / chance
        by_offset = by_chance * (1 - lapse_rate) * correct * (1 - correct)
        by_slope = by_offset * bins.positions
        gradient = np.array([by_slope.sum(), by_offset.sum(), -(by_chance * correct).sum()])
        return -bins.likelihood(slope, offset, lapse_rate), gradient

    best = minimize(
        loss,
        np.array([start.slope, start.offset, lapse_start]),
        method="L-BFGS-B",
        jac=True,
        bounds=[(0.0, 20.0), (-60.0, 60.0), (0.0, MAX_LAPSE_RATE)],
    )
    slope, offset, lapse_rate = (float(value) for value in best.x)
    return CurveFit(slope, offset, lapse_rate, bins.likelihood(slope, offset, lapse_rate))


def boundary_p_value(ratio: float) -> float:
    """Of a likelihood ratio whose parameter is 0 or more: half of it is 0 by chance (Self and
    Liang, 1987)."""
    from scipy.stats import chi2

    return 1.0 if ratio <= 0 else 0.5 * float(chi2.sf(ratio, 1))
