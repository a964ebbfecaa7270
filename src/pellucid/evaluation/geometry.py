"""The geometry that a version compares: masks or oriented boxes where annotations and predictions
have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from pellucid.core.masks import (
    Masks,
    Shape,
    concat_masks,
    create_masks,
    decode_counts,
    encode_counts,
    is_valid_mask,
    no_masks,
)
from pellucid.core.tables import (
    Annotations,
    BoolArray,
    Float64Array,
    Geometry,
    Images,
    Int32Array,
    Predictions,
)
from pellucid.evaluation.mask_runs import box_polygon, masks_of_polygons
from pellucid.evaluation.oriented_boxes import box_corners, order_corners


@dataclass(frozen=True, eq=False)
class StatedMasks:
    """Masks of which some stand for boxes.

    Attributes:
        masks: of every row
        is_stated: bool (n,), False where the mask is the row's box
        is_misfit: bool (n,), where a stated mask does not fit its image
    """

    masks: Masks
    is_stated: BoolArray
    is_misfit: BoolArray


def masks_of_annotations(
    annotations: Annotations, shapes: Sequence[Shape], images: Images
) -> StatedMasks:
    """The masks of annotations: as encoded, or the pixels inside their polygons; their boxes where
    they state neither.

    Args:
        shapes: of each annotation
    """
    height, width = image_sizes(images, annotations.image)
    sizes = zip(shapes, height.tolist(), width.tolist(), strict=True)
    texts = [encoded_text(*sized) for sized in sizes]
    is_misfit = np.array(
        [isinstance(shape, dict) and not text for shape, text in zip(shapes, texts, strict=True)],
        bool,
    )
    polygons = {row: shape for row, shape in enumerate(shapes) if isinstance(shape, list)}
    rows = np.array(list(polygons), np.int64)
    drawn = masks_of_polygons(list(polygons.values()), height[rows], width[rows])
    for row, text in zip(polygons, drawn.texts(), strict=True):
        texts[row] = text
    stated = create_masks(texts, height, width)
    completed = complete_masks(annotations.replace(mask=stated), images)
    assert completed.mask is not None
    return StatedMasks(completed.mask, np.diff(stated.start) > 0, is_misfit)


def image_sizes(images: Images, image_rows: Int32Array) -> tuple[Int32Array, Int32Array]:
    """Height and width, in pixels, of the image of each row."""
    return images.height[image_rows], images.width[image_rows]


def encoded_text(shape: Shape, height: int, width: int) -> str:
    """The compressed run lengths of an encoded mask; '' if it is none or its size is not that of
    the image."""
    if not isinstance(shape, dict):
        return ""
    counts = (
        shape["counts"] if isinstance(shape["counts"], list) else decode_counts(shape["counts"])
    )
    if shape["size"] != [height, width] or not is_valid_mask(counts, height, width):
        return ""
    return encode_counts(counts)


def box_masks(boxes: Float64Array, height: Int32Array, width: Int32Array) -> Masks:
    """The pixels inside each box [left, top, width, height], as pycocotools' `frBbox`. What lies
    outside of the image is cut off first: a box may be of any size."""
    size = np.stack([width, height], axis=1)
    corners = np.clip(boxes[:, :2], -MARGIN, size + MARGIN)
    ends = np.clip(boxes[:, :2] + boxes[:, 2:], -MARGIN, size + MARGIN)
    clipped = np.concatenate([corners, ends - corners], axis=1)
    return masks_of_polygons([[box_polygon(box)] for box in clipped.tolist()], height, width)


MARGIN = 2
"""Pixels around an image up to which boxes are cut."""


ObjectTable = TypeVar("ObjectTable", Annotations, Predictions)


def complete_objects(table: ObjectTable, images: Images, geometry: Geometry) -> ObjectTable:
    """Objects without the shape that is compared get that of their box."""
    if geometry == "mask":
        return complete_masks(table, images)
    return complete_corners(table) if geometry == "oriented_box" else table


def complete_corners(table: ObjectTable) -> ObjectTable:
    """Objects without corners get those of their box."""
    assert table.box is not None
    corners = np.full((len(table), 8), np.nan) if table.corners is None else table.corners
    rows = np.flatnonzero(np.isnan(corners[:, 0]))
    if not len(rows) and table.corners is not None:
        return table
    corners = corners.copy()
    corners[rows] = box_corners(np.asarray(table.box[rows]))
    return table.replace(corners=corners)


def corners_of_shapes(shapes: Sequence[Shape]) -> Float64Array:
    """float64 (n, 8), the corners of polygons of four points in order, NaN for other shapes."""
    corners = np.full((len(shapes), 8), np.nan)
    for row, shape in enumerate(shapes):
        if is_quadrilateral(shape):
            corners[row] = shape[0]  # type: ignore[index]
    rows = ~np.isnan(corners[:, 0])
    corners[rows] = order_corners(corners[rows])
    return corners


def is_quadrilateral(shape: Shape) -> bool:
    """Whether it is a single polygon of four points."""
    return isinstance(shape, list) and len(shape) == 1 and len(shape[0]) == QUADRILATERAL_NUMBERS


QUADRILATERAL_NUMBERS = 8


def complete_masks(table: ObjectTable, images: Images) -> ObjectTable:
    """Objects without a mask get that of their box, as pycocotools does for results."""
    assert table.box is not None
    masks = no_masks(len(table)) if table.mask is None else table.mask
    is_missing = np.diff(masks.start) == 0
    if not is_missing.any():
        return table
    rows = np.flatnonzero(is_missing)
    height, width = image_sizes(images, table.image[rows])
    filled = concat_masks([masks, box_masks(np.asarray(table.box[rows]), height, width)])
    order = np.arange(len(table))
    order[rows] = len(table) + np.arange(len(rows))
    return table.replace(mask=filled[order])
