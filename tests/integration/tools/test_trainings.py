"""Recorders in real trainings: the version holds, item by item, what the model says when it is
asked again without Pellucid. They run where the frameworks are installed, with torch:

python -m venv trainings && trainings/bin/pip install torch torchvision ultralytics lightning \\
    transformers accelerate -r requirements/run.txt
make test-tools PELLUCID_TOOLS_PYTHON=trainings/bin/python
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import pellucid
from tools_environment import PYTHON, SOURCES, needing

pytestmark = needing(PYTHON)


@pytest.fixture
def train(tmp_path):
    """A function that trains with a framework; returns its finished process, the view, and what the
    model says without Pellucid."""

    def run(framework):
        module = framework.partition(":")[0]
        installed = subprocess.run(
            [PYTHON, "-c", f"import {module}, torch"], check=False, capture_output=True
        )
        if installed.returncode:
            pytest.skip(f"{module} with torch is not installed in the environment of the tools")
        process = subprocess.run(
            [PYTHON, Path(__file__).with_name("train_with.py"), framework, tmp_path],
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={
                **os.environ,
                "HOME": str(tmp_path),
                "PYTHONPATH": str(SOURCES),
                "YOLO_OFFLINE": "true",
                "HF_HUB_OFFLINE": "1",
            },
        )
        assert (tmp_path / "w.pellucid").exists(), process.stderr[-3000:]
        view = pellucid.open(tmp_path / "w.pellucid").view("v")
        if process.returncode:
            return process, view, {}
        return process, view, json.loads(process.stdout.splitlines()[-1])["predictions"]

    return run


def recorded(version):
    """{file name: [[concept, score, x, y, width, height], ...]} of all covered images."""
    evaluation = version.evaluation
    predictions, concepts = evaluation.predictions, evaluation.concepts
    rows = {
        Path(path).name: []
        for path, is_covered in zip(evaluation.images.path, evaluation.coverage, strict=True)
        if is_covered
    }
    for row in range(len(predictions)):
        name = Path(evaluation.images.path[predictions.image[row]]).name
        box = [] if predictions.box is None else predictions.box[row].tolist()
        concept = concepts[predictions.concept[row]]
        rows[name].append([concept, float(predictions.score[row]), *box])
    return rows


def assert_same(ours, theirs, score_step, box_step):
    """The same items within the rounding of the other side's file."""
    assert sorted(ours) == sorted(theirs)
    for name, rows in theirs.items():
        unmatched = [*ours[name]]
        assert len(unmatched) == len(rows), name
        for concept, score, *box in rows:
            near = [
                row
                for row in unmatched
                if row[0] == concept
                and abs(row[1] - score) <= score_step
                and np.allclose(row[2:], box, rtol=0, atol=box_step)
            ]
            assert near, (name, concept, score, box)
            unmatched.remove(near[0])


@pytest.mark.parametrize("mode", ["detect", "detect:val", "detect:best", "segment", "classify"])
def test_ultralytics(train, mode):
    process, view, said = train(f"ultralytics:{mode}")
    assert process.returncode == 0, process.stderr[-3000:]
    assert "pellucid serve" in process.stderr
    assert view.versions == ["m"]
    ours = recorded(view.version("m"))
    assert_same(ours, said, 1e-3 if mode == "classify" else 2e-5, 2e-3)
    if mode != "classify":
        assert not all(ours.values()), "images without a box count as run"
        assert any(ours.values())
    if mode == "segment":
        evaluation = view.version("m").evaluation
        assert evaluation.geometry == "mask"
        assert evaluation.predictions.mask.height.max() == 96
        assert view.version("m").metrics("validation").overall.coco["AP50"] > 0.5


def test_ultralytics_oriented_boxes(train):
    process, view, said = train("ultralytics:obb")
    assert process.returncode == 0, process.stderr[-3000:]
    evaluation = view.version("m").evaluation
    assert evaluation.geometry == "oriented_box"
    names = [Path(path).name for path in evaluation.images.path]
    ours = sorted(
        (names[image], round(float(score), 4), *np.sort(corners.reshape(4, 2)[:, 0]).round(1))
        for image, score, corners in zip(
            evaluation.predictions.image,
            evaluation.predictions.score,
            evaluation.predictions.corners,
            strict=True,
        )
    )
    theirs = sorted(
        (name, round(score, 4), *np.sort(np.reshape(corners, (4, 2))[:, 0]).round(1))
        for name, rows in said.items()
        for _, score, *corners in rows
    )
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs, strict=True):
        assert our[0] == their[0]
        np.testing.assert_allclose(our[1:], their[1:], atol=0.11)


def test_ultralytics_poses(train):
    process, view, said = train("ultralytics:pose")
    assert process.returncode == 0, process.stderr[-3000:]
    version = view.version("m")
    evaluation = version.evaluation
    assert evaluation.geometry == "keypoints"
    boxes = {name: [row[:6] for row in rows] for name, rows in said.items()}
    assert_same(recorded(version), boxes, 2e-5, 2e-3)
    points = evaluation.predictions.keypoints.reshape(len(evaluation.predictions), 3, -1)
    ours = sorted(points[:, :, :3].reshape(-1, 9).round(2).tolist())
    theirs = sorted(np.round(row[6:], 2).tolist() for rows in said.values() for row in rows)
    np.testing.assert_allclose(ours, theirs, atol=0.02)
    assert version.metrics("validation").overall.coco["AP50"] > 0.3


def test_ultralytics_keeps_every_validation(train):
    process, view, said = train("ultralytics:detect:every")
    assert process.returncode == 0, process.stderr[-3000:]
    count = len(view.versions)
    assert count == 61, "one of each epoch and one of the best weights"
    assert_same(recorded(view.version(f"m-{count}")), said, 2e-5, 2e-3)
    assert recorded(view.version("m-1")) != recorded(view.version(f"m-{count}"))


@pytest.mark.parametrize("mode", ["fit", "validate", "best", "interrupted", "bf16"])
def test_lightning(train, mode):
    process, view, said = train(f"lightning:{mode}")
    assert process.returncode == 0, process.stderr[-3000:]
    ours = recorded(view.version("m"))
    # Bytes of bfloat16 have eight digits of precision.
    assert_same(ours, said, 2**-8 if mode == "bf16" else 1e-6, 0)


def test_lightning_keeps_every_validation(train):
    process, view, said = train("lightning:every")
    assert process.returncode == 0, process.stderr[-3000:]
    assert view.versions == ["m-1", "m-2", "m-3", "m-4"]
    assert_same(recorded(view.version("m-4")), said, 1e-6, 0)


@pytest.mark.parametrize("mode", ["single-label", "multi-label"])
def test_transformers(train, mode):
    process, view, said = train(f"transformers:{mode}")
    assert process.returncode == 0, process.stderr[-3000:]
    assert_same(recorded(view.version("m")), said, 1e-6, 0)


def test_transformers_in_another_order_is_refused(train):
    process, view, _ = train("transformers:wrong-order")
    assert process.returncode != 0
    assert "not those of the view" in process.stderr
    assert not view.version("m").manifest.prediction_sources


def test_torchvision(train):
    process, view, said = train("torchvision")
    assert process.returncode == 0, process.stderr[-3000:]
    assert_same(recorded(view.version("m")), said, 0, 1e-4)
