"""Disk cache of crops with a size limit; the least recently used are removed first."""

from __future__ import annotations

import hashlib
import os
import threading
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

from pellucid.core.files import atomic_write
from pellucid.core.urls import is_remote
from pellucid.images.crop_region import Region
from pellucid.images.crops import CROP_VERSION, render_crop
from pellucid.images.parquet_images import parquet_location

MAX_CACHE_BYTES = 1 << 30
"""Maximum cache size in bytes."""
CLEANUP_TARGET = 0.8
"""Share of the maximum size to which a clean-up reduces the cache."""


class CropCache:
    """Thread-safe. If the cache is not writable, crops are still returned."""

    def __init__(self, folder: Path | None = None, max_bytes: int = MAX_CACHE_BYTES) -> None:
        self.folder = folder or user_cache_path("pellucid") / "crops"
        self.max_bytes = max_bytes
        self._cached_bytes: int | None = None
        self._lock = threading.Lock()

    def crop(self, location: str, region: Region | None, size: int) -> bytes:
        """The crop, from the cache or newly rendered. Raises UnreadableImageError."""
        crop_path = self._crop_path(location, region, size)
        with suppress(OSError):
            data = crop_path.read_bytes()
            os.utime(crop_path)
            return data
        data = render_crop(location, region, size)
        self._store(crop_path, data)
        return data

    def _crop_path(self, location: str, region: Region | None, size: int) -> Path:
        cache_key = f"{CROP_VERSION} {location} {image_stamp(location)} {region} {size}"
        digest = hashlib.sha256(cache_key.encode("utf-8", "surrogateescape")).hexdigest()
        return self.folder / digest[:2] / f"{digest[2:]}.jpg"

    def _store(self, crop_path: Path, data: bytes) -> None:
        with suppress(OSError):
            crop_path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(crop_path, locked=False) as temp_path:
                temp_path.write_bytes(data)
            with self._lock:
                self._cached_bytes = (
                    self._measure_size()
                    if self._cached_bytes is None
                    else self._cached_bytes + len(data)
                )
                if self._cached_bytes > self.max_bytes:
                    self._cached_bytes = self._evict()

    def _crop_files(self) -> list[tuple[float, int, Path]]:
        crop_files = []
        for file in self.folder.glob("*/*"):
            with suppress(OSError):
                status = file.stat()
                crop_files.append((status.st_mtime, status.st_size, file))
        return crop_files

    def _measure_size(self) -> int:
        return sum(size for _, size, _ in self._crop_files())

    def _evict(self) -> int:
        files = sorted(self._crop_files(), key=lambda crop_file: crop_file[0])
        cached_bytes = sum(size for _, size, _ in files)
        for _, size, file in files:
            if cached_bytes <= self.max_bytes * CLEANUP_TARGET:
                break
            with suppress(OSError):
                file.unlink()
                cached_bytes -= size
        return cached_bytes


def image_stamp(location: str) -> str:
    """A stamp that changes with the file; '0' if there is none. Remote files count as
    immutable: checking costs a round trip."""
    if is_remote(location):
        return "remote"
    table_and_row = parquet_location(location)
    try:  # `Path.stat` takes three times as long, for a hundred items a page
        file_status = os.stat(table_and_row[0] if table_and_row else location)  # noqa: PTH116
    except (OSError, ValueError):
        return "0"
    return f"{file_status.st_mtime_ns:x}{file_status.st_size:x}"
