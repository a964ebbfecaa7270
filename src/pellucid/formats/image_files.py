"""Image files in folders."""

from __future__ import annotations

import os
from pathlib import Path

from pellucid.core.errors import UnreadableFileError

IMAGE_SUFFIXES = {
    ".jpg",
    ".jpeg",
    ".png",
    ".bmp",
    ".gif",
    ".tif",
    ".tiff",
    ".webp",
    ".ppm",
    ".pgm",
    ".jp2",
}


def list_image_files(folder: Path) -> list[str]:
    """Relative paths of image files with `/` separators, sorted. Hidden files and folders are
    skipped; links are followed once."""
    image_files = []
    visited_folders: set[str] = set()
    for current_folder, subfolders, file_names in os.walk(
        folder, followlinks=True, onerror=raise_unreadable
    ):
        real_path = os.path.realpath(current_folder)
        if real_path in visited_folders:
            subfolders.clear()
            continue
        visited_folders.add(real_path)
        subfolders[:] = sorted(
            subfolder for subfolder in subfolders if not subfolder.startswith(".")
        )
        relative_folder = Path(current_folder).relative_to(folder).as_posix()
        prefix = "" if relative_folder == "." else f"{relative_folder}/"
        image_files += [prefix + file_name for file_name in file_names if is_image_file(file_name)]
    for image_file in image_files:
        if not image_file.isprintable() and any(
            "\ud800" <= character <= "\udfff" for character in image_file
        ):
            raise UnreadableFileError(
                folder / image_file.encode("utf-8", "replace").decode(),
                "its name is not valid UTF-8; rename it",
            )
    return sorted(image_files)


def raise_unreadable(error: OSError) -> None:
    raise UnreadableFileError(error.filename, (error.strerror or str(error)).lower()) from error


def is_image_file(file_name: str) -> bool:
    return not file_name.startswith(".") and Path(file_name).suffix.lower() in IMAGE_SUFFIXES
