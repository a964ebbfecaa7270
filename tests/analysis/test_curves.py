"""Curves, calibration, confusion and objectives against scikit-learn and against counting by
hand."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, precision_recall_curve

from pellucid.analysis.calibration import bin_calibration, measure_calibration
from pellucid.analysis.confusion import build_confusion_matrix, order_by_confusion
from pellucid.analysis.curves import build_curve, curve_at_thresholds
from pellucid.browse.selection import TabSelection
from pellucid.evaluation.error_causes import CAUSES, false_negative_causes, false_positive_causes
from pellucid.evaluation.errors import InvalidObjectiveError
from pellucid.evaluation.objectives import Objective, optimize_objective, parse_objective
from pellucid.evaluation.thresholds import ScoredPredictions
from references.cases import cases
from references.columns import evaluated


@given(
    case=st.sampled_from(["detection", "tagging", "classification"]).flatmap(cases), data=st.data()
)
def test_curve_counts_equal_the_tabs(case, data):
    evaluation = evaluated(case)
    concept = data.draw(st.one_of(st.none(), st.integers(0, len(evaluation.concepts) - 1)))
    value = data.draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, 2.0]))
    held = np.full(len(evaluation.concepts), value)
    found = curve_at_thresholds(evaluation, 1, concept, np.array([value]))
    tabs = {
        tab: TabSelection(evaluation, tab, 1, concept, held).total
        for tab in ("matched", "missing", "extra")
    }
    assert (int(found.tp[0]), int(found.fp[0]), int(found.fn[0])) == (
        tabs["matched"],
        tabs["missing"],
        tabs["extra"],
    )
    drawn = build_curve(evaluation, 1, concept)
    assert (np.diff(drawn.threshold) > 0).all()
    assert (np.diff(drawn.tp) <= 0).all()
    assert (np.diff(drawn.fp) <= 0).all()


@given(
    case=st.sampled_from(["detection", "tagging", "classification"]).flatmap(cases),
    value=st.sampled_from([0.0, 0.3, 0.5, 0.9]),
)
def test_confusion_matrix_sums_equal_annotations_and_predictions(case, value):
    evaluation = evaluated(case)
    held = np.full(len(evaluation.concepts), value)
    found = build_confusion_matrix(evaluation, 1, held)
    side = len(evaluation.concepts) + 1
    matrix = np.zeros((side, side), int)
    annotated, predicted, number = found.cells(evaluation)
    matrix[annotated, predicted] = number
    at = curve_of_each(evaluation, held)
    assert matrix[:-1].sum(axis=1).tolist() == [tp + fn for tp, _, fn in at]
    assert matrix[:, :-1].sum(axis=0).tolist() == [tp + fp for tp, fp, _ in at]
    assert np.diagonal(matrix)[:-1].tolist() == [tp for tp, _, _ in at]
    order = order_by_confusion(len(evaluation.concepts), annotated, predicted, number)
    assert sorted(order.tolist()) == list(range(len(evaluation.concepts)))


def curve_of_each(evaluation, held):
    found = [
        curve_at_thresholds(evaluation, 1, place, held[[place]])
        for place in range(len(evaluation.concepts))
    ]
    return [(int(one.tp[0]), int(one.fp[0]), int(one.fn[0])) for one in found]


@given(
    case=st.sampled_from(["detection", "tagging", "classification"]).flatmap(cases),
    value=st.sampled_from([0.0, 0.3, 0.5, 0.9]),
)
def test_causes_of_single_items_equal_the_totals(case, value):
    evaluation = evaluated(case)
    held = np.full(len(evaluation.concepts), value)
    for tab, work in (("extra", false_negative_causes), ("missing", false_positive_causes)):
        rows = TabSelection(evaluation, tab, 1, None, held).all_rows()
        together = work(evaluation, rows, held).tolist()
        assert together == [work(evaluation, rows[[place]], held)[0] for place in range(len(rows))]
        assert all(0 <= one < len(CAUSES) for one in together)


def test_confused_concepts_are_adjacent():
    """Two families of concepts, listed in turns; within each all are mixed up, the last is in
    neither."""
    pairs = [
        (one, other)
        for one in range(10)
        for other in range(10)
        if one != other and one % 2 == other % 2
    ]
    order = order_by_confusion(
        11, *(np.array(side) for side in zip(*pairs, strict=True)), np.full(len(pairs), 3)
    ).tolist()
    assert {one % 2 for one in order[:5]} in ({0}, {1})
    assert order[-1] == 10


@given(score=st.lists(st.floats(0, 1), min_size=1, max_size=60), data=st.data())
def test_calibration_equals_scikit_learn(score, data):
    right = np.array(data.draw(st.lists(st.booleans(), min_size=len(score), max_size=len(score))))
    score = np.array(score)
    found = bin_calibration(score, right.astype(float), 10)
    inside = np.minimum((score * 10 + 1e-12).astype(int), 9)
    if (
        len(set(right)) == 2
        and (np.searchsorted(found.edges, score, side="right") - 1).clip(0, 9).tolist()
        == inside.tolist()
    ):
        share, mean = calibration_curve(right, score, n_bins=10)
        known = found.prediction_counts > 0
        if np.isin(score, found.edges[1:-1]).sum() == 0:
            assert found.match_rate[known] == pytest.approx(share)
            assert found.mean_score[known] == pytest.approx(mean)
    by_hand = sum(
        abs((right[bin_] - score[bin_]).sum())
        for bin_ in (found_in(found.edges, score, place) for place in range(10))
    )
    assert found.error == pytest.approx(by_hand / len(score))


def found_in(edges, score, place):
    top = score <= edges[place + 1] if place == len(edges) - 2 else score < edges[place + 1]
    return (score >= edges[place]) & top


def sweep(counted):
    cuts = sorted({*counted.score.tolist()}, reverse=True)
    for cut in [np.inf, *cuts]:
        over = counted.score >= cut
        yield int((over & counted.is_match).sum()), int((over & ~counted.is_match).sum())


@st.composite
def counted(draw):
    score = sorted(
        draw(st.lists(st.sampled_from([0.1, 0.2, 0.5, 0.7, 0.9]), min_size=1, max_size=12)),
        reverse=True,
    )
    right = draw(st.lists(st.booleans(), min_size=len(score), max_size=len(score)))
    return ScoredPredictions(np.array(score), np.array(right), sum(right) + draw(st.integers(0, 3)))


@given(one=counted())
def test_objectives_are_optimal_over_all_thresholds(one):
    found = optimize_objective(one, Objective("f1"))
    f1 = [2 * tp / max(1e-12, tp + fp + one.annotation_count) for tp, fp in sweep(one)]
    assert 2 * found.tp / max(1e-12, found.tp + found.fp + one.annotation_count) == pytest.approx(
        max(f1)
    )
    found = optimize_objective(one, Objective("cost", false_positive_cost=1, false_negative_cost=3))
    assert found.fp + 3 * found.fn == min(
        fp + 3 * (one.annotation_count - tp) for tp, fp in sweep(one)
    )
    found = optimize_objective(one, Objective("precision", minimum=0.75))
    able = [tp for tp, fp in sweep(one) if tp + fp and tp / (tp + fp) >= 0.75]
    assert (found is None) == (not able)
    assert found is None or (found.tp == max(able) and found.tp / (found.tp + found.fp) >= 0.75)
    found = optimize_objective(one, Objective("recall", minimum=0.6))
    able = [tp / max(1, tp + fp) for tp, fp in sweep(one) if tp >= 0.6 * one.annotation_count]
    assert (found is None) == (not able)
    assert found is None or (
        found.tp >= 0.6 * one.annotation_count
        and found.tp / max(1, found.tp + found.fp) == pytest.approx(max(able))
    )
    for found in (
        optimize_objective(one, Objective("f1")),
        optimize_objective(one, Objective("cost", false_negative_cost=2)),
    ):
        assert int(((one.score >= found.value) & one.is_match).sum()) == found.tp
        assert found.errors == found.fp + found.fn


@pytest.mark.parametrize(
    "words",
    ["", "best", "precision", "precision:2", "recall:x", "cost:1", "cost:0,0", "cost:-1,2", "f1:3"],
)
def test_unknown_objective_is_refused(words):
    with pytest.raises(InvalidObjectiveError, match="Expected one of: errors, f1"):
        parse_objective(words)


def rows(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.shared
def test_precision_and_recall_of_tags_equal_scikit_learn(shared, workspace):
    folder = shared / "coco256" / "multilabel"
    view, _ = workspace.add("tags", folder / "labels_onehot.csv")
    version = view.start("v")
    version.add_predictions(folder / "pred_v2_max_score_mb3-centernet.csv")
    truth, said = (
        rows(folder / "labels_onehot.csv"),
        rows(folder / "pred_v2_max_score_mb3-centernet.csv"),
    )
    for place, name in enumerate(version.evaluation.concepts):
        right = np.array([int(row[name]) for row in truth])
        score = np.array([float(row[name]) for row in said])
        precision, recall, cuts = precision_recall_curve(right, score)
        found = curve_at_thresholds(version.evaluation, 1, place, cuts)
        assert found.precision == pytest.approx(precision[:-1])
        assert found.recall == pytest.approx(recall[:-1])
        share, mean = calibration_curve(right, score, n_bins=15)
        ours = measure_calibration(version.evaluation, 1, place)
        if not np.isin(score, ours.edges[1:-1]).any():
            assert ours.match_rate[ours.prediction_counts > 0] == pytest.approx(share)
            assert ours.mean_score[ours.prediction_counts > 0] == pytest.approx(mean)


@pytest.mark.shared
def test_confusion_of_flowers_equals_scikit_learn(shared, workspace):
    folder = shared / "flowers5"
    view, _ = workspace.add("flowers", folder / "labels.csv")
    version = view.start("v")
    version.add_predictions(folder / "pred_v1_colorhist_rf.csv")
    scores = {row["image"]: row for row in rows(folder / "pred_v1_colorhist_rf.csv")}
    concepts = list(version.evaluation.concepts)
    truth, decided = [], []
    for row in rows(folder / "labels.csv"):
        if "validation".startswith(row["split"]):
            best = max(
                concepts,
                key=lambda name, row=row: (
                    float(scores[row["image"]][f"p_{name}"]),
                    -concepts.index(name),
                ),
            )
            truth.append(row["label"])
            decided.append(
                best
                if float(scores[row["image"]][f"p_{best}"]) >= version.thresholds[best].value
                else "none"
            )
    assert truth
    expected = confusion_matrix(truth, decided, labels=[*concepts, "none"])
    assert version.results().confusion("validation").tolist() == expected.tolist()
