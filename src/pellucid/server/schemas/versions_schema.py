"""Request bodies of renaming, removing and mapping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

NewName = Annotated[str, Field(min_length=1, max_length=200)]


@dataclass(frozen=True)
class RenameRequest:
    """Rename a view or version.

    Attributes:
        name: the new name
    """

    name: NewName


@dataclass(frozen=True)
class RemoveRequest:
    """Remove a view or version.

    Attributes:
        name: of what is removed, repeated
    """

    name: NewName


@dataclass(frozen=True)
class MapRequest:
    """Map concepts that only predictions name to those of the view.

    Attributes:
        renamed: the annotated concept by the one that the annotations lack
    """

    renamed: Annotated[dict[NewName, NewName], Field(min_length=1, max_length=10_000)]


@dataclass(frozen=True)
class MappedDocument:
    """What a mapping of concepts changed.

    Attributes:
        predictions: how many are of another concept now
    """

    predictions: int
