"""After a change, results equal those computed from scratch."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.browse.selection import TABS, TabSelection
from pellucid.core.tables import empty_annotation_table
from pellucid.evaluation.incremental import rematch, replace_annotations
from references.cases import cases
from references.columns import evaluated


@given(case=cases("detection"), iou=st.sampled_from([0.1, 0.5, 0.9, 1.0]))
def test_another_iou(case, iou):
    assert_same(rematch(evaluated(case), iou), evaluated(replace(case, iou=iou)))


@pytest.mark.parametrize("kind", ["classification", "tagging", "detection"])
def test_corrected_images(kind):
    @given(case=cases(kind), data=st.data())
    def holds(case, data):
        chosen = data.draw(st.lists(st.sampled_from(sorted(case.images)), unique=True))
        touched = [note for note in case.annotations if note["image"] in chosen]
        kept = data.draw(st.lists(st.sampled_from(touched), unique_by=id)) if touched else []
        rest = [note for note in case.annotations if note["image"] not in chosen]
        expected = evaluated(replace(case, annotations=rest + kept))
        before = evaluated(case)
        rows = np.array([sorted(case.images).index(path) for path in chosen], np.int64)
        new = (
            expected.annotations.take(slice(len(rest), None))
            if kept
            else empty_annotation_table(kind == "detection")
        )
        assert_same(replace_annotations(before, rows, new), expected)

    holds()


def assert_same(one, other):
    for name in ("state", "partner", "iou", "matched_by", "same_concept_prediction"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)
    assert one.thresholds == other.thresholds
    for tab in TABS:
        for split in range(3):
            ours, theirs = (
                TabSelection(each, tab, split, None, each.optimal_thresholds)
                for each in (one, other)
            )
            assert ours.page(0, 100).tolist() == theirs.page(0, 100).tolist()
