"""Content hashes, which identify an image file whatever its name."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from pellucid.images.crop_cache import image_stamp
from pellucid.images.locations import open_image


def content_and_stamp(location: str | None) -> tuple[str, str]:
    """The content hash of an image file, `sha256:HEX:LENGTH`, and the file's stamp; ("", "") if
    the file does not exist."""
    if location is None:
        return "", ""
    file_stamp = image_stamp(location)
    return ("", "") if file_stamp == "0" else (hash_file(location, file_stamp), file_stamp)


@lru_cache(maxsize=100_000)
def hash_file(location: str, file_stamp: str) -> str:
    try:
        with open_image(location) as file:
            data = file.read()
    except OSError:
        return ""
    return f"sha256:{hashlib.sha256(data).hexdigest()}:{len(data)}"


def content_length(content: str) -> int:
    """The file length stored in a content hash; -1 if the hash is empty."""
    return int(content.rpartition(":")[2]) if content else -1
