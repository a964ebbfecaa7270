"""Many at once: fifty readers, twenty reviewers, an import meanwhile, and a server that is
killed and replaced.

A reader looks at a page of a hundred items a second, as one who scrolls and jumps does: any
tab, any concept or all, anywhere in the list. A reviewer is handed ten items at a time and
decides on one a second. All of them, and the server, share this machine's cores.
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
    """One person's browser: a connection that is kept, opened anew where it was lost. failed:
    what a retry did not mend."""

    address: str
    times: list[float] = field(default_factory=list)
    retried: int = 0
    failed: list[str] = field(default_factory=list)
    connection: http.client.HTTPConnection | None = None

    def ask(self, path: str, body: Any = None) -> Any:
        begun = time.perf_counter()
        for attempt in range(RETRIES):
            try:
                answer = self._once(path, body)
                break
            except (OSError, http.client.HTTPException) as error:
                self.connection = None
                self.retried += 1
                if attempt == RETRIES - 1:
                    self.failed.append(f"{path}: {error}")
                    return None
                time.sleep(0.25)
        self.times.append((time.perf_counter() - begun) * 1000)
        return answer

    def _once(self, path: str, body: Any) -> Any:
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
        found = response.read()
        if response.status >= 500:
            raise http.client.HTTPException(f"{response.status}")
        if response.status >= 400:
            self.failed.append(f"{path}: {response.status} {found[:200]!r}")
            return None
        return json.loads(found) if found else None


def run_reader(client: Client, size: Size, until: float, dice: random.Random) -> None:
    time.sleep(dice.random() * PAUSE)
    tab, concept, total, offset = "all", None, size.predictions // 2, 0
    while time.perf_counter() < until:
        begun = time.perf_counter()
        move = dice.random()
        if move < 0.6:
            offset = min(offset + 100, max(0, total - 100))  # scrolls
        elif move < 0.85:
            offset = dice.randrange(max(1, total))  # jumps
        else:
            tab, concept, offset = (
                dice.choice(["all", "matched", "missing", "extra"]),
                dice.choice([None, dice.randrange(size.concepts)]),
                0,
            )
        which = "" if concept is None else f"&concept={concept}"
        found = client.ask(f"{VERSION}/page?tab={tab}&limit=100&offset={offset}{which}")
        total = total if found is None else found["total"]
        time.sleep(max(0, PAUSE - (time.perf_counter() - begun)))


def run_reviewer(
    client: Client,
    name: str,
    until: float,
    concepts: list[str],
    handed: list[tuple[str, int]],
    kept: list[str],
) -> None:
    session, waiting, done = uuid.uuid4().hex, [], []
    while time.perf_counter() < until:
        begun = time.perf_counter()
        if not waiting:
            asked = {
                "session": session,
                "who": name,
                "take": 10,
                "give_back": done,
                "order": "score",
            }
            found = client.ask(f"{VERSION}/queue", asked)
            if not found or not found["items"]:
                return
            waiting, done = found["items"], []
            handed.extend((session, item["row"]) for item in waiting)
        item = waiting.pop(0)
        seen = {
            "image": item["path"],
            "concept": concepts[item["concept"]],
            "side": "predicted",
            "box": item["box"],
            "score": item["score"],
        }
        batch = uuid.uuid4().hex
        if (
            client.ask(
                f"{VERSION}/decisions",
                {"items": [seen], "verdict": "right", "who": name, "batch": batch},
            )
            is not None
        ):
            kept.append(batch)
        done.append(seen)
        time.sleep(max(0, PAUSE - (time.perf_counter() - begun)))


@dataclass
class Load:
    """What a crowd met. handed: session and row of all that was given out; kept: batches that
    were acknowledged."""

    readers: list[Client]
    reviewers: list[Client]
    handed: list[tuple[str, int]]
    kept: list[str]

    def told(self, who: str) -> str:
        clients = self.readers if who == "readers" else self.reviewers
        times = [one for client in clients for one in client.times]
        if not times:
            return "–"
        failed = [one for client in clients for one in client.failed]
        lost = f", {len(failed)} failed ({failed[0]})" if failed else ", none failed"
        again = sum(client.retried for client in clients)
        return (
            f"{len(times):,} answers, median {statistics.median(times):.0f} ms, p95 "
            f"{np.quantile(times, 0.95):.0f} ms, longest "
            f"{max(times):.0f} ms{lost}{f', {again} tried again' if again else ''}"
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
            args=(client, f"Reviewer {place}", until, concepts, load.handed, load.kept),
        )
        for place, client in enumerate(load.reviewers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return load


def resident_memory(process: int) -> float:
    """Megabytes that a process has of its own."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return (
        sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon", "RssShmem")))
        / 1024
    )


def rows(size: Size, folder: Path, seconds: float) -> list[tuple[str, str]]:
    workspace = prepare(size, folder)
    found = []
    with running_server(workspace) as (address, _, process):
        alone = run_clients(address, size, seconds, READERS, 0)
        found.append((f"{READERS} readers", alone.told("readers")))
        before = resident_memory(process)
        both = run_clients(address, size, seconds)
        found += [
            (f"{READERS} readers beside {REVIEWERS} reviewers", both.told("readers")),
            (f"{REVIEWERS} reviewers", both.told("reviewers")),
        ]
        history = Client(address).ask("/api/v1/views/made/history?limit=0")["total"]
        twice = len(both.handed) - len({row for _, row in both.handed})
        found.append(
            (
                "decisions",
                f"{len(both.kept):,} acknowledged, {history:,} in the history; {twice} items "
                "handed out twice",
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
        found.append(("readers while another version is imported", meanwhile.told("readers")))
        found.append(("reviewers while another version is imported", meanwhile.told("reviewers")))
        found.append(
            (
                "memory of the server's own",
                f"{before:.0f} MB before, {resident_memory(process):.0f} MB after",
            )
        )
    found.append(measure_restart(workspace, size, seconds))
    return found


def measure_restart(workspace: Path, size: Size, seconds: float) -> tuple[str, str]:
    """A server killed (not stopped) in the middle, another begun at its address."""
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

    def begin() -> subprocess.Popen[str]:
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        process.stderr.readline()
        return process

    process = begin()
    found: list[Load] = []
    thread = threading.Thread(
        target=lambda: found.append(run_clients(f"http://127.0.0.1:{port}/", size, seconds))
    )
    thread.start()
    time.sleep(seconds / 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process = begin()
    thread.join()
    process.send_signal(signal.SIGINT)
    process.wait()
    told = f"{found[0].told('readers')}; reviewers: {found[0].told('reviewers')}"
    return "a server killed and replaced under that load", told


if __name__ == "__main__":
    chosen = {"small": SMALL, "million": MILLION}[sys.argv[1]]
    for line in rows(chosen, Path(sys.argv[2]), float(sys.argv[3])):
        print(*line, sep=": ", flush=True)
