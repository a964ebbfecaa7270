"""What an image's header says, without decoding the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

EXIF_ORIENTATION = 0x0112
SWAPPED_ORIENTATIONS = (5, 6, 7, 8)
"""EXIF orientations that swap width and height."""
PNG_SIGNATURE_BYTES = 8
MAX_EXIF_BYTES = 1 << 20


def parse_exif(image: Image.Image) -> Image.Exif:
    """The EXIF block. Pillow decodes a whole PNG in search of one behind the pixels; its chunks
    are walked instead."""
    from PIL import Image

    if image.format == "PNG" and "exif" not in image.info:
        content = find_png_chunk(image.fp, b"eXIf")  # type: ignore[attr-defined]
        if content is not None:
            image.info["exif"] = b"Exif\0\0" + content
        return Image.Image.getexif(image)
    return image.getexif()


def find_png_chunk(file: Any, wanted: bytes) -> bytes | None:
    """The content of the first chunk of a type, reading no others; None if there is none."""
    position = file.tell()
    try:
        file.seek(PNG_SIGNATURE_BYTES)
        while len(header := file.read(8)) == 8:
            length, kind = int.from_bytes(header[:4], "big"), header[4:]
            if kind == wanted and length <= MAX_EXIF_BYTES:
                return bytes(file.read(length))
            if kind == b"IEND":
                return None
            file.seek(length + 4, 1)  # the content and its checksum
        return None
    finally:
        file.seek(position)


def parse_orientation_tag(image: Image.Image) -> int:
    """The EXIF orientation; 1 if it is missing or cannot be read."""
    try:
        tag = parse_exif(image).get(EXIF_ORIENTATION)
    except Exception:  # Pillow raises arbitrary exceptions on corrupt metadata
        return 1
    return tag if isinstance(tag, int) else 1


def remaining_orientation(image: Image.Image) -> int:
    """The orientation in which the pixels are still to be turned: Pillow itself turns TIFF, whose
    size is the displayed one from the start."""
    return 1 if image.format == "TIFF" else parse_orientation_tag(image)
