"""Run every check in turn beside a server under load, and print what happened."""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from benchmarks.data import COCO, Size
from benchmarks.load import Client, resident_memory, run_clients
from benchmarks.serving import prepare, running_server
from benchmarks.soak import (
    clock_check,
    damage_check,
    full_disk_check,
    hostile_name_check,
    image_bomb_check,
    killed_command_check,
    killed_server_check,
    locked_database_check,
    reader_check,
    slow_client_check,
)
from benchmarks.soak.outcomes import Outcomes
from benchmarks.soak.request_fuzzing import send_malformed_requests
from benchmarks.soak.sample import Sample, build_sample

MINUTE = 60.0
READERS, REVIEWERS = 5, 2
CHECKS: dict[str, Callable[[Sample, Path, Random, Outcomes], None]] = {
    "changed bytes in files": reader_check.check,
    "killed commands": killed_command_check.check,
    "killed servers": killed_server_check.check,
    "full disks": full_disk_check.check,
    "changed bits in a workspace": damage_check.check,
    "locked databases": locked_database_check.check,
    "jumping clocks": clock_check.check,
    "pictures of many pixels": image_bomb_check.check,
    "hostile names": hostile_name_check.check,
    "slow clients": slow_client_check.check,
}


def run_checks(
    until: float, seed: int, results: multiprocessing.Queue[dict[str, Outcomes]]
) -> None:
    """All checks in turn until that time, at least once each."""
    random, outcomes = Random(seed), {name: Outcomes() for name in CHECKS}
    with tempfile.TemporaryDirectory(prefix="pellucid-soak-checks-") as folder:
        sample = build_sample(make_folder(Path(folder), "sample"))
        rounds = 0
        while rounds == 0 or time.time() < until:
            for name, check in CHECKS.items():
                if rounds and time.time() >= until:
                    break
                run_check(name, check, sample, Path(folder), random, outcomes[name])
            rounds += 1
    results.put(outcomes)


def run_check(
    name: str,
    check: Callable[[Sample, Path, Random, Outcomes], None],
    sample: Sample,
    folder: Path,
    random: Random,
    outcomes: Outcomes,
) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as empty:
        try:
            check(sample, Path(empty), random, outcomes)
        except Exception as error:
            outcomes.fail(f"{name}: {type(error).__name__}: {error}")


def make_folder(parent: Path, name: str) -> Path:
    path = parent / name
    path.mkdir()
    return path


def run_soak(seconds: float, size: Size, folder: Path) -> list[tuple[str, str]]:
    """Rows of (what, outcome)."""
    workspace = prepare(size, folder)
    until, requests = time.time() + seconds, Outcomes()
    queue: multiprocessing.Queue[dict[str, Outcomes]] = multiprocessing.Queue()
    memory: list[float] = []
    client_failures: list[str] = []
    with running_server(workspace) as (address, _, server):
        checks = multiprocessing.Process(target=run_checks, args=(until, 1, queue))
        checks.start()
        fuzzing = threading.Thread(
            target=send_malformed_requests, args=(address, until, Random(2), requests)
        )
        fuzzing.start()
        while time.time() < until:
            remaining = max(1.0, until - time.time())
            load = run_clients(address, size, min(MINUTE, remaining), READERS, REVIEWERS)
            for client in (*load.readers, *load.reviewers):
                client_failures += client.failed
            memory.append(resident_memory(server))
            print(f"{len(memory)} min: {memory[-1]:.0f} MB", file=sys.stderr, flush=True)
        outcomes = queue.get()
        checks.join()
        fuzzing.join()
        decisions = Client(address).ask("/api/v1/views/made/history?limit=0")["total"]
    failures = [*requests.failures, *client_failures]
    failures += [message for outcome in outcomes.values() for message in outcome.failures]
    return [
        *((name, outcome.summary()) for name, outcome in outcomes.items()),
        ("malformed requests", requests.summary()),
        ("clients", f"{decisions:,} decisions, {len(client_failures)} failures"),
        ("memory of the server", describe_memory(memory)),
        *(("failed", message) for message in failures[:40]),
    ]


def describe_memory(megabytes: list[float]) -> str:
    """megabytes: at the end of each minute, without mapped files."""
    second_half = megabytes[len(megabytes) // 2 :]
    return (
        f"{megabytes[0]:.0f} MB after the first minute, {megabytes[-1]:.0f} MB at the end; in the "
        f"second half {min(second_half):.0f} to {max(second_half):.0f} MB"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="pellucid-soak-") as folder:
        for row in run_soak(float(sys.argv[1]), COCO, Path(folder)):
            print(*row, sep=": ", flush=True)
