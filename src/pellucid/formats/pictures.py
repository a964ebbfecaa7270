"""Which files in a folder are pictures."""

from __future__ import annotations

import os
from pathlib import Path

ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".jp2"}


def pictures_below(folder: Path) -> list[str]:
    """Relative paths, `/` between folders, sorted. Hidden files and folders are passed over; links are followed, once."""
    found = []
    seen: set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        true = os.path.realpath(place)
        if true in seen:
            folders.clear()
            continue
        seen.add(true)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = Path(place).relative_to(folder).as_posix()
        start = "" if below == "." else f"{below}/"
        found += [start + name for name in files if is_picture(name)]
    return sorted(found)


def is_picture(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in ENDINGS
