"""Ctrl+C ends a command with one line and status 130, and leaves nothing half-written."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import pellucid
import toys

IMAGES = 20_000


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A view of many images, and predictions that take seconds to import."""
    folder = tmp_path_factory.mktemp("interrupted")
    names = [f"{number:05}.jpg" for number in range(IMAGES)]
    annotations = {"image": names, "concept": ["cat", "dog"] * (IMAGES // 2)}
    boxes = {"x": 1.0, "y": 1.0, "width": 5.0, "height": 5.0}
    table = annotations | {name: np.full(IMAGES, value) for name, value in boxes.items()}
    view, _ = pellucid.open(folder / "w").add("v", table, split="validation", kind="detection")
    view.start("m")
    rows = [f"{name},{concept},0.5,1,1,5,5" for name in names for concept in ("cat", "dog")] * 5
    toys.write(folder / "p.csv", "\n".join(["image,concept,score,x,y,width,height", *rows]))
    return folder


def cpu_seconds(process):
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.quick_cases(3)
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("after", [0.1, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0, 1.3])
def test_an_import_is_interrupted_at_any_moment(workspace, after):
    command = [sys.executable, "-m", "pellucid", "predictions", workspace / "w", "v", "m"]
    process = subprocess.Popen(
        [*command, workspace / "p.csv"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    while process.poll() is None and cpu_seconds(process) < after:
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert (process.returncode, stderr) == (130, "pellucid: interrupted\n")
    version = pellucid.open(workspace / "w").view("v").version("m")
    assert version.manifest.prediction_sources == []


def test_a_job_in_the_background_of_a_script_ignores_it(workspace):
    listing = f'"{sys.executable}" -m pellucid list "{workspace / "w"}"'
    command = f'trap "" INT; {listing} & kill -INT $!; wait $!'
    ended = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
