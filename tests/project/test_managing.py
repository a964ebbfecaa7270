"""Views and versions listed, described, renamed, removed; predictions replaced and mapped."""

from __future__ import annotations

import io
import json

import pytest

import pellucid
import toys
from pellucid.core.errors import UnknownConceptError
from pellucid.ingest.errors import DuplicatePredictionsError
from pellucid.project.errors import (
    VersionExistsError,
    VersionNotFoundError,
    ViewExistsError,
    ViewNotFoundError,
)


@pytest.fixture
def view(workspace, tmp_path):
    view, _ = workspace.add("v", toys.coco(tmp_path, pictures=False))
    view.start("m").add_predictions(toys.results(tmp_path))
    return view


def cli(view, command, *words):
    return toys.run_cli(command, view.workspace.folder, *words)


def review(view):
    version = view.version("m")
    [item, *_] = version.gallery("missing")
    view.reviews.decide(version, [item], "unsure", "ada")
    return len(view.reviews.log.decisions)


def test_list_and_info(view):
    document = json.loads(cli(view, "list", "--json").stdout)
    [listed] = document["views"]
    assert (listed["view"], listed["kind"], listed["geometry"]) == ("v", "detection", "box")
    assert (listed["images"], listed["annotations"]) == (2, 3)
    [version] = listed["versions"]
    metrics = view.version("m").metrics()
    assert (version["predictions"], version["errors"]) == (4, metrics.overall.errors)
    assert version["figure"] == {"name": "AP", "value": metrics.overall.coco["AP"]}
    record = json.loads(cli(view, "info", "v", "m", "--json").stdout)
    assert record["coverage"] == {"validation": {"images": 2, "covered": 2}}
    assert [source["format"] for source in record["prediction_sources"]] == ["coco-results"]
    assert json.loads(cli(view, "info", "v", "--json").stdout)["versions"] == ["m"]
    assert json.loads(cli(view, "info", "--json").stdout)["views"][0]["view"] == "v"
    for words in (("list",), ("info",), ("info", "v"), ("info", "v", "m")):
        printed = cli(view, *words)
        assert (printed.returncode, "v" in printed.stdout) == (0, True), words


def test_a_damaged_view_does_not_hide_the_others(view, tmp_path):
    rows = "image,concept\na.jpg,x\nb.jpg,y\n"
    view.workspace.add("whole", toys.write(tmp_path / "whole.csv", rows))
    (table,) = (view.workspace.folder / "views" / "v").glob("annotations.*.parquet")
    table.unlink()
    listed = cli(view, "list", "--json")
    assert [one["view"] for one in json.loads(listed.stdout)["views"]] == ["whole"]
    assert listed.returncode == 3
    assert f"{table}: missing" in listed.stderr
    assert "pellucid verify" in listed.stderr


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("n\n", 1), ("", 2)])
def test_the_answer_may_come_from_another_program(view, monkeypatch, answer, status):
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert cli(view, "remove", "v", "m").returncode == status
    assert ("m" in view.versions) == (status > 0)


def test_list_without_a_workspace_lists_the_folder(view, tmp_path):
    folder = view.workspace.folder
    inside = toys.run_cli("list", "--json", cwd=folder)
    assert json.loads(inside.stdout)["views"][0]["view"] == "v"
    beside = json.loads(toys.run_cli("list", "--json", cwd=folder.parent).stdout)
    assert [one["workspace"] for one in beside["workspaces"]] == [folder.name]
    assert toys.run_cli("list", tmp_path / "none").returncode == 3


def test_a_renamed_view_keeps_its_versions_and_decisions(view):
    count = review(view)
    before = view.version("m").metrics()
    assert cli(view, "rename", "v", "w").returncode == 0
    workspace = pellucid.open(view.workspace.folder)
    assert workspace.views == ["w"]
    renamed = workspace.view("w")
    assert renamed.version("m").metrics() == before
    assert len(renamed.reviews.log.decisions) == count
    with pytest.raises(ViewNotFoundError):
        workspace.view("v")


def test_a_new_view_of_the_old_name_has_decisions_of_its_own(view, tmp_path):
    review(view)
    workspace = view.workspace
    workspace.rename_view("v", "w")
    again, _ = workspace.add("v", toys.coco(tmp_path, pictures=False))
    again.start("m").add_predictions(toys.results(tmp_path))
    assert len(again.reviews.log.decisions) == 0
    assert review(again) == 1
    reopened = pellucid.open(workspace.folder)
    assert len(reopened.view("w").reviews.log.decisions) == 1
    assert len(reopened.view("v").reviews.log.decisions) == 1


