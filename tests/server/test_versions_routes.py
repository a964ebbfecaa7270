"""The overview of versions over HTTP; renaming and removing are for owners."""

import json
import urllib.error
import urllib.request

import pytest

import toys
from pellucid.server.auth import AuthPolicy


@pytest.fixture
def view(workspace, tmp_path):
    view, _ = workspace.add("v", toys.coco(tmp_path, pictures=False))
    view.start("m").add_predictions(toys.results(tmp_path))
    return view


@pytest.fixture
def ask(view, served):
    """Send a request with a role; returns the status and the answer."""

    def send(role, path, body=None):
        address = served(view.workspace, auth_policy=AuthPolicy(role=role))
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{address}api/v1/views/{path}", data, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request) as response:
                return response.status, json.loads(response.read() or "null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    return send


def test_the_overview_of_each_split(view, ask):
    status, answer = ask("reader", "v/overview")
    [version] = answer["versions"]
    assert (status, version["version"], version["split"]) == (200, "m", "validation")
    overall = view.version("m").metrics().overall
    assert version["errors"] == overall.errors
    assert version["figures"][0] == {"name": "AP", "value": overall.coco["AP"]}
    training = ask("reader", "v/overview?split=training")[1]
    assert training["versions"][0]["figures"] == []
    assert ask("reader", "none/overview")[0] == 404


@pytest.mark.parametrize("role", ["reader", "reviewer"])
def test_only_owners_rename_and_remove(view, ask, role):
    for act in ("rename", "remove"):
        assert ask(role, f"v/versions/m/{act}", {"name": "m"})[0] == 403
    assert view.versions == ["m"]


@pytest.mark.parametrize("role", ["reader", "reviewer"])
def test_only_owners_rename_and_remove_views(view, ask, role):
    for act in ("rename", "remove"):
        assert ask(role, f"v/{act}", {"name": "v"})[0] == 403
    assert view.workspace.views == ["v"]


def test_an_owner_renames_and_removes_a_view(view, ask):
    view.workspace.add("other", {"image": ["a.png"], "label": ["cat"]}, kind="classification")
    assert ask("owner", "v/rename", {"name": "other"})[0] == 422
    assert ask("owner", "v/rename", {"name": "w"})[0] == 204
    assert ask("owner", "w/overview")[1]["versions"][0]["version"] == "m"
    assert ask("owner", "w/remove", {"name": "v"})[0] == 400
    assert ask("owner", "w/remove", {"name": "w"})[0] == 204
    assert ask("owner", "w/remove", {"name": "w"})[0] == 404
    assert view.workspace.views == ["other"]


def test_an_owner_renames_and_removes(view, ask):
    assert ask("owner", "v/versions/m/rename", {"name": "n"})[0] == 204
    assert view.versions == ["n"]
    assert ask("owner", "v/versions/n/rename", {"name": "a/b"})[0] == 404
    assert ask("owner", "v/versions/n/remove", {"name": "m"})[0] == 400
    assert ask("owner", "v/versions/n/remove", {"name": "n"})[0] == 204
    assert ask("owner", "v/versions/n/remove", {"name": "n"})[0] == 404
    assert view.versions == []


def test_only_owners_map_concepts(workspace, tmp_path, served):
    view, _ = workspace.add("v", toys.coco(tmp_path, pictures=False))
    names = [concept.name for concept in view.manifest.concepts]
    rows = {
        "image": ["a.png"] * 2,
        "concept": [names[0], names[0] + "s"],
        "score": [0.9, 0.8],
        "x": [10.0, 200.0],
        "y": [10.0, 200.0],
        "width": [20.0, 30.0],
        "height": [20.0, 30.0],
    }
    rows["image"] = [str(view.annotation_tables[0].path[0])] * 2
    view.start("m").add_predictions(rows, ignore_concepts=["*"])

    def send(role, renamed):
        address = served(workspace, auth_policy=AuthPolicy(role=role))
        request = urllib.request.Request(
            f"{address}api/v1/views/v/versions/m/map",
            json.dumps({"renamed": renamed}).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    renamed = {rows["concept"][1]: names[0]}
    assert send("reviewer", renamed)[0] == 403
    assert send("owner", {"unknown": names[0]})[0] == 422
    assert send("owner", {})[0] == 422
    assert send("owner", renamed) == (200, {"predictions": 1})
    assert len(view.version("m").gallery("all", names[0])) == 2
    assert send("owner", renamed)[0] in (400, 409, 422)
