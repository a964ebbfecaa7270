"""Time from a prediction file to an opened version: `python -m benchmarks.import_time
WORKSPACE VIEW FILE` prints the durations and the peak memory."""

from __future__ import annotations

import json
import sys
import time

import pellucid
from benchmarks.competitors import peak_memory


def main(workspace: str, view: str, file: str) -> None:
    begin = time.perf_counter()
    version = pellucid.open(workspace).view(view).version_or_draft("model")
    version.add_predictions(file)
    ready = time.perf_counter() - begin
    totals = {tab: len(version.gallery(tab)) for tab in ("all", "matched", "missing", "extra")}
    peak = peak_memory()
    figures = 0.0
    if "--figures" in sys.argv:
        begin = time.perf_counter()
        version.metrics("validation")
        figures = time.perf_counter() - begin
        peak = peak_memory()
    json.dump({"ready": ready, "figures": figures, "memory": peak, "totals": totals}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:4])
