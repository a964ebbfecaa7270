"""The confusion matrix with the names of its rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.core.display import Displayed


class ConfusionTable(np.ndarray, Displayed):
    """int64 (concepts + 1, concepts + 1): rows annotated, columns predicted; the last is none.

    Attributes:
        names: of both; None where the array was cut or reshaped
    """

    names: tuple[str, ...] | None

    def __array_finalize__(self, origin: Any) -> None:
        self.names = None


def name_confusion(matrix: np.ndarray, concepts: Sequence[str]) -> ConfusionTable:
    table = matrix.view(ConfusionTable)
    table.names = (*concepts, "none")
    return table
