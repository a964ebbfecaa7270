"""Whether one version makes significantly more or fewer errors than another.

The test is the exact two-sided sign-flip (permutation) test over images (Fisher, 1935): if both
versions were equally good, each image's difference in errors could as well have the other sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma, log
from typing import Literal

import numpy as np

from pellucid.core.tables import Float64Array, Int64Array

SIGNIFICANCE_LEVEL = 0.05
NEGLIGIBLE = 1e-290

Verdict = Literal["better", "worse", "trade-off", "no difference"]


@dataclass(frozen=True)
class CountChange:
    """A number of errors of the baseline (a) and of the candidate (b)."""

    a: int
    b: int

    @property
    def increase(self) -> int:
        """From the first version to the second."""
        return self.b - self.a


@dataclass(frozen=True)
class ErrorChange:
    """Errors (FP + FN), false negatives and false positives of two versions on the same images,
    each with the p-value of the sign-flip test."""

    errors: CountChange
    fn: CountChange
    fp: CountChange
    p_errors: float
    p_fn: float
    p_fp: float

    @property
    def verdict(self) -> Verdict:
        """`trade-off`: false negatives and false positives move in opposite directions, each
        significantly; else by the errors: `better`, `worse` or `no difference`."""
        is_opposite = self.fn.increase * self.fp.increase < 0
        if is_opposite and max(self.p_fn, self.p_fp) < SIGNIFICANCE_LEVEL:
            return "trade-off"
        if self.p_errors >= SIGNIFICANCE_LEVEL or not self.errors.increase:
            return "no difference"
        return "worse" if self.errors.increase > 0 else "better"


def error_change(
    image_count: int, fn_a: Int64Array, fn_b: Int64Array, fp_a: Int64Array, fp_b: Int64Array
) -> ErrorChange:
    """The change from version a to version b. fn_a, ...: the image of each error, as an index
    below image_count."""

    def count(images: Int64Array) -> Int64Array:
        return np.bincount(images, minlength=image_count)

    fn, fp = count(fn_b) - count(fn_a), count(fp_b) - count(fp_a)
    return ErrorChange(
        CountChange(len(fn_a) + len(fp_a), len(fn_b) + len(fp_b)),
        CountChange(len(fn_a), len(fn_b)),
        CountChange(len(fp_a), len(fp_b)),
        sign_flip_p_value(fn + fp),
        sign_flip_p_value(fn),
        sign_flip_p_value(fp),
    )


def sign_flip_p_value(differences: Int64Array) -> float:
    """The probability that the sum of the differences, each with a random sign, is at least as far
    from 0 as it is; exact, by dynamic programming over the sums, but for probabilities below
    1e-280, which count as 0.

    Args:
        differences: integers, one per image
    """
    magnitudes, counts = np.unique(np.abs(differences[differences != 0]), return_counts=True)
    # A random sign adds 0 or twice the magnitude to the lowest sum; `steps` counts magnitudes.
    probabilities, lowest_steps = np.ones(1), 0
    for magnitude, count in zip(magnitudes.tolist(), counts.tolist(), strict=True):
        signs, first = binomial_probabilities(count)
        probabilities = add_steps(probabilities, signs, magnitude)
        lowest_steps += first * magnitude
        probabilities, first = trim_tails(probabilities)
        lowest_steps += first
    total = int(np.abs(differences).sum())
    sums = 2 * (lowest_steps + np.arange(len(probabilities))) - total
    is_as_far = np.abs(sums) >= abs(int(differences.sum()))
    return min(1.0, float(probabilities[is_as_far].sum()))


def binomial_probabilities(count: int) -> tuple[Float64Array, int]:
    """Probabilities of the number of heads in `count` fair tosses, without the tails, and the
    first number of heads."""
    log_factorials = np.array([lgamma(k + 1) for k in range(count + 1)])
    log_scale = log_factorials[-1] - count * log(2)
    with np.errstate(under="ignore"):
        return trim_tails(np.exp(log_scale - log_factorials - log_factorials[::-1]))


def add_steps(
    probabilities: Float64Array, step_probabilities: Float64Array, step: int
) -> Float64Array:
    """The distribution of the sum of a number and of a random number of steps."""
    size = len(probabilities)
    added = np.zeros(size + (len(step_probabilities) - 1) * step)
    with np.errstate(under="ignore"):
        for number, probability in enumerate(step_probabilities.tolist()):
            added[number * step : number * step + size] += probability * probabilities
    return added


def trim_tails(probabilities: Float64Array) -> tuple[Float64Array, int]:
    """The probabilities between the negligible ones at both ends, and the index of the first."""
    present = np.flatnonzero(probabilities > NEGLIGIBLE)
    return probabilities[present[0] : present[-1] + 1], int(present[0])
