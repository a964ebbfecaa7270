"""Embeddings of images and boxes by a model, kept so that an interrupted run goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import platformdirs

from pellucid.core.tables import Float32Array, Float64Array, string_column
from pellucid.images.crop_cache import image_stamp
from pellucid.images.crops import resize_region
from pellucid.images.decoding import open_with_pillow
from pellucid.images.descriptors import expand_box
from pellucid.images.embedding_model import MAX_BATCH, EmbeddingModel
from pellucid.results.embeddings import Embeddings

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Region:
    """A part of an image that is embedded.

    Attributes:
        path: of the image in the view
        location: of its file
        box: in pixels of the image as displayed; None: all of it
    """

    path: str
    location: str
    box: tuple[float, float, float, float] | None


def embed_regions(
    model: EmbeddingModel, regions: Sequence[Region], cache: Path | None, progress: Progress
) -> Embeddings:
    """The embeddings of all regions whose images can be read.

    Args:
        cache: the file that keeps them; None: one for this model in the user's cache folder
    """
    key = model.key
    path = cache or platformdirs.user_cache_path("pellucid") / "embeddings" / f"{key}.sqlite"
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as store:
        store.execute("CREATE TABLE IF NOT EXISTS vectors (region BLOB PRIMARY KEY, vector BLOB)")
        keys = [region_key(key, region) for region in regions]
        missing = [row for row, digest in enumerate(keys) if compute_vector(store, digest) is None]
        done = len(regions) - len(missing)
        progress(done, len(regions))
        for start in range(0, len(missing), MAX_BATCH):
            rows = missing[start : start + MAX_BATCH]
            embed_batch(model, store, [(keys[row], regions[row]) for row in rows])
            progress(done + start + len(rows), len(regions))
        vectors = [compute_vector(store, digest) for digest in keys]
    known = [
        (region, vector)
        for region, vector in zip(regions, vectors, strict=True)
        if vector is not None and len(vector)
    ]
    return Embeddings(
        string_column([region.path for region, _ in known]),
        np.array([region.box or (np.nan,) * 4 for region, _ in known], float).reshape(-1, 4),
        np.stack([vector for _, vector in known]) if known else np.zeros((0, 1), np.float32),
    )


def region_key(model_key: str, region: Region) -> bytes:
    """Changes with the file of the image."""
    stated = repr((model_key, region.location, image_stamp(region.location), region.box))
    return blake2b(stated.encode(), digest_size=20).digest()


def compute_vector(store: sqlite3.Connection, digest: bytes) -> Float32Array | None:
    """None if it is not known; empty if the image could not be read."""
    row = store.execute("SELECT vector FROM vectors WHERE region = ?", (digest,)).fetchone()
    return None if row is None else np.frombuffer(row[0], np.float32)


def embed_batch(
    model: EmbeddingModel, store: sqlite3.Connection, batch: Sequence[tuple[bytes, Region]]
) -> None:
    """Embed and keep: what is done is not done again after an interruption."""
    pixels = [region_pixels(region, model.size, fill_colour(model.mean)) for _, region in batch]
    readable = [index for index, image in enumerate(pixels) if image is not None]
    vectors: dict[int, Float32Array] = {}
    if readable:
        embedded = model.embed(np.stack([pixels[index] for index in readable]))  # type: ignore[misc]
        vectors = dict(zip(readable, embedded, strict=True))
    empty = np.zeros(0, np.float32)
    with store:
        store.executemany(
            "INSERT OR REPLACE INTO vectors VALUES (?, ?)",
            [
                (digest, vectors.get(index, empty).astype(np.float32).tobytes())
                for index, (digest, _) in enumerate(batch)
            ],
        )


def fill_colour(mean: Float32Array) -> tuple[int, ...]:
    return tuple(round(float(part) * 255) for part in mean.clip(0, 1))


def region_pixels(region: Region, size: int, fill: tuple[int, ...]) -> np.ndarray | None:
    """uint8 (size, size, 3): the region as large as it fits, in the middle, the rest filled; None
    if the image cannot be read."""
    from PIL import Image

    try:
        with open_with_pillow(region.location) as image:
            box = None if region.box is None else expand_box(region.box)
            crop = resize_region(image, box, size).convert("RGB")
    except Exception:  # decoders raise arbitrary exceptions on corrupt files
        return None
    scale = size / max(crop.size)
    crop = crop.resize((max(1, round(crop.width * scale)), max(1, round(crop.height * scale))))
    canvas = Image.new("RGB", (size, size), fill)
    canvas.paste(crop, ((size - crop.width) // 2, (size - crop.height) // 2))
    return np.asarray(canvas)


def box_regions(
    paths: Sequence[str], locations: Sequence[str], boxes: Float64Array | None
) -> list[Region]:
    """A region a row; boxes: float64 (n, 4) in pixels, None for whole images."""
    stated = [None] * len(paths) if boxes is None else [tuple(box) for box in boxes.tolist()]
    return [
        Region(path, location, box)
        for path, location, box in zip(paths, locations, stated, strict=True)
    ]
