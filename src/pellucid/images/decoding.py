"""Opening images with Pillow, restricted to safe formats."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from pellucid.images.locations import open_image

if TYPE_CHECKING:
    from PIL import Image

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


@cache
def readable_formats() -> list[str]:
    """The allowed formats that this Pillow supports; computed on first use, as it takes 0.1 s."""
    from PIL import Image

    Image.init()
    return [format_name for format_name in ALLOWED_FORMATS if format_name in Image.OPEN]


@contextmanager
def open_with_pillow(location: str, follow_links: bool = False) -> Iterator[Image.Image]:
    """The image at a path or URL, opened but not decoded yet.

    Pillow's warnings, such as those about unusual metadata, are suppressed. On corrupt files
    decoders raise arbitrary exceptions, both here and while the image is decoded.
    """
    from PIL import Image

    with warnings.catch_warnings(), open_image(location, follow_links) as file:
        warnings.simplefilter("ignore")
        with Image.open(file, formats=readable_formats()) as image:
            yield image
