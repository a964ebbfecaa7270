"""Keypoints of objects, and their similarity: COCO's object keypoint similarity (OKS), equal to
pycocotools' `computeOks`.

A column of keypoints has five numbers a point: x, y, visibility, sigma, links. Objects with fewer
points than the column has end with points of sigma 0. Links are the lines of the skeleton, to draw:
bit k is set where a line goes to the point k + 1 places further.

An annotation without a visible point is ignored;
its visibilities are -1 (SINGLE) unless it is a crowd, since it takes one prediction and a crowd any
number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.core.keypoints import StatedKeypoints
from pellucid.core.tables import Annotations, BoolArray, Float64Array

POINT_NUMBERS = 5
X, Y, VISIBILITY, SIGMA, LINKS = range(POINT_NUMBERS)
MAX_LINK = 53
"""Bits of a whole number in float64."""
SINGLE = -1.0

COCO_SIGMAS = (
    *(0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072),
    *(0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
)
"""Of the 17 points of COCO's persons: https://cocodataset.org/#keypoints-eval"""
COCO_SKELETON = (
    *((15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8)),
    *((7, 9), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6)),
)
"""The lines that COCO draws between them, counted from 0."""

Skeleton = Sequence[tuple[int, int]]


def default_sigmas(point_count: int) -> tuple[float, ...]:
    """COCO's for 17 points; else 1 / points for each, as ultralytics has it."""
    if point_count == len(COCO_SIGMAS):
        return COCO_SIGMAS
    return (1 / point_count,) * point_count


def default_skeleton(point_count: int) -> Skeleton:
    """The links between the points: COCO's for as many points as a person has there, else none."""
    return COCO_SKELETON if point_count == len(COCO_SIGMAS) else ()


def encode_links(skeleton: Skeleton, point_count: int) -> Float64Array:
    """float64 (points,), the links of each point."""
    links = np.zeros(point_count)
    for first, second in {(min(line), max(line)) for line in skeleton}:
        if 0 < second - first <= MAX_LINK and second < point_count:
            links[first] += 2.0 ** (second - first - 1)
    return links


def link_points(points: Float64Array) -> list[tuple[int, int]]:
    """The lines between the points of one object. points: float64 (points, 5)."""
    return [
        (first, first + step + 1)
        for first, links in enumerate(points[:, LINKS].astype(np.int64).tolist())
        for step in range(links.bit_length())
        if links >> step & 1
    ]


def build_column(stated: Sequence[StatedKeypoints | None], min_count: int = 0) -> Float64Array:
    """float64 (n, 5 * points), with at least `min_count` points."""
    counts = [0 if points is None else len(points.keypoints) // 3 for points in stated]
    column = np.zeros((len(stated), max([min_count, *counts]), POINT_NUMBERS))
    for row, (points, count) in enumerate(zip(stated, counts, strict=True)):
        if points is not None:
            column[row, :count, :SIGMA] = np.reshape(points.keypoints[: count * 3], (count, 3))
            column[row, :count, SIGMA] = points.sigmas or default_sigmas(count)
            skeleton = default_skeleton(count) if points.skeleton is None else points.skeleton
            column[row, :count, LINKS] = encode_links(skeleton, count)
    return column.reshape(len(stated), column.shape[1] * POINT_NUMBERS)


def split_points(column: Float64Array) -> Float64Array:
    """float64 (n, points, 5)."""
    return column.reshape(len(column), column.shape[1] // POINT_NUMBERS, POINT_NUMBERS)


def count_visible(column: Float64Array) -> np.ndarray:
    """The labelled points of each object."""
    return np.asarray((split_points(column)[:, :, VISIBILITY] > 0).sum(axis=1))


def takes_one(annotations: Annotations) -> BoolArray:
    """bool (n,): ignored annotations that take a single prediction, where a region takes any
    number."""
    if annotations.keypoints is None:
        return np.zeros(len(annotations), bool)
    return np.asarray((split_points(annotations.keypoints)[:, :, VISIBILITY] == SINGLE).all(axis=1))


def mark_unlabelled(annotations: Annotations, column: Float64Array) -> Annotations:
    """The annotations with their keypoints; those without a labelled point are ignored, as
    pycocotools ignores `num_keypoints` 0."""
    is_unlabelled = count_visible(column) == 0
    points = split_points(column).copy()
    points[is_unlabelled & ~annotations.ignore, :, VISIBILITY] = SINGLE
    return annotations.replace(
        keypoints=points.reshape(column.shape), ignore=annotations.ignore | is_unlabelled
    )


def pairwise_oks(
    predicted: Float64Array, annotated: Float64Array, box: Float64Array, area: Float64Array
) -> Float64Array:
    """float64 (n,), OKS of predicted[i] with annotated[i].

    Source: pycocotools `COCOeval.computeOks`. Without a labelled point the distance is that to a
    box twice as far around the annotation on each side.

    Args:
        predicted, annotated: columns
        box, area: of the annotation, in pixels and square pixels
    """
    own, other = split_points(predicted), split_points(annotated)
    points = min(own.shape[1], other.shape[1])
    own, other = own[:, :points], other[:, :points]
    is_labelled: BoolArray = np.asarray(other[:, :, VISIBILITY] > 0)
    distance = own[:, :, :2] - other[:, :, :2]
    has_labelled: BoolArray = np.asarray(is_labelled.any(axis=1))
    if not has_labelled.all():
        size = box[:, None, 2:]
        low, high = box[:, None, :2] - size, box[:, None, :2] + 2 * size
        outside = np.maximum(0, low - own[:, :, :2]) + np.maximum(0, own[:, :, :2] - high)
        distance = np.where(has_labelled[:, None, None], distance, outside)
    is_compared = np.where(has_labelled[:, None], is_labelled, True) & (other[:, :, SIGMA] > 0)
    variance = (2 * np.where(is_compared, other[:, :, SIGMA], 1.0)) ** 2
    error = (distance**2).sum(axis=2) / variance / (area[:, None] + np.spacing(1)) / 2
    similarity = np.where(is_compared, np.exp(-error), 0.0).sum(axis=1)
    return np.asarray(similarity / np.maximum(is_compared.sum(axis=1), 1))
