"""Outcomes of boxes equal pycocotools' evalImgs at IoU 0.5, crowd and ties included."""

import contextlib
import io
import json

import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

pytestmark = pytest.mark.shared

MODELS = ["nanodet", "yolov3-tiny", "mb3-centernet"]
GOLDEN = (
    "golden/coco_val2014_100/instances_val2014_100.json",
    "golden/coco_val2014_100/instances_val2014_fakebbox100_results.json",
)
CASES = [
    *[
        pytest.param(
            "coco256/annotations/instances.json",
            f"coco256/predictions/{model}/coco_results.json",
            marks=pytest.mark.slow,
        )
        for model in MODELS
    ],
    *[
        (
            "coco256/annotations/instances_plus_crowd.json",
            f"coco256/predictions/{model}/coco_results.json",
        )
        for model in MODELS
    ],
    GOLDEN,
]


def judged(annotations, results):
    """{row of results: annotation id, "ignored" or None}, by pycocotools."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(annotations))
        found = truth.loadRes(str(results))
        judge = COCOeval(truth, found, "bbox")
        judge.params.iouThrs = [0.5]
        judge.params.maxDets = [1_000_000]
        judge.params.areaRng = [[0, 1e10]]
        judge.params.areaRngLbl = ["all"]
        judge.evaluate()
    outcome = {}
    for image in judge.evalImgs:
        if image is None:
            continue
        for identity, match, ignored in zip(
            image["dtIds"], image["dtMatches"][0], image["dtIgnore"][0], strict=True
        ):
            outcome[identity - 1] = "ignored" if ignored else int(match) or None
    return outcome


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize(("annotations", "results"), CASES)
def test_outcomes_equal_pycocotools(shared, workspace, annotations, results):
    workspace.view("v", "detection").add(shared / annotations)
    version = workspace.view("v").start("m")
    version.add_predictions(shared / results)
    evaluation = version.evaluation
    identities = [
        note["id"] for note in json.loads((shared / annotations).read_text())["annotations"]
    ]
    ours = {}
    for row, order in enumerate(evaluation.predictions.order.tolist()):
        partner = int(evaluation.partner[row])
        ignored = partner >= 0 and evaluation.annotations.ignore[partner]
        ours[order] = "ignored" if ignored else identities[partner] if partner >= 0 else None
    expected = judged(shared / annotations, shared / results)
    assert ours == expected
    if "crowd" in annotations:
        assert "ignored" in expected.values()
