"""Duplicates of images, and what is decided on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pellucid.core.tables import Split
from pellucid.project.duplicate_images import DuplicateImage
from pellucid.server.schemas.review_schema import ImagePath


@dataclass(frozen=True)
class PicturedImage(DuplicateImage):
    """An image of a pair of duplicates, as it is shown.

    Attributes:
        picture: its URL
        width, height: in pixels, 0 if unknown
        frozen_split: that of the version
    """

    picture: str
    width: int
    height: int
    frozen_split: Split


@dataclass(frozen=True)
class PairDocument:
    """See project.duplicate_images.ImagePair."""

    first: PicturedImage
    second: PicturedImage
    identical: bool
    distance: int
    leak: bool


@dataclass(frozen=True)
class DuplicatesDocument:
    """A page of the pairs of images that look alike.

    Attributes:
        total: number of pairs
        truncated: there are more, of images of one split
        leaks: of them in training and another split, and not decided
        read, of: images looked at so far
        ready: whether all are
    """

    pairs: list[PairDocument]
    total: int
    truncated: bool
    leaks: int
    read: int
    of: int
    ready: bool


@dataclass(frozen=True)
class DuplicateDecision:
    """What happens to an image in the versions that are started from now on.

    Attributes:
        split: where it is moved to
    """

    image: ImagePath
    action: Literal["exclude", "include", "move"]
    split: Split | None = None
