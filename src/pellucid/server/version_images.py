"""The images of a version as the page asks for them: where they are, their size, their crop."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote

from pellucid.images.crop_cache import image_stamp
from pellucid.images.crop_region import Region, box_crop_region
from pellucid.images.locations import join_location
from pellucid.images.sizes import display_size
from pellucid.project import Version
from pellucid.results.results import Results
from pellucid.server.schemas.gallery_schema import Box


class VersionImages:
    """The image files of a version: file locations for the server and URLs for the page."""

    def __init__(self, version: Version, results: Results) -> None:
        self.images = results.evaluation.images
        self.folders = results.folders
        self.base_url = (
            f"pictures/{quote(version.view.name, safe='')}/{quote(version.name, safe='')}"
        )

    def location(self, image: int) -> str | None:
        folder_index = int(self.images.root[image])
        return (
            join_location(self.folders[folder_index], str(self.images.path[image]))
            if folder_index >= 0
            else None
        )

    def stamp(self, image: int) -> str:
        location = self.location(image)
        return "0" if location is None else image_stamp(location)

    def size(self, image: int, file_stamp: str) -> tuple[int, int]:
        """Width and height as displayed: from the image file, else as declared."""
        location = self.location(image)
        displayed = (
            cached_image_size(location, file_stamp)
            if location is not None and file_stamp != "0"
            else None
        )
        return displayed or (int(self.images.width[image]), int(self.images.height[image]))

    def image_url(self, image: int, file_stamp: str) -> str:
        """The URL of the image. It changes when the file does, so responses can be cached
        indefinitely."""
        return f"{self.base_url}/{image}/{file_stamp}"


@lru_cache(maxsize=200_000)
def cached_image_size(location: str, file_stamp: str) -> tuple[int, int] | None:
    return display_size(location)


def item_frame(
    version_images: VersionImages, image: int, file_stamp: str, box: Box
) -> Region | None:
    """The part of the image to show around a box; None if the image size is unknown."""
    width, height = version_images.size(image, file_stamp)
    return box_crop_region(box, width, height) if width > 0 and height > 0 else None
