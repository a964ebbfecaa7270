"""A server killed while people decide: every decision that it acknowledged is in the history."""

from __future__ import annotations

import os
import signal
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pellucid
from benchmarks.load import Client, item_reference
from benchmarks.serving import running_server
from benchmarks.soak.outcomes import Outcomes
from benchmarks.soak.sample import VERSION, VIEW, Sample

BASE = f"/api/v1/views/{VIEW}/versions/{VERSION}"
PEOPLE = 3


def check(sample: Sample, folder: Path, random: Random, outcomes: Outcomes) -> None:
    workspace = sample.copy_to(folder)
    acknowledged: list[str] = []
    with running_server(workspace) as (address, _, process):
        items = Client(address).ask(f"{BASE}/page?tab=all&limit=200")["items"]
        concepts = Client(address).ask(BASE)["concepts"]
        threads = [
            threading.Thread(
                target=decide_until_killed,
                args=(address, items[number::PEOPLE], concepts, f"Person {number}", acknowledged),
            )
            for number in range(PEOPLE)
        ]
        for thread in threads:
            thread.start()
        threads[0].join(random.uniform(0.05, 1.0))
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        for thread in threads:
            thread.join()
    history = pellucid.open(workspace).view(VIEW).reviews.history()
    lost = set(acknowledged) - {event.batch for event in history}
    outcomes.expect(not lost, f"{len(lost)} acknowledged decisions were lost")
    outcomes.count("servers killed")
    outcomes.counts["acknowledged decisions"] += len(acknowledged)


def decide_until_killed(
    address: str,
    items: list[dict[str, Any]],
    concepts: list[str],
    who: str,
    acknowledged: list[str],
) -> None:
    client = Client(address)
    for item in items:
        batch = uuid.uuid4().hex
        seen = item_reference(item, concepts)
        body = {"items": [seen], "verdict": "right", "who": who, "batch": batch}
        try:
            answer = client.ask_once(f"{BASE}/decisions", body)
        except Exception:
            return
        if answer is not None:
            acknowledged.append(batch)
