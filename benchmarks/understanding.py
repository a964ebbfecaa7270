"""What the pages of understanding cost, first asked and asked again; and TIDE beside the
reference implementation, in one run."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from benchmarks.data import Size, generate_dataset, write_coco
from benchmarks.reviewing import ask
from benchmarks.serving import prepare, running_server
from pellucid.analysis.tide import tide_report
from pellucid.api import open as open_workspace

VERSION = "api/v1/views/made/versions/model"
ASKED = {
    "curves, histograms and calibration, all concepts": "curves",
    "the same of one concept": "curves?concept=3",
    "thresholds for ten other objectives of one concept, with intervals": "objectives?concept=3",
    "causes of all errors, and TIDE": "causes",
    "confusion": "confusion",
    "slices, of boxes and columns": "slices",
    "a list filtered by cause": "count?tab=missing&only=cause:background",
    "the first page of that list": "page?tab=missing&only=cause:background",
}
ALONE = """
import json, sys, time
from tidecv import TIDE
from tidecv.data import Data
truth, said = Data("truth"), Data("said")
for one in json.load(open(sys.argv[1]))["annotations"]:
    truth.add_ground_truth(one["image_id"], one["category_id"], one["bbox"], None)
for one in json.load(open(sys.argv[2])):
    said.add_detection(one["image_id"], one["category_id"], one["score"], one["bbox"], None)
begun = time.perf_counter()
TIDE().evaluate(truth, said, mode=TIDE.BOX).fix_main_errors()
print(time.perf_counter() - begun)
"""


def rows(size: Size, folder: Path) -> list[tuple[str, str]]:
    workspace = prepare(size, folder)
    found = []
    with running_server(workspace) as (address, _, _):
        ask(address, f"{VERSION}/figures")
        for name, path in ASKED.items():
            first, again = (ask(address, f"{VERSION}/{path}")[1] for _ in range(2))
            found.append((name, f"{first:.0f} ms, again {again:.0f} ms"))
    return found


def measure_tide(size: Size, folder: Path, python: Path) -> list[tuple[str, str]]:
    """python: of an environment with tidecv; [] without one."""
    if (
        not python.is_file()
        or subprocess.run(
            [python, "-c", "import tidecv"], capture_output=True, check=False
        ).returncode
    ):
        return []
    made = generate_dataset(size)
    made.crowd[:] = False
    annotations, predictions = write_coco(made, folder)
    version = open_workspace(folder / "w").add("made", annotations)[0].start("model")
    version.add_predictions(predictions)
    evaluation = version.evaluation
    begun = time.perf_counter()
    ours = tide_report(evaluation, 1)
    took = time.perf_counter() - begun
    assert ours is not None
    theirs = float(
        subprocess.run(
            [python, "-c", ALONE, annotations, predictions],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )
    return [
        (
            f"TIDE's gains of {size.predictions:,} predictions, read already: Pellucid",
            f"{took:.2f} s",
        ),
        ("tidecv", f"{theirs:.1f} s, {theirs / took:.0f} times as long"),
    ]


if __name__ == "__main__":
    import sys
    import tempfile

    from benchmarks.data import COCO, SMALL

    with tempfile.TemporaryDirectory() as place:
        small = "--quick" in sys.argv
        print(
            json.dumps(
                [
                    *rows(SMALL if small else COCO, Path(place) / "a"),
                    *measure_tide(
                        Size(500, 80, 3_700, 50_000), Path(place) / "b", Path(sys.executable)
                    ),
                ],
                indent=1,
            )
        )
