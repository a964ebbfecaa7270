"""Matching, thresholds, tabs and causes equal plain loops written from the definition, on
thousands of small cases."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.browse.items import gallery_items
from pellucid.browse.selection import TABS, TabSelection
from pellucid.core.tables import KINDS, SPLITS
from pellucid.evaluation.counts import count_outcomes, histogram
from pellucid.evaluation.thresholds import threshold_including
from references import plain
from references.cases import SCORE, cases
from references.columns import evaluated

kinds = pytest.mark.parametrize("kind", KINDS)


def shown(item):
    """An item of Pellucid as the oracle writes it."""
    near = item.best_match and {"iou": item.best_match.iou, "score": item.best_match.score}
    return {
        "image": item.image,
        "concept": item.concept,
        "score": item.score,
        "box": item.box,
        "outcome": item.outcome,
        "iou": item.iou,
        "best_match": near,
        "cause": item.cause,
    }


@kinds
@given(data=st.data())
def test_thresholds_are_the_lowest_with_the_fewest_errors(kind, data):
    case = plain.understand(data.draw(cases(kind)))
    evaluation = evaluated(case)
    expected = plain.thresholds(case)
    for concept, threshold in zip(case.concepts, evaluation.thresholds, strict=True):
        value, source = expected[concept]
        assert (threshold.value, threshold.source) == (value, source)
        assert (threshold.tp, threshold.fp, threshold.fn) == plain.confusion(
            case, "validation", concept, value
        )
        assert threshold.errors == threshold.fp + threshold.fn
        assert threshold.annotations == len(plain.answerable(case, "validation", concept))


@given(cuts=st.lists(SCORE, min_size=1, max_size=8))
def test_threshold_between_adjacent_floats_includes_only_the_upper(cuts):
    scores = sorted({one for cut in cuts for one in (cut, math.nextafter(cut, 2))}, reverse=True)
    for included in range(1, len(scores) + 1):
        value = threshold_including(np.array(scores), included)
        assert [score >= value for score in scores] == [
            place < included for place in range(len(scores))
        ]


@kinds
@given(data=st.data())
def test_matches_equal_the_oracle(kind, data):
    case = plain.understand(data.draw(cases(kind)))
    evaluation = evaluated(case)
    for row, p in enumerate(evaluation.predictions.order.tolist()):
        partner = case.matched.get(p, case.absorbed.get(p, -1))
        assert evaluation.partner[row] == partner
    answers = {
        a: int(evaluation.predictions.order[row])
        for a, row in enumerate(evaluation.matched_by)
        if row >= 0
    }
    assert answers == {a: p for p, a in case.matched.items()}


@kinds
@given(data=st.data())
def test_every_equally_good_threshold_has_the_fewest_errors(kind, data):
    case = plain.understand(data.draw(cases(kind)))
    for concept, threshold in zip(case.concepts, evaluated(case).thresholds, strict=True):
        low, high = threshold.equally_good
        assert low <= threshold.value <= high
        if threshold.source == "validation":
            for value in (low, high, data.draw(st.floats(low, high))):
                assert plain.errors(case, [concept], value) == threshold.errors


@kinds
@pytest.mark.parametrize("tab", TABS)
@given(data=st.data())
def test_tabs_equal_the_oracle(kind, tab, data):
    case = plain.understand(data.draw(cases(kind)))
    evaluation = evaluated(case)
    at = {
        concept: data.draw(SCORE) if data.draw(st.booleans()) else value
        for concept, (value, _) in plain.thresholds(case).items()
    }
    split = data.draw(st.sampled_from(SPLITS))
    concept = data.draw(st.sampled_from([None, *case.concepts]))
    reverse = data.draw(st.booleans())
    values = np.array([at[name] for name in case.concepts])
    place = None if concept is None else case.concepts.index(concept)
    selection = TabSelection(evaluation, tab, SPLITS.index(split), place, values, reverse)
    rows = plain.tab(case, tab, split, concept, at, reverse)
    expected = [plain.item(case, tab, row, at) for row in rows]
    assert selection.total == len(expected)
    offset, limit = data.draw(st.integers(0, 12)), data.draw(st.integers(0, 12))
    assert [shown(item) for item in gallery_items(selection, 0, 100)] == expected
    page = gallery_items(selection, offset, limit)
    assert [shown(item) for item in page] == expected[offset : offset + limit]
    assert [item.position for item in page] == list(range(offset, offset + len(page)))


@kinds
@given(data=st.data())
def test_threshold_position_is_the_first_item_below_it(kind, data):
    case = plain.understand(data.draw(cases(kind)))
    evaluation = evaluated(case)
    concept, value = data.draw(st.sampled_from([None, *case.concepts])), data.draw(SCORE)
    at = dict.fromkeys(case.concepts, value)
    place = None if concept is None else case.concepts.index(concept)
    selection = TabSelection(evaluation, "all", 1, place, np.full(len(case.concepts), value))
    scores = [
        case.predictions[row]["score"] for row in plain.tab(case, "all", "validation", concept, at)
    ]
    assert selection.threshold_position == next(
        (place for place, score in enumerate(scores) if score < value), len(scores)
    )
    backwards = TabSelection(
        evaluation, "all", 1, place, np.full(len(case.concepts), value), reverse=True
    )
    assert backwards.threshold_position == next(
        (place for place, score in enumerate(scores[::-1]) if score >= value), len(scores)
    )


@kinds
@given(data=st.data())
def test_counts_and_invariants_hold_at_every_threshold(kind, data):
    case = plain.understand(data.draw(cases(kind)))
    evaluation = evaluated(case)
    values = np.array([data.draw(SCORE) for _ in case.concepts])
    at = dict(zip(case.concepts, values, strict=True))
    for place, split in enumerate(SPLITS):
        counts = count_outcomes(evaluation, place, values)
        for number, concept in enumerate(case.concepts):
            sizes = {
                tab: TabSelection(evaluation, tab, place, number, values).total for tab in TABS
            }
            tp, fp, fn = plain.confusion(case, split, concept, at[concept])
            assert (counts.tp[number], counts.fp[number], counts.fn[number]) == (tp, fp, fn)
            assert (sizes["matched"], sizes["missing"], sizes["extra"]) == (tp, fp, fn)
            assert sizes["matched"] + sizes["extra"] == len(plain.answerable(case, split, concept))
            everything = plain.tab(case, "all", split, concept, at)
            assert counts.total[number] == sizes["all"] == len(everything)
            over = [p for p in everything if case.predictions[p]["score"] >= at[concept]]
            ignored = sum(plain.outcome(case, p, at) == "ignored" for p in over)
            takes_part = [p for p in over if p not in case.not_highest]
            assert sizes["matched"] + sizes["missing"] + ignored == len(takes_part)
            bars = histogram(evaluation, place, number, 7)
            assert bars.right.sum() + bars.wrong.sum() + bars.other.sum() == len(everything)


@kinds
@given(data=st.data())
def test_all_tab_is_independent_of_annotations(kind, data):
    case = plain.understand(data.draw(cases(kind)))
    values = np.zeros(len(case.concepts))
    before = [(one.image, one.concept, one.score) for one in whole(evaluated(case), values)]
    case.annotations.clear()
    after = [(one.image, one.concept, one.score) for one in whole(evaluated(case), values)]
    assert before == after


def whole(evaluation, values):
    return gallery_items(TabSelection(evaluation, "all", 1, None, values), 0, 100)


@given(data=st.data())
def test_a_lower_score_never_takes_an_annotation_from_a_higher_one(data):
    case = data.draw(cases("detection"))
    cut = data.draw(SCORE)
    full = plain.understand(case)
    fewer = [one for one in case.predictions if one["score"] >= cut]
    alone = evaluated(
        plain.Case("detection", case.concepts, case.images, case.annotations, fewer, case.iou)
    )
    matched = {
        (
            case.predictions[p]["image"],
            case.predictions[p]["concept"],
            case.predictions[p]["score"],
            a,
        )
        for p, a in full.matched.items()
        if case.predictions[p]["score"] >= cut
    }
    rows = np.flatnonzero(alone.matched_by >= 0)
    found = {
        (
            alone.images.path[alone.predictions.image[p]],
            alone.concepts[alone.predictions.concept[p]],
            alone.predictions.score[p],
            a,
        )
        for a, p in zip(rows.tolist(), alone.matched_by[rows].tolist(), strict=True)
    }
    assert found == matched
