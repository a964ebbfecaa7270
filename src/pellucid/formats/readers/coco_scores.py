"""The scores of COCO's results with masks or keypoints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from pellucid.core.tables import Float64Array
from pellucid.formats.errors import InvalidScoreError


class ScoredResult(Protocol):
    score: float | None


def scores_of(path: Path, results: Sequence[ScoredResult]) -> Float64Array:
    """float64 (n,). Raises InvalidScoreError for the first record without a score."""
    for row, result in enumerate(results):
        if result.score is None:
            raise InvalidScoreError(path, f"$[{row}]", "absent")
    return np.array([result.score for result in results], float)
