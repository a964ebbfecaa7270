"""Request bodies of renaming and removing versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

VersionName = Annotated[str, Field(min_length=1, max_length=200)]


@dataclass(frozen=True)
class RenameRequest:
    """name: the new name."""

    name: VersionName


@dataclass(frozen=True)
class RemoveRequest:
    """name: the name of the version, repeated."""

    name: VersionName
