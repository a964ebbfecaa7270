"""Errors of the tools for agents."""

from __future__ import annotations

from pellucid.core.errors import PellucidError


class NoSuchItemError(PellucidError):
    http_status = 404

    def __init__(self, position: int, total: int) -> None:
        super().__init__(
            f"no item at position {position}: the list has {total:,} items. Positions start at 0."
        )


class ImageFileMissingError(PellucidError):
    http_status = 404

    def __init__(self, image: str) -> None:
        super().__init__(f"{image}: its file was not found. Add the view with --images FOLDER.")


class TooManyItemsError(PellucidError):
    def __init__(self, count: int, limit: int) -> None:
        super().__init__(f"{count} items; expected 1 to {limit} in one decision.")
