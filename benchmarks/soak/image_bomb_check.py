"""Pictures of few bytes and many pixels: answered or refused, within the memory that the
documentation names, while others are served."""

from __future__ import annotations

import json
import struct
import threading
import urllib.error
import urllib.request
import zlib
from pathlib import Path
from random import Random

import pellucid
from benchmarks.serving import running_server
from benchmarks.soak.outcomes import Outcomes
from benchmarks.soak.sample import Sample

BYTES_ALLOWED = 800_000_000
"""Resident memory of the server at its peak, four pictures at once."""
PICTURES = 4


def check(sample: Sample, folder: Path, random: Random, outcomes: Outcomes) -> None:
    sizes = [(random.randrange(2_000, 16_000), random.randrange(2_000, 16_000)) for _ in range(4)]
    for number, (width, height) in enumerate(sizes):
        write_png(folder / f"{number}.png", width, height, random.choice((0, 2, 6)))
    rows = [{"image": f"{number}.png", "label": "a", "score": 0.9} for number in range(PICTURES)]
    annotations = [{"image": row["image"], "label": "a"} for row in rows]
    for name, table in (("truth.json", annotations), ("predicted.json", rows)):
        (folder / name).write_text(json.dumps(table))
    view, _ = pellucid.open(folder / "w").add("v", folder / "truth.json", images=folder)
    view.start("m").add_predictions(folder / "predicted.json")
    with running_server(folder / "w") as (address, _, process):
        paths = [f"{address}pictures/v/m/{number}/0" for number in range(PICTURES)]
        threads = [threading.Thread(target=fetch, args=(path, outcomes)) for path in paths]
        for thread in threads:
            thread.start()
        with urllib.request.urlopen(f"{address}health", timeout=60) as response:
            outcomes.expect(response.status == 200, "/health beside large pictures")
        for thread in threads:
            thread.join()
        peak = peak_memory(process)
        outcomes.expect(peak < BYTES_ALLOWED, f"{peak / 1e6:.0f} MB for pictures of {sizes}")


def write_png(path: Path, width: int, height: int, colour_type: int) -> None:
    """A picture of zeros. colour_type: 0 is grey, 2 RGB, 6 RGBA, as in the PNG specification."""
    channels = {0: 1, 2: 3, 6: 4}[colour_type]
    compressor, row = zlib.compressobj(1), bytes(1 + width * channels)
    data = b"".join(compressor.compress(row) for _ in range(height)) + compressor.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")]
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
            for name, body in chunks
        )
    )


def fetch(address: str, outcomes: Outcomes) -> None:
    try:
        with urllib.request.urlopen(address, timeout=300) as response:
            response.read()
            shown = response.headers["Content-Type"] == "image/jpeg"
            outcomes.count("pictures shown" if shown else "refusals with the reason")
    except urllib.error.HTTPError as error:
        outcomes.expect(error.code < 500, f"{address}: {error.code}")
        outcomes.count("pictures refused")


def peak_memory(process: int) -> int:
    """Bytes that a process had resident at most."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")
