"""Malformed requests, at real addresses and others: none is answered with a server error."""

from __future__ import annotations

import http.client
import time
from random import Random
from urllib.parse import quote

from benchmarks.load import VERSION
from benchmarks.soak.outcomes import Outcomes

VALUES = [
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
PARAMETERS = [
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
PATHS = [
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
METHODS = ["GET", "GET", "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"]
BODIES = [
    b"",
    b"{}",
    b"[]",
    b"\xff",
    b'{"items": []}',
    b"[" * 10_000,
    b'{"who": "x", "batch": "y"}',
]
PAUSE = 0.02
"""Seconds between two requests."""


def send_malformed_requests(address: str, until: float, random: Random, outcomes: Outcomes) -> None:
    """until: as of time.time()."""
    host = address.split("//")[1].rstrip("/")
    while time.time() < until:
        method, path = random.choice(METHODS), build_path(random)
        body = None if method in ("GET", "HEAD") else random.choice(BODIES)
        headers = {
            "Content-Type": random.choice(["application/json", "text/plain", ""]),
            "Cookie": random.choice(["", "pellucid-0=x", "\x7f"]),
        }
        try:
            connection = http.client.HTTPConnection(host, timeout=60)
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            response.read()
            connection.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            outcomes.count(type(error).__name__)
            continue
        outcomes.count(f"answers {response.status}")
        outcomes.expect(response.status < 500, f"{method} {path} {body!r:.200}: {response.status}")
        time.sleep(PAUSE)


def build_path(random: Random) -> str:
    path = random.choice(PATHS)
    if random.random() < 0.2:
        path = path.replace("made", quote(random.choice(VALUES), safe="%"))
        path = path.replace("3", quote(random.choice(VALUES), safe="%"))
    query = "&".join(
        f"{random.choice(PARAMETERS)}={quote(random.choice(VALUES), safe='%,')}"
        for _ in range(random.randint(0, 4))
    )
    return f"{path}?{query}"
