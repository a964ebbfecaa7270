"""What a picture is known by whatever its name: its content."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from pellucid.images.cache import stamp
from pellucid.images.store import is_remote, open_picture, row_of


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


def length_of(location: str | None) -> int | None:
    """How long the picture's file is, where that can be told without reading it."""
    if location is None or is_remote(location) or row_of(location):
        return None
    try:
        return Path(location).stat().st_size
    except (OSError, ValueError):
        return None
