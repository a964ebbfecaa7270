"""What a picture is known by whatever its name: its content."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from pellucid.images.cache import stamp
from pellucid.images.store import open_picture


def content_and_stamp(location: str | None) -> tuple[str, str]:
    """The content of a picture, `sha256:HEX:LENGTH`, and the stamp of its file; '' and '' where it is not there."""
    if location is None:
        return "", ""
    file_stamp = stamp(location)
    return ("", "") if file_stamp == "0" else (hash_file(location, file_stamp), file_stamp)


@lru_cache(maxsize=100_000)
def hash_file(location: str, file_stamp: str) -> str:
    try:
        with open_picture(location) as file:
            data = file.read()
    except OSError:
        return ""
    return f"sha256:{hashlib.sha256(data).hexdigest()}:{len(data)}"


def content_length(content: str) -> int:
    """The length of the file whose content it is; -1 for none."""
    return int(content.rpartition(":")[2]) if content else -1
