"""Image locations: a folder on disk, rows of a Parquet file, or a URL supported by fsspec."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from io import BytesIO
from pathlib import Path
from typing import IO, cast

from pellucid.core.files import open_regular
from pellucid.core.urls import is_remote, reject_credentials
from pellucid.images.errors import ExternalLinkError
from pellucid.images.parquet_images import load_parquet_image, parquet_location

FOLDER_SEPARATOR = "/./"
"""Separates a local folder from the relative path, as in rsync: links must not lead outside
this folder."""
FOLLOW_LINKS_VARIABLE = "PELLUCID_FOLLOW_LINKS"
"""Environment variable that allows links to files outside image folders."""


def join_location(folder: str, image_path: str) -> str:
    """The location of an image path in its folder."""
    return f"{folder.rstrip('/')}{'/' if is_remote(folder) else FOLDER_SEPARATOR}{image_path}"


def is_external_link(location: str) -> bool:
    """Whether a location is a link to a file outside its folder. Image folders may come from
    uploads or archives, which must not expose other files of this machine."""
    folder, relative_path, _ = location.partition(FOLDER_SEPARATOR)
    if not relative_path or os.environ.get(FOLLOW_LINKS_VARIABLE) == "1":
        return False
    return not Path(os.path.realpath(location)).is_relative_to(os.path.realpath(folder))


def resolve_folder(folder: str) -> str:
    """The folder as an absolute path; URLs are unchanged."""
    if is_remote(folder):
        reject_credentials(folder)
        return folder
    return str(Path(folder).resolve())


def location_exists(location: str) -> bool:
    """Whether the file exists. Remote files are assumed to exist: checking costs a round trip
    each."""
    table_and_row = parquet_location(location)
    try:
        return (
            is_remote(location) or (table_and_row[0] if table_and_row else Path(location)).is_file()
        )
    except OSError:  # invalid file name
        return False


def image_file_size(location: str) -> int | None:
    """Size of the image file in bytes; None if unknown without reading it."""
    if is_remote(location) or parquet_location(location):
        return None
    try:
        return Path(location).stat().st_size
    except (OSError, ValueError):
        return None


def open_image(location: str, follow_links: bool = False) -> AbstractContextManager[IO[bytes]]:
    """Open for reading; raises OSError, ExternalLinkError.

    Args:
        follow_links: allow links outside the folder
    """
    if is_remote(location):
        import fsspec

        return cast("AbstractContextManager[IO[bytes]]", fsspec.open(location, "rb"))
    if not follow_links and is_external_link(location):
        raise ExternalLinkError(f"Link to a file outside its folder: {location}")
    if table_and_row := parquet_location(location):
        return BytesIO(load_parquet_image(*table_and_row))
    return open_regular(Path(location))
