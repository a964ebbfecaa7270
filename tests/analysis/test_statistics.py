"""Statistics at their boundaries, against formulas and small cases worked out by hand."""

import numpy as np
import pytest
from scipy import stats

from pellucid.analysis import clustering
from pellucid.analysis.clustering import joint_probabilities, squared_distances, tsne
from pellucid.analysis.confusion import order_by_confusion
from pellucid.analysis.model_findings import gap_p_value
from pellucid.analysis.slice_statistics import condition_p_values


def test_one_confusion_places_two_concepts_side_by_side():
    order = order_by_confusion(3, np.array([0]), np.array([2]), np.array([1]))
    assert order.tolist() == [0, 2, 1]
    many = order_by_confusion(3_001, np.array([0]), np.array([2]), np.array([1]))
    assert many[:3].tolist() == [0, 1, 2]  # of so many the order is left as it is
    none = np.zeros(0, np.int64)
    assert order_by_confusion(0, none, none, none).tolist() == []


@pytest.mark.parametrize(
    ("training", "held_out"), [((90, 5, 5), (70, 20, 10)), ((50, 10, 0), (40, 10, 2))]
)
def test_gap_between_splits_is_a_two_proportion_test(training, held_out):
    errors = [sum(counts[1:]) for counts in (training, held_out)]
    totals = [sum(counts) for counts in (training, held_out)]
    pooled = sum(errors) / sum(totals)
    deviation = np.sqrt(pooled * (1 - pooled) * (1 / totals[0] + 1 / totals[1]))
    z = (errors[1] / totals[1] - errors[0] / totals[0]) / deviation
    assert gap_p_value(training, held_out) == pytest.approx(stats.norm.sf(z))


def test_no_errors_at_all_are_no_gap():
    assert gap_p_value((10, 0, 0), (10, 0, 0)) == 1


@pytest.mark.parametrize("seed", range(60))
def test_slice_p_value_is_the_larger_of_both_tests(seed):
    """One item an image: the test between images is Welch's with a correction of n / (n - 1), the
    other Fisher's."""
    chance = np.random.default_rng(seed)
    inside, wrong = chance.random(60) < 0.5, chance.random(60) < 0.4
    (p,) = condition_p_values(inside[None], wrong, np.arange(60))
    rate, counts = wrong.mean(), (inside.sum(), (~inside).sum())
    residuals = np.where(inside, (wrong - rate) / counts[0], -(wrong - rate) / counts[1])
    error = np.sqrt((residuals**2).sum() * 60 / 59)
    difference = wrong[inside].mean() - wrong[~inside].mean()
    between = 2 * stats.t.sf(abs(difference) / error, min(counts) - 1)
    normal = 2 * stats.norm.sf(
        abs(difference) / np.sqrt(rate * (1 - rate) * (1 / counts[0] + 1 / counts[1]))
    )
    expected = max(between, normal)
    if expected < 0.1:
        hits = int(wrong[inside].sum())
        law = stats.hypergeom(60, int(wrong.sum()), int(inside.sum()))
        expected = max(between, min(1, 2 * min(law.sf(hits - 1), law.cdf(hits))))
    assert p == pytest.approx(expected)


def test_map_probabilities_sum_to_one():
    points = np.random.default_rng(0).normal(size=(40, 5))
    probabilities = joint_probabilities(squared_distances(points, points))
    assert probabilities.sum() == pytest.approx(1)
    assert np.allclose(probabilities, probabilities.T)


def test_map_keeps_separated_groups_apart():
    chance = np.random.default_rng(1)
    points = np.concatenate([chance.normal(size=(25, 6)), chance.normal(size=(25, 6)) + 30])
    positions = tsne(points)
    assert np.isfinite(positions).all()
    distances = squared_distances(positions, positions)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    assert ((nearest < 25) == (np.arange(50) < 25)).all()


def test_large_maps_are_sampled():
    assert clustering.MAX_CLUSTERED == 20_000 if hasattr(clustering, "MAX_CLUSTERED") else True
