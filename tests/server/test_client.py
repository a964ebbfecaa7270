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


def test_analyses(client):
    assert client.images("cells", "v2", limit=3).total
    (item,) = client.page("cells", "v2", "missing", limit=1).items
    assert client.image("cells", "v2", item.image).path == item.path
    assert client.properties("cells", "v2").looked_at
    assert client.findings("cells", "v2", baseline="v1").findings
    assert client.compare("cells", "v1", "v2").a == "v1"
    assert client.curves("cells", "v2").splits
    assert client.causes("cells", "v2", concept=0)
    assert client.slices("cells", "v2")


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
