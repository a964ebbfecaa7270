"""The size of a picture as displayed, from its header alone."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from pellucid.images.locations import open_picture

WANTED = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "MPO", "JPEG2000", "AVIF", "TGA")
"""What is opened as a picture: nothing that runs an interpreter of its own."""
ORIENTATION = 0x0112
SIDEWAYS = (5, 6, 7, 8)
"""EXIF orientations that swap width and height."""


@cache
def picture_formats() -> list[str]:
    """Those of WANTED that this Pillow can; found when first needed, as it takes a tenth of a second."""
    from PIL import Image

    Image.init()
    return [name for name in WANTED if name in Image.OPEN]


def displayed_size(location: str) -> tuple[int, int] | None:
    """(width, height) in pixels with EXIF orientation applied; None where there is no readable picture."""
    from PIL import Image

    try:
        with warnings.catch_warnings(), open_picture(location, follow=True) as file:
            warnings.simplefilter("ignore")
            with Image.open(file, formats=picture_formats()) as picture:
                width, height = picture.size
                turned = picture.getexif().get(ORIENTATION) in SIDEWAYS
                return (height, width) if turned else (width, height)
    except Exception:  # decoders of damaged files raise whatever they stumbled over
        return None


def orientations(locations: Iterable[str]) -> list[tuple[int, tuple[int, int]]]:
    """EXIF orientation (1 where there is none) and displayed size ((0, 0) where there is no readable picture) of many pictures."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(orientation, locations))


def orientation(location: str) -> tuple[int, tuple[int, int]]:
    from PIL import Image

    try:
        with warnings.catch_warnings(), open_picture(location, follow=True) as file:
            warnings.simplefilter("ignore")
            with Image.open(file, formats=picture_formats()) as picture:
                found = int(picture.getexif().get(ORIENTATION, 1))
                width, height = picture.size
                return found, (height, width) if found in SIDEWAYS else (width, height)
    except Exception:  # decoders of damaged files raise whatever they stumbled over
        return 1, (0, 0)


def displayed_sizes(locations: Iterable[str]) -> list[tuple[int, int] | None]:
    """Sizes of many pictures, read side by side."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(displayed_size, locations))
