"""A bound on the memory of decoded images: of each one, and of all at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pellucid.images.errors import ImageTooLargeError

if TYPE_CHECKING:
    from PIL import Image

MAX_IMAGE_PIXELS = 180_000_000
MAX_DECODED_BYTES = 240 << 20
"""Largest image that is decoded: 62 million pixels in colour, 180 million in 8-bit grey. JPEG is
scaled down while it is decoded, and counts at that size."""
SHARED_BYTES = 480 << 20
"""Of all large images that are decoded at the same time."""
SMALL_IMAGE_BYTES = 16 << 20
"""Images up to this size do not wait for others."""
ONE_BYTE_MODES, TWO_BYTE_MODES = ("1", "L", "P"), ("I;16", "I;16L", "I;16B", "I;16N")


def decoded_bytes(image: Image.Image) -> int:
    """Memory of the decoded image; after `draft`, of the reduced one."""
    pixel_bytes = 1 if image.mode in ONE_BYTE_MODES else 2 if image.mode in TWO_BYTE_MODES else 4
    return image.width * image.height * pixel_bytes


class DecodingBudget:
    """Memory that decoders share: who asks for more than is left waits."""

    def __init__(self, total: int = SHARED_BYTES) -> None:
        self.total = total
        self.used = 0
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, size: int) -> Iterator[None]:
        """size: in bytes; more than the total waits until nothing else is decoded."""
        with self._changed:
            self._changed.wait_for(lambda: not self.used or self.used + size <= self.total)
            self.used += size
        try:
            yield
        finally:
            with self._changed:
                self.used -= size
                self._changed.notify_all()


SHARED_BUDGET = DecodingBudget()


@contextmanager
def decoding(image: Image.Image) -> Iterator[None]:
    """While an opened image is decoded and used. Call `draft` before.

    Raises:
        ImageTooLargeError: it needs more than MAX_DECODED_BYTES.
    """
    size = decoded_bytes(image)
    if size > MAX_DECODED_BYTES or image.width * image.height > MAX_IMAGE_PIXELS:
        raise ImageTooLargeError(
            f"too large: {image.width:,} × {image.height:,} pixels take {size >> 20:,} MB, the "
            f"limit is {MAX_DECODED_BYTES >> 20} MB"
        )
    if size <= SMALL_IMAGE_BYTES:
        yield
        return
    with SHARED_BUDGET.reserve(size):
        yield
