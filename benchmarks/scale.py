"""What an evaluation in pieces costs: seconds and bytes per million predictions, step by step,
and what more workers make of it.

Every task is timed where it runs alone, one after another; with W workers a step then takes as
long as the worker who has most of it, tasks being handed out longest first. The last step is
one process's. That is a simulation, of machines like this one and a store as fast as its disk;
the engines themselves are timed beside it.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pellucid
from benchmarks.data import COCO, HUGE, SMALL, TEN_TIMES, Size, write_parquet
from pellucid.distributed.run import evaluate_distributed

STEPS = {"partition_rows": "partitioning", "match_images": "matching", "reduce": "reducing"}
WORKERS = (1, 2, 8, 32, 128)


@dataclass
class Timed:
    """Does tasks one after another and notes the seconds and the bytes that each leaves for
    others."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    most: int = 0

    def run_tasks(
        self, task: Any, job: Any, task_inputs: Sequence[Any]
    ) -> Iterator[tuple[int, Any]]:
        step = STEPS.get(task.__name__, "reducing")
        for place, ask in enumerate(task_inputs):
            before, begun = peak_memory(), time.perf_counter()
            result = task(job, ask)
            self.seconds.setdefault(step, []).append(time.perf_counter() - begun)
            self.most = max(self.most, peak_memory() - before)
            if isinstance(result, str):
                self.bytes[step] = (
                    self.bytes.get(step, 0) + Path(job.file_path(result)).stat().st_size
                )
            yield place, result


def peak_memory() -> int:
    """Megabytes that this process had at its fullest."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def prepare(size: Size, folder: Path) -> Any:
    if not (folder / "w").exists():
        annotations, predictions = write_parquet(size, folder)
        view, _ = pellucid.open(folder / "w").add("made", annotations)
        view.start("model").add_predictions(predictions)
    view = pellucid.open(folder / "w").view(pellucid.open(folder / "w").views[0])
    return view.version(view.versions[0])


def makespan(seconds: list[float], workers: int) -> float:
    busy = [0.0] * workers
    for one in sorted(seconds, reverse=True):
        busy[busy.index(min(busy))] += one
    return max(busy)


def measure(size: Size, folder: Path, rows: int) -> list[str]:
    """A line of the table: what one size costs."""
    version, engine, times = prepare(size, folder), Timed(), {}
    begun = time.perf_counter()

    def told(step: str, done: int, of: int) -> None:
        if step == "writing" and done == of:
            times["all"] = time.perf_counter() - begun

    evaluate_distributed(version, engine, rows, told)
    million = size.predictions / 1e6
    tasks = sum(map(sum, engine.seconds.values()))
    together = times["all"] - tasks
    return [
        f"{size.predictions:,}",
        f"{rows:,}",
        *(f"{sum(engine.seconds[step]) / million:.2f} s" for step in STEPS.values()),
        f"{together / million:.2f} s",
        *(f"{engine.bytes[step] / million / 1e6:.0f} MB" for step in STEPS.values()),
        f"{engine.most:,} MB",
        *(
            f"{sum(makespan(engine.seconds[step], workers) for step in STEPS.values()) + together:.0f} s"
            for workers in WORKERS
        ),
    ]


HEADINGS = [
    "predictions",
    "rows a worker",
    "parting, a million",
    "matching",
    "reducing",
    "putting together",
    "bytes left by parting, a million",
    "by matching",
    "by reducing",
    "most memory a task added",
    *(f"{workers} workers" for workers in WORKERS),
]


def engines(size: Size, folder: Path, rows: int) -> list[list[str]]:
    version = prepare(size, folder)
    found = []
    for name in ("local", "processes", "ray"):
        begun = time.perf_counter()
        version.evaluate(name, rows=rows)
        found.append([name, f"{time.perf_counter() - begun:.1f} s"])
    return found


if __name__ == "__main__":
    chosen = {"small": SMALL, "coco": COCO, "five": TEN_TIMES, "fifty": HUGE}[sys.argv[1]]
    where, rows_ = Path(sys.argv[2]), int(sys.argv[3])
    os.environ["OMP_NUM_THREADS"] = "1"
    for heading, cell in zip(HEADINGS, measure(chosen, where, rows_), strict=True):
        print(f"{heading}: {cell}", flush=True)
    if "--engines" in sys.argv:
        del os.environ["OMP_NUM_THREADS"]
        for line in engines(chosen, where, rows_):
            print(*line, sep=": ", flush=True)
