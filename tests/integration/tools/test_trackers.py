"""Figures in experiment trackers, read back from what their real clients keep offline."""

import json
import os
import subprocess
from pathlib import Path

import pytest

import pellucid
import toys
from pellucid.export.html import export_html
from pellucid.integrations.errors import UnknownTrackerError
from pellucid.integrations.trackers import log_to
from pellucid.integrations.trackers.log_version import main_figures
from tools_environment import TRACKERS, needing

pytestmark = needing(TRACKERS)


@pytest.fixture
def version(tmp_path):
    view, _ = pellucid.open(tmp_path / "w").add(
        "v", toys.coco(tmp_path), images=tmp_path / "images", split="validation"
    )
    version = view.start("m")
    version.add_predictions(toys.results(tmp_path))
    return version


@pytest.mark.parametrize("tracker", ["wandb", "mlflow", "tensorboardX", "clearml", "comet_ml"])
def test_a_tracker_keeps_the_figures(version, tmp_path, tracker):
    page = tmp_path / "page.html"
    export_html(version, page)
    done = subprocess.run(
        [
            TRACKERS,
            Path(__file__).with_name("track_with.py"),
            tracker,
            tmp_path / "w",
            page,
            tmp_path / "kept",
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={
            **os.environ,
            "HOME": str(tmp_path),
            "MLFLOW_ALLOW_FILE_STORE": "true",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
        },
    )
    assert done.returncode == 0, done.stderr[-3000:]
    kept = json.loads(done.stdout.splitlines()[-1])
    assert kept["figures"] == pytest.approx(main_figures(version, "validation"), rel=1e-6)
    assert kept["steps"] == [7]
    assert "http://127.0.0.1:8000/?view=v" in kept["address"]
    assert kept["files"] == (0 if tracker == "tensorboardX" else 1)


def test_other_objects_are_refused(version):
    with pytest.raises(UnknownTrackerError, match="Expected a run of wandb"):
        log_to(object(), version)
