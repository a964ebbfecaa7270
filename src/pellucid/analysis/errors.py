"""Errors of the analysis."""

from __future__ import annotations

from pellucid.core.errors import PellucidError


class ToleranceError(PellucidError):
    exit_status = 2

    def __init__(self, criterion: str, tolerance: float) -> None:
        super().__init__(
            f"a tolerance of {tolerance:g} accepts any drop of {criterion}, which lies between 0 "
            f"and 1. Specify a tolerance for each criterion: --tolerance {criterion}=0.01."
        )
