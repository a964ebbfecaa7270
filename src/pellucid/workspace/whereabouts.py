"""Which images of a table are the pictures that decisions speak of, whatever they are called now."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from pellucid.columns import Images
from pellucid.images.cache import stamp
from pellucid.images.store import join, length_of
from pellucid.reviews.contents import content_of, length_in
from pellucid.understand.decisions import Decision


class Whereabouts:
    """Of images, each under its folder. Looks at files only as far as it must."""

    def __init__(self, images: Images, folders: Sequence[str]) -> None:
        self.images = images
        self.folders = folders
        self._found: dict[tuple[str, str, str], int | None] = {}

    def location(self, row: int) -> str | None:
        root = int(self.images.root[row])
        return join(self.folders[root], str(self.images.path[row])) if root >= 0 else None

    def row_of(self, path: str) -> int | None:
        """The position of an image path."""
        return self._rows.get(path)

    def find(self, decision: Decision) -> int | None:
        """The image that a decision speaks of: by path where the content is still the same, else by content; and by path alone where
        there is no picture to look at."""
        asked = decision.image, decision.content, decision.stamp
        if asked not in self._found:
            self._found[asked] = self._search(decision)
        return self._found[asked]

    def _search(self, decision: Decision) -> int | None:
        row = self.row_of(decision.image)
        if row is not None and (not decision.content or self._is_still(row, decision)):
            return row
        if decision.content:
            for other in self._by_length.get(length_in(decision.content), []):
                if content_of(self.location(other))[0] == decision.content:
                    return other
        return row if row is not None and not self._has_picture(row) else None

    def _is_still(self, row: int, decision: Decision) -> bool:
        location = self.location(row)
        if location is None or (mark := stamp(location)) == "0":
            return False
        return mark == decision.stamp or content_of(location)[0] == decision.content

    def _has_picture(self, row: int) -> bool:
        """Whether there is something to tell its content by."""
        location = self.location(row)
        return location is not None and stamp(location) != "0" and content_of(location)[0] != ""

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {path: row for row, path in enumerate(self.images.path.tolist())}

    @cached_property
    def _by_length(self) -> dict[int, list[int]]:
        """Images by the length of their files: a renamed picture is looked for among those of its own."""
        found: dict[int, list[int]] = {}
        for row in np.flatnonzero(self.images.root >= 0).tolist():
            location = self.location(row)
            if location is not None and (length := length_of(location)) is not None:
                found.setdefault(length, []).append(row)
        return found
