"""The kernel says, bit for bit, what NumPy says."""

import numpy as np
import pytest
from benchmarks.data import SMALL, generate_dataset
from hypothesis import HealthCheck, given, settings

from pellucid import _native as kernel
from pellucid.core.tables import (
    EXHAUSTIVE,
    HAS_PREDICTIONS,
    Annotations,
    Images,
    Predictions,
    string_column,
)
from pellucid.evaluation import coco_metrics as average_precision
from pellucid.evaluation import incremental as changed
from pellucid.evaluation.evaluation import build_evaluation
from references.cases import cases
from references.columns import evaluated

FIELDS = ("state", "partner", "iou", "matched_by", "same_concept_prediction")


def built():
    if kernel.library is None:
        pytest.fail("the kernel was not built here: is there a C compiler?")


def in_numpy(monkeypatch, work):
    with monkeypatch.context() as patch:
        patch.setattr(kernel, "library", None)
        return work()


def assert_same(one, other):
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)
    for name, column in one.predictions.to_dict().items():
        np.testing.assert_array_equal(column, other.predictions.to_dict()[name], name)
    for name, column in vars(one.overlap_steps).items():
        np.testing.assert_array_equal(column, vars(other.overlap_steps)[name], name)
    for name, column in vars(one.row_index).items():
        np.testing.assert_array_equal(column, vars(other.row_index)[name], name)
    for name, column in vars(one.unmatched_index).items():
        np.testing.assert_array_equal(column, vars(other.unmatched_index)[name], name)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=cases("detection"))
def test_small_cases_with_many_ties(case, monkeypatch):
    built()
    one, other = evaluated(case), in_numpy(monkeypatch, lambda: fully(evaluated(case)))
    assert_same(one, other)
    for split in range(3):
        ours = average_precision.compute_coco_metrics(one, split)
        theirs = in_numpy(
            monkeypatch, lambda split=split: average_precision.compute_coco_metrics(other, split)
        )
        assert ours.stats == theirs.stats
        np.testing.assert_array_equal(ours.ap, theirs.ap)


def fully(evaluation):
    """With all that follows worked out here and now."""
    assert evaluation.unmatched_index is not None
    return evaluation


def test_crowded_images_on_several_threads(monkeypatch):
    built()
    monkeypatch.setattr(kernel, "MANY", 500)
    one = columns_of(generate_dataset(SMALL, seed=5))
    other = in_numpy(monkeypatch, lambda: fully(columns_of(generate_dataset(SMALL, seed=5))))
    assert_same(one, other)
    assert one.overlap_steps.start[-1] > 1_000
    ours = average_precision.compute_coco_metrics(one, 1)
    theirs = in_numpy(monkeypatch, lambda: average_precision.compute_coco_metrics(other, 1))
    assert ours.stats == theirs.stats
    assert ours.stats["AP50"] > 0.1


def test_matching_at_another_iou(monkeypatch):
    built()
    made = generate_dataset(SMALL, seed=6)
    again = changed.rematch(columns_of(made), 0.75)
    assert_same(again, in_numpy(monkeypatch, lambda: fully(columns_of(made, 0.75))))
    assert (again.state != columns_of(made).state).any()


def columns_of(made, iou=0.5):
    number = made.size.images
    paths = string_column([f"{row:08d}.jpg" for row in range(number)])
    images = Images(
        paths,
        np.ones(number, np.int8),
        np.full(number, 640, np.int32),
        np.full(number, 480, np.int32),
        np.full(number, -1, np.int32),
        string_column([""] * number),
        np.full(number, EXHAUSTIVE, np.int8),
        string_column([""] * number),
    )
    area = made.annotation_box[:, 2] * made.annotation_box[:, 3]
    annotations = Annotations(
        made.annotation_image.astype(np.int32),
        made.annotation_concept.astype(np.int32),
        made.annotation_box,
        made.crowd,
        np.ones(len(made.crowd), bool),
        area,
    )
    predictions = Predictions(
        made.image.astype(np.int32),
        made.concept.astype(np.int32),
        made.score,
        made.box,
        np.arange(len(made.score), dtype=np.int32),
    )
    names = tuple(f"concept {place}" for place in range(made.size.concepts))
    return build_evaluation(
        "detection",
        names,
        images,
        np.full(number, HAS_PREDICTIONS, np.int8),
        annotations,
        predictions,
        iou,
    )
