"""Image files in folders."""

from __future__ import annotations

import os
from pathlib import Path

from pellucid.core.errors import UnreadableFileError

IMAGE_SUFFIXES = {
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".avif",
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


VIDEO_SUFFIXES = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".mts"}

SYSTEM_FILES = ("thumbs.db", "desktop.ini", "ehthumbs.db")
SYSTEM_FOLDERS = ("__macosx", "@eadir", "$recycle.bin")
"""Names that operating systems add to folders, in lower case."""


def is_system_file(path: str) -> bool:
    """Whether a relative path is hidden or was added by an operating system."""
    *folders, file_name = path.lower().split("/")
    return (
        file_name in SYSTEM_FILES
        or any(part.startswith(".") for part in (*folders, file_name))
        or any(folder in SYSTEM_FOLDERS for folder in folders)
    )


def list_image_files(folder: Path) -> list[str]:
    """Relative paths of image files with `/` separators, sorted; see `list_files`."""
    image_files = [file_name for file_name in list_files(folder) if is_image_file(file_name)]
    for image_file in image_files:
        if not image_file.isprintable() and any(
            "\ud800" <= character <= "\udfff" for character in image_file
        ):
            raise UnreadableFileError(
                folder / image_file.encode("utf-8", "replace").decode(),
                "its name is not valid UTF-8; rename it",
            )
    return image_files


def list_files(folder: Path) -> list[str]:
    """Relative paths of all files with `/` separators, sorted; see `scan_folder`."""
    return scan_folder(folder)[0]


def scan_folder(folder: Path) -> tuple[list[str], int]:
    """Relative paths of all files with `/` separators, sorted, and the number of files left out:
    hidden ones, those of operating systems, and what is no regular file, such as a named pipe.
    Links are followed once."""
    files: list[str] = []
    ignored_count = 0
    visited_folders: set[str] = set()
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        current_folder = folder / prefix
        real_path = os.path.realpath(current_folder)
        if real_path in visited_folders:
            continue
        visited_folders.add(real_path)
        for entry in list_entries(current_folder):
            path = prefix + entry.name
            if entry.is_dir():
                waiting.append(f"{path}/")
            elif is_system_file(path) or is_special_file(entry):
                ignored_count += 1
            else:
                files.append(path)
    return sorted(files), ignored_count


def list_entries(folder: Path) -> list[os.DirEntry[str]]:
    """What lies in a folder; raises UnreadableFileError."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UnreadableFileError(error.filename, reason) from error


def is_special_file(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a named pipe, a device or a socket. A broken link is not."""
    return not entry.is_file() and not entry.is_symlink()


def is_image_file(file_name: str) -> bool:
    base_name = file_name.rpartition("/")[2]
    return not base_name.startswith(".") and Path(base_name).suffix.lower() in IMAGE_SUFFIXES


DATA_SUFFIXES = (".xml", ".txt", ".json", ".npy", ".npz", ".mat", ".csv")


def is_data_file(name: str) -> bool:
    """Whether a text is the name of an image, or of a file of annotations."""
    return is_image_file(name) or (" " not in name and name.lower().endswith(DATA_SUFFIXES))
