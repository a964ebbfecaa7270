"""Exact and near duplicates of images. Training images in validation make the metrics too
optimistic."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pellucid.core.tables import Int64Array
from pellucid.images.decoding import open_with_pillow
from pellucid.images.decoding_budget import decoding
from pellucid.images.locations import image_file_size, open_image

MAX_HASH_DISTANCE = 4
"""Maximum Hamming distance of the 64-bit hashes of near duplicates."""
MIN_CONTRAST_BITS = 3
"""Hashes with fewer set, or unset, bits belong to images without contrast, which would match
each other."""


def exact_duplicates(first: Sequence[str], second: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs (index in first, index in second) of files with the same content: for each of the
    first, one of the second.

    Only files of equal size are read.
    """
    files_by_length: dict[int, list[tuple[int, int]]] = {}
    for side, locations in enumerate((first, second)):
        for position, location in enumerate(locations):
            if (length := image_file_size(location)) is not None:
                files_by_length.setdefault(length, []).append((side, position))
    pairs = []
    for same_length_files in files_by_length.values():
        if len({side for side, _ in same_length_files}) < 2:
            continue
        files_by_digest: dict[bytes, list[tuple[int, int]]] = {}
        for side, position in same_length_files:
            files_by_digest.setdefault(content_digest((first, second)[side][position]), []).append(
                (side, position)
            )
        for same_content_files in files_by_digest.values():
            second_position = next(
                (file_position for side, file_position in same_content_files if side == 1), None
            )
            pairs += [
                (first_position, second_position)
                for side, first_position in same_content_files
                if side == 0 and second_position is not None
            ]
    return sorted(pairs)


def content_digest(location: str) -> bytes:
    try:
        with open_image(location) as file:
            return hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]
    except OSError:
        return location.encode()


def near_duplicates(first: Sequence[str], second: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of near duplicates: difference hashes with a small Hamming distance (dHash,
    Krawetz, 2013).

    Reads all images, downscaled. Images without contrast are skipped.
    """
    with ThreadPoolExecutor(4) as threads:
        first_hashes, second_hashes = (
            list(threads.map(difference_hash, locations)) for locations in (first, second)
        )
    first_positions, second_positions = (
        [position for position, image_hash in enumerate(hashes) if image_hash is not None]
        for hashes in (first_hashes, second_hashes)
    )
    if not first_positions or not second_positions:
        return []
    candidate_hashes = np.array(
        [second_hashes[second_index] for second_index in second_positions], np.uint64
    )
    pairs = []
    for first_position in first_positions:
        distances = count_set_bits(candidate_hashes ^ np.uint64(first_hashes[first_position] or 0))
        pairs += [
            (first_position, second_positions[nearest])
            for nearest in np.flatnonzero(distances <= MAX_HASH_DISTANCE)[:1].tolist()
        ]
    return pairs


def count_set_bits(bit_patterns: np.ndarray) -> Int64Array:
    return np.asarray(np.bitwise_count(bit_patterns), np.int64)


def difference_hash(location: str) -> int | None:
    """64-bit difference hash: is each of 8 x 8 pixels brighter than its right neighbour? None
    if unreadable or without contrast."""

    try:
        with open_with_pillow(location) as image:
            image.draft("L", (72, 64))
            with decoding(image):
                thumbnail = np.asarray(image.convert("L").resize((9, 8)), np.int16)
    except Exception:  # decoders raise arbitrary exceptions on corrupt files
        return None
    bits = thumbnail[:, 1:] > thumbnail[:, :-1]
    if min(int(bits.sum()), int((~bits).sum())) < MIN_CONTRAST_BITS:
        return None
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
