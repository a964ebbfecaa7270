"""Time from a prediction file to an opened version, and the cost of changing one's mind."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import pellucid
from benchmarks.data import Size, generate_dataset, write_coco, write_parquet
from pellucid.core.tables import Annotations
from pellucid.evaluation.incremental import rematch, replace_annotations

HEADINGS = ["predictions", "from", "version ready", "the twelve metrics after that", "peak memory"]


def prepare(size: Size, folder: Path, parquet: bool) -> tuple[Path, Path]:
    """A workspace with the annotations in it, and the file of predictions."""
    annotations, predictions = (
        write_parquet(size, folder) if parquet else write_coco(generate_dataset(size), folder)
    )
    workspace = folder / "versions.pellucid"
    pellucid.open(workspace).add("made", annotations)
    return workspace, predictions


def measure_import(size: Size, workspace: Path, predictions: Path) -> list[str]:
    """In a process of its own."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.import_time",
        str(workspace),
        "made",
        str(predictions),
        "--figures",
    ]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    times = [f"{found['ready']:.1f} s", f"{found['figures']:.1f} s"]
    return [f"{size.predictions:,}", predictions.suffix[1:], *times, f"{found['memory']} MB"]


def measure_changes(workspace: Path) -> list[tuple[str, str]]:
    """What change costs, on a version that is loaded."""
    evaluation = pellucid.open(workspace).view("made").version("model").evaluation
    images = np.random.default_rng(0).integers(0, len(evaluation.images), 20)

    def again() -> None:
        assert len(rematch(evaluation, 0.75).thresholds)

    def mend(image: int) -> None:
        rows = np.flatnonzero(evaluation.annotations.image == image)[1:]
        new: Annotations = evaluation.annotations.take(rows)
        assert replace_annotations(evaluation, np.array([image]), new).state is not None

    number = f"{len(evaluation.predictions):,} predictions"
    return [
        (f"{number} matched again at another IoU, with new thresholds", median_time([again] * 5)),
        (
            f"{number}, one image's annotations corrected",
            median_time([lambda image=image: mend(image) for image in images.tolist()]),
        ),
    ]


def median_time(calls: list) -> str:  # type: ignore[type-arg]
    took = []
    for call in calls:
        begin = time.perf_counter()
        call()
        took.append((time.perf_counter() - begin) * 1000)
    return f"median {statistics.median(took):.0f} ms"
