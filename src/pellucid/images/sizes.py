"""The displayed size of images, read from their headers."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from pellucid.images.decoding import open_with_pillow
from pellucid.images.header import (
    SWAPPED_ORIENTATIONS,
    parse_orientation_tag,
    remaining_orientation,
)


def display_size(location: str) -> tuple[int, int] | None:
    """(width, height) in pixels with EXIF orientation applied; None if the image cannot be read."""
    _, size = load_orientation(location)
    return size if size != (0, 0) else None


def load_orientations(locations: Iterable[str]) -> list[tuple[int, tuple[int, int]]]:
    """EXIF orientation (1 if missing) and displayed size ((0, 0) if unreadable) of each image."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(load_orientation, locations))


def load_orientation(location: str) -> tuple[int, tuple[int, int]]:
    """EXIF orientation (1 if missing) and displayed size ((0, 0) if unreadable)."""
    try:
        with open_with_pillow(location, follow_links=True) as image:
            orientation = parse_orientation_tag(image)
            is_sideways = remaining_orientation(image) in SWAPPED_ORIENTATIONS
            return orientation, image.size[::-1] if is_sideways else image.size
    except Exception:  # decoders raise arbitrary exceptions on corrupt files
        return 1, (0, 0)


def display_sizes(locations: Iterable[str]) -> list[tuple[int, int] | None]:
    """Sizes of many images, read in parallel."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(display_size, locations))
