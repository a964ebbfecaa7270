"""Which files in a folder are pictures."""

from __future__ import annotations

import os
from pathlib import Path

from pellucid.errors import FileUnreadable

ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".jp2"}


def pictures_below(folder: Path) -> list[str]:
    """Relative paths, `/` between folders, sorted. Hidden files and folders are passed over; links are followed, once."""
    found = []
    seen: set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=True, onerror=refuse):
        true = os.path.realpath(place)
        if true in seen:
            folders.clear()
            continue
        seen.add(true)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = Path(place).relative_to(folder).as_posix()
        start = "" if below == "." else f"{below}/"
        found += [start + name for name in files if is_picture(name)]
    for name in found:
        if not name.isprintable() and any("\ud800" <= sign <= "\udfff" for sign in name):
            raise FileUnreadable(folder / name.encode("utf-8", "replace").decode(), "its name is no valid UTF-8; rename it")
    return sorted(found)


def refuse(error: OSError) -> None:
    raise FileUnreadable(error.filename, (error.strerror or str(error)).lower()) from error


def is_picture(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in ENDINGS
