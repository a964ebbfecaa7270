"""A list without some of its items is the whole list, filtered; in every tab, kind, direction
and at any thresholds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.browse.list_views import (
    FilteredView,
    OrderedView,
    selection_mask,
    sort_selection_rows,
)
from pellucid.browse.selection import TABS, TabSelection
from pellucid.core.tables import KINDS, SPLITS
from references.cases import SCORE, cases
from references.columns import evaluated


@pytest.mark.parametrize("at_once", [0, 8])
@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("kind", KINDS)
def test_excluded_items_are_removed_and_others_keep_their_order(kind, tab, at_once, monkeypatch):
    monkeypatch.setattr("pellucid.browse.list_views.SCAN_LIMIT", at_once)

    @given(data=st.data())
    def holds(data):
        evaluation = evaluated(data.draw(cases(kind)))
        thresholds = np.array([data.draw(SCORE) for _ in evaluation.concepts])
        concept = data.draw(st.sampled_from([None, *range(len(evaluation.concepts))]))
        selection = TabSelection(
            evaluation,
            tab,
            data.draw(st.integers(0, 2)),
            concept,
            thresholds,
            data.draw(st.booleans()),
        )
        rows = selection.page(0, 1000).tolist()
        left_out = data.draw(st.sets(st.sampled_from(rows))) if rows else set()
        tail = data.draw(st.sets(st.sampled_from(sorted(left_out)))) if left_out else set()
        gone, last = (
            np.array(sorted(left_out), np.int64),
            sort_selection_rows(selection, np.array(sorted(tail), np.int64)),
        )
        expected = [row for row in rows if row not in left_out] + [
            row for row in rows if row in tail
        ]
        part = FilteredView(selection, gone, last)
        assert part.total == len(expected)
        offset, limit = data.draw(st.integers(0, 12)), data.draw(st.integers(0, 12))
        assert part.page(offset, limit).tolist() == expected[offset : offset + limit]
        assert part.page(0, 1000).tolist() == expected
        if tab == "all":
            before = rows[: selection.threshold_position]
            assert part.threshold_position == len([row for row in before if row not in left_out])
        listed = OrderedView(selection, np.array(expected, np.int64))
        assert (listed.total, listed.page(offset, limit).tolist()) == (
            len(expected),
            expected[offset : offset + limit],
        )

    holds()


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("kind", KINDS)
def test_contains_equals_list_membership(kind, tab):
    @given(data=st.data())
    def holds(data):
        evaluation = evaluated(data.draw(cases(kind)))
        thresholds = np.array([data.draw(SCORE) for _ in evaluation.concepts])
        for split in range(len(SPLITS)):
            for concept in [None, *range(len(evaluation.concepts))]:
                selection = TabSelection(evaluation, tab, split, concept, thresholds)
                table = evaluation.annotations if tab == "extra" else evaluation.predictions
                every = np.arange(len(table))
                assert set(every[selection_mask(selection, every)].tolist()) == set(
                    selection.page(0, 1000).tolist()
                )

    holds()
