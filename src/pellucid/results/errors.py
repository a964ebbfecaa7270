"""Errors of questions about a version."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.core.errors import PellucidError


class InvalidEmbeddingsError(PellucidError):
    def __init__(self, path: object, problem: str, expected: str) -> None:
        super().__init__(f"{path}: {problem}; expected: {expected}.")


class FilterError(PellucidError):
    """A gallery filter cannot be parsed."""

    exit_status = 2

    def __init__(self, expression: str, expected: str) -> None:
        super().__init__(f"invalid filter '{expression}': expected {expected}.")


class EmptySplitError(PellucidError):
    def __init__(self, version: str, split: str, splits: Sequence[str]) -> None:
        super().__init__(
            f"version '{version}' has no images in {split}; it has images in {', '.join(splits)}. "
            "Choose one of these with --split."
        )
