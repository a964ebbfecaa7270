"""Which image a file of annotations belongs to, when both lie in nested folders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pellucid.core.errors import format_count
from pellucid.formats.dataset import Note, parse_split, split_of_folder
from pellucid.formats.image_files import is_image_file

ANNOTATION_FOLDERS = {"annotations", "annotation", "ann", "labels", "xml", "xmls", "json", "jsons"}
"""Folders that hold the annotations alone, in lower case; the images lie outside."""


@dataclass
class ImageLocator:
    """Locates images from the names that files of annotations state.

    Attributes:
        source: the file or folder that is imported
        image_folder: given by the user, if any
        by_folder: whether a stated name is relative to the folder of its file, where no image says
            otherwise
        outdated_count: images that were renamed since, with their files of annotations
    """

    source: Path
    image_folder: str | None
    by_folder: bool
    outdated_count: int = 0
    _names_by_folder: dict[Path, set[str]] = field(default_factory=dict)

    def notes(self) -> list[Note]:
        """On the names that are not those that the files state."""
        if not self.outdated_count:
            return []
        message = (
            f"{format_count(self.outdated_count, 'image')} named like their files of annotations, "
            "as the names stated inside are of no file"
        )
        return [Note("outdated_names", message, self.outdated_count, "info")]

    def locate(self, file: Path, image_name: str) -> tuple[int, str]:
        """The split that the folders of a file name, -1 if there is none, and the path of its
        image below the source."""
        image_name = self._current_name(file, image_name)
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

    def _current_name(self, file: Path, image_name: str) -> str:
        """The name of the image that is named like its file of annotations, beside it or in the
        folder of the images, where the stated one is not found: both were renamed."""
        base_name = image_name.replace("\\", "/").rpartition("/")[2]
        folder = file.parent if self.image_folder is None else Path(self.image_folder)
        names = self._images_in(folder)
        beside = [name for name in names if name.rpartition(".")[0] == file.stem]
        is_stated = base_name in names or base_name.rpartition(".")[0] == file.stem
        is_there = (self.source / image_name).is_file() or self._has_image(image_name)
        if len(beside) != 1 or is_stated or is_there:
            return image_name
        self.outdated_count += 1
        return beside[0]

    def _images_in(self, folder: Path) -> set[str]:
        """The names of the images in a folder."""
        if folder not in self._names_by_folder:
            listed = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
            self._names_by_folder[folder] = {name for name in listed if is_image_file(name)}
        return self._names_by_folder[folder]

    def _has_image(self, image_name: str) -> bool:
        return self.image_folder is not None and (Path(self.image_folder) / image_name).is_file()


def names_images(folder: str) -> bool:
    """Whether a folder is part of the paths of images, and neither a split nor for annotations."""
    return folder.lower() not in ANNOTATION_FOLDERS and parse_split(folder) is None


def names_repeat(files: Iterable[Path]) -> bool:
    """Whether files in different folders have the same name."""
    names = [file.name for file in files]
    return len(set(names)) < len(names)
