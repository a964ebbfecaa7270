"""The exported modules of thresholds, run with the real libraries: what they leave are the true and
false positives of the gallery."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from pellucid.export.datasets import export_view
from tools_environment import PYTHON, needing

pytestmark = needing(PYTHON)


@pytest.mark.parametrize(
    ("tool", "needs"),
    [
        ("supervision", "supervision"),
        ("ultralytics", "ultralytics"),
        ("torchvision", "torchvision"),
    ],
)
def test_filter_leaves_what_the_gallery_counts(demo, tmp_path, tool, needs):
    installed = subprocess.run([PYTHON, "-c", f"import {needs}"], check=False, capture_output=True)
    if installed.returncode:
        pytest.skip(f"{needs} is not installed in the environment of the tools")
    version = demo.view("cells").version("v2")
    module = tmp_path / "filter.py"
    export_view(version.view, "thresholds", tool, module, version)
    classes = list(version.evaluation.concepts)
    images = {}
    for item in version.gallery("all"):
        left, top, width, height = item.box
        row = [classes.index(item.concept), item.score, left, top, left + width, top + height]
        images.setdefault(item.image, []).append(row)
    detections = tmp_path / "detections.json"
    detections.write_text(json.dumps({"classes": classes, "images": images}))
    command = subprocess.run(
        [PYTHON, Path(__file__).with_name("filter_with.py"), tool, module, detections],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "YOLO_OFFLINE": "true"},
    )
    assert command.returncode == 0, command.stderr[-3000:]
    kept = json.loads(command.stdout.splitlines()[-1])["kept"]
    rows = sorted(
        (image, classes[images[image][int(position)][0]], images[image][int(position)][1])
        for image, positions in kept.items()
        for position in positions
    )
    items = [item for tab in ("matched", "missing") for item in version.gallery(tab)]
    assert rows == sorted((item.image, item.concept, item.score) for item in items)
    assert 0 < len(rows) < sum(map(len, images.values()))
