"""Boxes around the outlines and masks of COCO annotations."""

from __future__ import annotations

from typing import Any

from pellucid.core.masks import decode_counts
from pellucid.formats.curves import rotate_box

Box = list[float]


def box_of_segmentation(segmentation: Any) -> Box | None:
    """[left, top, width, height] around polygons or a run-length encoded mask; None if there is
    no shape or it is empty."""
    if isinstance(segmentation, list) and segmentation:
        return box_of_polygons(segmentation)
    if isinstance(segmentation, dict):
        return box_of_mask(segmentation)
    return None


def turned_box(attributes: Any, box: Box) -> tuple[list[Box] | None, Box]:
    """The outline of a box that CVAT turned about its center, and the box around it; no outline if
    it is not turned. CVAT states the angle in degrees, beside the box before it was turned."""
    degrees = attributes.get("rotation") if isinstance(attributes, dict) else None
    if not isinstance(degrees, int | float) or not degrees % 360 or len(box) != 4:
        return None, box
    x, y, width, height = box
    corners = rotate_box((x, y, x + width, y + height), degrees)
    outline = [coordinate for point in corners for coordinate in point]
    return [outline], box_of_polygons([outline]) or box


def box_of_polygons(polygons: list[Any]) -> Box | None:
    if not polygons or not all(
        isinstance(polygon, list)
        and len(polygon) >= 4
        and all(isinstance(number, int | float) for number in polygon)
        for polygon in polygons
    ):
        return None
    xs = [float(x) for polygon in polygons for x in polygon[0 : len(polygon) // 2 * 2 : 2]]
    ys = [float(y) for polygon in polygons for y in polygon[1::2]]
    return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]


def box_of_mask(mask: dict[str, Any]) -> Box | None:
    """The box around a mask in COCO's run-length encoding: runs of background and object in
    turn, down the columns of an image of `size` [height, width]."""
    size, counts = mask.get("size"), mask.get("counts")
    if not (isinstance(size, list) and len(size) == 2 and all(isinstance(n, int) for n in size)):
        return None
    if isinstance(counts, str):
        counts = decode_counts(counts)
    if not isinstance(counts, list) or not all(isinstance(count, int) for count in counts):
        return None
    height, width = size
    if height <= 0 or min(counts, default=0) < 0 or sum(counts) > height * width:
        return None
    left, top, right, bottom = width, height, -1, -1
    start = 0
    for run_index, length in enumerate(counts):
        if run_index % 2 and length:
            last = start + length - 1
            first_column, last_column = start // height, last // height
            left, right = min(left, first_column), max(right, last_column)
            is_one_column = first_column == last_column
            top = min(top, start % height if is_one_column else 0)
            bottom = max(bottom, last % height if is_one_column else height - 1)
        start += length
    if right < 0:
        return None
    return [float(left), float(top), float(right - left + 1), float(bottom - top + 1)]
