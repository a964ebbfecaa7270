"""COCO's ten figures of keypoints, and the similarity behind them, equal pycocotools."""

import contextlib
import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pellucid
from pellucid.core.keypoints import StatedKeypoints
from pellucid.evaluation.object_keypoints import (
    build_column,
    count_visible,
    default_sigmas,
    mark_unlabelled,
    pairwise_oks,
    takes_one,
)
from pellucid.evaluation.similarity import pairwise_similarity
from references import keypoints as reference

NAMES = ["AP", "AP50", "AP75", "APm", "APl", "AR", "AR50", "AR75", "ARm", "ARl"]


def assert_close(ours, theirs):
    for our, their in zip(ours, theirs, strict=True):
        assert our == their if their is None else our == pytest.approx(their, abs=1e-9)


def is_judgeable(posed):
    return bool(posed.results) and bool(posed.document["annotations"])


@given(seed=st.integers(0, 2**32), with_boxes=st.booleans())
def test_figures_equal_pycocotools(seed, with_boxes):
    posed = reference.random_set(seed, with_boxes=with_boxes)
    if not is_judgeable(posed):
        return
    with tempfile.TemporaryDirectory() as folder:
        posed.write(Path(folder))
        figures = pellucid.coco_figures(Path(folder) / "gt.json", Path(folder) / "dt.json")
        version, _ = posed.version(Path(folder))
        coco = version.metrics("validation").overall.coco
    assert list(figures) == NAMES
    assert_close(figures.values(), reference.judged(posed))
    assert_close(coco.values(), figures.values())


@pytest.mark.slow
@given(seed=st.integers(0, 2**32), points=st.integers(1, 25))
def test_figures_of_other_points_equal_pycocotools(seed, points):
    """With the sigmas that the file states, and with ultralytics' where it states none."""
    posed = reference.random_set(seed, images=3, points=points)
    if not is_judgeable(posed):
        return
    sigmas = np.random.default_rng(seed).uniform(0.02, 0.2, points).round(4).tolist()
    for stated in (sigmas, None):
        for category in posed.document["categories"]:
            category.pop("sigmas", None)
            if stated:
                category["sigmas"] = stated
        expected = reference.judged(posed, stated or default_sigmas(points))
        figures = pellucid.coco_figures(posed.document, posed.results)
        assert_close(figures.values(), expected)


@given(seed=st.integers(0, 2**32))
def test_similarity_equals_pycocotools(seed):
    posed = reference.random_set(seed, images=2)
    if not is_judgeable(posed):
        return
    for (image, category), similarity in reference.similarities(posed).items():
        if not len(similarity):
            continue
        annotations = [
            annotation
            for annotation in posed.document["annotations"]
            if (annotation["image_id"], annotation["category_id"]) == (image, category)
        ]
        results = [
            result
            for result in posed.results
            if (result["image_id"], result["category_id"]) == (image, category)
        ]
        results.sort(key=lambda result: -result["score"])
        pairs = [(p, a) for p in range(len(similarity)) for a in range(len(annotations))]
        ours = pairwise_oks(
            column([results[p] for p, _ in pairs]),
            column([annotations[a] for _, a in pairs]),
            np.array([annotations[a]["bbox"] for _, a in pairs], float),
            np.array([annotations[a]["area"] for _, a in pairs], float),
        )
        np.testing.assert_allclose(ours, similarity.ravel(), rtol=0, atol=1e-12)


def column(objects):
    return build_column([StatedKeypoints(each["keypoints"]) for each in objects])


def test_outcomes_follow_the_similarity(tmp_path):
    """The version's matches are those of a plain loop over OKS at its threshold."""
    posed = reference.random_set(5, images=12)
    version, _ = posed.version(tmp_path)
    evaluation = version.evaluation
    assert evaluation.geometry == "keypoints"
    predictions, annotations = evaluation.predictions, evaluation.annotations
    single = takes_one(annotations)
    assert single.any()
    expected = np.full(len(predictions), -1)
    for image, concept in {
        *zip(predictions.image.tolist(), predictions.concept.tolist(), strict=True)
    }:
        rows = np.flatnonzero((predictions.image == image) & (predictions.concept == concept))
        rows = sorted(rows, key=lambda row: (-predictions.score[row], predictions.order[row]))
        objects = np.flatnonzero((annotations.image == image) & (annotations.concept == concept))
        taken = set()
        for row in rows:
            similar = [
                (
                    not annotations.ignore[other],
                    pairwise_similarity(predictions, [row], annotations, [other])[0],
                    other,
                )
                for other in objects
                if other not in taken
            ]
            similar = [each for each in similar if each[1] >= evaluation.iou_threshold]
            if similar:
                is_counted, _, best = max(similar)
                expected[row] = best
                if is_counted or single[best]:
                    taken.add(best)
    assert evaluation.partner.tolist() == expected.tolist()
    counted = annotations.positive & ~annotations.ignore
    assert (count_visible(annotations.keypoints)[counted] > 0).all()


def test_crowds_take_any_number_and_unlabelled_objects_one():
    points = build_column([StatedKeypoints([1, 1, visible], [0.1]) for visible in (0, 0, 2)])
    annotations = pellucid.core.tables.Annotations(
        np.zeros(3, np.int32),
        np.zeros(3, np.int32),
        np.ones((3, 4)),
        np.array([True, False, False]),
        np.ones(3, bool),
        np.ones(3),
    )
    marked = mark_unlabelled(annotations, points)
    assert marked.ignore.tolist() == [True, True, False]
    assert takes_one(marked).tolist() == [False, True, False]


def test_evaluator_prints_the_lines_of_pycocotools(tmp_path):
    posed = reference.random_set(11, images=9)
    evaluator = pellucid.CocoEvaluator(posed.document, posed.results, "keypoints")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    expected = [-1 if value is None else value for value in reference.judged(posed)]
    np.testing.assert_allclose(evaluator.stats, expected, atol=1e-9)
    lines = printed.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[0].startswith(
        " Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets= 20"
    )


def test_predictions_with_keypoints_are_not_told_to_lack_them(tmp_path):
    _, notes = reference.random_set(1, images=4).version(tmp_path)
    assert not any(note.kind == "no_keypoints" for note in notes)
