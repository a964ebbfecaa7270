"""COCO's twelve figures during training: from batches of arrays, without files, by Pellucid and by
what its peers need for the same. One process each, in turn, medians, ratios."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.competitors import PEERS as PEER_MODULES
from benchmarks.data import Size, SyntheticDataset, generate_dataset
from benchmarks.figures import PEERS, ROOT, TIMED

HEADINGS = [
    "",
    "arrays to 12 metrics, without imports",
    "whole process",
    "peak memory",
    "time / Pellucid's",
    "differs by",
]
PROGRAM = ROOT / "benchmarks/metric_competitors.py"
NAMES = ("pellucid", *PEER_MODULES)


def write_batches(dataset: SyntheticDataset, path: Path) -> None:
    """The arrays of each image, one after the other, with the number of rows of each image."""
    columns = {}
    for side, image, others in (
        ("predicted", dataset.image, {"label": dataset.concept, "score": dataset.score}),
        ("annotated", dataset.annotation_image, {"label": dataset.annotation_concept}),
    ):
        box = dataset.box if side == "predicted" else dataset.annotation_box
        order = np.argsort(image, kind="stable")
        columns[f"{side}_count"] = np.bincount(image, minlength=dataset.size.images)
        columns[f"{side}_box"] = box[order]
        for name, column in others.items():
            columns[f"{side}_{name}"] = column[order]
        if side == "annotated":
            columns["crowd"] = dataset.crowd[order]
    np.savez(path, **columns)


def rows(size: Size, folder: Path, repeats: int) -> list[list[str]]:
    """name, seconds without imports, whole process, peak memory, ratio to Pellucid, greatest
    difference of a figure."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "batches.npz"
    write_batches(generate_dataset(size), path)
    measured: dict[str, list[dict[str, Any]]] = {}
    for _ in range(repeats):
        for name in NAMES:
            python = sys.executable if name == "pellucid" else str(PEERS)
            if not Path(python).exists():
                continue
            command = [sys.executable, "-c", TIMED, python, str(PROGRAM), name, str(path)]
            printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            measured.setdefault(name, []).append(json.loads(printed))
    ours = measured["pellucid"]
    table = []
    for name, runs in measured.items():
        seconds, whole, memory = (
            statistics.median([run[key] for run in runs]) for key in ("seconds", "whole", "memory")
        )
        ratio = seconds / statistics.median([run["seconds"] for run in ours])
        pairs = zip(runs[0]["figures"], ours[0]["figures"], strict=True)
        difference = max(abs(one - other) for one, other in pairs)
        table.append(
            [
                name,
                f"{seconds:.2f} s",
                f"{whole:.2f} s",
                f"{memory:.0f} MB",
                f"{ratio:.2f}",
                f"{difference:.0e}" if difference else "0",
            ]
        )
    return table
