"""Where pictures lie: a folder on disk, the rows of a Parquet table, or any URL that fsspec opens."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from io import BytesIO
from pathlib import Path
from typing import IO, cast

from pellucid.core.urls import is_remote, reject_credentials

INSIDE = "/./"
"""Between a folder of this machine and what lies in it, as rsync writes it: so that a location tells what it must not lead out of."""
FOLLOW = "PELLUCID_FOLLOW_LINKS"
"""The environment variable by which an owner allows links that lead out of image folders."""


def join(folder: str, name: str) -> str:
    """The location of an image path in its folder."""
    return f"{folder.rstrip('/')}{'/' if is_remote(folder) else INSIDE}{name}"


class LinkLeadsOut(OSError):
    """A picture that is a link to a file outside its folder, where the owner has not allowed that."""


def leads_out(location: str) -> bool:
    """Whether links lead from a location to a file outside its folder. What anybody may write into a folder of pictures, an upload or an
    archive, must not show other files of this machine."""
    folder, inside, _ = location.partition(INSIDE)
    if not inside or os.environ.get(FOLLOW) == "1":
        return False
    return not Path(os.path.realpath(location)).is_relative_to(os.path.realpath(folder))


def absolute(folder: str) -> str:
    """The folder as it can be found again from anywhere."""
    if is_remote(folder):
        reject_credentials(folder)
        return folder
    return str(Path(folder).resolve())


def row_of(location: str) -> tuple[Path, int] | None:
    """The table and row of a picture that lies in a Parquet file: `.../train.parquet/0000012`."""
    table, _, row = location.rpartition("/")
    return (Path(table), int(row)) if table.endswith(".parquet") and row.isdecimal() else None


def picture_in_table(table: Path, row: int) -> bytes:
    """The bytes of one picture; raises OSError."""
    import duckdb

    exact = "".join(f"[{sign}]" if sign in "*?[" else sign for sign in str(table))
    query = "SELECT image.bytes FROM read_parquet(?, file_row_number = true, hive_partitioning = false) WHERE file_row_number = ?"
    try:
        with duckdb.connect() as connection:
            found = connection.execute(query, [exact, row]).fetchone()
    except duckdb.Error as error:
        raise OSError(str(error)) from error
    if found is None or found[0] is None:
        raise FileNotFoundError(f"{table} has no picture in row {row}")
    return bytes(found[0])


def is_there(location: str) -> bool:
    """Whether something lies at the location. Remote ones are taken on trust: asking costs a round trip each."""
    inside = row_of(location)
    try:
        return is_remote(location) or (inside[0] if inside else Path(location)).is_file()
    except OSError:  # a name that no file can have
        return False


def length_of(location: str) -> int | None:
    """How long the picture's file is, where that can be told without reading it."""
    if is_remote(location) or row_of(location):
        return None
    try:
        return Path(location).stat().st_size
    except (OSError, ValueError):
        return None


def open_picture(location: str, follow: bool = False) -> AbstractContextManager[IO[bytes]]:
    """Open for reading; raises OSError, LinkLeadsOut. follow: wherever links lead, of what nothing is shown."""
    if is_remote(location):
        import fsspec

        return cast("AbstractContextManager[IO[bytes]]", fsspec.open(location, "rb"))
    if not follow and leads_out(location):
        raise LinkLeadsOut(f"{location} is a link that leads out of its folder")
    if inside := row_of(location):
        return BytesIO(picture_in_table(*inside))
    return Path(location).open("rb")
