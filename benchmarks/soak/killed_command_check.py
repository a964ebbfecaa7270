"""Imports and exports killed at any moment: the workspace answers as before, and what was being
written is there completely or not at all."""

from __future__ import annotations

import subprocess
from pathlib import Path
from random import Random

import pellucid
from benchmarks.soak.outcomes import Outcomes
from benchmarks.soak.sample import PELLUCID, VIEW, Sample, answers, run_pellucid

EXPORTS = ("coco", "yolo", "voc", "csv")


def check(sample: Sample, folder: Path, random: Random, outcomes: Outcomes) -> None:
    workspace = sample.copy_to(folder)
    if random.random() < 0.5:
        kill_import(sample, workspace, random, outcomes)
    else:
        kill_export(workspace, folder, random, outcomes)
    outcomes.expect(answers(workspace) == sample.expected, "a killed command changed the answers")
    verified = run_pellucid("verify", workspace)
    outcomes.expect(verified.returncode == 0, f"after a kill: {verified.stdout}{verified.stderr}")


def kill_import(sample: Sample, workspace: Path, random: Random, outcomes: Outcomes) -> None:
    was_killed = run_and_kill(
        ["predictions", workspace, VIEW, "second", sample.results], random.uniform(0.1, 1.5)
    )
    complete = "second" in pellucid.open(workspace).view(VIEW).versions
    if complete:
        outcomes.expect(
            answers(workspace, "second") == sample.expected, "a killed import left a part"
        )
    outcomes.expect(complete or was_killed, "an import that was not killed left no version")
    outcomes.count("imports killed" if was_killed else "imports finished")


def kill_export(workspace: Path, folder: Path, random: Random, outcomes: Outcomes) -> None:
    form, target = random.choice(EXPORTS), folder / "export"
    export: list[str | Path] = [
        "export",
        workspace,
        VIEW,
        "--what",
        "annotations",
        "--format",
        form,
    ]
    was_killed = run_and_kill([*export, "--output", target], random.uniform(0.1, 1.5))
    if target.exists():
        again = folder / "again"
        run_pellucid(*export, "--output", again)
        outcomes.expect(
            contents(target) == contents(again), f"a killed {form} export left a part of the set"
        )
    outcomes.expect(target.exists() or was_killed, f"a {form} export left nothing")
    outcomes.count("exports killed" if was_killed else "exports finished")


def run_and_kill(arguments: list[str | Path], seconds: float) -> bool:
    """Whether the command was still running after so many seconds, and was killed."""
    process = subprocess.Popen(
        [*PELLUCID, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def contents(target: Path) -> dict[str, int]:
    """The size of each file below a path."""
    if target.is_file():
        return {"": target.stat().st_size}
    return {
        str(path.relative_to(target)): path.stat().st_size
        for path in target.rglob("*")
        if path.is_file()
    }
