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
from pellucid.review.apply import EditableLabel, apply_decision, apply_decisions
from pellucid.review.errors import InvalidDecisionError
from pellucid.review.events import LABEL_VALUES, Decision, DecisionLog, Label, draft_decision
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
        decision = draft_decision(
            found.action,
            image="x",
            concept=found.concept,
            side=found.side,
            box=found.box,
            before=found.before,
            after=found.after,
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
    decision = draft_decision(
        found.action,
        image="x",
        concept=found.concept,
        side=found.side,
        before=found.before,
        after=found.after,
    )
    assert stated(applied(evaluation, [(asked.image, decision)])[0], asked) == "negative"


NEAR, FAR = (0.0, 0.0, 4.0, 4.0), (50.0, 50.0, 4.0, 4.0)
EDITS = {
    "replaced": (["a"], ["a"], ["b"], True, ["b"]),
    "already replaced": (["b"], ["a"], ["b"], True, ["b"]),
    "gone, and nothing in its place": ([], ["a"], ["b"], False, []),
    "partly in its place": (["b"], ["a"], ["b", "c"], False, ["b"]),
    "removed": (["a", "b"], ["a"], [], True, ["b"]),
    "already removed": (["b"], ["a"], [], True, ["b"]),
    "added": ([], [], ["a"], True, ["a"]),
    "already added": (["a"], [], ["a"], True, ["a"]),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_applies_once_and_to_what_is_there(name):
    """False: neither the annotation to edit nor its replacement exists."""
    present, before, after, applies, expected = EDITS[name]
    indexes = {"a": 0, "b": 1, "c": 2}
    labels = [EditableLabel(indexes[concept], NEAR, "positive", -1) for concept in present]
    elsewhere = [EditableLabel(indexes["a"], FAR, "positive", 9)]
    labels += elsewhere
    decision = draft_decision(
        "remove" if before and not after else "change" if before else "add",
        before=tuple(Label(concept, NEAR) for concept in before),
        after=tuple(Label(concept, NEAR) for concept in after),
    )
    assert apply_decision("detection", indexes, labels, decision, False) == applies
    names = {index: concept for concept, index in indexes.items()}
    assert [names[one.concept] for one in labels if one.box == NEAR] == expected
    assert [one for one in labels if one.box == FAR] == elsewhere
