"""Load: fifty readers and twenty reviewers, also during an import, and with a server that is
killed and replaced.

A reader requests a page of a hundred items a second, as somebody who scrolls and jumps: any tab,
any concept or all, anywhere in the list. A reviewer gets ten items at a time from the queue and
decides on one a second. The clients and the server share the cores of this machine.
"""

from __future__ import annotations

import http.client
import json
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from benchmarks.data import MILLION, SMALL, Size
from benchmarks.serving import prepare, running_server

READERS, REVIEWERS = 50, 20
PAUSE = 1.0
"""Seconds from one page to a reader's next, and from one decision to a reviewer's next."""
VERSION = "/api/v1/views/made/versions/model"
RETRIES = 40


@dataclass
class Client:
    """A browser: a connection that stays open, and is opened again when it was lost. failed: the
    requests that failed after all retries."""

    address: str
    times: list[float] = field(default_factory=list)
    retried: int = 0
    failed: list[str] = field(default_factory=list)
    connection: http.client.HTTPConnection | None = None

    def ask(self, path: str, body: Any = None) -> Any:
        start = time.perf_counter()
        for attempt in range(RETRIES):
            try:
                answer = self.ask_once(path, body)
                break
            except (OSError, http.client.HTTPException) as error:
                self.connection = None
                self.retried += 1
                if attempt == RETRIES - 1:
                    self.failed.append(f"{path}: {error}")
                    return None
                time.sleep(0.25)
        self.times.append((time.perf_counter() - start) * 1000)
        return answer

    def ask_once(self, path: str, body: Any) -> Any:
        if self.connection is None:
            parts = urlsplit(self.address)
            self.connection = http.client.HTTPConnection(
                str(parts.hostname), parts.port, timeout=30
            )
        text = None if body is None else json.dumps(body)
        self.connection.request(
            "GET" if body is None else "POST",
            path,
            text,
            {"Content-Type": "application/json"} if text else {},
        )
        response = self.connection.getresponse()
        content = response.read()
        if response.status >= 500:
            raise http.client.HTTPException(f"{response.status}")
        if response.status >= 400:
            self.failed.append(f"{path}: {response.status} {content[:200]!r}")
            return None
        return json.loads(content) if content else None


def run_reader(client: Client, size: Size, until: float, chooser: random.Random) -> None:
    time.sleep(chooser.random() * PAUSE)
    tab, concept, total, offset = "all", None, size.predictions // 2, 0
    while time.perf_counter() < until:
        start = time.perf_counter()
        move = chooser.random()
        if move < 0.6:
            offset = min(offset + 100, max(0, total - 100))  # scrolls
        elif move < 0.85:
            offset = chooser.randrange(max(1, total))  # jumps
        else:
            tab, concept, offset = (
                chooser.choice(["all", "matched", "missing", "extra"]),
                chooser.choice([None, chooser.randrange(size.concepts)]),
                0,
            )
        filter_clause = "" if concept is None else f"&concept={concept}"
        page = client.ask(f"{VERSION}/page?tab={tab}&limit=100&offset={offset}{filter_clause}")
        total = total if page is None else page["total"]
        time.sleep(max(0, PAUSE - (time.perf_counter() - start)))


def item_reference(item: dict[str, Any], concepts: list[str]) -> dict[str, Any]:
    """How a decision names an item of a page."""
    return {
        "image": item["path"],
        "concept": concepts[item["concept"]],
        "side": "predicted",
        "box": item["box"],
        "score": item["score"],
    }


def run_reviewer(
    client: Client,
    name: str,
    until: float,
    concepts: list[str],
    assigned: list[tuple[str, int]],
    acknowledged: list[str],
) -> None:
    session, waiting, done = uuid.uuid4().hex, [], []
    while time.perf_counter() < until:
        start = time.perf_counter()
        if not waiting:
            request = {
                "session": session,
                "who": name,
                "take": 10,
                "give_back": done,
                "order": "score",
            }
            queue = client.ask(f"{VERSION}/queue", request)
            if not queue or not queue["items"]:
                return
            waiting, done = queue["items"], []
            assigned.extend((session, item["row"]) for item in waiting)
        item = waiting.pop(0)
        seen = item_reference(item, concepts)
        batch = uuid.uuid4().hex
        if (
            client.ask(
                f"{VERSION}/decisions",
                {"items": [seen], "verdict": "right", "who": name, "batch": batch},
            )
            is not None
        ):
            acknowledged.append(batch)
        done.append(seen)
        time.sleep(max(0, PAUSE - (time.perf_counter() - start)))


