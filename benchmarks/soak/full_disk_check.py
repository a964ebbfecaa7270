"""A disk that fills up: each command succeeds, or says so and leaves nothing. A limit to the size
of a file stands for the disk."""

from __future__ import annotations

import resource
from pathlib import Path
from random import Random

import pellucid
from benchmarks.soak.outcomes import Outcomes
from benchmarks.soak.sample import VIEW, Sample, answers, run_pellucid

EXPORTS = ("coco", "yolo", "voc", "csv")
LARGEST = 600_000
"""Bytes; a little more than the largest file that the sample needs."""


def check(sample: Sample, folder: Path, random: Random, outcomes: Outcomes) -> None:
    workspace, target = sample.copy_to(folder), folder / "export"
    limit = int(LARGEST ** random.uniform(0.3, 1.0))
    command: list[str | Path] = ["predictions", workspace, VIEW, "second", sample.results]
    if random.random() < 0.5:
        form = random.choice(EXPORTS)
        command = ["export", workspace, VIEW, "--what", "annotations"]
        command += ["--format", form, "--output", target]
    result = run_pellucid(
        *command,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    created = (
        target.exists()
        if command[0] == "export"
        else "second" in pellucid.open(workspace).view(VIEW).versions
    )
    said = f"{command[0]} with {limit} bytes: exit status {result.returncode}: {result.stderr}"
    outcomes.expect(created == (result.returncode == 0), said)
    outcomes.expect("bug" not in result.stderr, said)
    outcomes.expect(answers(workspace) == sample.expected, f"{said}: the answers changed")
    outcomes.count("finished" if created else "refused without a trace")
