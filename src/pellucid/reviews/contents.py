"""What a picture is known by whatever its name: its content."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from pellucid.images.cache import stamp
from pellucid.images.store import open_picture


def content_of(location: str | None) -> tuple[str, str]:
    """The content of a picture, `sha256:HEX:LENGTH`, and the stamp of its file; '' and '' where it is not there."""
    if location is None:
        return "", ""
    mark = stamp(location)
    return ("", "") if mark == "0" else (hashed(location, mark), mark)


@lru_cache(maxsize=100_000)
def hashed(location: str, mark: str) -> str:
    try:
        with open_picture(location) as file:
            data = file.read()
    except OSError:
        return ""
    return f"sha256:{hashlib.sha256(data).hexdigest()}:{len(data)}"


def length_in(content: str) -> int:
    """The length of the file whose content it is; -1 for none."""
    return int(content.rpartition(":")[2]) if content else -1
