"""The shape of an annotation as a reviewer adjusted it: outlines of a mask, corners, keypoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from pellucid.core.keypoints import StatedKeypoints
from pellucid.core.masks import create_masks, encode_counts
from pellucid.core.outlines import MAX_COORDINATE, encode_keypoints, encode_mask
from pellucid.core.tables import Float64Array
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.mask_runs import measure_masks, polygon_counts, toggle_counts
from pellucid.evaluation.object_keypoints import POINT_NUMBERS
from pellucid.review.errors import InvalidDecisionError
from pellucid.review.events import Box, Side

Shape = Sequence[Sequence[float]]
"""In pixels of the image: rings `x, y, x, y, ...` of a mask, those inside another being holes; four
corners of an oriented box; or one list of keypoints `x, y, visibility, ...`."""
CORNER_NUMBERS = 8
MAX_NUMBERS = 40_000
"""Most coordinates of an outline."""


@dataclass(frozen=True)
class EditedShape:
    """A shape that a reviewer changed.

    Attributes:
        outline: as in Label
        box: around it; None to keep that of the object
    """

    outline: str
    box: Box | None


def parse_shape(
    evaluation: Evaluation, image: int, side: Side, item_row: int, shape: Shape
) -> EditedShape:
    """The shape of an item of the view's geometry.

    Raises:
        InvalidDecisionError: it is no such shape, or covers nothing.
    """
    path = str(evaluation.images.path[image])
    numbers = np.array([number for ring in shape for number in ring], float)
    if not np.isfinite(numbers).all() or np.abs(numbers).max(initial=0) > MAX_COORDINATE:
        raise InvalidDecisionError(path, "coordinates out of bounds", "Expected pixels.")
    if evaluation.geometry == "mask":
        return parse_rings(evaluation, path, side, item_row, shape)
    if evaluation.geometry == "oriented_box":
        return parse_corners(path, shape)
    if evaluation.geometry == "keypoints":
        return parse_points(evaluation, path, shape)
    raise InvalidDecisionError(path, "an outline, but boxes are compared", "Adjust the box.")


def parse_rings(
    evaluation: Evaluation, path: str, side: Side, item_row: int, rings: Shape
) -> EditedShape:
    table = evaluation.item_table(side == "annotated")
    assert table.mask is not None
    height, width = (int(sides[item_row]) for sides in (table.mask.height, table.mask.width))
    if not rings or any(len(ring) < 6 or len(ring) % 2 for ring in rings):
        raise InvalidDecisionError(path, "a ring of fewer than three points", "Add points.")
    if sum(map(len, rings)) > MAX_NUMBERS:
        raise InvalidDecisionError(path, "an outline of too many points", "Simplify it.")
    mask = create_masks(
        [encode_counts(ring_counts(rings, height, width))],
        np.array([height], np.int32),
        np.array([width], np.int32),
    )
    measures = measure_masks(mask)
    if not measures.area[0]:
        raise InvalidDecisionError(path, "an outline that covers no pixel", "Draw it larger.")
    left, top, box_width, box_height = measures.box[0].tolist()
    return EditedShape(encode_mask(mask, 0), (left, top, box_width, box_height))


def ring_counts(rings: Shape, height: int, width: int) -> list[int]:
    """Run lengths of the pixels that are inside an odd number of rings. Points outside the image
    are moved to its edge: edges are walked step by step."""
    limit = np.array([width, height], float)
    inside = [np.clip(np.reshape(ring, (-1, 2)), 0, limit).ravel().tolist() for ring in rings]
    edges = [np.cumsum(polygon_counts(ring, height, width))[:-1] for ring in inside]
    return toggle_counts(np.sort(np.concatenate(edges)), height * width)


def parse_corners(path: str, shape: Shape) -> EditedShape:
    if len(shape) != 1 or len(shape[0]) != CORNER_NUMBERS:
        raise InvalidDecisionError(path, "no four corners", "Expected x, y of four corners.")
    corners = np.array(shape[0], float)
    if not is_convex(corners.reshape(4, 2)):
        raise InvalidDecisionError(path, "corners that cross or fold in", "Move them apart.")
    x, y = np.array(shape[0][::2]), np.array(shape[0][1::2])
    box = (
        float(x.min()),
        float(y.min()),
        float(x.max() - x.min()),
        float(y.max() - y.min()),
    )
    return EditedShape(msgspec.json.encode([list(map(float, shape[0]))]).decode(), box)


def is_convex(corners: Float64Array) -> bool:
    """Whether four corners, in their order, turn the same way. corners: float64 (4, 2)."""
    sides = np.roll(corners, -1, axis=0) - corners
    following = np.roll(sides, -1, axis=0)
    turns = sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0]
    return bool((turns > 0).all() or (turns < 0).all())


def parse_points(evaluation: Evaluation, path: str, shape: Shape) -> EditedShape:
    assert evaluation.annotations.keypoints is not None
    count = evaluation.annotations.keypoints.shape[1] // POINT_NUMBERS
    points = list(map(float, shape[0])) if len(shape) == 1 else []
    if len(points) != 3 * count or not set(points[2::3]) <= {0.0, 1.0, 2.0}:
        problem = f"no {count} keypoints with a visibility of 0, 1 or 2"
        raise InvalidDecisionError(path, problem, "Expected x, y, visibility of each.")
    if not any(points[2::3]):
        raise InvalidDecisionError(path, "no labelled keypoint", "Remove the annotation instead.")
    return EditedShape(encode_keypoints(StatedKeypoints(points)), None)
