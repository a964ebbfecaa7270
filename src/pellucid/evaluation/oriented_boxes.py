"""IoU of oriented boxes: exact intersection of convex quadrilaterals.

Corners are float64 (n, 8), `x, y, x, y, ...` in pixels, in the order in which the area is positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from pellucid import _native
from pellucid.core.tables import BoolArray, Float64Array

Corner = tuple[float, float]


def pairwise_oriented_iou(
    predicted: Float64Array, annotated: Float64Array, is_ignored: BoolArray
) -> Float64Array:
    """IoU of predicted[i] with annotated[i].

    Args:
        predicted, annotated: corners, float64 (n, 8)
        is_ignored: bool (n,); there the union is the area of the predicted box
    """
    iou = np.zeros(len(predicted))
    if _native.library is not None:
        arrays = (
            np.ascontiguousarray(predicted),
            np.ascontiguousarray(annotated),
            np.ascontiguousarray(is_ignored).view(np.uint8),
            iou,
        )
        _native.library.quad_pairs(
            _native.int64_arg(len(iou)), *(_native.pointer(array) for array in arrays)
        )
        return iou
    for pair, (own, other, ignored) in enumerate(
        zip(predicted.tolist(), annotated.tolist(), is_ignored.tolist(), strict=True)
    ):
        iou[pair] = oriented_iou(own, other, ignored)
    return iou


def oriented_iou(predicted: Sequence[float], annotated: Sequence[float], is_ignored: bool) -> float:
    """The IoU of two oriented boxes.

    Args:
        predicted, annotated: corners `x, y, ...` in pixels
        is_ignored: of the annotation: the intersection is divided by the area of the prediction
    """
    own, other = corners_of(predicted), corners_of(annotated)
    if are_apart(own, other):
        return 0.0
    overlap, area = polygon_area(clip(own, other)), polygon_area(own)
    union = area if is_ignored else area + polygon_area(other) - overlap
    return overlap / union if overlap > 0 and union > 0 else 0.0


def corners_of(numbers: Sequence[float]) -> list[Corner]:
    """Pairs of `x, y, x, y, ...`."""
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def are_apart(own: Sequence[Corner], other: Sequence[Corner]) -> bool:
    """Whether the boxes around two polygons share no area."""
    return any(
        max(corner[axis] for corner in own) <= min(corner[axis] for corner in other)
        or max(corner[axis] for corner in other) <= min(corner[axis] for corner in own)
        for axis in (0, 1)
    )


def side_of(start: Corner, end: Corner, point: Corner) -> float:
    """Twice the signed area of a triangle: positive where the point is inside of the edge."""
    return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])


def polygon_area(corners: Sequence[Corner]) -> float:
    """The area of a convex polygon in square pixels; negative for corners in the opposite order."""
    twice = 0.0
    for corner, following in pairwise(corners[1:]):
        twice += side_of(corners[0], corner, following)
    return twice / 2


def clip(subject: list[Corner], window: list[Corner]) -> list[Corner]:
    """The part of a polygon inside a convex one (Sutherland and Hodgman, 1974)."""
    for start, end in zip(window, window[1:] + window[:1], strict=True):
        if not subject:
            break
        kept: list[Corner] = []
        last, last_side = subject[-1], side_of(start, end, subject[-1])
        for corner in subject:
            side = side_of(start, end, corner)
            if (side >= 0) != (last_side >= 0):
                share = last_side / (last_side - side)
                kept.append(
                    (
                        last[0] + share * (corner[0] - last[0]),
                        last[1] + share * (corner[1] - last[1]),
                    )
                )
            if side >= 0:
                kept.append(corner)
            last, last_side = corner, side
        subject = kept
    return subject


def corner_areas(corners: Float64Array) -> Float64Array:
    """Areas in square pixels, positive for corners in order."""
    points = corners.reshape(-1, 4, 2)
    first, second, third, fourth = (points[:, index] for index in range(4))

    def twice(a: Float64Array, b: Float64Array, c: Float64Array) -> Float64Array:
        (ax, ay), (bx, by), (cx, cy) = a.T, b.T, c.T
        return np.asarray((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))

    return np.asarray((twice(first, second, third) + twice(first, third, fourth)) / 2)


def order_corners(corners: Float64Array) -> Float64Array:
    """Corners around their center, so that the quadrilateral is convex and its area positive; the
    first stays the first."""
    points = corners.reshape(-1, 4, 2)
    offset = points - points.mean(axis=1, keepdims=True)
    angle = np.arctan2(offset[..., 1], offset[..., 0])
    turned = (angle - angle[:, :1]) % (2 * np.pi)
    turned[:, 0] = 0
    order = np.argsort(turned, axis=1, kind="stable")
    return np.asarray(np.take_along_axis(points, order[..., None], axis=1).reshape(-1, 8))


def box_corners(box: Float64Array) -> Float64Array:
    """The corners of boxes [left, top, width, height]."""
    left, top, width, height = box.T
    right, bottom = left + width, top + height
    return np.stack([left, top, right, top, right, bottom, left, bottom], axis=1)


def are_parallelograms(corners: Float64Array) -> BoolArray:
    """Whether opposite sides are parallel and equal, to a thousandth of the size. True of rotated
    rectangles in pixels and in fractions of an image."""
    points = corners.reshape(-1, 4, 2)
    gap = np.abs(points[:, 0] + points[:, 2] - points[:, 1] - points[:, 3]).max(axis=1)
    size = (points.max(axis=1) - points.min(axis=1)).max(axis=1)
    return np.asarray(gap <= 2e-3 * size + 1e-9)


def are_rectangles(corners: Float64Array) -> BoolArray:
    """Whether they are rotated rectangles in pixels: parallelograms with equal diagonals, to two
    hundredths or half a pixel."""
    points = corners.reshape(-1, 4, 2)
    one = np.linalg.norm(points[:, 2] - points[:, 0], axis=1)
    other = np.linalg.norm(points[:, 3] - points[:, 1], axis=1)
    has_equal_diagonals = np.abs(one - other) <= np.maximum(0.02 * np.maximum(one, other), 0.5)
    middle = np.abs(points[:, 0] + points[:, 2] - points[:, 1] - points[:, 3]).max(axis=1) / 2
    return np.asarray(has_equal_diagonals & (middle <= np.maximum(0.02 * one, 0.5)))
