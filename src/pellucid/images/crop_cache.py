"""Crops kept on disk, within a bound; what was not asked for longest goes first."""

from __future__ import annotations

import hashlib
import os
import threading
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

from pellucid.core.urls import is_remote
from pellucid.images.crop_region import Region
from pellucid.images.crops import RECIPE, cut
from pellucid.images.locations import row_of

BOUND = 1 << 30
"""Bytes kept at most."""
KEPT_SHARE = 0.8
"""How far a clean-up goes, so that the next one is not due at once."""


class CropCache:
    """Thread-safe. A cache that cannot be written serves all the same."""

    def __init__(self, folder: Path | None = None, bound: int = BOUND) -> None:
        self.folder = folder or user_cache_path("pellucid") / "crops"
        self.bound = bound
        self._held: int | None = None
        self._lock = threading.Lock()

    def crop(self, location: str, region: Region | None, size: int) -> bytes:
        """The crop, cut now or before; raises PictureProblem."""
        place = self._place(location, region, size)
        with suppress(OSError):
            data = place.read_bytes()
            os.utime(place)
            return data
        data = cut(location, region, size)
        self._keep(place, data)
        return data

    def _place(self, location: str, region: Region | None, size: int) -> Path:
        key = f"{RECIPE} {location} {stamp(location)} {region} {size}"
        name = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
        return self.folder / name[:2] / f"{name[2:]}.jpg"

    def _keep(self, place: Path, data: bytes) -> None:
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            half = place.with_name(f"{place.name}.{os.getpid()}.{threading.get_ident()}.tmp")
            try:
                half.write_bytes(data)
                half.replace(place)
            finally:
                half.unlink(missing_ok=True)
            with self._lock:
                self._held = self._measure() if self._held is None else self._held + len(data)
                if self._held > self.bound:
                    self._held = self._clean()

    def _files(self) -> list[tuple[float, int, Path]]:
        found = []
        for file in self.folder.glob("*/*"):
            with suppress(OSError):
                status = file.stat()
                found.append((status.st_mtime, status.st_size, file))
        return found

    def _measure(self) -> int:
        return sum(size for _, size, _ in self._files())

    def _clean(self) -> int:
        files = sorted(self._files(), key=lambda file: file[0])
        held = sum(size for _, size, _ in files)
        for _, size, file in files:
            if held <= self.bound * KEPT_SHARE:
                break
            with suppress(OSError):
                file.unlink()
                held -= size
        return held


def stamp(location: str) -> str:
    """Changes when the picture does; '0' for one that is absent. Remote ones are taken never to change: asking costs a round trip."""
    if is_remote(location):
        return "remote"
    inside = row_of(location)
    try:
        status = (inside[0] if inside else Path(location)).stat()
    except (OSError, ValueError):
        return "0"
    return f"{status.st_mtime_ns:x}{status.st_size:x}"
