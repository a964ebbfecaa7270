"""The geometry that a version compares: masks where annotations and predictions have them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from pellucid.core.masks import (
    Masks,
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
    Images,
    Int32Array,
    Predictions,
)
from pellucid.evaluation.mask_runs import box_polygon, masks_of_polygons

MIN_POLYGON_NUMBERS = 6


@dataclass(frozen=True, eq=False)
class StatedMasks:
    """masks: of every row · is_stated: bool (n,), False where the mask is the row's box ·
    is_misfit: bool (n,), where a stated mask does not fit its image."""

    masks: Masks
    is_stated: BoolArray
    is_misfit: BoolArray


def masks_of_annotations(annotations: Annotations, images: Images) -> StatedMasks:
    """The masks of annotations: as encoded, or the pixels inside their polygons; their boxes where
    they state neither."""
    assert annotations.box is not None
    height, width = image_sizes(images, annotations.image)
    outlines = (
        [""] * len(annotations) if annotations.outline is None else annotations.outline.tolist()
    )
    shapes = [parse_outline(outline) for outline in outlines]
    is_encoded = np.array([isinstance(shape, dict) for shape in shapes], bool)
    is_polygons = np.array([isinstance(shape, list) for shape in shapes], bool)
    polygon_rows, box_rows = np.flatnonzero(is_polygons), np.flatnonzero(~is_encoded & ~is_polygons)
    texts: list[Any] = [""] * len(annotations)
    is_misfit = np.zeros(len(annotations), bool)
    for row in np.flatnonzero(is_encoded).tolist():
        texts[row] = fitting_text(shapes[row], int(height[row]), int(width[row]))
        is_misfit[row] = not texts[row]
    drawn = masks_of_polygons(
        [shapes[row] for row in polygon_rows], height[polygon_rows], width[polygon_rows]
    )
    for row, text in zip(polygon_rows.tolist(), drawn.texts(), strict=True):
        texts[row] = text
    box_rows = np.union1d(box_rows, np.flatnonzero(is_misfit))
    boxes = box_masks(annotations.box[box_rows], height[box_rows], width[box_rows])
    for row, text in zip(box_rows.tolist(), boxes.texts(), strict=True):
        texts[row] = text
    is_stated = np.ones(len(annotations), bool)
    is_stated[box_rows] = False
    return StatedMasks(create_masks(texts, height, width), is_stated, is_misfit)


def image_sizes(images: Images, image_rows: Int32Array) -> tuple[Int32Array, Int32Array]:
    return images.height[image_rows], images.width[image_rows]


def parse_outline(outline: str) -> Any:
    """Polygons as a list, an encoded mask as a dictionary, None if there is neither."""
    if not outline:
        return None
    shape = json.loads(outline)
    if isinstance(shape, list):
        polygons = [polygon for polygon in shape if len(polygon) >= MIN_POLYGON_NUMBERS]
        return polygons or None
    return shape


def fitting_text(shape: dict[str, Any], height: int, width: int) -> str:
    """The compressed run lengths of an encoded mask; '' if its size is not that of the image."""
    counts = (
        shape["counts"] if isinstance(shape["counts"], list) else decode_counts(shape["counts"])
    )
    if shape["size"] != [height, width] or not is_valid_mask(counts, height, width):
        return ""
    return encode_counts(counts)


def box_masks(boxes: Float64Array, height: Int32Array, width: Int32Array) -> Masks:
    """The pixels inside each box [left, top, width, height], as pycocotools' `frBbox`."""
    return masks_of_polygons([[box_polygon(box)] for box in boxes.tolist()], height, width)


ObjectTable = TypeVar("ObjectTable", Annotations, Predictions)


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
