"""The displayed size of images, read from their headers."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from pellucid.images.locations import open_image

ALLOWED_FORMATS = (
    "JPEG",
    "PNG",
    "GIF",
    "BMP",
    "TIFF",
    "WEBP",
    "PPM",
    "MPO",
    "JPEG2000",
    "AVIF",
    "TGA",
)
"""Image formats that are opened; excludes formats that run an interpreter."""
EXIF_ORIENTATION = 0x0112
SWAPPED_ORIENTATIONS = (5, 6, 7, 8)
"""EXIF orientations that swap width and height."""


@cache
def readable_formats() -> list[str]:
    """The allowed formats that this Pillow supports; computed on first use, as it takes 0.1 s."""
    from PIL import Image

    Image.init()
    return [format_name for format_name in ALLOWED_FORMATS if format_name in Image.OPEN]


def display_size(location: str) -> tuple[int, int] | None:
    """(width, height) in pixels with EXIF orientation applied; None if the image cannot be read."""
    from PIL import Image

    try:
        with warnings.catch_warnings(), open_image(location, follow_links=True) as file:
            warnings.simplefilter("ignore")
            with Image.open(file, formats=readable_formats()) as image:
                width, height = image.size
                is_sideways = image.getexif().get(EXIF_ORIENTATION) in SWAPPED_ORIENTATIONS
                return (height, width) if is_sideways else (width, height)
    except Exception:  # decoders raise arbitrary exceptions on corrupt files
        return None


def read_orientations(locations: Iterable[str]) -> list[tuple[int, tuple[int, int]]]:
    """EXIF orientation (1 if missing) and displayed size ((0, 0) if unreadable) of each image."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(read_orientation, locations))


def read_orientation(location: str) -> tuple[int, tuple[int, int]]:
    from PIL import Image

    try:
        with warnings.catch_warnings(), open_image(location, follow_links=True) as file:
            warnings.simplefilter("ignore")
            with Image.open(file, formats=readable_formats()) as image:
                exif_orientation = int(image.getexif().get(EXIF_ORIENTATION, 1))
                width, height = image.size
                return exif_orientation, (
                    height,
                    width,
                ) if exif_orientation in SWAPPED_ORIENTATIONS else (width, height)
    except Exception:  # decoders raise arbitrary exceptions on corrupt files
        return 1, (0, 0)


def display_sizes(locations: Iterable[str]) -> list[tuple[int, int] | None]:
    """Sizes of many images, read in parallel."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(display_size, locations))
