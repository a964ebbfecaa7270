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
