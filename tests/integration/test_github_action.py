"""The action of this repository: its steps, executed as a runner would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import toys

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def action():
    return yaml.safe_load((ROOT / "action.yml").read_text())


def compare_step(action):
    [step] = [step for step in action["runs"]["steps"] if step.get("id") == "compare"]
    return step


def run_step(action, folder, **inputs):
    """Run the step that compares; returns the exit status, the summary and the outputs."""
    values = {name: entry.get("default", "") for name, entry in action["inputs"].items()} | inputs
    step = compare_step(action)

    def fill(text):
        return re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda m: str(values[m.group(1)]), text)

    temp = folder / "runner"
    temp.mkdir(exist_ok=True)
    summary, outputs = folder / "summary.md", folder / "outputs"
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "RUNNER_TEMP": str(temp),
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_OUTPUT": str(outputs),
        **{name: fill(text) for name, text in step["env"].items()},
    }
    done = subprocess.run(
        ["bash", "-c", step["run"]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    texts = [path.read_text() if path.exists() else "" for path in (summary, outputs)]
    return done, *texts


def predictions(folder, name, missed):
    """All of `toys.coco`'s annotations on 30 copies of an image, but for the first ones."""
    rows = [
        {"image_id": i, "category_id": 1, "bbox": [10, 10, 20, 20], "score": 0.9}
        for i in range(missed, 30)
    ]
    return toys.results(folder, rows, name)


@pytest.fixture
def data(tmp_path):
    images = [{"id": i, "file_name": f"{i}.png", "width": 64, "height": 48} for i in range(30)]
    annotations = [
        {"id": i + 1, "image_id": i, "category_id": 1, "bbox": [10, 10, 20, 20]} for i in range(30)
    ]
    toys.coco(tmp_path, images=images, annotations=annotations)
    predictions(tmp_path, "good.json", 0)
    predictions(tmp_path, "bad.json", 20)
    return tmp_path


INPUTS = {"annotations": "annotations.json", "images": "images"}


def test_a_worse_candidate_fails_with_a_summary_and_a_report(action, data):
    done, summary, outputs = run_step(
        action, data, **INPUTS, baseline="good.json", candidate="bad.json"
    )
    assert done.returncode == 4, done.stderr
    assert "Gate failed: all concepts: errors 0 → 20" in summary
    assert outputs == "verdict=worse\n"
    assert "20 broken: right in the baseline and wrong in the candidate" in summary
    assert " in 19.png" in summary
    report = (data / action["inputs"]["report"]["default"]).read_text()
    assert "data:image/" in report, "the report shows what broke"


@pytest.mark.slow
def test_a_better_candidate_passes(action, data):
    done, summary, outputs = run_step(
        action, data, **INPUTS, baseline="bad.json", candidate="good.json"
    )
    assert done.returncode == 0, done.stderr
    assert "better: 20 → 0 errors" in summary
    assert outputs == "verdict=better\n"


def test_two_uses_in_a_job(action, data):
    runs = [
        run_step(
            action,
            data,
            **INPUTS,
            baseline="good.json",
            candidate="bad.json",
            report=name,
            tolerance=tolerance,
        )
        for name, tolerance in (("first.html", "errors=30"), ("second.html", "errors=5"))
    ]
    assert [done.returncode for done, *_ in runs] == [0, 4], [done.stderr for done, *_ in runs]
    assert (data / "first.html").is_file()
    assert (data / "second.html").is_file()


def test_wrong_input_is_no_failed_gate(action, data):
    done, *_ = run_step(action, data, **INPUTS, baseline="good.json", candidate="none.json")
    assert done.returncode == 3
    assert "none.json" in done.stderr


def test_every_input_and_output_is_used_and_described(action):
    text = (ROOT / "action.yml").read_text()
    for name, entry in action["inputs"].items():
        assert entry["description"]
        assert f"inputs.{name} " in text, name
    for output in action["outputs"].values():
        assert output["description"]
