"""Deciding on the items of any case does what the words say, can be turned round, and done
twice is done once."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pellucid.browse.items import gallery_items
from pellucid.browse.selection import TABS, TabSelection
from pellucid.core.tables import EXHAUSTIVE, KINDS, empty_annotation_table
from pellucid.evaluation.error_causes import ImageRows
from pellucid.evaluation.match_result import IGNORED
from pellucid.review.apply import apply_decisions
from pellucid.review.errors import InvalidDecisionError
from pellucid.review.events import LABEL_VALUES, Decision, DecisionLog
from pellucid.review.resolve import Edit, TargetItem, resolve
from references.cases import BOX, cases
from references.columns import evaluated


def facts(annotations, concepts):
    """Annotations of images as a sorted list of what is said."""
    boxes = (
        [None] * len(annotations)
        if annotations.box is None
        else [tuple(box) for box in annotations.box.tolist()]
    )
    return sorted(
        (int(image), concepts[concept], box, bool(ignore), bool(positive))
        for image, concept, box, ignore, positive in zip(
            annotations.image,
            annotations.concept,
            boxes,
            annotations.ignore,
            annotations.positive,
            strict=True,
        )
    )


def applied(evaluation, decisions):
    """The whole table after mending, and what is known of the images."""
    found = apply_decisions(
        evaluation.kind,
        evaluation.concepts,
        evaluation.images,
        evaluation.annotations,
        decisions,
        new_concepts=False,
    )
    stay = ~np.isin(evaluation.annotations.image, found.images)
    kept = evaluation.annotations.take(stay)
    table = (
        kept.concat(found.annotations)
        if len(kept) or len(found.annotations)
        else empty_annotation_table(evaluation.kind == "detection")
    )
    stated = evaluation.images.stated.copy()
    stated[found.images] = found.completeness
    return replace(
        evaluation, annotations=table, images=evaluation.images.replace(stated=stated)
    ), found


@st.composite
def verdicts(draw, kind):
    """A case, and one verdict on an item of one of its tabs."""
    evaluation = evaluated(draw(cases(kind)))
    thresholds = np.full(len(evaluation.concepts), 0.4)
    shown = [
        (tab, item)
        for tab in TABS
        for split in range(3)
        for item in gallery_items(TabSelection(evaluation, tab, split, None, thresholds), 0, 100)
    ]
    assume(shown)
    tab, item = draw(st.sampled_from(shown))
    change = Edit()
    if draw(st.booleans()):
        change = Edit(
            concept=draw(st.sampled_from([None, *evaluation.concepts]))
            if kind != "tagging"
            else None,
            box=draw(st.none() | BOX.filter(lambda box: box[2] > 0))
            if kind == "detection"
            else None,
            value=draw(st.sampled_from([None, *LABEL_VALUES])) if kind == "tagging" else None,
        )
    image = evaluation.images.path.tolist().index(item.image)
    asked = TargetItem(
        image, item.concept, "annotated" if tab == "extra" else "predicted", item.box
    )
    return evaluation, asked, draw(st.sampled_from(["wrong", "right", "unsure"])), change


@pytest.mark.parametrize("kind", KINDS)
def test_verdict_corrects_only_its_item(kind):
    @given(data=st.data())
    def holds(data):
        evaluation, asked, verdict, change = data.draw(verdicts(kind))
        try:
            found = resolve(evaluation, ImageRows(evaluation), asked, verdict, change)
        except InvalidDecisionError:
            return
        decision = Decision(
            1,
            "",
            "Ann",
            "b",
            found.action,
            "x",
            "",
            "",
            found.concept,
            found.side,
            found.box,
            found.before,
            found.after,
        )
        mended, result = applied(evaluation, [(asked.image, decision)])
        before, after = (
            facts(one.annotations, evaluation.concepts) for one in (evaluation, mended)
        )
        assert result.unapplied_ids == []
        assert [one for one in before if one[0] != asked.image] == [
            one for one in after if one[0] != asked.image
        ]
        if verdict != "wrong":
            assert after == before
            return
        gone, come = list(before), list(after)
        for one in before:
            if one in come:
                come.remove(one)
                gone.remove(one)
        if kind == "classification":
            assert [one[1] for one in after if one[0] == asked.image] == [
                mark.concept for mark in found.after
            ]
        elif kind == "tagging":
            assert {one[1] for one in gone + come} <= {asked.concept}
            assert stated(mended, asked) == found.after[0].value
        else:
            assert len(gone) <= len(found.before)
            assert len(come) <= len(found.after)
            for mark in found.after:
                assert any(
                    one[:3] == (asked.image, mark.concept, mark.box) for one in after
                ) or overlapping(before, asked.image, mark)
            assert all(not one[3] for one in gone), "ignored regions stay"
        again, _ = applied(mended, [(asked.image, decision)])
        twins = (
            sum(one[:3] == (asked.image, asked.concept, asked.box) for one in before) > 1
        )  # of two equal ones it takes the other then
        if found.action != "remove" and not twins:
            assert facts(again.annotations, evaluation.concepts) == after

    holds()


def stated(evaluation, asked):
    for row in range(len(evaluation.annotations)):
        if (
            evaluation.annotations.image[row] == asked.image
            and evaluation.concepts[evaluation.annotations.concept[row]] == asked.concept
        ):
            return (
                "unknown"
                if evaluation.annotations.ignore[row]
                else "positive"
                if evaluation.annotations.positive[row]
                else "negative"
            )
    return "negative" if evaluation.images.stated[asked.image] == EXHAUSTIVE else "unknown"


def overlapping(before, image, mark):
    """An annotation that is as good as the one to be added is there already."""

    def iou(one, other):
        across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
        down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
        both = max(0, across) * max(0, down)
        return both / (one[2] * one[3] + other[2] * other[3] - both)

    return any(
        one[0] == image and one[1] == mark.concept and not one[3] and iou(one[2], mark.box) >= 0.9
        for one in before
    )


def test_last_verdict_on_an_item_applies():
    ledger = DecisionLog("detection")
    facts_of = {"image": "a", "concept": "dent", "side": "annotated", "box": (0.0, 0.0, 4.0, 4.0)}
    ledger.append(
        [
            Decision(1, "", "Ann", "b1", "remove", **facts_of),
            Decision(2, "", "Bo", "b2", "confirm", **facts_of),
        ]
    )
    assert [one.id for one in ledger.current_decisions()] == [2]


@given(data=st.data())
def test_ignored_items_of_tagging_become_known(data):
    evaluation = evaluated(data.draw(cases("tagging")))
    unknown = np.flatnonzero(evaluation.state == IGNORED)
    assume(len(unknown))
    row = int(data.draw(st.sampled_from(unknown.tolist())))
    asked = TargetItem(
        int(evaluation.predictions.image[row]),
        evaluation.concepts[evaluation.predictions.concept[row]],
        "predicted",
    )
    found = resolve(evaluation, ImageRows(evaluation), asked, "wrong", Edit(value="negative"))
    decision = Decision(
        1,
        "",
        "Ann",
        "b",
        found.action,
        "x",
        "",
        "",
        found.concept,
        found.side,
        None,
        found.before,
        found.after,
    )
    assert stated(applied(evaluation, [(asked.image, decision)])[0], asked) == "negative"
