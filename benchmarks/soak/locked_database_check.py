"""The database of decisions locked by another program: readers go on, deciding is refused with
503, and both work when the lock is gone."""

from __future__ import annotations

import json
import sqlite3
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.load import item_reference
from benchmarks.serving import running_server
from benchmarks.soak.outcomes import Outcomes
from benchmarks.soak.sample import VERSION, VIEW, Sample

BASE = f"api/v1/views/{VIEW}"


def check(sample: Sample, folder: Path, random: Random, outcomes: Outcomes) -> None:
    workspace = sample.copy_to(folder)
    with running_server(workspace) as (address, _, _):
        decision = build_decision(address, random)
        first = ask(f"{address}{BASE}/versions/{VERSION}/decisions", decision)
        outcomes.expect(first == 200, f"a decision before the lock: {first}")
        database = sqlite3.connect(workspace / "reviews.sqlite", isolation_level=None)
        database.execute("BEGIN IMMEDIATE")
        for path in ("health", "metrics", f"{BASE}/history", f"{BASE}/versions/{VERSION}/page"):
            status = ask(f"{address}{path}")
            outcomes.expect(status == 200, f"{path} while the database is locked: {status}")
        status = ask(f"{address}{BASE}/versions/{VERSION}/decisions", decision)
        outcomes.expect(status == 503, f"a decision while the database is locked: {status}")
        database.execute("ROLLBACK")
        database.close()
        status = ask(f"{address}{BASE}/versions/{VERSION}/decisions", decision)
        outcomes.expect(status == 200, f"a decision after the lock: {status}")
    outcomes.count("locks")


def build_decision(address: str, random: Random) -> dict[str, Any]:
    version = f"{address}{BASE}/versions/{VERSION}"
    with urllib.request.urlopen(version) as response:
        concepts = json.load(response)["concepts"]
    offset = random.randrange(1_000)
    with urllib.request.urlopen(f"{version}/page?tab=all&limit=1&offset={offset}") as response:
        (item,) = json.load(response)["items"]
    seen = item_reference(item, concepts)
    return {"items": [seen], "verdict": "right", "who": "Ann", "batch": uuid.uuid4().hex}


def ask(address: str, body: dict[str, Any] | None = None) -> int:
    """The status of the answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=120) as response:
            response.read()
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
