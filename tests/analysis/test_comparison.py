"""Two versions compared equals comparing them unit by unit, by the words of the definition."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from pellucid.analysis.comparison import (
    BOTH_RIGHT,
    BROKEN,
    FIXED,
    STILL_WRONG,
    compare_evaluations,
    mcnemar_p_value,
)
from pellucid.browse.items import gallery_items
from pellucid.browse.selection import TabSelection
from pellucid.core.tables import KINDS, SPLITS
from references.cases import SCORE, cases, guesses
from references.columns import evaluated
from references.plain import overlap as iou


@st.composite
def pairs(draw, kind):
    """Two versions of one view: other predictions, other coverage, some images and annotations
    of the one alone."""
    case = draw(cases(kind))
    images = {
        path: {**facts, "covered": draw(st.booleans()) or facts["covered"]}
        for path, facts in case.images.items()
        if draw(st.integers(0, 5))
    }
    annotations = [
        note for note in case.annotations if note["image"] in images and draw(st.integers(0, 6))
    ]
    if kind == "classification":
        for path, facts in images.items():
            facts["stated"] = (
                "closed" if any(note["image"] == path for note in annotations) else "none"
            )
    other = replace(
        case,
        images=images,
        annotations=annotations,
        predictions=draw(
            guesses(kind, case.concepts, [path for path in images if images[path]["covered"]])
        ),
    )
    return evaluated(case), evaluated(other)


def tab(evaluation, name, split, thresholds):
    return gallery_items(TabSelection(evaluation, name, split, None, thresholds), 0, 1000)


def listed(found):
    """Items by what they are; equal ones apart."""
    seen = {}
    for one in found:
        key = one.image, one.concept, one.box
        seen[key] = seen.get(key, 0) + 1
    return [(*key, nth) for key, number in seen.items() for nth in range(number)]


@pytest.mark.parametrize("kind", ["detection", "classification"])
def test_annotations_are_compared_one_by_one(kind):
    @given(data=st.data())
    def holds(data):
        a, b = data.draw(pairs(kind))
        at = [np.array([data.draw(SCORE) for _ in one.concepts]) for one in (a, b)]
        for split in range(len(SPLITS)):
            common = {path for path in a.images.path if path in set(b.images.path)}
            common = {path for path in common if all(run(one, path, split) for one in (a, b))}
            extra = [
                listed([item for item in tab(one, "extra", split, own) if item.image in common])
                for one, own in zip((a, b), at, strict=True)
            ]
            notes = [annotated(one, common) for one in (a, b)]
            found = compare_evaluations(a, b, split, *at)
            number = {
                kind: int((found.units.outcome == kind).sum())
                for kind in (BOTH_RIGHT, FIXED, BROKEN, STILL_WRONG)
            }
            both = notes[0] & notes[1]
            assert sum(number.values()) == len(both)
            if kind == "classification" or not has_twins(notes):
                wrong = [set(extra[side]) & both for side in (0, 1)]
                assert number == {
                    FIXED: len(wrong[0] - wrong[1]),
                    BROKEN: len(wrong[1] - wrong[0]),
                    STILL_WRONG: len(wrong[0] & wrong[1]),
                    BOTH_RIGHT: len(both - wrong[0] - wrong[1]),
                }
            missing = [
                [item for item in tab(one, "missing", split, own) if item.image in common]
                for one, own in zip((a, b), at, strict=True)
            ]
            assert len(found.removed.prediction_rows) == alone(
                missing[0], missing[1], a.iou_threshold
            )
            assert len(found.added.prediction_rows) == alone(
                missing[1], missing[0], b.iou_threshold
            )

    holds()


def run(evaluation, path, split):
    row = evaluation.images.path.tolist().index(path)
    return evaluation.coverage[row] != 0 and evaluation.images.split[row] == split


def annotated(evaluation, common):
    table = evaluation.annotations
    keep = [
        row
        for row in range(len(table))
        if table.positive[row]
        and not table.ignore[row]
        and evaluation.images.path[table.image[row]] in common
    ]
    found, seen = set(), {}
    for row in keep:
        box = None if table.box is None else tuple(table.box[row].tolist())
        key = evaluation.images.path[table.image[row]], evaluation.concepts[table.concept[row]], box
        found.add((*key, seen.get(key, 0)))
        seen[key] = seen.get(key, 0) + 1
    return found


def has_twins(notes):
    return any(one[-1] for several in notes for one in several)


def alone(ours, theirs, least):
    def again(item):
        return any(
            (item.image, item.concept) == (one.image, one.concept)
            and (item.box == one.box or iou(item.box, one.box) >= least)
            for one in theirs
        )

    return sum(not again(item) for item in ours)


@given(data=st.data())
def test_tags_are_compared_present_and_absent(data):
    a, b = data.draw(pairs("tagging"))
    at = [np.array([data.draw(SCORE) for _ in one.concepts]) for one in (a, b)]
    for split in range(len(SPLITS)):
        number = dict.fromkeys((BOTH_RIGHT, FIXED, BROKEN, STILL_WRONG), 0)
        for path in set(a.images.path) & set(b.images.path):
            if not all(run(one, path, split) for one in (a, b)):
                continue
            for concept in set(a.concepts) & set(b.concepts):
                (said_a, right_a), (said_b, right_b) = (
                    tag(one, path, concept, own) for one, own in zip((a, b), at, strict=True)
                )
                if said_a is not None and said_a == said_b:
                    number[
                        BOTH_RIGHT
                        if right_a and right_b
                        else BROKEN
                        if right_a
                        else FIXED
                        if right_b
                        else STILL_WRONG
                    ] += 1
        found = compare_evaluations(a, b, split, *at)
        assert {kind: int((found.units.outcome == kind).sum()) for kind in number} == number


def tag(evaluation, path, concept, thresholds):
    """What is stated of a tag (None: unknown), and whether the version says the same."""
    image, place = evaluation.images.path.tolist().index(path), evaluation.concepts.index(concept)
    notes, table = evaluation.annotations, evaluation.predictions
    own = [
        row
        for row in range(len(notes))
        if notes.image[row] == image and notes.concept[row] == place
    ]
    stated = (
        (False if evaluation.images.stated[image] == 1 else None)
        if not own
        else None
        if notes.ignore[own[0]]
        else bool(notes.positive[own[0]])
    )
    said = any(
        table.image[row] == image
        and table.concept[row] == place
        and table.score[row] >= thresholds[place]
        for row in range(len(table))
    )
    return stated, said == stated


@given(fixed=st.integers(0, 400), broken=st.integers(0, 400))
def test_mcnemar_equals_the_exact_binomial_test(fixed, broken):
    expected = binomtest(fixed, fixed + broken).pvalue if fixed + broken else 1.0
    assert mcnemar_p_value(fixed, broken) == pytest.approx(expected, rel=1e-9)
    assert mcnemar_p_value(fixed, broken) == mcnemar_p_value(broken, fixed)
    assert 0 < mcnemar_p_value(100_000, 100_500) < 1


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_version_equals_itself(kind, data):
    evaluation = evaluated(data.draw(cases(kind)))
    for split in range(len(SPLITS)):
        found = compare_evaluations(
            evaluation,
            evaluation,
            split,
            evaluation.optimal_thresholds,
            evaluation.optimal_thresholds,
        )
        assert set(found.units.outcome.tolist()) <= {BOTH_RIGHT, STILL_WRONG}
        assert (
            len(found.removed.prediction_rows),
            len(found.added.prediction_rows),
            found.mismatch_count,
        ) == (0, 0, 0)
