"""Errors of questions about a version."""

from __future__ import annotations

from pellucid.core.errors import PellucidError


class InvalidEmbeddingsError(PellucidError):
    def __init__(self, path: object, problem: str, expected: str) -> None:
        super().__init__(f"{path}: {problem}; expected: {expected}.")


class FilterError(PellucidError):
    """A gallery filter cannot be parsed."""

    exit_status = 2

    def __init__(self, expression: str, expected: str) -> None:
        super().__init__(f"invalid filter '{expression}': expected {expected}.")
