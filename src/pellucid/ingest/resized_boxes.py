"""Boxes of images that were resized to any size: which size makes them lie on the annotations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pellucid.core.tables import Annotations, Float64Array, Images, Int32Array, Predictions
from pellucid.evaluation.greedy_numpy import overlapping_pairs
from pellucid.ingest.box_formats import (
    RESIZE_MODES,
    RESIZE_SIDES,
    BoxFormat,
    convert_to_pixels,
    format_overlap_shares,
    select_image_annotations,
)

MIN_PAIR_IOU, MIN_PAIRS = 0.3, 15
"""Overlap of a box with an annotation from which both are taken for the same object, and how many
such pairs tell a size."""
FIT_STEPS = 4
ROUND_TOLERANCE = 0.003
"""Relative difference up to which a common size is taken for the one that fits best, or twice the
standard error where that is larger."""
MAX_FIT_ERROR = 0.015
"""Standard error of a size, relative, above which the boxes do not tell it."""
SCALES = tuple(1.25**exponent for exponent in range(-12, 13))
COMMON_SCALES = (0.125, 0.25, 1 / 3, 0.5, 2 / 3, 0.75, 0.8, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0)
ROUNDING = {100.0: 0.2, 50.0: 0.5, 32.0: 0.3, 10.0: 0.7, 1.0: 1.5}
"""Multiples that somebody may have chosen as a size, and how much more a rarer one must agree, in
squared tolerances; of scales a hundredth of each."""
SHAPES_TRIED = 2


def fit_resized_formats(
    shares: dict[BoxFormat, float],
    raw_boxes: Float64Array,
    image_rows: Int32Array,
    images: Images,
    annotations: Annotations,
) -> dict[BoxFormat, float]:
    """The shares of agreeing boxes, with the size that fits best for each way to resize instead of
    the sizes of a list.

    Args:
        shares: of the formats tried so far
        raw_boxes: float64 (n, 4), as written
        image_rows: of the boxes, all of known size
    """
    shapes = best_shapes(shares)
    fitted: dict[BoxFormat, float] = {}
    for mode in RESIZE_MODES:
        for shape in shapes:
            starts = [
                BoxFormat(shape, f"{size} {mode}") for size in first_sizes(shape, mode, raw_boxes)
            ]
            tried = format_overlap_shares(starts, raw_boxes, image_rows, images, annotations)
            best = max(tried, key=tried.__getitem__)
            if result := fit_format(best, raw_boxes, image_rows, images, annotations):
                fitted |= format_overlap_shares(
                    [result], raw_boxes, image_rows, images, annotations
                )
    ways = {(box_format.shape, way_of(box_format)) for box_format in fitted}
    others = {
        box_format: share
        for box_format, share in shares.items()
        if (box_format.shape, way_of(box_format)) not in ways
    }
    return others | fitted


def best_shapes(shares: dict[BoxFormat, float]) -> list[str]:
    ranked = sorted(shares, key=shares.__getitem__, reverse=True)
    return list(dict.fromkeys(box_format.shape for box_format in ranked))[:SHAPES_TRIED]


def way_of(box_format: BoxFormat) -> str:
    """How the image was resized, whatever the size; of fractions of a square, the unit itself."""
    size, _, mode = box_format.unit.partition(" ")
    return box_format.unit if size == "1" else mode or box_format.unit


def first_sizes(shape: str, mode: str, raw_boxes: Float64Array) -> list[str]:
    """Sizes near one of which that of the images must be."""
    if mode == "scaled":
        return [f"{scale:.6g}" for scale in SCALES]
    box = convert_to_pixels(BoxFormat(shape, "pixels"), raw_boxes, *np.zeros((2, 0), np.int32))
    width, height = np.ceil((box[:, :2] + box[:, 2:]).max(axis=0)).astype(int).tolist()
    reached = [f"{width}x{height}"] if mode == "stretched" else []
    return [*map(str, RESIZE_SIDES), str(max(width, height, 1)), *reached]


def fit_format(
    box_format: BoxFormat,
    raw_boxes: Float64Array,
    image_rows: Int32Array,
    images: Images,
    annotations: Annotations,
) -> BoxFormat | None:
    """The same way to resize with the size by which the centers of the boxes lie nearest to those
    of the annotations; None if the boxes do not tell it."""
    width, height = images.width[image_rows], images.height[image_rows]
    near = select_image_annotations(annotations, image_rows)
    errors = np.zeros(2)
    for _ in range(FIT_STEPS):
        box = convert_to_pixels(box_format, raw_boxes, width, height)
        rows, annotated = same_objects(box, image_rows, near)
        if len(rows) < MIN_PAIRS:
            return None
        centers = centers_of(box[rows])
        targets = centers_of(np.asarray(near.box, np.float64)[annotated])
        if box_format.unit.endswith("letterboxed"):
            middle = np.stack([width[rows], height[rows]], axis=1) / 2
            centers, targets = centers - middle, targets - middle
        if box_format.unit.endswith("stretched"):
            ratios, errors = np.transpose(
                [median_ratio(targets[:, axis], centers[:, axis]) for axis in (0, 1)]
            )
        else:
            ratio, error = median_ratio(targets.ravel(), centers.ravel())
            ratios, errors = np.array([ratio, ratio]), np.array([error, error])
        box_format = with_size(box_format, size_of(box_format) / ratios)
    if errors.max() > MAX_FIT_ERROR:
        return None
    return with_size(box_format, round_size(box_format, errors))


def same_objects(
    box: Float64Array, image_rows: Int32Array, annotations: Annotations
) -> tuple[np.ndarray, np.ndarray]:
    """Per box with an annotation of MIN_PAIR_IOU, its row and that of the nearest annotation."""
    is_valid = np.flatnonzero((box[:, 2:] > 0).all(axis=1))
    zeros = np.zeros(len(is_valid), np.int32)
    predictions = Predictions(
        image_rows[is_valid], zeros, np.zeros(len(is_valid)), box[is_valid], zeros
    )
    merged = annotations.replace(concept=np.zeros(len(annotations), np.int32))
    nearest = np.full(len(box), -1, np.int64)
    highest = np.zeros(len(box))
    for predicted, annotated, iou in overlapping_pairs(merged, predictions, 1):
        ascending = np.argsort(iou, kind="stable")  # the last of equal rows is stored
        rows = is_valid[predicted[ascending]]
        nearest[rows], highest[rows] = annotated[ascending], iou[ascending]
    rows = np.flatnonzero(highest >= MIN_PAIR_IOU)
    return rows, nearest[rows]


def centers_of(box: Float64Array) -> Float64Array:
    return np.asarray(box[:, :2] + box[:, 2:] / 2)


def median_ratio(targets: Float64Array, values: Float64Array) -> tuple[float, float]:
    """The weighted median of targets / values, the far ones weighing more, and its standard
    error."""
    weights = np.abs(values)
    is_far = weights > 1
    if not is_far.any():
        return 1.0, np.inf
    ratios, weights = targets[is_far] / values[is_far], weights[is_far]
    order = np.argsort(ratios)
    cumulated = np.cumsum(weights[order]) / weights.sum()
    low, middle, high = ratios[order][np.searchsorted(cumulated, [0.16, 0.5, 0.84])]
    effective = weights.sum() ** 2 / (weights**2).sum()
    return float(middle), float(1.25 * (high - low) / 2 / np.sqrt(effective))


def size_of(box_format: BoxFormat) -> Float64Array:
    """Width and height, or the same number twice."""
    sizes = [float(part) for part in box_format.unit.partition(" ")[0].split("x")]
    return np.array([sizes[0], sizes[-1]])


def with_size(box_format: BoxFormat, size: Sequence[float] | Float64Array) -> BoxFormat:
    width, height = (f"{number:.6g}" for number in size)
    text = width if width == height else f"{width}x{height}"
    return replace(box_format, unit=f"{text} {box_format.unit.partition(' ')[2]}")


def round_size(box_format: BoxFormat, errors: Float64Array) -> Float64Array:
    """The size as somebody would have chosen it, where that is as likely."""
    sizes = size_of(box_format)
    tolerances = np.maximum(ROUND_TOLERANCE, 2 * errors)
    if box_format.unit.endswith("scaled"):
        return np.full(2, round_number(sizes[0], tolerances[0], COMMON_SCALES, 0.01))
    if abs(sizes[0] / sizes[1] - 1) <= tolerances.max():
        sizes = np.full(2, sizes.mean())
    return np.array(
        [
            round_number(size, tolerance, RESIZE_SIDES, 1.0)
            for size, tolerance in zip(sizes, tolerances, strict=True)
        ]
    )


def round_number(size: float, tolerance: float, common: Sequence[float], unit: float) -> float:
    """A common or round number within the tolerance, the rounder ones first."""
    costs = dict.fromkeys(common, 0.0)
    for step, cost in ROUNDING.items():
        costs.setdefault(step * unit * round(size / (step * unit)), cost)
    return min(
        (number for number in costs if number > 0),
        key=lambda number: ((number / size - 1) / tolerance) ** 2 + costs[number],
    )


def is_common_size(box_format: BoxFormat) -> bool:
    """Whether an image is often resized to this size."""
    common = COMMON_SCALES if box_format.unit.endswith("scaled") else RESIZE_SIDES
    return all(
        any(abs(size / number - 1) < 1e-5 for number in common) for size in size_of(box_format)
    )
