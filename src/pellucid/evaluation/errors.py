"""Errors of thresholds and metrics."""

from __future__ import annotations

from pellucid.core.errors import PellucidError


class InvalidObjectiveError(PellucidError):
    exit_status = 2

    def __init__(self, expression: str) -> None:
        super().__init__(
            f"unknown objective '{expression}'. Expected one of: errors, f1, "
            "cost:FP,FN (cost:1,5), precision:MIN "
            "(precision:0.95), recall:MIN (recall:0.9)."
        )


class MasksMissingError(PellucidError):
    exit_status = 2

    def __init__(self) -> None:
        super().__init__(
            "the boundaries of masks can be compared only where annotations and predictions have "
            "masks. Use a view and a version with masks."
        )