def test_decisions_outlive_the_view_under_its_last_name(view, tmp_path):
    """Also where it was renamed: they are listed, and apply again to a view of that name."""
    workspace, decisions = view.workspace, review(view)
    workspace.rename_view("v", "panels")
    listed = json.loads(cli(view, "history", "panels", "--json").stdout)
    assert len(listed) == decisions
    workspace.remove_view("panels")
    assert json.loads(cli(view, "history", "panels", "--json").stdout) == listed
    assert cli(view, "history", "v").returncode == 3
    again, _ = workspace.add("panels", toys.coco(tmp_path))
    assert len(again.reviews.history()) == decisions
    other, _ = workspace.add("v", toys.coco(tmp_path))
    assert not other.reviews.history()


def test_versions_are_renamed_and_removed(view):
    before = view.version("m").metrics()
    assert cli(view, "rename", "v", "m", "n").returncode == 0
    assert view.versions == ["n"]
    assert view.version("n").metrics() == before
    with pytest.raises(VersionNotFoundError):
        view.version("m")
    view.start("other")
    with pytest.raises(VersionExistsError):
        view.rename_version("n", "other")
    assert cli(view, "remove", "v", "n").returncode == 2, "it asks, and there is nobody to ask"
    assert cli(view, "remove", "v", "n", "--yes").returncode == 0
    assert view.versions == ["other"]


def test_a_removed_view_can_be_made_again_with_another_kind(view, tmp_path):
    count = review(view)
    assert cli(view, "remove", "v", "--yes").returncode == 0
    assert view.workspace.views == []
    assert not list(view.workspace.folder.glob(".removed-*"))
    again, _ = view.workspace.add("v", toys.coco(tmp_path, pictures=False), kind="tagging")
    assert again.kind == "tagging"
    assert len(again.reviews.log.decisions) == count, "decisions stay in the history"


def test_taken_names_are_refused(view, tmp_path):
    view.workspace.add("other", toys.coco(tmp_path, pictures=False))
    with pytest.raises(ViewExistsError):
        view.workspace.rename_view("v", "other")
    assert cli(view, "rename", "v", "a/b").returncode == 2
    assert cli(view, "rename", "v", "a", "b", "c").returncode == 2
    assert sorted(view.workspace.views) == ["other", "v"]


def test_predictions_are_replaced(view, tmp_path):
    rows = [{"image_id": 11, "category_id": 1, "bbox": [10, 10, 20, 20], "score": 0.7}]
    path = toys.results(tmp_path, rows, "new.json")
    version = view.version("m")
    with pytest.raises(DuplicatePredictionsError, match="--replace"):
        version.add_predictions(path)
    assert (
        cli(view, "predictions", "v", "m", path, "--replace", "--covered", "listed").returncode == 0
    )
    items = [(item.image, item.score) for item in version.gallery("all")]
    assert sorted(items) == [("a/one.png", 0.7), ("a/two.png", 0.4)]
    notes = version.add_predictions(path, replace=True)
    assert ("replaced", 2) in [(note.kind, note.count) for note in notes]
    fresh = view.start("fresh")
    fresh.add_predictions(path)
    assert version.metrics() == fresh.metrics()
    assert [item.image for item in version.gallery("all")] == ["a/one.png"]


def test_concepts_are_mapped_after_the_import(view, tmp_path):
    rows = json.loads(toys.results(tmp_path).read_text())
    for row in rows[2:3]:
        row["category_id"] = "rusty"
    rows = [
        {**row, "category_id": {1: "dent", 2: "rust"}.get(row["category_id"], "rusty")}
        for row in rows
    ]
    version = view.version_or_draft("n")
    version.add_predictions(toys.results(tmp_path, rows, "names.json"))
    assert version.manifest.unannotated == ["rusty"]
    with pytest.raises(UnknownConceptError, match="Did you mean 'rusty'"):
        version.map_concepts({"rust": "dent"})
    with pytest.raises(UnknownConceptError, match="Did you mean 'rust'"):
        version.map_concepts({"rusty": "rusts"})
    mapped = cli(view, "map", "v", "n", "rusty=rust")
    assert (mapped.returncode, mapped.stderr) == (0, "n: 1 prediction mapped\n")
    assert version.manifest.unannotated == []
    assert version.metrics() == view.version("m").metrics()
    assert version.manifest.prediction_sources[-1].path == "rusty → rust"


def test_versions_keep_their_order_when_the_clock_is_set_back(tmp_path, monkeypatch):
    from pellucid.project import view as module

    table = {"image": ["a.png"], "label": ["cat"]}
    view, _ = pellucid.open(tmp_path / "w").add("v", table)
    for name, when in (("c", "2026-05-01"), ("a", "2026-01-01"), ("b", "2026-03-01")):
        monkeypatch.setattr(module, "utc_timestamp", lambda when=when: f"{when}T00:00:00.000+00:00")
        if name == "b":
            view.version_or_draft(name).add_predictions(table | {"score": [0.5]})
        else:
            view.start(name)
    assert view.versions == ["c", "a", "b"]
    view.version("c").add_predictions(table | {"score": [0.5]})
    assert pellucid.open(tmp_path / "w").view("v").versions == ["c", "a", "b"]
