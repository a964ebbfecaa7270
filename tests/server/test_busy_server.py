"""A locked database and long answers do not stop the rest of the server."""

import json
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import pellucid
import toys
from review.test_review_http import ask
from server.test_http import get

QUEUE = "api/v1/views/v/versions/m/queue"
REQUEST = {"session": "s" * 20, "who": "Bo", "tab": "all"}


@pytest.fixture
def view(tmp_path):
    workspace = pellucid.open(tmp_path / "w.pellucid")
    view, _ = workspace.add("v", toys.coco(tmp_path, pictures=False))
    view.start("m").add_predictions(toys.results(tmp_path))
    return workspace.view("v")


def test_long_answers_leave_threads_to_short_ones(view, served):
    address = served(view.workspace)
    version = view.version("m")
    waiting = threading.Event()
    with ThreadPoolExecutor(60) as pool:
        with version._load_lock:  # every answer about the version waits here
            paths = [
                f"api/v1/views/v/versions/m/{name}" for name in ("findings", "curves", "confusion")
            ]
            pending = [pool.submit(get, address, path) for path in paths * 20]
            while not any(future.running() for future in pending):
                waiting.wait(0.01)
            for path in ("health", "metrics", "api/v1/workspace", "api/v1/views/v/history"):
                assert get(address, path)[0] == 200, path
            assert not [future.result() for future in pending if future.done()]
        statuses = {future.result()[0] for future in pending}
    assert statuses <= {200, 422}, "and in the end all are answered"


@pytest.mark.slow
def test_locked_database_is_a_clear_and_short_refusal(view, served):
    address = served(view.workspace)
    item = view.version("m").gallery("missing")[0]
    view.reviews.decide(view.version("m"), [item], "wrong", "Al")
    database = view.workspace.folder / "reviews.sqlite"
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    start = time.monotonic()
    status, _, body = get(address, "api/v1/views/v/history")
    assert (status, len(json.loads(body)["rows"])) == (200, 1), "readers do not wait for a writer"
    status, document = ask(address, QUEUE, REQUEST)
    assert status == 503
    assert "locked" in document["detail"]
    assert time.monotonic() - start < 60
    other.execute("ROLLBACK")
    other.close()
    assert ask(address, QUEUE, REQUEST)[0] == 200
