"""The typed client against a real server: its answers are those of the Python interface."""

import shutil

import pytest

import pellucid
from pellucid.client import ServerResponseError
from pellucid.server.auth import AuthPolicy


@pytest.fixture
def workspace(demo, tmp_path):
    shutil.copytree(demo.folder, tmp_path / "demo.pellucid")
    return pellucid.open(tmp_path / "demo.pellucid")


@pytest.fixture
def client(served, workspace):
    return pellucid.Client(served(workspace))


def test_questions_about_a_version(client, workspace):
    version = workspace.view("cells").version("v2")
    assert {view.name for view in client.workspace().views} == set(workspace.views)
    document = client.version("cells", "v2")
    assert document.concepts == list(version.evaluation.concepts)
    assert document.has_scores
    figures = client.figures("cells", "v2")
    assert [concept.threshold for concept in figures.concepts] == [
        threshold.value for threshold in version.evaluation.thresholds
    ]
    metrics = version.metrics("validation")
    assert [concept.fp for concept in figures.concepts] == [c.fp for c in metrics.concepts]
    assert client.headline("cells", "v2").figures[0].value == metrics.overall.coco["AP"]
    assert [one.version for one in client.overview("cells").versions] == ["v1", "v2"]


@pytest.mark.parametrize("tab", ["all", "missing", "extra"])
def test_items_of_all_pages(client, workspace, tab):
    version = workspace.view("cells").version("v2")
    concepts = client.version("cells", "v2").concepts
    found = [
        (item.path, concepts[item.concept], item.score, item.box, item.outcome)
        for item in client.items("cells", "v2", tab)
    ]
    expected = [
        (item.image, item.concept, item.score, item.box, item.outcome)
        for item in version.gallery(tab)
    ]
    assert found == expected
    only = list(client.items("cells", "v2", "missing", only=["cause:background"]))
    assert len(only) == len(version.gallery("missing", only=["cause:background"]))


def test_images_are_ranked_as_in_python(client, workspace):
    results = workspace.view("cells").version("v2").results()
    document = client.images("cells", "v2", limit=3)
    assert document.total == len(results.images("validation"))
    assert [(one.path, one.tp, one.fp, one.fn) for one in document.images] == [
        (one.image, one.tp, one.fp, one.fn) for one in results.images("validation")[:3]
    ]
    (item,) = client.page("cells", "v2", "missing", limit=1).items
    assert client.image("cells", "v2", item.image).path == item.path


def test_findings_are_those_of_python(client, workspace):
    view = workspace.view("cells")
    expected = view.version("v2").results().findings("validation", baseline="v1")
    document = client.findings("cells", "v2", baseline="v1")
    before_pictures = [f.sentence for f in document.findings if f.kind != "slice"]
    assert before_pictures == [f.sentence for f in expected.findings if f.kind != "slice"]


def test_figures_and_comparison_are_those_of_python(client, workspace):
    view = workspace.view("cells")
    results = view.version("v2").results()
    curves = client.curves("cells", "v2")
    assert [split.split for split in curves.splits] == [one.split for one in results.figures()]
    causes = client.causes("cells", "v2")
    assert causes.found == results.causes("validation")
    comparison = client.compare("cells", "v1", "v2")
    expected = view.version("v1").results().compare(results, "validation")
    assert (comparison.a, comparison.b) == ("v1", "v2")
    assert comparison.overall.fixed == expected.overall.fixed
    assert comparison.overall.broken == expected.overall.broken


def test_decisions(client):
    (item,) = client.page("cells", "v2", "missing", limit=1).items
    client.decide("cells", "v2", [item], "right", "Ann", "the model is wrong")
    (row, *_) = client.history("cells").rows
    assert (row.who, row.image, row.reason) == ("Ann", item.path, "the model is wrong")


def test_refusals_and_absent_servers(client):
    with pytest.raises(ServerResponseError, match="view 'nothing' not found") as raised:
        client.version("nothing", "v2")
    assert raised.value.status == 404
    with pytest.raises(ServerResponseError, match="invalid request: offset: Input should be"):
        client.page("cells", "v2", "missing", offset=-1)
    with pytest.raises(ServerResponseError, match="cannot be reached"):
        pellucid.Client("http://127.0.0.1:9").workspace()


def test_token(served, workspace):
    address = served(workspace, auth_policy=AuthPolicy(tokens={"secret": "reader"}))
    with pytest.raises(ServerResponseError, match="Authentication required"):
        pellucid.Client(address).workspace()
    for client in (pellucid.Client(address, "secret"), pellucid.Client(f"{address}?token=secret")):
        assert client.workspace().views
