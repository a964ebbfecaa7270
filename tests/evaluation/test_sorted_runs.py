"""Pages of merged runs, against a sort of all rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.evaluation import sorted_runs
from pellucid.evaluation.sorted_runs import build_runs, merge_page, strided_index


def random_runs(seed, run_count, longest, distinct_scores):
    """Runs of one split, and per row (score, image, input order) of the prefixes that count."""
    random = np.random.default_rng(seed)
    lengths = random.integers(0, longest + 1, run_count)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    run = np.repeat(np.arange(run_count), lengths)
    score = random.integers(0, distinct_scores, len(run)) / distinct_scores
    image = random.integers(0, 1 + len(run) // 3, len(run)).astype(np.int32)
    input_order = random.permutation(len(run)).astype(np.int32)
    order = np.lexsort((input_order, image, -score, run))
    score, image, input_order = score[order], image[order], input_order[order]
    runs = build_runs(None, starts, 1, score, image, input_order, strided_index(score))
    return runs, random.integers(0, lengths + 1), (starts, score, image, input_order)


@given(
    seed=st.integers(0, 2**32 - 1),
    run_count=st.integers(1, 12),
    longest=st.sampled_from([0, 3, 63, 64, 65, 700]),
    distinct_scores=st.sampled_from([1, 3, 50, 10**9]),
    limits=st.tuples(st.sampled_from([1 << 14, 40, 5]), st.sampled_from([320, 30, 0])),
    place=st.floats(0, 1),
    limit=st.sampled_from([0, 1, 50, 100_000]),
)
def test_pages_are_those_of_a_sort_of_all_rows(
    seed, run_count, longest, distinct_scores, limits, place, limit
):
    runs, prefix, (starts, score, image, input_order) = random_runs(
        seed, run_count, longest, distinct_scores
    )
    rows = np.concatenate(
        [
            np.arange(start, start + length)
            for start, length in zip(starts[:-1].tolist(), prefix.tolist(), strict=True)
        ]
    )
    merged = rows[np.lexsort((input_order[rows], image[rows], -score[rows]))]
    offset = int(place * (len(rows) + 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorted_runs, "MAX_SAMPLES", limits[0])
        patch.setattr(sorted_runs, "MAX_CANDIDATES", limits[1])
        page = merge_page(runs, 0, prefix, offset, limit)
    assert page.tolist() == merged[offset : offset + limit].tolist()


def test_few_rows_are_read_for_a_page_of_long_runs():
    runs, _, (starts, *_) = random_runs(1, 20, 50_000, 10**9)
    lengths = np.diff(starts)
    low, high = sorted_runs.narrow_by_samples(
        runs.score, starts[:-1], starts[1:], int(lengths.sum()) // 2, int(lengths.sum()) // 2 + 100
    )
    assert 100 <= (high - low).sum() <= 20 * sorted_runs.MAX_CANDIDATES + 100
