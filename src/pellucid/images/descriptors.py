"""What a picture, or a part of it, looks like: a short row of numbers, near for what looks alike. No network, nothing downloaded.

Mean colours of 4 x 4 places and, of 4 x 4 cells, how much their edges run in each of 8 directions (after HOG: Dalal, Triggs, 2005).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np

from pellucid.core.tables import Float64Array
from pellucid.images.crop_cache import stamp
from pellucid.images.crops import shrunk
from pellucid.images.locations import open_picture
from pellucid.images.sizes import picture_formats

SIDE, CELLS, DIRECTIONS = 32, 4, 8
LENGTH = CELLS * CELLS * (3 + DIRECTIONS)
CONTEXT = 0.1
"""How much of a box's size is seen around it."""

Box = tuple[float, ...]


def likenesses(locations: Sequence[str | None], boxes: Sequence[Box | None]) -> Float64Array:
    """float64 (n, LENGTH), a row for each place of a picture; NaN where there is no picture. Boxes in displayed pixels."""
    with ThreadPoolExecutor(4) as threads:
        rows = list(threads.map(lambda pair: likeness(*pair), zip(locations, boxes, strict=True)))
    return np.array(rows, float).reshape(-1, LENGTH)


def likeness(location: str | None, box: Box | None) -> tuple[float, ...]:
    if location is None or (mark := stamp(location)) == "0":
        return (np.nan,) * LENGTH
    return seen(location, mark, box)


@lru_cache(maxsize=20_000)
def seen(location: str, mark: str, box: Box | None) -> tuple[float, ...]:
    from PIL import Image

    try:
        with warnings.catch_warnings(), open_picture(location) as file:
            warnings.simplefilter("ignore")
            with Image.open(file, formats=picture_formats()) as picture:
                small = shrunk(picture, None if box is None else around(box), SIDE).convert("RGB").resize((SIDE, SIDE))
    except Exception:  # decoders of damaged files raise whatever they stumbled over
        return (np.nan,) * LENGTH
    return tuple(described(np.asarray(small, np.float64) / 255).tolist())


def around(box: Box) -> tuple[int, int, int, int]:
    left, top, width, height = box
    more = CONTEXT * max(width, height)
    return int(left - more), int(top - more), max(2, int(width + 2 * more)), max(2, int(height + 2 * more))


def described(picture: Float64Array) -> Float64Array:
    """picture: (SIDE, SIDE, 3), 0 to 1. Colours and edges, each part of length about 1."""
    step = SIDE // CELLS
    colours = picture.reshape(CELLS, step, CELLS, step, 3).mean(axis=(1, 3)).reshape(-1)
    grey = picture.mean(axis=2)
    down, across = np.gradient(grey)
    strength = np.hypot(down, across)
    direction = (np.floor((np.arctan2(down, across) % np.pi) / np.pi * DIRECTIONS).astype(int)) % DIRECTIONS
    cell = np.arange(SIDE) // step
    place = (cell[:, None] * CELLS + cell[None]) * DIRECTIONS + direction
    edges = np.bincount(place.ravel(), strength.ravel(), minlength=CELLS * CELLS * DIRECTIONS)
    return np.concatenate([colours / np.sqrt(len(colours)) * 2, edges / max(float(np.linalg.norm(edges)), 0.5)])
