"""Request bodies of renaming, removing and mapping."""

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


@dataclass(frozen=True)
class MapRequest:
    """renamed: the annotated concept by the one that the annotations lack."""

    renamed: Annotated[dict[NewName, NewName], Field(min_length=1, max_length=10_000)]


@dataclass(frozen=True)
class MappedDocument:
    """predictions: how many are of another concept now."""

    predictions: int
