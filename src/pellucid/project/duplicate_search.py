"""A search for duplicates that runs in the background."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from pellucid.core.tables import Images
from pellucid.images.duplicates import DuplicatePairs
from pellucid.project.duplicate_images import find_pairs


class DuplicateSearch:
    """The duplicates of the images of a version, searched for once in the background."""

    def __init__(self, images: Images, folders: Sequence[str]) -> None:
        self.images = images
        self.folders = list(folders)
        self._found: DuplicatePairs | None = None
        self._error: Exception | None = None
        self._lock = threading.Lock()
        self._is_running = False
        self.progress = 0, 0

    def searches_same_files(self, images: Images, folders: Sequence[str]) -> bool:
        """Whether these are the files that are searched; pictures may be found later."""
        return self.folders == list(folders) and bool((self.images.root == images.root).all())

    def get_or_start(self) -> DuplicatePairs | None:
        """The pairs; None while they are searched for. Raises what ended the search."""
        with self._lock:
            if self._error is not None:
                raise self._error
            if self._found is None and not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, daemon=True, name="pellucid-duplicates").start()
            return self._found

    def _run(self) -> None:
        try:
            found = find_pairs(self.images, self.folders, self._report)
            with self._lock:
                self._found = found
        except Exception as error:  # re-raised by the next call, not searched for again
            with self._lock:
                self._error = error

    def _report(self, done: int, total: int) -> None:
        self.progress = done, total
