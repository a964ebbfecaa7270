"""Image files beside exported labels."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from pellucid.core.errors import format_count
from pellucid.core.urls import is_remote
from pellucid.formats.dataset import Note
from pellucid.formats.writers.export_data import ExportData
from pellucid.images.locations import is_external_link


def copy_images(
    export_data: ExportData,
    folder: Path,
    split_names: Mapping[str, str] | None = None,
    flat: bool = False,
) -> None:
    """Put the image files into a folder: as hard links, which take no space, else as copies. A note
    counts those that are not files on this machine.

    Args:
        split_names: the subfolder of each split; None: the folder itself
        flat: without the folders of their paths
    """
    absent_count = 0
    for row, (image_path, location) in enumerate(
        zip(export_data.images.path, export_data.image_locations, strict=True)
    ):
        is_elsewhere = is_remote(location) or is_external_link(location)
        if not location or is_elsewhere or not Path(location).is_file():
            absent_count += 1
            continue
        subfolder = split_names[export_data.split_name(row)] if split_names else ""
        target = folder / subfolder / (Path(image_path).name if flat else str(image_path))
        target.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(Path(os.path.realpath(location)), target)
    if absent_count:
        message = (
            f"{format_count(absent_count, 'image file')} not copied: not a file on this machine. "
            f"Put the images into {'the folders of their splits' if split_names else folder.name} "
            "yourself"
        )
        export_data.notes.append(Note("images_not_copied", message, absent_count))


def link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or a file system without hard links
        shutil.copy2(source, target)
