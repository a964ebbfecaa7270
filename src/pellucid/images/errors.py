"""Errors of image files."""

from __future__ import annotations

from pellucid.core.errors import PellucidError


class UnreadableImageError(Exception):
    """An image that cannot be displayed; the message is a short reason."""


class ImageTooLargeError(Exception):
    """An image that is not decoded; the message says how large it is."""


class EmbeddingModelError(PellucidError):
    """The file is no model that embeds images."""

    def __init__(self, path: object, problem: str, remedy: str) -> None:
        super().__init__(f"{path}: {problem}. {remedy}")


class ExternalLinkError(OSError):
    """An image is a link to a file outside its folder, which is not allowed by default."""
