"""Who may come in, and what they may do, asked of a real server."""

import contextlib
import http.client
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import expect

import pellucid
import toys
from pellucid.server.auth import MAX_BODY_BYTES, AuthPolicy
from pellucid.server.errors import InvalidTokensError
from pellucid.server.failed_attempts import FailedAttempts
from pellucid.server.serving import AccessOptions, auth_policy

OWNER, REVIEWER, READER = "o" * 32, "v" * 32, "r" * 32
TOKENS = {OWNER: "owner", REVIEWER: "reviewer", READER: "reader"}
RESET = "api/v1/views/v/reset"


@pytest.fixture
def workspace(tmp_path):
    made = pellucid.open(tmp_path / "w")
    view, _ = made.add("v", toys.coco(tmp_path), images=tmp_path / "images")
    view.start("m").add_predictions(toys.results(tmp_path))
    return made


@pytest.fixture
def locked(workspace, served):
    return served(workspace, auth_policy=AuthPolicy(None, TOKENS))


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def ask(address, path, body=None, **headers):
    """Status, headers and body of the answer; redirects are not followed."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        address + path, data, {"Content-Type": "application/json", **headers}
    )
    try:
        with urllib.request.build_opener(Stay).open(request) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def test_without_a_token_only_health_is_answered(locked):
    for path in (
        "",
        "api/v1/workspace",
        "api/v1/views/v/versions/m/page",
        "pictures/v/m/0/0",
        "metrics",
        "openapi.json",
        "assets/none.js",
    ):
        status, _, body = ask(locked, path)
        assert status == 401, path
        assert b"token" in body
    assert ask(locked, "api/v1/workspace", **bearer("x" * 32))[0] == 401
    assert ask(locked, "api/v1/workspace?token=")[0] == 401
    status, _, body = ask(locked, "health")
    assert (status, json.loads(body)) == (200, {"status": "ok", "pellucid": pellucid.__version__})


def test_token_in_url_is_moved_to_a_cookie(locked):
    status, headers, _ = ask(locked, f"?view=v&token={REVIEWER}&tab=extra")
    assert (status, headers["Location"]) == (303, "/?view=v&tab=extra")
    cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    kept = cookie.split(";")[0]
    status, _, body = ask(locked, "api/v1/workspace", Cookie=kept)
    assert (status, json.loads(body)["role"]) == (200, "reviewer")


@pytest.mark.parametrize(
    ("token", "decides", "begins_anew"),
    [(OWNER, 200, 200), (REVIEWER, 200, 403), (READER, 403, 403)],
)
def test_a_role_may_read_decide_or_begin_a_round(locked, token, decides, begins_anew):
    status, _, body = ask(locked, "api/v1/views/v/versions/m/page?tab=missing", **bearer(token))
    assert status == 200
    item = json.loads(body)["items"][0]
    seen = {
        "image": item["path"],
        "concept": "dent",
        "side": "predicted",
        "box": item["box"],
        "score": item["score"],
    }
    decision = {"items": [seen], "verdict": "right", "who": "Ann", "batch": "a" * 32}
    assert (
        ask(locked, "api/v1/views/v/versions/m/decisions", decision, **bearer(token))[0] == decides
    )
    assert ask(locked, RESET, {"who": "Ann"}, **bearer(token))[0] == begins_anew


def test_reviewer_cannot_revert_or_restore_a_round_of_the_owner(locked):
    assert ask(locked, RESET, {"who": "Eve"}, **bearer(OWNER))[0] == 200
    row = json.loads(ask(locked, "api/v1/views/v/history", **bearer(REVIEWER))[2])["rows"][0]["id"]
    revert = f"api/v1/views/v/history/{row}/revert"
    undo, redo = ({"who": "Eve", "batch": name * 32} for name in "ab")
    for path, body in ((revert, {"who": "Ann"}), ("api/v1/views/v/undo", undo)):
        assert ask(locked, path, body, **bearer(REVIEWER))[0] == 403
    assert ask(locked, "api/v1/views/v/undo", undo, **bearer(OWNER))[0] == 200
    assert ask(locked, "api/v1/views/v/redo", redo, **bearer(REVIEWER))[0] == 403
    assert ask(locked, "api/v1/views/v/redo", redo, **bearer(OWNER))[0] == 200


SPELLINGS = ["Eve ", " Eve", "Eve\u00a0", "E\u200bve", "\uff25ve", "Eve\u2003"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_another_spelling_of_a_name_gives_no_right(locked, workspace, spelling):
    """What is checked and what is done are about the same person."""
    assert ask(locked, RESET, {"who": "Eve"}, **bearer(OWNER))[0] == 200
    undo = {"who": spelling, "batch": "a" * 32}
    assert ask(locked, "api/v1/views/v/undo", undo, **bearer(REVIEWER))[0] == 403
    assert [one.action for one in workspace.view("v").reviews.history()] == ["reset"]
    assert ask(locked, "api/v1/views/v/undo", undo, **bearer(OWNER))[0] == 200
    redo = {"who": spelling, "batch": "b" * 32}
    assert ask(locked, "api/v1/views/v/redo", redo, **bearer(REVIEWER))[0] == 403
    assert {one.who for one in workspace.view("v").reviews.history()} == {"Eve"}


def test_names_of_a_proxy_are_one_identity(workspace, served):
    policy = AuthPolicy(None, {}, "reviewer", "X-User", ("127.0.0.1",), ("olga",))
    here = served(workspace, auth_policy=policy)
    for name in ("olga", "olga\u00a0", " olga"):
        status, _, body = ask(here, "api/v1/workspace", **{"X-User": name.encode("latin-1")})
        assert (status, json.loads(body)["role"]) == (200, "owner"), name
        assert (
            ask(here, RESET, {"who": "someone else"}, **{"X-User": name.encode("latin-1")})[0]
            == 200
        )
    assert {one.who for one in workspace.view("v").reviews.history()} == {"olga"}


def test_token_in_url_leads_to_no_other_server(locked):
    status, headers, _ = ask(locked, f"/elsewhere.example/?token={REVIEWER}")
    assert (status, headers["Location"]) == (303, "/elsewhere.example/")


def test_wrong_tokens_are_answered_ever_more_slowly():
    now = [0.0]
    attempts = FailedAttempts(lambda: now[0])
    delays = [attempts.record("a") for _ in range(40)]
    assert delays[:10] == [0.0] * 10
    assert delays[10:13] == [0.1, 0.2, 0.4]
    assert max(delays) == delays[-1] == 5.0
    assert attempts.record("b") == 0.0
    now[0] = 301.0
    assert attempts.record("a") == 0.0


def test_get_requests_change_nothing(locked, workspace):
    """No address that is read with GET decides on something."""
    from openapi import schema

    before = len(workspace.view("v").reviews.history())
    for path, methods in schema()["paths"].items():
        if "post" in methods and "get" not in methods:
            assert ask(
                locked,
                path.strip("/").replace("{view}", "v").replace("{version}", "m"),
                **bearer(OWNER),
            )[0] in (404, 405)
    assert len(workspace.view("v").reviews.history()) == before


def told_length(address, length):
    """What a request is answered that says it is so long; None: says nothing of it. Its body is
    never sent."""
    connection = http.client.HTTPConnection(address.removeprefix("http://").rstrip("/"), timeout=20)
    connection.putrequest("POST", f"/{RESET}")
    connection.putheader("Authorization", f"Bearer {OWNER}")
    connection.putheader(
        *(("Transfer-Encoding", "chunked") if length is None else ("Content-Length", str(length)))
    )
    connection.endheaders()
    with contextlib.closing(connection), connection.getresponse() as answer:
        return answer.status, answer.read()


def test_oversized_requests_are_refused(locked):
    status, body = told_length(locked, MAX_BODY_BYTES + 1)
    assert status == 413
    assert b"4 MB" in body
    assert told_length(locked, None)[0] == 411


def test_server_errors_are_counted_and_keep_the_security_headers(workspace, served, monkeypatch):
    address = served(workspace)
    monkeypatch.setattr(
        "pellucid.server.routes.gallery_routes.workspace_document", lambda *_: 1 / 0
    )
    status, headers, body = ask(address, "api/v1/workspace")
    assert status == 500
    assert b"See the server log" in body
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert b'path="/api/v1/workspace",status="500"} 1' in ask(address, "metrics")[2]


def test_user_header_is_accepted_only_from_the_proxy(workspace, served):
    elsewhere = served(
        workspace, auth_policy=AuthPolicy(None, {}, "reviewer", "X-User", ("10.9.8.7",))
    )
    assert ask(elsewhere, "api/v1/workspace", **{"X-User": "ann"})[0] == 403
    here = served(
        workspace, auth_policy=AuthPolicy(None, {}, "reviewer", "X-User", ("127.0.0.1",), ("eve",))
    )
    assert ask(here, "api/v1/workspace")[0] == 401
    assert ask(here, "api/v1/workspace", **{"X-User": " "})[0] == 401
    for name, role in (("ann", "reviewer"), ("eve", "owner")):
        assert json.loads(ask(here, "api/v1/workspace", **{"X-User": name})[2])["role"] == role


def test_no_token_on_loopback_and_two_on_a_network(monkeypatch):
    assert auth_policy("127.0.0.1", AccessOptions()) == AuthPolicy(role="owner")
    doors = auth_policy("0.0.0.0", AccessOptions(role="reader"))
    assert sorted(doors.tokens.values()) == ["owner", "reader"]
    assert all(len(token) >= 32 for token in doors.tokens)
    assert (
        auth_policy("0.0.0.0", AccessOptions()).tokens
        != auth_policy("0.0.0.0", AccessOptions()).tokens
    )
    monkeypatch.setenv("PELLUCID_TOKEN", REVIEWER)
    assert auth_policy("0.0.0.0", AccessOptions()).tokens[REVIEWER] == "reviewer"
    for unfit in (REVIEWER, "short"):
        monkeypatch.setenv("PELLUCID_OWNER_TOKEN", unfit)
        with pytest.raises(InvalidTokensError, match="two different tokens"):
            auth_policy("0.0.0.0", AccessOptions())
    behind = auth_policy(
        "127.0.0.1",
        AccessOptions(who_header="X-User", owners=("eve",), hostnames=("review.example",)),
    )
    assert set(behind.hosts) == {"127.0.0.1", "localhost", "::1", "review.example"}


def test_serve_prints_urls_with_tokens_and_counts_requests(workspace):
    command = [
        sys.executable,
        "-m",
        "pellucid",
        "serve",
        str(workspace.folder),
        "--host",
        "0.0.0.0",
        "--port",
        "0",
        "--no-browser",
        "--log",
    ]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        lines = [running.stderr.readline() for _ in range(2)]
        addresses = [
            re.search(r"http://\S+", line)[0].replace("0.0.0.0", "127.0.0.1") for line in lines
        ]
        tokens = [address.partition("token=")[2] for address in addresses]
        address = addresses[0].partition("?")[0]
        assert [
            json.loads(ask(address, "api/v1/workspace", **bearer(token))[2])["role"]
            for token in tokens
        ] == ["owner", "reviewer"]
        status, _, body = ask(address, "metrics", **bearer(tokens[0]))
        assert status == 200
        assert (
            'pellucid_requests_total{method="GET",path="/api/v1/workspace",status="200"} 2'
            in body.decode()
        )
        ask(address, f"api/v1/workspace?token={tokens[1]}")
        time.sleep(0.2)
    finally:
        running.terminate()
        said = running.communicate(timeout=20)[1]
    told = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert {"/api/v1/workspace", "/metrics"} <= {one["path"] for one in told}
    assert not any(token in said for token in tokens)


@pytest.mark.browser
def test_reader_sees_the_gallery_without_review_buttons(locked, page):
    page.goto(f"{locked}?view=v&tab=missing&token={READER}")
    expect(page.locator("[role=option] img").first).to_be_visible()
    assert "token" not in page.url
    expect(page.get_by_role("toolbar", name="Review")).to_have_count(0)
    page.keyboard.press("w")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Picture")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Annotation wrong"))).to_have_count(0)


def test_every_response_has_security_headers(locked):
    for path in ("health", "api/v1/workspace", f"?token={OWNER}"):
        headers = ask(locked, path)[1]
        assert "script-src 'self'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
