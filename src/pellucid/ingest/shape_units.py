"""Predicted shapes in fractions of the image size, where their format has pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pellucid.core.outlines import parse_outlines
from pellucid.core.tables import Float64Array
from pellucid.formats.dataset import Note, ParsedPredictions
from pellucid.ingest.box_scaling import LARGEST_FRACTION

MIN_SHAPES = 5
"""Fewest shapes to tell from."""
FIRST_ROWS = 100
"""Outlines that are examined first."""


def settle_shape_unit(source: ParsedPredictions) -> ParsedPredictions:
    """The predictions with their shapes marked as fractions if all lie within the first pixels of
    their images, and a note."""
    if source.outline_unit == "fractions":
        return source
    if source.keypoints is not None:
        points = source.keypoints.reshape(len(source.keypoints), -1, 3)
        is_fraction = lies_at_origin(points[:, :, :2])
        noun = "keypoints"
    elif source.outline is not None and source.mask is None:
        is_fraction = are_fractions(source.outline[:FIRST_ROWS].tolist()) and are_fractions(
            source.outline.tolist()
        )
        noun = "outlines"
    else:
        return source
    if not is_fraction:
        return source
    message = f"{noun} read as fractions of the image size"
    note = Note("shape_unit", message, len(source.score), "info")
    changed = replace(source, outline_unit="fractions")
    changed.notes.append(note)
    return changed


def are_fractions(outlines: list[str]) -> bool:
    polygons = [
        polygon
        for shape in parse_outlines(outlines, len(outlines))
        if isinstance(shape, list)
        for polygon in shape
    ]
    has_masks = any(outline.startswith("{") for outline in outlines)
    return not has_masks and lies_at_origin(
        np.array([number for polygon in polygons for number in polygon]), len(polygons)
    )


def lies_at_origin(coordinates: Float64Array, count: int | None = None) -> bool:
    """count: of the shapes; None: one a row."""
    known = coordinates[np.isfinite(coordinates)]
    shapes = len(coordinates) if count is None else count
    if shapes < MIN_SHAPES or not known.size:
        return False
    low, high = float(known.min()), float(known.max())
    # in pixels, all shapes together would not lie in the first pixel and a half
    return 0 < high <= LARGEST_FRACTION and low >= 1 - LARGEST_FRACTION
