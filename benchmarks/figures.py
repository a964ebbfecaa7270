"""COCO's twelve figures from two JSON files, by Pellucid and by its peers: one process each, in
turn, medians, ratios."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.competitors import COMPETITORS
from benchmarks.data import Size, generate_dataset, write_coco, write_masked_coco

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venv/peers/bin/python"
"""The interpreter that has the peers; `make bench` makes it."""
SLOW = {"pycocotools": 1_000_000, "faster-coco-eval": 1_000_000}
"""Predictions beyond which a peer needs minutes or more memory than most machines have."""


def rows(size: Size, folder: Path, repeats: int, masks: bool = False) -> list[list[str]]:
    """name, seconds without imports, whole process, peak memory, ratio to Pellucid, greatest
    difference of a figure. masks: instead of boxes."""
    write = write_masked_coco if masks else write_coco
    annotations, results = write(generate_dataset(size), folder)
    measured: dict[str, list[dict[str, object]]] = {}
    for _ in range(repeats):
        for name in COMPETITORS:
            python = sys.executable if name == "pellucid" else str(PEERS)
            if not Path(python).exists() or size.predictions > SLOW.get(name, size.predictions):
                continue
            command = [
                sys.executable,
                "-c",
                TIMED,
                python,
                str(ROOT / "benchmarks/competitors.py"),
                name,
                str(annotations),
                str(results),
                "segm" if masks else "bbox",
            ]
            measured.setdefault(name, []).append(
                json.loads(
                    subprocess.run(command, capture_output=True, text=True, check=True).stdout
                )
            )
    ours = measured["pellucid"]
    found = []
    for name, runs in measured.items():
        seconds, whole, memory = (
            statistics.median([float(run[key]) for run in runs])
            for key in ("seconds", "whole", "memory")
        )  # type: ignore[arg-type]
        ratio = seconds / statistics.median([float(run["seconds"]) for run in ours])  # type: ignore[arg-type]
        far = max(
            abs(one - other)
            for one, other in zip(runs[0]["figures"], ours[0]["figures"], strict=True)
        )  # type: ignore[call-overload]
        found.append(
            [
                name,
                f"{seconds:.2f} s",
                f"{whole:.2f} s",
                f"{memory:.0f} MB",
                f"{ratio:.2f}",
                f"{far:.0e}" if far else "0",
            ]
        )
    return found


TIMED = """
import json, subprocess, sys, time
begin = time.perf_counter()
found = json.loads(subprocess.run(sys.argv[1:], capture_output=True, text=True, check=True).stdout)
print(json.dumps(found | {"whole": time.perf_counter() - begin}))
"""
"""A process that times another, so that what this one holds does not count."""

HEADINGS = [
    "",
    "JSON to 12 metrics, without imports",
    "whole process",
    "peak memory",
    "time / Pellucid's",
    "differs by",
]
