"""Crops a second: Pellucid's, beside the same decoding, cutting and encoding with simplejpeg
and Pillow alone, and with Pillow alone."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image

from pellucid.images.crops import render_crop

SIZE, PAGE = 160, 70
HEADINGS = ["70 crops of 1280 x 960 JPEGs", "on one core", "on two threads", "of simplejpeg alone"]


def pictures(folder: Path) -> list[str]:
    folder.mkdir(parents=True)
    random = np.random.default_rng(3)
    places = []
    for number in range(PAGE):
        coarse = random.integers(0, 255, (30, 40, 3), dtype=np.uint8)
        fine = np.asarray(
            Image.fromarray(coarse).resize((1280, 960), Image.Resampling.BICUBIC)
        ).astype(int) + random.integers(-9, 9, (960, 1280, 3))
        Image.fromarray(fine.clip(0, 255).astype(np.uint8)).save(
            folder / f"{number}.jpg", quality=88
        )
        places.append(str(folder / f"{number}.jpg"))
    return places


def with_simplejpeg(place: str) -> bytes:
    pixels = simplejpeg.decode_jpeg(Path(place).read_bytes(), "RGB", min_width=640, min_height=480)
    box = tuple(side * pixels.shape[1] / 1280 for side in (300, 200, 620, 520))
    small = Image.fromarray(pixels).resize(
        (SIZE, SIZE), Image.Resampling.BILINEAR, box=box, reducing_gap=2.0
    )
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(small), 86, "RGB", "420"))


def with_pillow(place: str) -> bytes:
    with Image.open(place) as picture:
        picture.draft("RGB", (640, 480))
        box = tuple(side * picture.width / 1280 for side in (300, 200, 620, 520))
        small = picture.resize((SIZE, SIZE), Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=86)
    return buffer.getvalue()


def rows(folder: Path) -> list[list[str]]:
    places = pictures(folder)
    ways: dict[str, Callable[[str], bytes]] = {
        "pellucid": lambda place: render_crop(place, (300, 200, 320, 320), SIZE),
        "simplejpeg and Pillow": with_simplejpeg,
        "Pillow": with_pillow,
    }
    took: dict[tuple[str, int], list[float]] = {}
    for _ in range(5):
        for name, way in ways.items():
            for threads in (1, 2):
                begin = time.perf_counter()
                with ThreadPoolExecutor(threads) as pool:
                    list(pool.map(way, places))
                took.setdefault((name, threads), []).append(time.perf_counter() - begin)
    median = {key: statistics.median(times) for key, times in took.items()}
    best = median["simplejpeg and Pillow", 1]
    return [
        [
            name,
            f"{median[name, 1] * 1000:.0f} ms",
            f"{median[name, 2] * 1000:.0f} ms",
            f"{best / median[name, 1]:.0%}",
        ]
        for name in ways
    ]
