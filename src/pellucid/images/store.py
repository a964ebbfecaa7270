"""Where pictures lie: a folder on disk or any URL that fsspec opens."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, cast


def is_remote(location: str) -> bool:
    return "://" in location


def join(folder: str, name: str) -> str:
    """The location of an image path in its folder."""
    return f"{folder.rstrip('/')}/{name}"


def absolute(folder: str) -> str:
    """The folder as it can be found again from anywhere."""
    return folder if is_remote(folder) else str(Path(folder).resolve())


def is_there(location: str) -> bool:
    """Whether something lies at the location. Remote ones are taken on trust: asking costs a round trip each."""
    try:
        return is_remote(location) or Path(location).is_file()
    except OSError:  # a name that no file can have
        return False


def open_picture(location: str) -> AbstractContextManager[IO[bytes]]:
    """Open for reading; raises OSError."""
    if is_remote(location):
        import fsspec

        return cast("AbstractContextManager[IO[bytes]]", fsspec.open(location, "rb"))
    return Path(location).open("rb")
