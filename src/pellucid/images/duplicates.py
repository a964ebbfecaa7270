"""Pictures that are the same, exactly or nearly: training pictures that also lie in validation make every figure too good."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pellucid.core.tables import Int64Array
from pellucid.images.locations import length_of, open_picture
from pellucid.images.sizes import picture_formats

NEAR = 4
"""Bits of 64 in which the marks of two near pictures may differ."""
FLAT = 3
"""A mark with fewer bits set, or unset, is of a picture without contrast: it is near to all others like it."""


def exact_twins(first: Sequence[str], second: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs (place in first, place in second) of pictures with the same content: for each of the first, one of the second.

    Only files of equal length are read.
    """
    lengths: dict[int, list[tuple[int, int]]] = {}
    for side, locations in enumerate((first, second)):
        for place, location in enumerate(locations):
            if (length := length_of(location)) is not None:
                lengths.setdefault(length, []).append((side, place))
    found = []
    for several in lengths.values():
        if len({side for side, _ in several}) < 2:
            continue
        marks: dict[bytes, list[tuple[int, int]]] = {}
        for side, place in several:
            marks.setdefault(content((first, second)[side][place]), []).append((side, place))
        for same in marks.values():
            theirs = next((place for side, place in same if side == 1), None)
            found += [(ours, theirs) for side, ours in same if side == 0 and theirs is not None]
    return sorted(found)


def content(location: str) -> bytes:
    try:
        with open_picture(location) as file:
            return hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]
    except OSError:
        return location.encode()


def near_twins(first: Sequence[str], second: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs that look nearly the same: marks of brightness steps that differ in few bits (dHash, Krawetz, 2013).

    All pictures are read, small. Pictures without contrast are left out.
    """
    with ThreadPoolExecutor(4) as threads:
        one, other = (list(threads.map(mark, locations)) for locations in (first, second))
    known, held = ([place for place, found in enumerate(marks) if found is not None] for marks in (one, other))
    if not known or not held:
        return []
    theirs = np.array([other[place] for place in held], np.uint64)
    pairs = []
    for place in known:
        distance = bits_set(theirs ^ np.uint64(one[place] or 0))
        pairs += [(place, held[where]) for where in np.flatnonzero(distance <= NEAR)[:1].tolist()]
    return pairs


def bits_set(values: np.ndarray) -> Int64Array:
    return np.asarray(np.bitwise_count(values), np.int64)


def mark(location: str) -> int | None:
    """64 bits: whether each of 8 x 8 places is brighter than its right neighbour; None where there is no picture or no contrast."""
    from PIL import Image

    try:
        with warnings.catch_warnings(), open_picture(location) as file:
            warnings.simplefilter("ignore")
            with Image.open(file, formats=picture_formats()) as picture:
                picture.draft("L", (72, 64))
                small = np.asarray(picture.convert("L").resize((9, 8)), np.int16)
    except Exception:  # decoders of damaged files raise whatever they stumbled over
        return None
    bits = small[:, 1:] > small[:, :-1]
    if min(int(bits.sum()), int((~bits).sum())) < FLAT:
        return None
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
