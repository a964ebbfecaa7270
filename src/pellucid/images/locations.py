"""Where pictures lie: a folder on disk, the rows of a Parquet table, or any URL that fsspec opens."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from io import BytesIO
from pathlib import Path
from typing import IO, cast

from pellucid.core.urls import is_remote, reject_credentials

FOLDER_SEPARATOR = "/./"
"""Between a folder of this machine and what lies in it, as rsync writes it: so that a location tells what it must not lead out of."""
FOLLOW_LINKS_VARIABLE = "PELLUCID_FOLLOW_LINKS"
"""The environment variable by which an owner allows links that lead out of image folders."""


def join_location(folder: str, image_path: str) -> str:
    """The location of an image path in its folder."""
    return f"{folder.rstrip('/')}{'/' if is_remote(folder) else FOLDER_SEPARATOR}{image_path}"


class ExternalLinkError(OSError):
    """A picture that is a link to a file outside its folder, where the owner has not allowed that."""


def is_external_link(location: str) -> bool:
    """Whether links lead from a location to a file outside its folder. What anybody may write into a folder of pictures, an upload or an
    archive, must not show other files of this machine."""
    folder, relative_path, _ = location.partition(FOLDER_SEPARATOR)
    if not relative_path or os.environ.get(FOLLOW_LINKS_VARIABLE) == "1":
        return False
    return not Path(os.path.realpath(location)).is_relative_to(os.path.realpath(folder))


def resolve_folder(folder: str) -> str:
    """The folder as it can be found again from anywhere."""
    if is_remote(folder):
        reject_credentials(folder)
        return folder
    return str(Path(folder).resolve())


def parquet_location(location: str) -> tuple[Path, int] | None:
    """The table and row of a picture that lies in a Parquet file: `.../train.parquet/0000012`."""
    table_path, _, row_number = location.rpartition("/")
    return (Path(table_path), int(row_number)) if table_path.endswith(".parquet") and row_number.isdecimal() else None


def read_parquet_image(table_path: Path, row_number: int) -> bytes:
    """The bytes of one picture; raises OSError."""
    import duckdb

    escaped_path = "".join(f"[{character}]" if character in "*?[" else character for character in str(table_path))
    query = "SELECT image.bytes FROM read_parquet(?, file_row_number = true, hive_partitioning = false) WHERE file_row_number = ?"
    try:
        with duckdb.connect() as connection:
            record = connection.execute(query, [escaped_path, row_number]).fetchone()
    except duckdb.Error as error:
        raise OSError(str(error)) from error
    if record is None or record[0] is None:
        raise FileNotFoundError(f"{table_path} has no picture in row {row_number}")
    return bytes(record[0])


def location_exists(location: str) -> bool:
    """Whether something lies at the location. Remote ones are taken on trust: asking costs a round trip each."""
    table_and_row = parquet_location(location)
    try:
        return is_remote(location) or (table_and_row[0] if table_and_row else Path(location)).is_file()
    except OSError:  # a name that no file can have
        return False


def image_file_size(location: str) -> int | None:
    """How long the picture's file is, where that can be told without reading it."""
    if is_remote(location) or parquet_location(location):
        return None
    try:
        return Path(location).stat().st_size
    except (OSError, ValueError):
        return None


def open_image(location: str, follow_links: bool = False) -> AbstractContextManager[IO[bytes]]:
    """Open for reading; raises OSError, LinkLeadsOut. follow: wherever links lead, of what nothing is shown."""
    if is_remote(location):
        import fsspec

        return cast("AbstractContextManager[IO[bytes]]", fsspec.open(location, "rb"))
    if not follow_links and is_external_link(location):
        raise ExternalLinkError(f"{location} is a link that leads out of its folder")
    if table_and_row := parquet_location(location):
        return BytesIO(read_parquet_image(*table_and_row))
    return Path(location).open("rb")
