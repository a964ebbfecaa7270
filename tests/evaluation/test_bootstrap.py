"""The interval of a threshold is that of thresholds chosen on resampled images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.core.tables import KINDS
from pellucid.evaluation import bootstrap as intervals
from pellucid.evaluation.evaluation import VALIDATION
from pellucid.evaluation.thresholds import ScoredPredictions, min_error_thresholds
from references.cases import cases
from references.columns import evaluated


@pytest.mark.parametrize("kind", KINDS)
def test_each_sample_equals_the_sweep_over_resampled_images(kind):
    @given(data=st.data())
    def holds(data):
        evaluation = evaluated(data.draw(cases(kind)))
        samples = 6
        found = intervals.threshold_intervals(evaluation, samples, seed=3)
        covered = np.flatnonzero(
            (evaluation.images.split == VALIDATION) & (evaluation.coverage != 0)
        )
        chance = np.random.default_rng(3)
        values = [[] for _ in evaluation.concepts]
        for _ in range(samples):
            drawn = chance.integers(0, max(1, len(covered)), len(covered))
            times = {int(image): int((drawn == place).sum()) for place, image in enumerate(covered)}
            lists = []
            for concept in range(len(evaluation.concepts)):
                score, right, image = intervals.load_concept_scores(evaluation, concept)
                repeated = np.repeat(np.arange(len(score)), [times[one] for one in image.tolist()])
                lists.append(ScoredPredictions(score[repeated], right[repeated], 0))
            for concept, one in enumerate(min_error_thresholds(lists)):
                fallback = evaluation.thresholds[concept].source == "fallback"
                pool = [every for every in lists if len(every.score)]
                if fallback and pool:
                    score, right = (
                        np.concatenate([every.score for every in pool]),
                        np.concatenate([every.is_match for every in pool]),
                    )
                    order = np.argsort(-score, kind="stable")
                    values[concept].append(
                        min_error_thresholds([ScoredPredictions(score[order], right[order], 0)])[
                            0
                        ].value
                    )
                elif not fallback and len(lists[concept].score):
                    values[concept].append(one.value)
        for concept, several in enumerate(values):
            if not several:
                assert found[concept] is None
                continue
            ranked = sorted(several)
            low, high = (ranked[int(np.ceil(share * len(ranked))) - 1] for share in (0.05, 0.95))
            assert found[concept] == pytest.approx((low, high), abs=1e-12)

    holds()


def made(chance, number):
    """Right scores about 0.7, wrong ones about 0.3, one prediction an image: the best cut is at
    0.5."""
    right = chance.random(number) < 0.5
    score = np.clip(np.where(right, 0.7, 0.3) + 0.2 * chance.standard_normal(number), 0, 1)
    order = np.argsort(-score, kind="stable")
    return score[order], right[order]


def interval_of(score, right, chance, sample):
    return intervals.percentile_interval(
        np.array([sample(score, right, chance) for _ in range(120)])
    )


def with_images(score, right, chance):
    return intervals.replicate_threshold(
        score, right, np.bincount(chance.integers(0, len(score), len(score)), minlength=len(score))
    )


def test_intervals_have_90_percent_coverage():
    chance = np.random.default_rng(5)
    held = 0
    for _ in range(60):
        low, high = interval_of(*made(chance, 400), chance, with_images)
        held += low <= 0.5 <= high
    assert held >= 48, "of 54 expected"


def test_intervals_narrow_with_more_images_also_when_binned():
    chance = np.random.default_rng(6)
    widths = []
    for number in (300, 3_000, 30_000):
        low, high = interval_of(*made(chance, number), chance, with_images)
        widths.append(high - low)
    assert widths[0] > widths[1] > widths[2]
    score, right = made(chance, 30_000)
    bins = intervals.bin_scores((score, right, np.zeros(0, np.int64)))
    one = interval_of(score, right, chance, with_images)
    other = intervals.percentile_interval(
        np.array([intervals.replicate_bin_threshold(bins, chance) for _ in range(120)])
    )
    assert one == pytest.approx(other, abs=0.02)


def test_thresholds_command_shows_the_interval(demo):
    version = demo.view("cells").version("v2")
    for name, found in zip(version.thresholds, version.results().intervals, strict=True):
        assert found[0] <= found[1]
        assert found[0] - 0.2 <= version.thresholds[name].value <= found[1] + 0.2
    assert intervals.threshold_intervals(version.evaluation) == version.results().intervals, (
        "the same every time"
    )
