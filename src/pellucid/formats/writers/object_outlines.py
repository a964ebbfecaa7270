"""Outlines of objects in the forms that files hold: polygons or run lengths."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core.masks import Masks, Shape, create_masks, decode_counts, encode_counts
from pellucid.core.outlines import parse_outline
from pellucid.core.tables import Annotations, Predictions
from pellucid.evaluation.mask_outlines import joined_polygon
from pellucid.evaluation.mask_runs import masks_of_polygons


def has_outlines(entries: Annotations | Predictions) -> bool:
    return count_outlines(entries) > 0


def count_outlines(entries: Annotations | Predictions) -> int:
    """How many objects are more than a box."""
    if entries.mask is not None or entries.corners is not None:
        return len(entries)
    outlines = entries.outline if isinstance(entries, Annotations) else None
    return 0 if outlines is None else sum(bool(outline) for outline in outlines)


def stated_shape(entries: Annotations | Predictions, row: int) -> Shape:
    """The polygons or the encoded mask of an object; None if it is a box alone."""
    if isinstance(entries, Annotations) and entries.outline is not None and entries.outline[row]:
        return parse_outline(entries.outline[row])
    if entries.corners is not None:
        return [entries.corners[row].tolist()]
    if entries.mask is None:
        return None
    size = [int(entries.mask.height[row]), int(entries.mask.width[row])]
    return {"size": size, "counts": entries.mask.counts(row).decode("ascii")}


def single_polygon(
    entries: Annotations | Predictions, row: int, image_size: tuple[int, int]
) -> list[float] | None:
    """The object as one polygon `x, y, x, y, ...` in pixels; None if it is a box alone.

    Several polygons or a mask are traced along the pixels; parts and holes are joined by lines
    that are walked there and back, so that the polygon covers the same pixels. image_size: width
    and height in pixels.
    """
    shape = stated_shape(entries, row)
    if shape is None:
        return None
    if isinstance(shape, list) and len(shape) == 1:
        return [float(number) for number in shape[0]]
    return joined_polygon(mask_of_shape(shape, image_size), 0) or None


def mask_of_shape(shape: dict[str, Any] | list[list[float]], image_size: tuple[int, int]) -> Masks:
    width, height = image_size
    if isinstance(shape, list):
        return masks_of_polygons([shape], np.array([height]), np.array([width]))
    counts = (
        shape["counts"] if isinstance(shape["counts"], list) else decode_counts(shape["counts"])
    )
    rows, columns = shape["size"]
    return create_masks([encode_counts(counts)], [rows], [columns])


def polygon_or_box(
    entries: Annotations | Predictions, row: int, image_size: tuple[int, int]
) -> list[float]:
    """As `single_polygon`; the corners of the box for a box alone."""
    polygon = single_polygon(entries, row, image_size)
    if polygon is not None:
        return polygon
    assert entries.box is not None
    left, top, width, height = entries.box[row].tolist()
    return [left, top, left + width, top, left + width, top + height, left, top + height]
