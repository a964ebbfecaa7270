"""A threshold found from histograms, in two passes over blocks, is the one that a sweep over
all rows finds."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pellucid.distributed.histogram_thresholds import (
    ScoreBins,
    candidate_bins,
    count_bins,
    fewest_errors_from_bins,
    select_bins,
)
from pellucid.distributed.sharding import split_run_by_score
from pellucid.evaluation.thresholds import ScoredPredictions, min_error_threshold

SCORE = st.one_of(
    st.sampled_from(
        [0.0, -0.0, 0.25, 0.5, math.nextafter(0.5, 1), math.nextafter(0.5, 0), 0.75, 1.0]
    ),
    st.floats(-2, 3, allow_nan=False),
    st.floats(-1e150, 1e150),
    st.floats(0, 1e-300),
)


def in_two_passes(scale, blocks, annotations):
    tallies = [count_bins(scale, block) for block in blocks]
    found = sum(tallies[1:], tallies[0])
    wanted = candidate_bins(found, annotations)
    rows = [select_bins(scale, wanted, block) for block in blocks]
    score, right = (np.concatenate(columns) for columns in zip(*rows, strict=True))
    return fewest_errors_from_bins(scale, found, wanted, (score, right), annotations), len(score)


def plain(score, right, annotations):
    order = np.argsort(-score, kind="stable")
    return min_error_threshold(ScoredPredictions(score[order], right[order], annotations))


@given(
    st.lists(st.tuples(SCORE, st.booleans()), min_size=1, max_size=60),
    st.integers(1, 4),
    st.integers(0, 8),
    st.sampled_from([1, 2, 3, 7, 64, 1 << 16]),
    st.sampled_from([0.0, 1.0, 1e9]),
)
def test_threshold_is_independent_of_blocks_and_bins(rows, blocks, more, bins, wider):
    score = np.array([one for one, _ in rows]) + 0.0
    right = np.array([one for _, one in rows])
    annotations = int(right.sum()) + more
    scale = ScoreBins(score.min() - wider, score.max() + wider, bins)
    parts = [(score[place::blocks], right[place::blocks]) for place in range(blocks)]
    assert in_two_passes(scale, parts, annotations)[0] == plain(score, right, annotations)


def test_second_pass_reads_few_rows():
    draw = np.random.default_rng(1)
    score = draw.random(200_000)
    right = draw.random(200_000) < score
    expected = plain(score, right, 120_000)
    found, read = in_two_passes(ScoreBins(0.0, 1.0), [(score, right)], 120_000)
    assert found == expected
    assert read < 2_000


@given(
    st.lists(SCORE, min_size=1, max_size=80),
    st.integers(1, 20),
    st.sampled_from([1, 3, 50, 1 << 16]),
)
def test_runs_are_split_at_scores_without_loss(rows, most, bins):
    score = np.sort(np.array(rows) + 0.0)[::-1]
    scale = ScoreBins(score.min(), score.max(), bins)
    by_bin = np.bincount(scale.bin_indices(score), minlength=bins)
    parts = split_run_by_score(7, scale, by_bin, most)
    held = [score[(score >= part.min_score) & (score < part.max_score)] for part in parts]
    assert np.array_equal(np.concatenate(held), score)
    assert all(len(one) <= max(most, by_bin.max()) for one in held)
    assert {(part.first_run, part.end_run) for part in parts} == {(7, 8)}
