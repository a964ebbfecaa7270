"""Outlines of objects in the forms that files hold: polygons or run lengths."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core.keypoints import StatedKeypoints
from pellucid.core.masks import Masks, Shape, create_masks, decode_counts, encode_counts
from pellucid.core.outlines import parse_keypoints, parse_outline
from pellucid.core.tables import Annotations, Predictions
from pellucid.evaluation.mask_outlines import join_polygons
from pellucid.evaluation.mask_runs import masks_of_polygons
from pellucid.evaluation.object_keypoints import SIGMA, VISIBILITY, link_points, split_points


def has_outlines(entries: Annotations | Predictions) -> bool:
    """Whether an object has polygons or a mask."""
    return count_outlines(entries) > 0


def find_points(entries: Annotations | Predictions, row: int) -> StatedKeypoints | None:
    """The keypoints of an object; None if it has none."""
    if entries.keypoints is not None:
        points = split_points(entries.keypoints[row : row + 1])[0]
        points = points[points[:, SIGMA] > 0].copy()
        points[:, VISIBILITY] = np.maximum(points[:, VISIBILITY], 0)
        numbers = points[:, :SIGMA].ravel().tolist()
        sigmas, skeleton = points[:, SIGMA].tolist(), link_points(points)
        return StatedKeypoints(numbers, sigmas, skeleton) if numbers else None
    if isinstance(entries, Annotations) and entries.outline is not None:
        return parse_keypoints(entries.outline[row])
    return None


def concept_keypoints(
    entries: Annotations | Predictions, concept_count: int
) -> list[StatedKeypoints | None]:
    """The keypoints of each concept's first object that has some."""
    found: list[StatedKeypoints | None] = [None] * concept_count
    for row, concept in enumerate(entries.concept.tolist()):
        if found[concept] is None:
            found[concept] = find_points(entries, row)
    return found


def count_outlines(entries: Annotations | Predictions) -> int:
    """How many objects have polygons or a mask."""
    if entries.mask is not None or entries.corners is not None:
        return len(entries)
    outlines = entries.outline if isinstance(entries, Annotations) else None
    return 0 if outlines is None else sum(parse_outline(text) is not None for text in outlines)


def count_keypoints(entries: Annotations | Predictions) -> int:
    """How many objects have keypoints."""
    if entries.keypoints is None and not isinstance(entries, Annotations):
        return 0
    return sum(find_points(entries, row) is not None for row in range(len(entries)))


def find_shape(entries: Annotations | Predictions, row: int) -> Shape:
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

    Several polygons or a mask are traced along the pixels; parts and holes are joined by lines that
    are walked there and back, so that the polygon covers the same pixels.

    Args:
        image_size: width and height in pixels
    """
    shape = find_shape(entries, row)
    if shape is None:
        return None
    if isinstance(shape, list) and len(shape) == 1:
        return [float(number) for number in shape[0]]
    return join_polygons(mask_of_shape(shape, image_size), 0) or None


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
