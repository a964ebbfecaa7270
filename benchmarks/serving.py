"""Serving a large gallery: the first page, pages anywhere, the jump to the threshold, and
scrolling in a real browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import pellucid
from benchmarks.data import HEIGHT, WIDTH, Size, generate_dataset, write_coco

REPEATS = 40
SOAK = 600
"""Seconds of jumping and scrolling with `--soak`."""
CHROMIUM = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--no-sandbox",
]


def prepare(size: Size, folder: Path) -> Path:
    """A workspace with one version of that size, and pictures to show."""
    workspace = folder / "gallery.pellucid"
    annotations, results = write_coco(generate_dataset(size), folder)
    pictures = folder / "pictures"
    pictures.mkdir()
    random = np.random.default_rng(1)
    for number in range(24):
        coarse = random.integers(0, 255, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((WIDTH, HEIGHT)).save(
            pictures / f"{number:08d}.jpg", quality=88
        )
    for number in range(24, size.images):
        os.link(pictures / f"{number % 24:08d}.jpg", pictures / f"{number:08d}.jpg")
    view, _ = pellucid.open(workspace).add("made", annotations, images=pictures)
    view.start("model").add_predictions(results)
    return workspace


@contextmanager
def running_server(workspace: Path | str) -> Iterator[tuple[str, float, int]]:
    """(address, seconds until it answered, process id)"""
    begin = time.perf_counter()
    command = [
        sys.executable,
        "-m",
        "pellucid",
        "serve",
        str(workspace),
        "--no-browser",
        "--port",
        "0",
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        address = next(
            found[-1] for line in process.stderr if (found := re.findall(r"http://\S+", line))
        )
        yield address, time.perf_counter() - begin, process.pid
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def fetch(address: str) -> tuple[float, dict[str, object]]:
    begin = time.perf_counter()
    with urllib.request.urlopen(address) as response:
        body = response.read()
    return (time.perf_counter() - begin) * 1000, json.loads(body)


def measure_pages(address: str, size: Size) -> dict[str, list[float]]:
    """Milliseconds by kind of question."""
    base = f"{address}api/v1/views/made/versions/model"
    random = np.random.default_rng(2)
    found: dict[str, list[float]] = {"first page": [fetch(f"{base}/page?limit=100")[0]]}
    for _ in range(REPEATS):
        concept, threshold = int(random.integers(size.concepts)), float(random.random())
        offset = int(random.integers(size.predictions))
        questions = {
            "page of All, all concepts, any offset": f"page?limit=100&offset={offset}",
            "page of All, a concept, at its threshold (the "
            "jump)": f"page?limit=100&concept={concept}&offset={offset // size.concepts // 4}",
            "page of Missing at a dragged "
            "threshold": f"page?limit=100&tab=missing&concept={concept}&at={concept}:{threshold}",
            "page of Extra, all concepts, at a dragged "
            "threshold": f"page?limit=100&tab=extra&at={concept}:{threshold}",
            "counts of all concepts at a dragged threshold": f"figures?at={concept}:{threshold}",
        }
        for question, path in questions.items():
            found.setdefault(question, []).append(fetch(f"{base}/{path}")[0])
    return found


SCROLL = """async (seconds) => {
  const wall = document.querySelector('.scroller'), frames = [];
  let last = performance.now();
  const end = last + seconds * 1000;
  while (last < end) {
    wall.scrollTop += 60;
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    frames.push(now - last);
    last = now;
  }
  return frames;
}"""


@contextmanager
def open_page(address: str) -> Iterator[Any]:
    """The gallery in headless Chromium, once pictures or their places are there."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{address}?view=made&version=model")
        page.wait_for_selector("[role=option]")
        page.wait_for_timeout(1_000)
        yield page
        browser.close()


def find_chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("google-chrome")


def frame_times(address: str, seconds: float) -> list[float]:
    """Milliseconds between frames while the wall scrolls by 60 px a frame."""
    with open_page(address) as page:
        frames: list[float] = page.evaluate(SCROLL, seconds)
    return frames


JUMP = """async () => {
  const wall = document.querySelector('.scroller'), begin = performance.now();
  wall.scrollTop = Math.random() * (wall.scrollHeight - wall.clientHeight);
  await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return performance.now() - begin;
}"""


def measure_scrolling(address: str, seconds: float) -> list[tuple[str, str]]:
    """Jump and scroll for so long: the time from a jump to the frame after the next, and what
    the page holds before and after."""
    with open_page(address) as page:
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")

        def held() -> tuple[float, float]:
            session.send("HeapProfiler.collectGarbage")
            found = {
                one["name"]: one["value"]
                for one in session.send("Performance.getMetrics")["metrics"]
            }
            return found["JSHeapUsedSize"] / 2**20, found["Nodes"]

        before, jumps, end = held(), [], time.perf_counter() + seconds
        while time.perf_counter() < end:
            jumps.append(page.evaluate(JUMP))
            page.evaluate(SCROLL, 0.4)
        after = held()
    return [
        (
            f"from a jump to the second frame after it, in {seconds:.0f} s of jumping and "
            "scrolling",
            f"median {statistics.median(jumps):.0f} ms, p95 {np.percentile(jumps, 95):.0f} ms "
            f"({len(jumps)} jumps)",
        ),
        (
            "memory and DOM nodes of the page, before and after",
            f"{before[0]:.1f} MB and {before[1]:.0f} nodes, {after[0]:.1f} MB and {after[1]:.0f} "
            "nodes",
        ),
    ]


def server_memory(process: int) -> int:
    """Resident megabytes, on Linux."""
    status = Path(f"/proc/{process}/status")
    return (
        int(re.search(r"VmRSS:\s+(\d+)", status.read_text())[1]) // 1024 if status.exists() else 0
    )  # type: ignore[index]


def rows(size: Size, folder: Path, seconds: float) -> list[tuple[str, str]]:
    """What was measured, and what came out, of a workspace with pictures."""
    folder.mkdir()
    return measure_server(size, prepare(size, folder), seconds)


def measure_server(size: Size, workspace: Path, seconds: float) -> list[tuple[str, str]]:
    with running_server(workspace) as (address, up, process):
        found = [
            (f"`serve` to its first response, {size.predictions:,} predictions", f"{up:.2f} s")
        ]
        for question, times in measure_pages(address, size).items():
            worst = np.percentile(times, 95)
            found.append(
                (
                    question,
                    f"median {statistics.median(times):.1f} ms, p95 {worst:.1f} ms"
                    if len(times) > 1
                    else f"{times[0]:.1f} ms",
                )
            )
        if seconds and find_chromium():
            found += measure_scrolling(address, SOAK if "--soak" in sys.argv else 3 * seconds)
            frames = frame_times(address, seconds)
            found.append(
                (
                    "frames while scrolling in Chromium",
                    f"median {statistics.median(frames):.1f} ms, p95 "
                    f"{np.percentile(frames, 95):.1f} ms",
                )
            )
        found.append(("memory of the server", f"{server_memory(process)} MB"))
    return found
