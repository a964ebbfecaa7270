"""Boxes in fractions of their image among boxes in pixels, as in files put together from two
programs."""

from __future__ import annotations

import numpy as np

from pellucid.core.errors import format_count
from pellucid.core.tables import Float64Array
from pellucid.formats.errors import InvalidRecordError

MAX_FRACTION = 1.05
MIN_SHARE, MIN_CORNER_DISTANCE = 0.02, 0.05
"""Share of boxes that must seem to be in fractions, and where they must begin: detectors write
slivers at the corner of an image, of less than a pixel."""
MIN_PIXELS = 2.0
"""Numbers that are surely in pixels are larger."""


def reject_mixed_units(path: str, numbers: Float64Array) -> None:
    """Raise InvalidRecordError if no number of some boxes exceeds 1, and of others one does.

    Args:
        numbers: float64 (n, 4), of boxes that should all be in pixels
    """
    largest = numbers.max(axis=1, initial=0)
    has_size = (numbers[:, 2:] > 0).all(axis=1)
    has_digits = (numbers != np.round(numbers)).any(axis=1)
    is_fraction = has_size & has_digits & (largest <= MAX_FRACTION) & (numbers.min(axis=1) >= 0)
    if not (largest > MIN_PIXELS).any():
        return
    is_away = numbers[:, :2].max(axis=1) > MIN_CORNER_DISTANCE
    if (is_fraction & is_away).sum() < max(1, MIN_SHARE * len(numbers)):
        return
    row = int(np.flatnonzero(is_fraction)[0])
    values = ", ".join(f"{value:.3g}" for value in numbers[row])
    count = format_count(int(is_fraction.sum()), "box", "boxes")
    raise InvalidRecordError(
        path,
        f"[{values}]",
        f"{count} of {len(numbers):,} have no number above 1, as if in fractions of the image; the "
        "others are in pixels",
        "Write all in one unit, or state it with --boxes.",
    )
