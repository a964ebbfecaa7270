"""What a gate may fail on. A module of its own, as the command line names the criteria in its help
without loading the analysis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pellucid.core.errors import PellucidError

Criterion = Literal["errors", "fn", "fp", "ap", "precision", "recall", "f1"]
CRITERIA: tuple[Criterion, ...] = ("errors", "fn", "fp", "ap", "precision", "recall", "f1")
COUNT_CRITERIA: tuple[Criterion, ...] = ("errors", "fn", "fp")
"""Those that count errors; the others are fractions."""

Tolerances = Mapping[Criterion, float]
"""By criterion, the rise in errors or the drop of a fraction that is accepted."""


class ToleranceError(PellucidError):
    exit_status = 2

    def __init__(self, criterion: Criterion, tolerance: float) -> None:
        super().__init__(
            f"a tolerance of {tolerance:g} accepts any drop of {criterion}, which lies between 0 "
            f"and 1. Specify a tolerance for each criterion: --tolerance {criterion}=0.01."
        )


def validate_tolerances(tolerances: Tolerances) -> None:
    """Raises ToleranceError if a gate on a fraction could never fail."""
    for criterion, tolerance in tolerances.items():
        if criterion not in COUNT_CRITERIA and tolerance > 1:
            raise ToleranceError(criterion, tolerance)
