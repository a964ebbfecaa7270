"""Clients that send a byte at a time, send nothing, or read nothing: others are answered."""

from __future__ import annotations

import socket
import urllib.request
from contextlib import suppress
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from benchmarks.serving import running_server
from benchmarks.soak.outcomes import Outcomes
from benchmarks.soak.sample import VERSION, VIEW, Sample

CONNECTIONS = 100
REQUEST = (
    f"GET /api/v1/views/{VIEW}/versions/{VERSION}/page?limit=1000 HTTP/1.1\r\n"
    "host: 127.0.0.1\r\n\r\n"
).encode()


def check(sample: Sample, folder: Path, random: Random, outcomes: Outcomes) -> None:
    with running_server(sample.workspace) as (address, _, _):
        parts = urlsplit(address)
        connections = [
            socket.create_connection((str(parts.hostname), int(parts.port or 0)))
            for _ in range(CONNECTIONS)
        ]
        for position in range(len(REQUEST)):
            for number, connection in enumerate(connections):
                if number % 3 == 0:
                    send(connection, REQUEST[position : position + 1])
                elif number % 3 == 1 and position % 10 == 0:
                    send(connection, REQUEST)
            if position % 20 == 0:
                with urllib.request.urlopen(f"{address}health", timeout=60) as response:
                    outcomes.expect(response.status == 200, f"/health: {response.status}")
                    outcomes.count("answers beside slow clients")
        for connection in connections:
            connection.close()


def send(connection: socket.socket, content: bytes) -> None:
    connection.setblocking(False)
    with suppress(OSError):
        connection.send(content)
