"""`make soak`: an hour of nonsense for the readers and the server, and of people looking and
deciding; nothing may fail and memory stays.

Readers of files get changed bytes of every format; the server gets whatever its schema allows
and much that it does not; five readers and two reviewers go on meanwhile. `SOAK=120` makes it
two minutes.
"""

from __future__ import annotations

import http.client
import multiprocessing
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import quote

from benchmarks.data import COCO, Size
from benchmarks.load import VERSION, Client, resident_memory, run_clients
from benchmarks.serving import prepare, running_server

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from formats.test_fuzzed import SEEDS, WORDS, attempt

MINUTE = 60.0
NONSENSE = [
    "",
    "0",
    "-1",
    "1e999",
    "nan",
    "null",
    "%00",
    "..%2f..%2fetc%2fpasswd",
    "a" * 5_000,
    "%ff",
    "'",
    "\u2028",
    "[1,2]",
    "made",
    "validation",
]
NAMES = [
    "tab",
    "split",
    "concept",
    "at",
    "reverse",
    "offset",
    "limit",
    "order",
    "review",
    "corrected",
    "only",
    "versus",
    "size",
    "frame",
    "q",
    "token",
]


def read_nonsense(
    until: float, seed: int, told: multiprocessing.Queue[tuple[int, list[str]]]
) -> None:
    """Changed bytes of every format, until then; tells how many files and what went wrong."""
    chance, number, wrong = random.Random(seed), 0, []
    with tempfile.TemporaryDirectory() as folder:
        while time.time() < until:
            name = chance.choice(sorted(SEEDS))
            text = bytearray(SEEDS[name].encode())
            for _ in range(chance.randint(1, 8)):
                place = chance.randrange(len(text) + 1)
                text[place : place + chance.choice([0, 0, 1, 3, 20])] = chance.choice(
                    [*WORDS, bytes(text[: chance.randrange(60)]), b""]
                )
            path = Path(folder) / name
            path.write_bytes(bytes(text) or b" ")
            number += 1
            try:
                attempt(path)
            except Exception as error:
                wrong.append(f"{name}: {type(error).__name__}: {error}: {bytes(text)[:300]!r}")
    told.put((number, wrong))


def ask_nonsense(
    address: str, until: float, seed: int, told: Counter[str], wrong: list[str]
) -> None:
    """Requests that nobody means, at one of the real addresses or none; counts answers by
    status."""
    chance = random.Random(seed)
    paths = [
        VERSION,
        f"{VERSION}/page",
        f"{VERSION}/figures",
        f"{VERSION}/histogram",
        f"{VERSION}/images/3",
        f"{VERSION}/decisions",
        f"{VERSION}/queue",
        f"{VERSION}/curves",
        f"{VERSION}/confusion",
        f"{VERSION}/causes",
        "/api/v1/views/made/history",
        "/api/v1/views/made/undo",
        "/api/v1/workspace",
        "/pictures/made/model/1/0",
        "/metrics",
        "/health",
        "/openapi.json",
        "/",
    ]
    host = address.split("//")[1].rstrip("/")
    while time.time() < until:
        path = chance.choice(paths)
        if chance.random() < 0.2:
            path = path.replace("made", quote(chance.choice(NONSENSE), safe="%")).replace(
                "3", quote(chance.choice(NONSENSE), safe="%")
            )
        query = "&".join(
            f"{chance.choice(NAMES)}={quote(chance.choice(NONSENSE), safe='%,')}"
            for _ in range(chance.randint(0, 4))
        )
        method = chance.choice(["GET", "GET", "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
        body = (
            None
            if method in ("GET", "HEAD")
            else chance.choice(
                [
                    b"",
                    b"{}",
                    b"[]",
                    b"\xff",
                    b'{"items": []}',
                    b"[" * 10_000,
                    b'{"who": "x", "batch": "y"}',
                ]
            )
        )
        headers = {
            "Content-Type": chance.choice(["application/json", "text/plain", ""]),
            "Cookie": chance.choice(["", "pellucid-0=x", "\x7f"]),
        }
        try:
            connection = http.client.HTTPConnection(host, timeout=60)
            connection.request(method, f"{path}?{query}", body, headers)
            answer = connection.getresponse()
            answer.read()
            connection.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            told[type(error).__name__] += 1
            continue
        told[str(answer.status)] += 1
        if answer.status >= 500:
            wrong.append(f"{method} {path}?{query} {body!r:.200}: {answer.status}")
        time.sleep(0.02)


def rows(seconds: float, size: Size, folder: Path) -> list[tuple[str, str]]:
    workspace = prepare(size, folder)
    until, said, wrong = time.time() + seconds, Counter[str](), list[str]()
    read: multiprocessing.Queue[tuple[int, list[str]]] = multiprocessing.Queue()
    with running_server(workspace) as (address, _, server):
        fuzz = multiprocessing.Process(target=read_nonsense, args=(until, 1, read))
        fuzz.start()
        asking = threading.Thread(target=ask_nonsense, args=(address, until, 2, said, wrong))
        asking.start()
        memory: list[float] = []
        people: list[str] = []
        while time.time() < until:
            load = run_clients(address, size, min(MINUTE, max(1.0, until - time.time())), 5, 2)
            people += [one for client in (*load.readers, *load.reviewers) for one in client.failed]
            memory.append(resident_memory(server))
            print(
                f"{len(memory)} min: {memory[-1]:.0f} MB, {sum(said.values()):,} odd requests, "
                f"{len(wrong)} failed",
                file=sys.stderr,
                flush=True,
            )
        number, bad = read.get()
        fuzz.join()
        asking.join()
        history = Client(address).ask("/api/v1/views/made/history?limit=0")["total"]
    settled = memory[max(1, len(memory) // 6) :] or memory
    return [
        ("files of nonsense", f"{number:,} read or refused, {len(bad)} otherwise"),
        (
            "odd requests",
            f"{sum(said.values()):,} "
            f"({', '.join(f'{count:,} {status}' for status, count in said.most_common(8))}), "
            f"{len(wrong)} answered with 500 or over",
        ),
        ("people meanwhile", f"{history:,} decisions, {len(people)} failures"),
        (
            "memory of the server's own",
            f"{settled[0]:.0f} MB after {max(1, len(memory) // 6)} min, {settled[-1]:.0f} MB at "
            f"the end, {max(settled):.0f} MB at most",
        ),
        *(("failed", one) for one in [*bad, *wrong, *people][:20]),
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="pellucid-soak-") as here:
        for line in rows(float(sys.argv[1]), COCO, Path(here)):
            print(*line, sep=": ", flush=True)
