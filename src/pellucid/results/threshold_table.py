"""The thresholds of a version by concept."""

from __future__ import annotations

from typing import NoReturn

from pellucid.core.errors import UnknownConceptError
from pellucid.evaluation.thresholds import Threshold


class ThresholdTable(dict[str, Threshold]):
    """Each annotated concept's threshold, in the view's order. Raises UnknownConceptError for
    others."""

    def __missing__(self, concept: str) -> NoReturn:
        raise UnknownConceptError(concept, list(self))
