"""The shapes and keypoints of COCO annotations, as they are kept in tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pellucid.core.errors import format_count
from pellucid.core.keypoints import VISIBLE, StatedKeypoints
from pellucid.core.outlines import encode_keypoints
from pellucid.core.tables import Float64Array, StringArray, string_column
from pellucid.evaluation.object_keypoints import COCO_SIGMAS
from pellucid.formats.dataset import Note
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.readers.coco_document import CocoAnnotation, CocoCategory, CocoFile
from pellucid.formats.readers.coco_keypoints import check_points
from pellucid.formats.readers.coco_shapes import box_of_mask, box_of_segmentation
from pellucid.formats.shape_agreement import MAX_SHAPES, shape_notes

VISIBILITIES = (0, 1, 2)
LARGEST_FRACTION = 1.05
"""Boxes in fractions may reach over the edges of their image."""


def segmentation_notes(
    annotations: Sequence[CocoAnnotation], boxes: Float64Array, sizes: Float64Array
) -> list[Note]:
    """Notes on segmentations that cannot be read, and on those that are not in their box.

    Args:
        sizes: float64 (n, 2), width and height of the image of each, 0 where unknown
    """
    unread = sum(
        bool(annotation.segmentation)
        and not is_polygons(annotation.segmentation)
        and not is_encoded_mask(annotation.segmentation)
        for annotation in annotations
    )
    message = (
        f"{format_count(unread, 'segmentation')} not read: expected polygons [[x, y, x, y, ...]] "
        'of at least three points, or {"size": [height, width], "counts": ...}'
    )
    notes = [Note("segmentation", message, unread)] if unread else []
    shaped = [row for row, one in enumerate(annotations) if one.bbox and one.segmentation]
    rows = shaped[:: max(1, len(shaped) // MAX_SHAPES)]
    extents = [box_of_segmentation(annotations[row].segmentation) for row in rows]
    known = [(row, extent) for row, extent in zip(rows, extents, strict=True) if extent]
    if known:
        known_rows = [row for row, _ in known]
        extents_known = np.array([extent for _, extent in known], float)
        stated = in_unit_of(boxes[known_rows], extents_known, sizes[known_rows])
        notes += shape_notes(stated, extents_known)
    return notes


def in_unit_of(boxes: Float64Array, extents: Float64Array, sizes: Float64Array) -> Float64Array:
    """The boxes in pixels if they are fractions beside shapes in pixels, where sizes are known."""
    are_fractions = [values.max() <= LARGEST_FRACTION for values in (boxes, extents)]
    if are_fractions != [True, False] or not sizes.all():
        return boxes
    return boxes * np.tile(sizes, 2)


def outline_texts(path: Path, document: CocoFile, rows: list[int]) -> StringArray | None:
    """Keypoints, polygons or run-length encoded masks as JSON, '' where there is none; None if
    there is none at all."""
    categories = {category.id: category for category in document.categories}
    texts = []
    for row in rows:
        annotation = document.annotations[row]
        shape = annotation.segmentation
        if not is_polygons(shape) and not is_encoded_mask(shape):
            shape = None
        if annotation.keypoints:
            stated = find_keypoints(path, row, annotation, categories[annotation.category_id])
            stated.segmentation = shape
            texts.append(encode_keypoints(stated))
        else:
            texts.append("" if shape is None else msgspec.json.encode(shape).decode())
    return string_column(texts) if any(texts) else None


def find_keypoints(
    path: Path, row: int, annotation: CocoAnnotation, category: CocoCategory
) -> StatedKeypoints:
    """The keypoints of an annotation. With `num_keypoints` 0 none is labelled, whatever they say,
    as pycocotools has it."""
    location = f"$.annotations[{row}].keypoints"
    numbers = annotation.keypoints or []
    if category.keypoints and len(numbers) == 2 * len(category.keypoints):
        visible = float(VISIBLE)
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        numbers = [number for x, y in pairs for number in (x, y, visible)]
    points = check_points(path, location, numbers)
    odd = next((number for number in points[2::3] if number not in VISIBILITIES), None)
    if odd is not None:
        raise InvalidRecordError(
            path,
            location,
            f"the visibility of a keypoint is {odd:g}",
            "Write x, y and visibility (0, 1 or 2) of each keypoint, in pixels.",
        )
    count = len(points) // 3
    if annotation.num_keypoints == 0:
        points[2::3] = [0.0] * count
    if category.sigmas is not None and len(category.sigmas) != count:
        raise InvalidRecordError(
            path,
            location,
            f"{count} keypoints, but {len(category.sigmas)} sigmas of category '{category.name}'",
            "Give each keypoint a sigma.",
        )
    lines = [(first - 1, second - 1) for first, second in category.skeleton or ()]
    lines = [line for line in lines if min(line) >= 0 and max(line) < count]
    is_default = count == len(COCO_SIGMAS)
    return StatedKeypoints(points, category.sigmas, None if is_default or not lines else lines)


def is_polygons(segmentation: Any) -> bool:
    return (
        isinstance(segmentation, list)
        and bool(segmentation)
        and all(
            isinstance(polygon, list)
            and len(polygon) >= 6
            and len(polygon) % 2 == 0
            and all(type(coordinate) in (int, float) for coordinate in polygon)
            for polygon in segmentation
        )
    )


def is_encoded_mask(segmentation: Any) -> bool:
    """Whether it is a mask in COCO's run-length encoding, compressed or not."""
    if not isinstance(segmentation, dict) or set(segmentation) != {"size", "counts"}:
        return False
    counts = segmentation["counts"]
    return box_of_mask(segmentation) is not None and isinstance(counts, str | list)
