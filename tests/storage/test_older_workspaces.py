"""Workspaces that earlier states of Pellucid wrote are read, gone on with and served by this one.

`tests/workspaces` holds them, written by the code of that time: `first` by the first that kept
one (commit 7f9aa4c), before there were mapped columns or decisions; `reviewed` by the first
that let people decide (commit f9267c7). Whoever changes what is on disk adds one.
"""

import json
import zipfile
from pathlib import Path

import pytest

import pellucid
import toys
from pellucid.browse.selection import TABS
from pellucid.storage.errors import WorkspaceFormatError

KEPT = Path(__file__).parents[1] / "workspaces"


@pytest.fixture(params=sorted(file.stem for file in KEPT.glob("*.zip")))
def kept(request, tmp_path):
    with zipfile.ZipFile(KEPT / f"{request.param}.zip") as archive:
        archive.extractall(tmp_path / request.param)
    return tmp_path / request.param


def made_now(kept, folder):
    """The same set, brought in today."""
    view, _ = pellucid.open(folder).add("boxes", toys.coco(folder / "set", pictures=False))
    version = view.start("m")
    version.add_predictions(toys.results(folder / "set"))
    return version


def told(version):
    return (
        {tab: version.gallery(tab)[:] for tab in TABS},
        dict(version.thresholds),
        version.metrics(),
    )


def test_older_workspace_keeps_its_results(kept, tmp_path):
    workspace = pellucid.open(kept)
    assert workspace.views == ["boxes", "classification", "tagging"]
    assert told(workspace.view("boxes").version("m")) == told(made_now(kept, tmp_path / "now"))
    assert workspace.view("classification").version(
        "m"
    ).metrics().overall.accuracy == pytest.approx(0.5)
    assert [
        item.image for item in workspace.view("tagging").version("m").gallery("all", concept="cat")
    ] == ["3.png", "2.png"]


def test_older_workspace_can_be_extended(kept, tmp_path):
    view = pellucid.open(kept).view("boxes")
    expected = told(view.version("m"))
    view.version("m").evaluate()
    assert told(view.version("m")) == expected
    view.version("waiting").add_predictions(toys.results(tmp_path))
    assert told(view.version("waiting"))[0] == expected[0]
    view.add(
        toys.coco(
            tmp_path,
            images=[{"id": 13, "file_name": "a/new.png", "width": 9, "height": 9}],
            annotations=[],
            pictures=False,
        )
    )
    again = pellucid.open(kept).view("boxes")
    assert again.images_by_split == {"validation": 3}
    assert told(again.version("m")) == expected
    item = view.version("m").gallery("missing", threshold=0.5)[0]
    before = len(view.reviews.history())
    view.reviews.decide(view.version("m"), [item], "unsure", "Cid")
    assert len(pellucid.open(kept).view("boxes").reviews.history()) == before + 1


def test_older_decisions_apply(kept):
    view = pellucid.open(kept).view("boxes")
    history = [(row.who, row.action) for row in view.reviews.history()]
    if kept.name == "first":
        assert history == []
        return
    assert [who for who, _ in history] == ["Ann", "Bob"]
    mended = view.version("mended")
    assert len(mended.evaluation.annotations) == len(view.version("m").evaluation.annotations) + 1
    assert len(view.version("m").gallery("missing", threshold=0.5, review="reviewed")) == 1


def test_older_workspace_is_served(kept, served):
    import urllib.request

    address = served(pellucid.open(kept))
    with urllib.request.urlopen(
        f"{address}api/v1/views/boxes/versions/m/page?tab=all&limit=10"
    ) as answer:
        assert json.loads(answer.read())["total"] == 4


def test_newer_layout_is_refused_and_unchanged(kept):
    manifest = kept / "workspace.json"
    manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(WorkspaceFormatError, match="2"):
        pellucid.open(kept)
    assert '"format": 2' in manifest.read_text()
