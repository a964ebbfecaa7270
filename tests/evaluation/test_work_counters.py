"""How much work is done, counted and not timed: a page costs a page, whatever the size of the
gallery."""

from dataclasses import replace

import numpy as np
import pytest
from benchmarks.data import Size, generate_dataset

from native.test_same_bits import columns_of
from pellucid.browse.selection import TabSelection
from pellucid.evaluation.counts import count_outcomes, precompute
from pellucid.evaluation.sorted_runs import MAX_CANDIDATES, STRIDE

VALIDATION = 1


class Counting:
    """A column that counts the places read from it."""

    def __init__(self, column, reads):
        self.column, self.reads, self.dtype = column, reads, column.dtype

    def __len__(self):
        return len(self.column)

    def __getitem__(self, places):
        found = self.column[places]
        self.reads.append(np.size(found))
        return found


def counted(predictions):
    """An evaluation of so many predictions over 12 concepts whose columns count, and what they
    count."""
    made = generate_dataset(Size(predictions // 60, 12, predictions // 8, predictions))
    evaluation, reads = precompute(columns_of(made)), []
    table = evaluation.predictions
    watched = table.replace(
        **{name: Counting(getattr(table, name), reads) for name in ("score", "image", "order")}
    )
    return replace(evaluation, predictions=watched), reads


@pytest.fixture(scope="module")
def sizes():
    return {number: counted(number) for number in (6_000, 96_000)}


@pytest.mark.parametrize("tab", ["all", "matched", "missing"])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_page_cost_is_independent_of_the_gallery_size(sizes, tab, share):
    columns, page_length = 3, 50
    for evaluation, reads in sizes.values():
        selection = TabSelection(evaluation, tab, VALIDATION, None, evaluation.optimal_thresholds)
        reads.clear()
        rows = selection.page(int(share * (selection.total - page_length)), page_length)
        assert len(rows) == page_length
        candidates = MAX_CANDIDATES * len(evaluation.concepts) + page_length
        assert 0 < sum(reads) <= columns * candidates


def test_jump_to_the_threshold_uses_binary_search(sizes):
    for evaluation, reads in sizes.values():
        thresholds = evaluation.optimal_thresholds.copy()
        thresholds[0] = 0.31
        reads.clear()
        assert TabSelection(evaluation, "all", VALIDATION, 0, thresholds).threshold_position > 0
        assert 0 < sum(reads) <= 3 * np.log2(STRIDE) + 3


def test_counts_at_a_new_threshold_update_only_its_concept(sizes):
    evaluation, reads = sizes[96_000]
    before = count_outcomes(evaluation, VALIDATION, evaluation.optimal_thresholds)
    thresholds = evaluation.optimal_thresholds.copy()
    thresholds[3] = 0.9
    reads.clear()
    after = count_outcomes(evaluation, VALIDATION, thresholds)
    assert sum(reads) <= 3 * (np.log2(STRIDE) + 1)
    assert (np.delete(after.above_threshold, 3) == np.delete(before.above_threshold, 3)).all()
    assert after.above_threshold[3] != before.above_threshold[3]
