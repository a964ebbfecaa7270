"""Writing is all or nothing: a killed process, two writers at once and a full disk leave the
old state or the new."""

import os
import random
import resource
import signal
import subprocess
import sys
import time

import pytest

import pellucid
import toys

PELLUCID = [sys.executable, "-m", "pellucid"]


def readable(folder):
    """What a newcomer finds: versions with all they should have."""
    view = pellucid.open(folder).view("v")
    return {name: len(view.version(name).gallery("all")) for name in view.versions}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "w.pellucid"
    pellucid.open(folder).add("v", toys.coco(tmp_path, pictures=False))
    toys.results(tmp_path)
    return folder


@pytest.mark.slow
def test_process_killed_at_any_moment(folder, tmp_path):
    chance = random.Random(7)
    finished = killed = 0
    for number in range(14):
        process = subprocess.Popen(
            [*PELLUCID, "predictions", folder, "v", f"m{number}", tmp_path / "results.json"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(chance.uniform(0.25, 1.0))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        found = readable(folder)
        assert set(found.values()) <= {4}
        finished += f"m{number}" in found
        killed += f"m{number}" not in found
        if f"m{number}" not in found:
            pellucid.open(folder).view("v").version_or_draft(f"m{number}").add_predictions(
                tmp_path / "results.json"
            )
            assert readable(folder)[f"m{number}"] == 4
    assert finished + killed == 14
    leftovers = list(folder.rglob("*.tmp"))
    assert leftovers == []


@pytest.mark.slow
def test_concurrent_writers_lose_nothing(folder, tmp_path):
    running = [
        subprocess.Popen(
            [*PELLUCID, "predictions", folder, "v", f"m{number}", tmp_path / "results.json"]
        )
        for number in range(5)
    ]
    assert [process.wait() for process in running] == [0] * 5
    assert readable(folder) == {f"m{number}": 4 for number in range(5)}


def test_two_writers_of_one_version_conflict(folder, tmp_path):
    running = [
        subprocess.Popen(
            [*PELLUCID, "predictions", folder, "v", "m", tmp_path / "results.json"],
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    errors = [process.communicate()[1] for process in running]
    assert sorted(process.returncode for process in running) == [0, 3]
    assert any("already has predictions" in error for error in errors)
    assert readable(folder) == {"m": 4}


@pytest.mark.slow
def test_readers_see_complete_states_only(folder, tmp_path):
    view = pellucid.open(folder).view("v")
    view.start("m")
    rows = [{"image_id": 11, "category_id": 1, "bbox": [10, 10, 20, 20], "score": 0.9}]
    writer = subprocess.Popen(
        [*PELLUCID, "predictions", folder, "v", "m", toys.results(tmp_path, rows, "r.json")]
    )
    seen = set()
    until = time.monotonic() + 20
    while time.monotonic() < until:
        seen.add(len(pellucid.open(folder).view("v").version("m").gallery("all")))
        if writer.poll() is not None:
            break
    seen.add(len(view.version("m").gallery("all")))
    assert writer.wait() == 0
    assert seen <= {0, 1}
    assert 1 in seen


def limited():
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files as POSIX does")
def test_full_disk_leaves_the_version_unchanged(folder, tmp_path):
    before = readable(folder)
    command = [*PELLUCID, "predictions", folder, "v", "m", tmp_path / "results.json"]
    done = subprocess.run(command, preexec_fn=limited, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "cannot write" in done.stderr
    assert "existing" in done.stderr
    assert "Traceback" not in done.stderr
    assert readable(folder) == before
