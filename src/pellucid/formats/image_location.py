"""Which image a file of annotations belongs to, when both lie in nested folders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pellucid.formats.dataset import parse_split, split_of_folder

ANNOTATION_FOLDERS = {"annotations", "annotation", "ann", "labels", "xml", "xmls", "json", "jsons"}
"""Folders that hold the annotations alone, in lower case; the images lie outside."""


@dataclass(frozen=True)
class ImageLocator:
    """Locates images from the names that files of annotations state.

    source: the file or folder that is imported · image_folder: given by the user, if any ·
    by_folder: whether a stated name is relative to the folder of its file, where no image says
    otherwise.
    """

    source: Path
    image_folder: str | None
    by_folder: bool

    def locate(self, file: Path, image_name: str) -> tuple[int, str]:
        """The split that the folders of a file name, -1 if there is none, and the path of its
        image below the source."""
        if self.source in (file, file.parent):
            return -1, image_name
        folder = file.parent.relative_to(self.source)
        split = split_of_folder(folder.as_posix())
        if (file.parent / image_name).is_file():
            return split, f"{folder.as_posix()}/{image_name}"
        own_parts = [part for part in folder.parts if names_images(part)]
        nested_name = PurePosixPath(*own_parts, image_name).as_posix()
        if image_name.startswith(f"{'/'.join(own_parts)}/") or self._has_image(image_name):
            return split, image_name
        is_nested = self.by_folder or self._has_image(nested_name)
        return split, nested_name if is_nested else image_name

    def _has_image(self, image_name: str) -> bool:
        return self.image_folder is not None and (Path(self.image_folder) / image_name).is_file()


def names_images(folder: str) -> bool:
    """Whether a folder is part of the paths of images, and neither a split nor for annotations."""
    return folder.lower() not in ANNOTATION_FOLDERS and parse_split(folder) is None


def names_repeat(files: Iterable[Path]) -> bool:
    """Whether files in different folders have the same name."""
    names = [file.name for file in files]
    return len(set(names)) < len(names)
