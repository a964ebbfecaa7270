"""Whether a version is better: the sign-flip test, and the verdict that rests on it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.analysis.verdict import CountChange, ErrorChange, error_change, sign_flip_p_value

DIFFERENCES = st.lists(st.integers(-6, 6), max_size=11).map(lambda d: np.array(d, np.int64))


def every_sign(differences):
    """The p-value by listing all signs."""
    changed = differences[differences != 0]
    signs = np.array(list(itertools.product((1, -1), repeat=len(changed))))
    signs = signs.reshape(2 ** len(changed), len(changed))
    return float(np.mean(np.abs(signs @ changed) >= abs(changed.sum())))


@given(DIFFERENCES)
def test_the_p_value_equals_that_of_all_signs(differences):
    assert sign_flip_p_value(differences) == pytest.approx(every_sign(differences), abs=1e-12)


@given(DIFFERENCES)
def test_the_p_value_of_the_mirror_is_the_same(differences):
    assert sign_flip_p_value(-differences) == sign_flip_p_value(differences)


def test_many_images_equal_the_normal_approximation():
    rng = np.random.default_rng(3)
    differences = rng.poisson(3.0, 50_000) - rng.poisson(2.97, 50_000)
    deviation = abs(differences.sum()) / np.sqrt((differences.astype(float) ** 2).sum())
    normal = float(np.mean(np.abs(rng.standard_normal(2_000_000)) >= deviation))
    assert sign_flip_p_value(differences) == pytest.approx(normal, abs=0.002)


@pytest.mark.parametrize(("images", "rate"), [(30, 0.3), (200, 1.0), (1000, 0.05)])
def test_equally_good_versions_differ_in_at_most_one_of_twenty_sets(images, rate):
    rng = np.random.default_rng(images)
    sets = [rng.poisson(rate, images) - rng.poisson(rate, images) for _ in range(1000)]
    share = np.mean([sign_flip_p_value(differences) < 0.05 for differences in sets])
    assert share <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1000)


def change(fn_a, fn_b, fp_a, fp_b, images=1000):
    """Each error in an image of its own."""
    lists = [np.arange(count, dtype=np.int64) for count in (fn_a, fn_b, fp_a, fp_b)]
    for index in (1, 3):
        lists[index] = images - 1 - lists[index]
    return error_change(images, *lists)


def test_the_verdict_follows_the_significant_changes():
    assert change(100, 50, 20, 20).verdict == "better"
    assert change(50, 100, 20, 20).verdict == "worse"
    assert change(50, 55, 20, 20).verdict == "no difference"
    assert change(100, 50, 20, 60).verdict == "trade-off"
    assert change(100, 50, 20, 22).verdict == "better", "more FP alone are not significant"
    assert change(0, 0, 0, 0).verdict == "no difference"


@given(st.lists(st.integers(0, 60), min_size=4, max_size=4))
def test_the_verdict_of_b_against_a_mirrors_that_of_a_against_b(counts):
    fn_a, fn_b, fp_a, fp_b = counts
    mirrored = {"better": "worse", "worse": "better"}
    forward, back = change(fn_a, fn_b, fp_a, fp_b), change(fn_b, fn_a, fp_b, fp_a)
    assert back.verdict == mirrored.get(forward.verdict, forward.verdict)
    assert (back.p_errors, back.p_fn, back.p_fp) == (forward.p_errors, forward.p_fn, forward.p_fp)


def test_at_five_percent_nothing_is_significant():
    counts = CountChange(10, 4)
    assert (
        ErrorChange(counts, counts, CountChange(0, 0), 0.05, 0.05, 1.0).verdict == "no difference"
    )
    assert ErrorChange(counts, counts, CountChange(0, 0), 0.0499, 0.0499, 1.0).verdict == "better"
