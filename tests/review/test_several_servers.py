"""Several servers on one workspace: in a folder or in a store, with the decisions in
PostgreSQL. Any of them may be killed and replaced."""

import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from urllib.parse import urlsplit

import pytest

import pellucid
from review.test_review_http import LIST, ONE, asked, good, many, seen


class Server:
    """`pellucid serve` as a machine of its own runs it: with its own cache, at an address that
    stays the same."""

    def __init__(self, location, database, cache, port=None):
        if port is None:
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
        self.port, self.address = port, f"http://127.0.0.1:{port}/"
        self.begin = lambda: subprocess.Popen(
            [
                sys.executable,
                "-m",
                "pellucid",
                "serve",
                str(location),
                "--port",
                str(port),
                "--no-browser",
            ],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PELLUCID_REVIEWS": database, "XDG_CACHE_HOME": str(cache)},
        )
        self.start()

    def start(self):
        self.process = self.begin()
        assert any("http" in line for line in self.process.stderr)

    def end(self, how=signal.SIGINT):
        self.process.send_signal(how)
        status = self.process.wait(timeout=30)
        self.process.stderr.close()
        return status


@pytest.fixture(params=["a folder", "a store"])
def servers(request, postgres, tmp_path, monkeypatch):
    location = tmp_path / "w" if request.param == "a folder" else (tmp_path / "w").as_uri()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    many(pellucid.open(location, postgres), tmp_path)
    made = [Server(location, postgres, tmp_path / f"cache-{number}") for number in range(2)]
    yield made
    for server in made:
        server.end()


def test_servers_see_each_others_decisions(servers):
    first, second = (server.address for server in servers)
    items = good(first, LIST)["items"]
    good(first, f"{ONE}/decisions", asked(items[:3]))
    assert good(second, LIST + "&review=new")["total"] == len(items) - 3
    assert good(second, "api/v1/views/v/history")["total"] == 3
    handed = []
    for number, address in enumerate([first, second, first, second]):
        queue = {
            "session": f"session-{number}",
            "who": f"P{number}",
            "tab": "missing",
            "at": ["0:0.1", "1:0.1"],
            "take": 20,
        }
        handed += [item["row"] for item in good(address, f"{ONE}/queue", queue)["items"]]
    assert len(handed) == len(set(handed)) == 80
    assert not {item["row"] for item in items[:3]} & set(handed)


def patient(address, path, body=None):
    """As a browser's page does: what did not arrive is asked again."""
    for _ in range(120):
        try:
            return good(address, path, body)
        except (OSError, http.client.HTTPException):
            time.sleep(0.25)
    raise AssertionError(f"{path} was never answered")


def test_killed_server_is_replaced_under_load(servers):
    """Nobody meets a failure that asking again does not mend, and no decision is lost or kept
    twice."""
    until, kept, looked, wrong = time.time() + 9, [], [], []

    def decide(number):
        server, chance = servers[number % 2], random.Random(number)
        items = patient(server.address, LIST)["items"]
        while time.time() < until:
            batch = uuid.UUID(int=chance.getrandbits(128)).hex
            body = {
                "items": [seen(chance.choice(items))],
                "verdict": "right",
                "who": f"P{number}",
                "batch": batch,
            }
            patient(server.address, f"{ONE}/decisions", body)
            kept.append(batch)
            time.sleep(0.02)

    def look(number):
        server, chance = servers[number % 2], random.Random(number)
        while time.time() < until:
            page = patient(
                server.address, f"{ONE}/page?tab=all&limit=50&offset={chance.randrange(100)}"
            )
            looked.append(len(page["items"]))
            if page["total"] != 121:
                wrong.append(page["total"])
            time.sleep(0.02)

    people = [
        threading.Thread(target=job, args=(number,))
        for job in (decide, look)
        for number in range(6)
    ]
    for one in people:
        one.start()
    for server in servers:
        time.sleep(2)
        server.end(signal.SIGKILL)
        server.start()
    for one in people:
        one.join()
    assert (
        good(servers[1].address, "api/v1/views/v/history?limit=0")["total"]
        == len(kept)
        == len(set(kept))
    )
    assert len(kept) > 50
    assert len(looked) > 50
    assert wrong == []


def test_server_finishes_requests_on_sigterm(servers):
    """Requests that were taken are answered whole; then it goes, with nothing to complain of."""
    server = servers[0]
    answers, refused = [], []

    def ask(number):
        parts = urlsplit(server.address)
        for _ in range(200):
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
            try:
                connection.connect()
            except OSError:
                refused.append(number)
                return
            connection.request("GET", f"/{ONE}/page?tab=all&limit=100&offset={number}")
            try:
                answers.append(
                    (response := connection.getresponse()).status == 200
                    and len(response.read()) > 1_000
                )
            except (
                http.client.RemoteDisconnected,
                ConnectionResetError,
            ):  # not taken: it waited in line as the door was shut
                refused.append(number)
                return
            finally:
                connection.close()

    people = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for one in people:
        one.start()
    time.sleep(1)
    status = server.end(signal.SIGTERM)
    for one in people:
        one.join()
    server.start()
    assert status == 0
    assert answers
    assert all(answers)
    assert len(refused) == 8
