"""Request bodies of renaming and removing views and versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

NewName = Annotated[str, Field(min_length=1, max_length=200)]


@dataclass(frozen=True)
class RenameRequest:
    """name: the new name."""

    name: NewName


@dataclass(frozen=True)
class RemoveRequest:
    """name: of what is removed, repeated."""

    name: NewName
