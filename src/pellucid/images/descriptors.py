"""Visual descriptors of images and boxes: short vectors that are close for similar content. No
neural network, no download.

Mean colours of a 4 x 4 grid and, for 4 x 4 cells, histograms of 8 edge orientations (after HOG:
Dalal, Triggs, 2005).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np

from pellucid.core.tables import Float64Array
from pellucid.images.crop_cache import image_stamp
from pellucid.images.crops import resize_region
from pellucid.images.decoding import open_with_pillow

DESCRIPTOR_SIDE, DESCRIPTOR_CELLS, EDGE_DIRECTIONS = 32, 4, 8
DESCRIPTOR_LENGTH = DESCRIPTOR_CELLS * DESCRIPTOR_CELLS * (3 + EDGE_DIRECTIONS)
BOX_MARGIN = 0.1
"""Margin around a box, relative to its longer side."""

FloatBox = tuple[float, ...]


def image_descriptors(
    locations: Sequence[str | None], boxes: Sequence[FloatBox | None]
) -> Float64Array:
    """float64 (n, DESCRIPTOR_LENGTH), a row per region; NaN if the image cannot be read. Boxes
    in displayed pixels."""
    with ThreadPoolExecutor(4) as threads:
        descriptors = list(
            threads.map(lambda pair: image_descriptor(*pair), zip(locations, boxes, strict=True))
        )
    return np.array(descriptors, float).reshape(-1, DESCRIPTOR_LENGTH)


def image_descriptor(location: str | None, box: FloatBox | None) -> tuple[float, ...]:
    if location is None or (file_stamp := image_stamp(location)) == "0":
        return (np.nan,) * DESCRIPTOR_LENGTH
    return cached_descriptor(location, file_stamp, box)


@lru_cache(maxsize=20_000)
def cached_descriptor(location: str, file_stamp: str, box: FloatBox | None) -> tuple[float, ...]:

    try:
        with open_with_pillow(location) as image:
            thumbnail = (
                resize_region(image, None if box is None else expand_box(box), DESCRIPTOR_SIDE)
                .convert("RGB")
                .resize((DESCRIPTOR_SIDE, DESCRIPTOR_SIDE))
            )
    except Exception:  # decoders raise arbitrary exceptions on corrupt files
        return (np.nan,) * DESCRIPTOR_LENGTH
    return tuple(compute_descriptor(np.asarray(thumbnail, np.float64) / 255).tolist())


def expand_box(box: FloatBox) -> tuple[int, int, int, int]:
    left, top, width, height = box
    margin = BOX_MARGIN * max(width, height)
    return (
        int(left - margin),
        int(top - margin),
        max(2, int(width + 2 * margin)),
        max(2, int(height + 2 * margin)),
    )


def compute_descriptor(pixels: Float64Array) -> Float64Array:
    """pixels: (side, side, 3), 0 to 1. Colours and edges, each with a norm of about 1."""
    step = DESCRIPTOR_SIDE // DESCRIPTOR_CELLS
    colours = (
        pixels.reshape(DESCRIPTOR_CELLS, step, DESCRIPTOR_CELLS, step, 3)
        .mean(axis=(1, 3))
        .reshape(-1)
    )
    grey = pixels.mean(axis=2)
    down, across = np.gradient(grey)
    edge_strength = np.hypot(down, across)
    direction = (
        np.floor((np.arctan2(down, across) % np.pi) / np.pi * EDGE_DIRECTIONS).astype(int)
    ) % EDGE_DIRECTIONS
    cell_index = np.arange(DESCRIPTOR_SIDE) // step
    bin_index = (
        cell_index[:, None] * DESCRIPTOR_CELLS + cell_index[None]
    ) * EDGE_DIRECTIONS + direction
    edges = np.bincount(
        bin_index.ravel(),
        edge_strength.ravel(),
        minlength=DESCRIPTOR_CELLS * DESCRIPTOR_CELLS * EDGE_DIRECTIONS,
    )
    return np.concatenate(
        [colours / np.sqrt(len(colours)) * 2, edges / max(float(np.linalg.norm(edges)), 0.5)]
    )
