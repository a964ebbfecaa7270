"""The workflows call what exists."""

import re
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).parents[2]
WORKFLOWS = sorted(CHECKOUT.glob(".github/workflows/*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_calls_existing_targets(path):
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}, "more is granted to single jobs only"
    for name, job in workflow["jobs"].items():
        needed = job.get("needs", [])
        needed = {needed} if isinstance(needed, str) else set(needed)
        assert needed <= set(workflow["jobs"]), name
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step), (name, step)
            command = step.get("run", "")
            for target in re.findall(r"\bmake ([\w-]+)", command):
                assert re.search(rf"(?m)^{target}:", makefile), target
            for script in re.findall(r"^(\.ci/\w+)", command):
                assert (CHECKOUT / script).exists(), script


def test_wheels_are_tested_with_a_script_that_runs():
    pyproject = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    for path in re.findall(r"\{project\}/([\w/.]+)", pyproject):
        assert (CHECKOUT / path).exists(), path
