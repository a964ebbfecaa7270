"""Exact and near duplicates of images. Training images in validation make the metrics too
optimistic."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations, pairwise

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


@dataclass(frozen=True)
class DuplicatePair:
    """Two images that look the same.

    Attributes:
        first, second: positions of two images, first < second
        distance: of their hashes, in bits of 64
        is_identical: whether the files have the same content
    """

    first: int
    second: int
    distance: int
    is_identical: bool


HASH_BANDS = tuple((shift, min(13, 64 - shift)) for shift in range(0, 64, 13))
"""Shift and width in bits of five parts of a hash: of two hashes at most four bits apart, one part
is equal."""
MAX_COMPARED = 500
"""Of images with an equal part, how many following ones in the order of their hashes each is
compared with: series of hundreds of equal frames are not compared with each other in full."""
MAX_PAIRS = 20_000
"""Pairs after which the search ends."""


@dataclass(frozen=True)
class DuplicatePairs:
    """Pairs of images that look the same, the most similar first.

    Attributes:
        is_truncated: whether there are more, among images of one split
    """

    pairs: list[DuplicatePair]
    is_truncated: bool


def find_duplicate_pairs(
    locations: Sequence[str],
    splits: Sequence[int],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> DuplicatePairs:
    """Images with the same content, and near duplicates of different content, the most alike first.

    Args:
        splits: of each image; pairs of different splits are searched for first, and are all found
            but for MAX_PAIRS
    """
    contents = same_contents(locations)
    hashes = np.zeros(len(locations), np.uint64)
    has_hash = np.zeros(len(locations), bool)
    with ThreadPoolExecutor(4) as threads:
        firsts = [positions[0] for positions in contents]
        results = threads.map(difference_hash, [locations[position] for position in firsts])
        for done, (positions, image_hash) in enumerate(zip(contents, results, strict=True), 1):
            if image_hash is not None:
                hashes[positions], has_hash[positions] = image_hash, True
            progress(done, len(contents))
    identical = [
        DuplicatePair(first, second, 0, True)
        for positions in contents
        for first, second in combinations(positions[:MAX_COPIES], 2)
    ]
    known = {(pair.first, pair.second) for pair in identical}
    hashed = np.flatnonzero(has_hash)
    labels = np.asarray(splits, np.int64)[hashed] if len(hashed) else np.zeros(0, np.int64)
    near, is_truncated = find_close_hashes(hashed, hashes[hashed], labels)
    near = [pair for pair in near if (pair.first, pair.second) not in known]
    near.sort(key=lambda pair: (pair.distance, pair.first, pair.second))
    return DuplicatePairs([*identical, *near], is_truncated)


MAX_COPIES = 20
"""Files of one content that are paired with each other."""


def same_contents(locations: Sequence[str]) -> list[list[int]]:
    """The positions by content of the files. Only files of equal size are read."""
    by_length: dict[int, list[int]] = {}
    for position, location in enumerate(locations):
        length = image_file_size(location)
        by_length.setdefault(-1 - position if length is None else length, []).append(position)
    contents: list[list[int]] = []
    for positions in by_length.values():
        by_digest: dict[bytes, list[int]] = {}
        for position in positions:
            digest = content_digest(locations[position]) if len(positions) > 1 else b""
            by_digest.setdefault(digest, []).append(position)
        contents += by_digest.values()
    return sorted(contents)


def find_close_hashes(
    positions: Int64Array, hashes: np.ndarray, labels: Int64Array
) -> tuple[list[DuplicatePair], bool]:
    """Pairs of positions whose hashes are at most MAX_HASH_DISTANCE apart, those of different
    labels first, and whether some of equal labels were left out.

    Args:
        hashes: uint64 (n,)
    """
    distances: dict[tuple[int, int], int] = {}
    for has_same_label in (False, True):
        for members in members_of_parts(hashes):
            for place, member in enumerate(members[:-1].tolist()):
                if len(distances) >= MAX_PAIRS:
                    return pairs_of(distances), True
                others = members[place + 1 : place + 1 + MAX_COMPARED]
                others = others[(labels[others] == labels[member]) == has_same_label]
                apart = count_set_bits(hashes[others] ^ hashes[member])
                for other in np.flatnonzero(apart <= MAX_HASH_DISTANCE).tolist():
                    first, second = sorted((int(positions[member]), int(positions[others[other]])))
                    distances[first, second] = int(apart[other])
    return pairs_of(distances), False


def pairs_of(distances: dict[tuple[int, int], int]) -> list[DuplicatePair]:
    return [DuplicatePair(*pair, apart, False) for pair, apart in distances.items()]


def members_of_parts(hashes: np.ndarray) -> Iterator[Int64Array]:
    """Indexes of hashes with an equal part, in the order of the hashes."""
    for shift, width in HASH_BANDS:
        part = (hashes >> np.uint64(shift)) & np.uint64((1 << width) - 1)
        order = np.lexsort((hashes, part))
        ordered = part[order]
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        for start, end in pairwise([*starts.tolist(), len(order)]):
            if end - start > 1:
                yield order[start:end]


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
