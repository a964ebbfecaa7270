"""Find the images that decisions refer to, even if their files were renamed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from pellucid.core.tables import Images
from pellucid.images.crop_cache import image_stamp
from pellucid.images.locations import image_file_size, join_location
from pellucid.review.events import Decision
from pellucid.review.storage.image_hash import content_and_stamp, content_length


class ImageLocator:
    """Finds images by path or content hash. Reads files only when necessary."""

    def __init__(self, images: Images, folders: Sequence[str]) -> None:
        self.images = images
        self.folders = folders
        self._cache: dict[tuple[str, str, str], int | None] = {}

    def location(self, image_index: int) -> str | None:
        root = int(self.images.root[image_index])
        return (
            join_location(self.folders[root], str(self.images.path[image_index]))
            if root >= 0
            else None
        )

    def find_path(self, path: str) -> int | None:
        """The index of the image with this path, or None."""
        return self._index_by_path.get(path)

    def find_image(self, decision: Decision) -> int | None:
        """The index of a decision's image: by path if the content is unchanged, else by content;
        by path alone if the image file cannot be read."""
        cache_key = decision.image, decision.content, decision.stamp
        if cache_key not in self._cache:
            self._cache[cache_key] = self._find_uncached(decision)
        return self._cache[cache_key]

    def _find_uncached(self, decision: Decision) -> int | None:
        path_index = self.find_path(decision.image)
        if path_index is not None and (
            not decision.content or self._has_same_content(path_index, decision)
        ):
            return path_index
        if decision.content:
            for candidate in self._images_by_length.get(content_length(decision.content), []):
                if content_and_stamp(self.location(candidate))[0] == decision.content:
                    return candidate
        return path_index if path_index is not None and not self._is_readable(path_index) else None

    def _has_same_content(self, image_index: int, decision: Decision) -> bool:
        location = self.location(image_index)
        if location is None or (file_stamp := image_stamp(location)) == "0":
            return False
        return file_stamp == decision.stamp or content_and_stamp(location)[0] == decision.content

    def _is_readable(self, image_index: int) -> bool:
        """Whether the image file exists and can be hashed."""
        location = self.location(image_index)
        return (
            location is not None
            and image_stamp(location) != "0"
            and content_and_stamp(location)[0] != ""
        )

    @cached_property
    def _index_by_path(self) -> dict[str, int]:
        return {path: image_index for image_index, path in enumerate(self.images.path.tolist())}

    @cached_property
    def _images_by_length(self) -> dict[int, list[int]]:
        """Image indices by file length: a renamed image is searched only among files of the same
        length."""
        images_by_length: dict[int, list[int]] = {}
        for image_index in np.flatnonzero(self.images.root >= 0).tolist():
            location = self.location(image_index)
            if location is not None and (length := image_file_size(location)) is not None:
                images_by_length.setdefault(length, []).append(image_index)
        return images_by_length