@dataclass
class Load:
    """The answers to all clients. assigned: session and row of each item that a queue assigned;
    acknowledged: batches of the decisions that the server confirmed."""

    readers: list[Client]
    reviewers: list[Client]
    assigned: list[tuple[str, int]]
    acknowledged: list[str]

    def summary(self, who: str) -> str:
        clients = self.readers if who == "readers" else self.reviewers
        times = [milliseconds for client in clients for milliseconds in client.times]
        if not times:
            return "–"
        failed = [message for client in clients for message in client.failed]
        failures = f", {len(failed)} failed ({failed[0]})" if failed else ", none failed"
        retried = sum(client.retried for client in clients)
        return (
            f"{len(times):,} answers, median {statistics.median(times):.0f} ms, p95 "
            f"{np.quantile(times, 0.95):.0f} ms, longest "
            f"{max(times):.0f} ms{failures}{f', {retried} retried' if retried else ''}"
        )


def run_clients(
    address: str, size: Size, seconds: float, readers: int = READERS, reviewers: int = REVIEWERS
) -> Load:
    load = Load(
        [Client(address) for _ in range(readers)],
        [Client(address) for _ in range(reviewers)],
        [],
        [],
    )
    until = time.perf_counter() + seconds
    concepts = Client(address).ask(VERSION)["concepts"]
    threads = [
        threading.Thread(target=run_reader, args=(client, size, until, random.Random(place)))
        for place, client in enumerate(load.readers)
    ]
    threads += [
        threading.Thread(
            target=run_reviewer,
            args=(client, f"Reviewer {place}", until, concepts, load.assigned, load.acknowledged),
        )
        for place, client in enumerate(load.reviewers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return load


def resident_memory(process: int) -> float:
    """Megabytes of anonymous and shared memory of a process."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return (
        sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon", "RssShmem")))
        / 1024
    )


def rows(size: Size, folder: Path, seconds: float) -> list[tuple[str, str]]:
    workspace = prepare(size, folder)
    table = []
    with running_server(workspace) as (address, _, process):
        alone = run_clients(address, size, seconds, READERS, 0)
        table.append((f"{READERS} readers", alone.summary("readers")))
        before = resident_memory(process)
        both = run_clients(address, size, seconds)
        table += [
            (f"{READERS} readers beside {REVIEWERS} reviewers", both.summary("readers")),
            (f"{REVIEWERS} reviewers", both.summary("reviewers")),
        ]
        history = Client(address).ask("/api/v1/views/made/history?limit=0")["total"]
        twice = len(both.assigned) - len({row for _, row in both.assigned})
        table.append(
            (
                "decisions",
                f"{len(both.acknowledged):,} acknowledged, {history:,} in the history; "
                f"{twice} items assigned twice",
            )
        )
        command = [
            sys.executable,
            "-m",
            "pellucid",
            "predictions",
            str(workspace),
            "made",
            "second",
            str(folder / "results.json"),
        ]
        importing = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        meanwhile = run_clients(address, size, seconds)
        importing.wait()
        table.append(("readers while another version is imported", meanwhile.summary("readers")))
        table.append(
            ("reviewers while another version is imported", meanwhile.summary("reviewers"))
        )
        table.append(
            (
                "memory of the server, without mapped files",
                f"{before:.0f} MB before, {resident_memory(process):.0f} MB after",
            )
        )
    table.append(measure_restart(workspace, size, seconds))
    return table


def measure_restart(workspace: Path, size: Size, seconds: float) -> tuple[str, str]:
    """A server is killed halfway, and another is started at its address."""
    port = 17_860
    command = [
        sys.executable,
        "-m",
        "pellucid",
        "serve",
        str(workspace),
        "--no-browser",
        "--port",
        str(port),
    ]

    def start_server() -> subprocess.Popen[str]:
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        process.stderr.readline()
        return process

    process = start_server()
    loads: list[Load] = []
    thread = threading.Thread(
        target=lambda: loads.append(run_clients(f"http://127.0.0.1:{port}/", size, seconds))
    )
    thread.start()
    time.sleep(seconds / 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process = start_server()
    thread.join()
    process.send_signal(signal.SIGINT)
    process.wait()
    summary = f"{loads[0].summary('readers')}; reviewers: {loads[0].summary('reviewers')}"
    return "a server killed and replaced under that load", summary


if __name__ == "__main__":
    chosen = {"small": SMALL, "million": MILLION}[sys.argv[1]]
    for line in rows(chosen, Path(sys.argv[2]), float(sys.argv[3])):
        print(*line, sep=": ", flush=True)
