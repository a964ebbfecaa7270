"""The demo: really trained, deterministic, and it teaches."""

import csv
import subprocess
import sys

import pytest

from pellucid.demo import demo_workspace


def planted(demo, view):
    with (demo.folder / "sources/planted-mistakes.csv").open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["view"] == view]


def is_planted(item, mistakes):
    for mistake in mistakes:
        box = (
            [float(side) for side in mistake["box"].strip("()").split(",")]
            if mistake["box"]
            else None
        )
        near = box is None or (
            item.box is not None
            and all(abs(one - other) < 15 for one, other in zip(box[:2], item.box[:2], strict=True))
        )
        if mistake["image"] == item.image and near:
            return True
    return False


def test_demo_has_three_views_with_two_versions_each(demo):
    assert {view: demo.view(view).kind for view in demo.views} == {
        "cells": "detection",
        "findings": "tagging",
        "smears": "classification",
    }
    paths = {tuple(demo.view(view).version("v1").evaluation.images.path) for view in demo.views}
    assert len(paths) == 1
    assert all(demo.view(view).versions == ["v1", "v2"] for view in demo.views)


@pytest.mark.parametrize("view", ["cells", "findings", "smears"])
def test_second_version_is_better(demo, view):
    errors = [
        demo.view(view).version(version).metrics("validation").overall.errors
        for version in ("v1", "v2")
    ]
    assert errors[1] < errors[0] / 2


@pytest.mark.parametrize(
    ("view", "first", "least"), [("cells", 12, 10), ("smears", 5, 4), ("findings", 3, 2)]
)
def test_planted_label_errors_come_first_in_missing(demo, view, first, least):
    mistakes = planted(demo, view)
    assert (
        sum(
            is_planted(item, mistakes)
            for item in demo.view(view).version("v2").gallery("missing")[:first]
        )
        >= least
    )


@pytest.mark.parametrize(("view", "first", "least"), [("cells", 25, 8), ("smears", 6, 4)])
def test_planted_label_errors_come_first_in_extra(demo, view, first, least):
    mistakes = planted(demo, view)
    assert (
        sum(
            is_planted(item, mistakes)
            for item in demo.view(view).version("v2").gallery("extra")[:first]
        )
        >= least
    )


def test_existing_demo_is_reused(demo):
    before = (demo.folder / "views/cells/view.json").stat().st_mtime_ns
    assert demo_workspace(demo.folder).folder == demo.folder
    assert (demo.folder / "views/cells/view.json").stat().st_mtime_ns == before


@pytest.mark.slow
def test_demo_is_deterministic(demo, tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pellucid",
            "demo",
            "--build-only",
            "--workspace",
            str(tmp_path / "again"),
        ],
        check=False,
    )
    assert done.returncode == 0
    for name in (
        "cells-training.json",
        "cells-v1.json",
        "cells-v2.json",
        "findings-v2.csv",
        "smears-v2.csv",
        "planted-mistakes.csv",
        "pictures/smear-007.jpg",
    ):
        assert (tmp_path / "again/sources" / name).read_bytes() == (
            demo.folder / "sources" / name
        ).read_bytes(), name
