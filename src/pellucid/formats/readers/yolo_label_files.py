"""Where the label files of YOLO data sets lie."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pellucid.formats.companion_files import is_companion_file
from pellucid.formats.image_files import is_image_file, list_files

LABEL_FOLDERS = ("labels", "Labels", "LABELS")
IMAGE_FOLDERS = ("images", "Images", "IMAGES", "JPEGImages")


@dataclass(frozen=True)
class LabelFiles:
    """The label files of a YOLO data set.

    Attributes:
        by_image: the label file of each image
        folders: searched for label files
    """

    by_image: dict[Path, Path]
    folders: set[Path]


def find_label_files(
    base_folder: Path, image_files: list[Path], settings_folder: Path, root: Path, entry: str
) -> LabelFiles:
    """The label file of each picture: `images` replaced by `labels` in its path, else near the
    settings file, else next to the image."""
    by_image: dict[Path, Path] = {}
    folders: set[Path] = set()
    for image_file in image_files:
        candidates = [
            Path(os.path.normpath(candidate))
            for candidate in candidate_label_files(
                image_file, base_folder, settings_folder, root, entry
            )
        ]
        folders |= {candidate.parent for candidate in candidates[:-1]}
        label_file = next((candidate for candidate in candidates if candidate.is_file()), None)
        if label_file is not None:
            by_image[image_file] = label_file
    return LabelFiles(by_image, folders)


def orphan_label_files(folders: set[Path], label_files: list[Path | None]) -> list[str]:
    """Names of label files in the folders without a matching image."""
    used_paths = {os.path.realpath(label_file) for label_file in label_files if label_file}
    return [
        label_file.name
        for folder in sorted(
            {Path(os.path.realpath(folder)) for folder in folders if folder.is_dir()}
        )
        for label_file in sorted(folder.glob("*.txt"))
        if os.path.realpath(label_file) not in used_paths and not is_companion_file(label_file.name)
    ]


def label_files_elsewhere(root: Path, image_paths: Sequence[str]) -> list[str]:
    """Files below the root that are named like a label file of one of the images, in a folder or
    with an ending where none is looked for. Those of another image of the same name are not.

    Args:
        image_paths: of images without a label file
    """
    stems = {PurePosixPath(path).stem for path in image_paths}
    files = list_files(root)
    images = {name.rpartition(".")[0] for name in files if is_image_file(name)}
    found = []
    for name in files:
        stem, _, ending = name.rpartition(".")
        is_label = ending.lower() == "txt" and not is_companion_file(name)
        if not is_label or PurePosixPath(stem).name not in stems:
            continue
        others = {re.sub("(?i)labels", image_folder, stem) for image_folder in IMAGE_FOLDERS}
        if ending != "txt" or not others & images:
            found.append(name)
    return found


def label_folders(root: Path) -> list[str]:
    """Folders below the root that contain label files."""
    return sorted(
        {
            file_name.rpartition("/")[0] or "."
            for file_name in list_files(root)
            if file_name.endswith(".txt") and not is_companion_file(file_name)
        }
    )


def candidate_label_files(
    image_file: Path, base_folder: Path, settings_folder: Path, root: Path, entry: str
) -> list[Path]:
    sibling_label = image_file.with_suffix(".txt")
    path_parts = list(sibling_label.parts)
    lower_parts = [part.lower() for part in path_parts]
    candidates = []
    if "images" in lower_parts:
        images_position = len(path_parts) - 1 - lower_parts[::-1].index("images")
        candidates += [
            Path(*path_parts[:images_position], labels, *path_parts[images_position + 1 :])
            for labels in LABEL_FOLDERS
        ]
    posix_entry = entry.replace("\\", "/").removeprefix("./")
    if posix_entry.split("/")[0].lower() == "images" and image_file.is_relative_to(base_folder):
        relative_label = Path("labels", *posix_entry.split("/")[1:]) / sibling_label.relative_to(
            base_folder
        )
        candidates += [settings_folder / relative_label, root / relative_label]
    return [*candidates, sibling_label]
