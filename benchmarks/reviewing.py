"""What a decision costs on a large version: from the key to everything that follows it."""

from __future__ import annotations

import json
import statistics
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any

from benchmarks.data import Size
from benchmarks.load import item_reference
from benchmarks.serving import prepare, running_server

VERSION = "api/v1/views/made/versions/model"
LIST = f"{VERSION}/page?tab=missing&review=new"


def rows(size: Size, folder: Path, repeats: int) -> list[tuple[str, str]]:
    workspace = prepare(size, folder)
    with running_server(workspace) as (address, _, _):
        concepts = ask(address, VERSION)[0]["concepts"]
        items, first = ask(address, LIST)
        _, mistakes = ask(address, f"{LIST}&order=mistakes")
        ask(address, f"{LIST}&corrected=true")
        took: dict[str, list[float]] = {name: [] for name in STEPS}
        for item in items["items"][:repeats]:
            seen = item_reference(item, concepts)
            body = {"items": [seen], "verdict": "wrong", "who": "Ann", "batch": uuid.uuid4().hex}
            for name, (path, posted) in STEPS.items():
                took[name].append(ask(address, path, body if posted else None)[1])
    found = [
        (f"first page to review, of {items['total']:,}", f"{first:.0f} ms"),
        ("first page, likely label errors first", f"{mistakes:.0f} ms"),
    ]
    return [
        *found,
        *(
            (
                name,
                f"median {statistics.median(each):.1f} ms, p95 "
                f"{sorted(each)[int(len(each) * 0.95) - 1]:.1f} ms",
            )
            for name, each in took.items()
        ),
    ]


STEPS = {
    "a decision, until on disk": (f"{VERSION}/decisions", True),
    "the list after it": (LIST, False),
    "the list after it, likely label errors first": (f"{LIST}&order=mistakes", False),
    "figures and counts": (f"{VERSION}/figures", False),
    "its effect: matching and thresholds computed again": (f"{VERSION}/effect", False),
    "the list with corrections": (f"{LIST}&corrected=true", False),
}


def ask(
    address: str, path: str, body: dict[str, Any] | None = None
) -> tuple[dict[str, Any], float]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, data, {"Content-Type": "application/json"})
    begin = time.perf_counter()
    with urllib.request.urlopen(request) as response:
        document = json.loads(response.read())
    return document, (time.perf_counter() - begin) * 1000
