"""What a gate may fail on. A module of its own, as the command line names the criteria in its help
without loading the analysis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pellucid.analysis.errors import ToleranceError

Criterion = Literal["errors", "fn", "fp", "ap", "precision", "recall", "f1"]
CRITERIA: tuple[Criterion, ...] = ("errors", "fn", "fp", "ap", "precision", "recall", "f1")
COUNT_CRITERIA: tuple[Criterion, ...] = ("errors", "fn", "fp")
"""Those that count errors; the others are fractions."""

Tolerances = Mapping[Criterion, float]
"""By criterion, the rise in errors or the drop of a fraction that is accepted."""


def validate_tolerances(tolerances: Tolerances) -> None:
    """Raises ToleranceError if a gate on a fraction could never fail."""
    for criterion, tolerance in tolerances.items():
        if criterion not in COUNT_CRITERIA and tolerance > 1:
            raise ToleranceError(criterion, tolerance)
