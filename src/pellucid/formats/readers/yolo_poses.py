"""Poses in YOLO label files: a box, then `x y` or `x y visibility` of each keypoint, in predictions
with a confidence behind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.errors import MalformedFileError
from pellucid.core.keypoints import VISIBLE, StatedKeypoints
from pellucid.core.outlines import encode_keypoints
from pellucid.core.tables import BoolArray, Float64Array
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.parsing import is_number

BOX_FIELDS = 5
"""A class and a box."""
MIN_INSIDE_SHARE = 0.9
"""Of the points of all poses, inside a box that is a quarter larger than theirs."""
BOX_MARGIN = 0.25
ORIENTED_BOX_FIELDS = 9
"""A class and four corners."""
MAX_CROSSING_SHARE = 0.2
"""Of the outlines of a segmentation data set, those that cross themselves."""
MAX_CHECKED_LINES = 1000
FEWEST_POSES, MOST_FIELDS = 3, 1000
"""Lines to tell from, and their numbers: a pose has no hundreds of keypoints."""


def parse_keypoint_shape(path: Path, settings: dict[str, Any]) -> tuple[int, int] | None:
    """The points of a pose and the numbers of a point, of `kpt_shape` in the settings; None if the
    set has no poses.

    Raises:
        MalformedFileError: it is no such pair.
    """
    stated = settings.get("kpt_shape")
    if stated is None:
        return None
    numbers = stated if isinstance(stated, list) else str(stated).strip("[]() ").split(",")
    if len(numbers) == 2 and all(str(number).strip().isdecimal() for number in numbers):
        count, dimensions = (int(str(number)) for number in numbers)
        if count > 0 and dimensions in (2, 3):
            return count, dimensions
    raise MalformedFileError(
        path, f"has kpt_shape {stated}; expected [keypoints, 2] or [keypoints, 3]"
    )


def parse_sigmas(path: Path, settings: dict[str, Any], point_count: int) -> list[float] | None:
    """`kpt_oks_sigmas` of the settings, one a point; None if the set states none."""
    stated = settings.get("kpt_oks_sigmas")
    if stated is None:
        return None
    numbers = stated if isinstance(stated, list) else [stated]
    if len(numbers) == point_count and all(is_number(str(number)) for number in numbers):
        sigmas = [float(str(number)) for number in numbers]
        if min(sigmas) > 0:
            return sigmas
    raise MalformedFileError(
        path, f"has kpt_oks_sigmas {stated}; expected {point_count} positive numbers"
    )


def format_pose(
    numbers: Sequence[float],
    shape: tuple[int, int],
    sigmas: list[float] | None,
    label_file: Path,
    line: int,
) -> str:
    """The outline of a line, in fractions; '' for a box without points.

    Raises:
        InvalidRecordError: the line has another number of points.
    """
    count, dimensions = shape
    if len(numbers) == BOX_FIELDS:
        return ""
    if len(numbers) != BOX_FIELDS + count * dimensions:
        raise InvalidRecordError(
            label_file,
            f"line {line}",
            f"found {len(numbers)} numbers",
            f"Expected {BOX_FIELDS + count * dimensions}: class cx cy width height, and "
            f"{count} keypoints of {dimensions} numbers (kpt_shape).",
        )
    points = points_of(np.array([numbers[BOX_FIELDS:]]), dimensions)[0]
    return encode_keypoints(StatedKeypoints(points.tolist(), sigmas))


def points_of(numbers: Float64Array, dimensions: int) -> Float64Array:
    """float64 (n, 3 * points): `x, y, visibility`; a point of two numbers is labelled unless both
    are 0 or one is negative."""
    if dimensions == 3:
        return numbers
    points = numbers.reshape(len(numbers), -1, 2)
    is_labelled = (points >= 0).all(axis=2) & (points != 0).any(axis=2)
    visibility = np.where(is_labelled, float(VISIBLE), 0.0)[:, :, None]
    return np.concatenate([points, visibility], axis=2).reshape(len(numbers), -1)


def pose_dimensions(lines: Sequence[Sequence[float]]) -> int | None:
    """The numbers of a point if the lines are poses with a confidence, else None (polygons). The
    points of a pose lie in or near its box; those of a polygon hardly ever lie in the box that its
    first two points would be."""
    counts = {len(numbers) for numbers in lines}
    if len(counts) != 1:
        return None
    rows = np.array(lines, float)
    point_numbers = counts.pop() - BOX_FIELDS - 1
    fitting = [
        dimensions
        for dimensions in (3, 2)
        if point_numbers > 0
        and not point_numbers % dimensions
        and are_poses(rows[:, :-1], dimensions)
    ]
    return fitting[0] if len(fitting) == 1 else None


def unstated_pose_shape(lines: Sequence[Sequence[float]]) -> tuple[int, int] | None:
    """The points of a pose and the numbers of a point, if annotations whose settings have no
    `kpt_shape` look like poses: the points lie in or near the box of each line, and as polygons
    many of the lines would cross themselves. None otherwise."""
    longer = [numbers for numbers in lines if len(numbers) > BOX_FIELDS]
    counts = {len(numbers) for numbers in longer}
    if len(counts) != 1 or len(longer) < FEWEST_POSES:
        return None
    if (count := counts.pop()) == ORIENTED_BOX_FIELDS or count > MOST_FIELDS:
        return None
    rows = np.array(longer, float)
    shape = next(
        (
            ((count - BOX_FIELDS) // dimensions, dimensions)
            for dimensions in (3, 2)
            if count > BOX_FIELDS + 1
            and not (count - BOX_FIELDS) % dimensions
            and are_poses(rows, dimensions)
        ),
        None,
    )
    if shape is None or not count % 2:
        return shape
    polygons = rows[:MAX_CHECKED_LINES, 1:].reshape(-1, (count - 1) // 2, 2)
    crossing_share = float(np.mean([crosses_itself(polygon) for polygon in polygons]))
    return shape if crossing_share > MAX_CROSSING_SHARE else None


def crosses_itself(polygon: Float64Array) -> bool:
    """Whether two sides of a polygon cross inside both. polygon: float64 (corners, 2)."""
    starts, ends = polygon, np.roll(polygon, -1, axis=0)

    def side(points: Float64Array) -> Float64Array:
        """On which side of each line between start and end a point lies, (lines, points)."""
        along, towards = (ends - starts)[:, None], points[None] - starts[:, None]
        return np.sign(along[..., 0] * towards[..., 1] - along[..., 1] * towards[..., 0])

    separates = side(starts) * side(ends) < 0
    return bool((separates & separates.T).any())


def find_dimensions(lines: Sequence[Sequence[float]], keypoint_count: int) -> int | None:
    """The numbers of a point if the lines are poses of so many points, with or without a confidence
    and the id of a track; else None."""
    counts = {len(numbers) for numbers in lines}
    for dimensions in (3, 2) if keypoint_count else ():
        fewest = BOX_FIELDS + keypoint_count * dimensions
        if counts and counts <= {fewest, fewest + 1, fewest + 2}:
            return dimensions
    return None


def are_poses(rows: Float64Array, dimensions: int) -> bool:
    """rows: a class, a box and points, float64 (lines, numbers)."""
    points = rows[:, BOX_FIELDS:].reshape(len(rows), -1, dimensions)
    if dimensions == 3 and not ((points[:, :, 2] >= 0) & (points[:, :, 2] <= VISIBLE)).all():
        return False
    center, size = rows[:, None, 1:3], rows[:, None, 3:5]
    is_given: BoolArray = np.asarray((points[:, :, :2] != 0).any(axis=2))
    is_near = np.abs(points[:, :, :2] - center) <= size * (0.5 + BOX_MARGIN)
    is_inside: BoolArray = np.asarray(is_near.all(axis=2))
    if (rows[:, 3:5] <= 0).any() or not is_given.any():
        return False
    return bool(is_inside[is_given].mean() >= MIN_INSIDE_SHARE)
