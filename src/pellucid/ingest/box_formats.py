"""Possible formats of the four numbers of a box, and how well each agrees with the annotations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.core.tables import Annotations, Float64Array, Images, Int32Array, Predictions
from pellucid.evaluation.greedy_numpy import overlapping_pairs

PLAIN_UNITS = ("pixels", "fractions", "percent")
BOX_SHAPES = ("xywh", "xyxy", "cxcywh", "yxyx", "yxhw")
CORNER_SHAPES = ("xyxy", "yxyx")
"""Two corners: the x coordinate first, or y first as TensorFlow writes them."""
RESIZE_SIDES = (
    224,
    256,
    300,
    320,
    384,
    416,
    448,
    480,
    512,
    544,
    576,
    608,
    640,
    672,
    704,
    736,
    768,
    800,
    832,
    896,
    960,
    1000,
    1024,
    1088,
    1280,
    1536,
)
"""Common side lengths of square model inputs, in pixels."""


SQUARE_MODES = ("stretched", "letterboxed", "padded")
SIDE_MODES = ("shortest", "width", "height")
RESIZE_MODES = (*SQUARE_MODES, *SIDE_MODES, "scaled")
"""How an image was resized: to a size without its proportions, in the middle or the corner of a
square, until a side had a given length, or by one factor for all images."""


@dataclass(frozen=True)
class BoxFormat:
    """What the four numbers of a box mean.

    Attributes:
        shape: meaning of the numbers
        unit: pixels, fractions, percent, or `640 stretched` (also `640x480 stretched`),
            `640 letterboxed` (in the middle) and `640 padded` (at the right and below alone):
            pixels of the square that the image was resized to; `1 letterboxed`: fractions of that
            square · `800 shortest`, `600 width`, `600 height`: pixels of the image resized to that
            side · `0.5 scaled`: pixels of the image at half its size
    """

    shape: str
    unit: str

    @property
    def name(self) -> str:
        return f"{self.shape}-{self.unit}".replace(" ", "-")

    @property
    def is_resized(self) -> bool:
        return self.unit not in PLAIN_UNITS

    @property
    def needs_sizes(self) -> bool:
        return self.unit != "pixels" and not self.unit.endswith("scaled")


def parse_box_format(format_name: str) -> BoxFormat | None:
    """Parse names such as `xyxy-pixels`, `cxcywh-fractions`, `xywh-640-letterboxed`; None if
    invalid."""
    shape, _, unit = format_name.partition("-")
    size, _, mode = unit.partition("-")
    if mode in RESIZE_MODES and is_size(size, mode):
        unit = f"{size} {mode}"
    elif unit not in PLAIN_UNITS:
        return None
    return BoxFormat(shape, unit) if shape in BOX_SHAPES else None


def is_size(text: str, mode: str) -> bool:
    """Whether a text is the size of a resized image: `640`, `640x480`, of a scale `0.5`."""
    if mode == "scaled":
        return re.fullmatch(r"\d+(\.\d+)?", text) is not None and float(text) > 0
    numbers = text.split("x") if mode == "stretched" else [text]
    return len(numbers) <= 2 and all(n.isdecimal() and int(n) > 0 for n in numbers)


def convert_to_pixels(
    box_format: BoxFormat, raw_boxes: Float64Array, width: Int32Array, height: Int32Array
) -> Float64Array:
    """Convert to [left, top, width, height] in image pixels.

    Args:
        raw_boxes: float64 (n, 4), as written
        width, height: of each row's image
    """
    a, b, c, d = raw_boxes.T
    if box_format.shape == "xyxy":
        box = np.stack([a, b, c - a, d - b], axis=1)
    elif box_format.shape == "yxyx":
        box = np.stack([b, a, d - b, c - a], axis=1)
    elif box_format.shape == "yxhw":
        box = np.stack([b, a, d, c], axis=1)
    elif box_format.shape == "cxcywh":
        box = np.stack([a - c / 2, b - d / 2, c, d], axis=1)
    else:
        box = raw_boxes.copy()
    if box_format.unit == "pixels":
        return box
    image_sizes = np.stack([width, height, width, height], axis=1).astype(float)
    if box_format.unit in ("fractions", "percent"):
        return np.asarray(box * image_sizes / (1 if box_format.unit == "fractions" else 100))
    resize_side, _, resize_mode = box_format.unit.partition(" ")
    if resize_mode == "stretched":
        sides = [float(side) for side in resize_side.split("x")]
        return np.asarray(box * image_sizes / ([sides[0], sides[-1]] * 2))
    if resize_mode == "scaled":
        return np.asarray(box / float(resize_side))
    sides_of_image = {
        "shortest": np.minimum(width, height),
        "width": width,
        "height": height,
    }
    longest_side = np.maximum(width, height)
    scale = sides_of_image.get(resize_mode, longest_side).astype(float) / float(resize_side)
    if resize_mode == "letterboxed":
        box[:, 0] -= (float(resize_side) - width / scale) / 2
        box[:, 1] -= (float(resize_side) - height / scale) / 2
    return np.asarray(box * scale[:, None])


def possible_box_formats(
    raw_boxes: Float64Array, has_sizes: bool, reach_edge: bool = True
) -> list[BoxFormat]:
    """The box formats that are consistent with the range of the numbers.

    Args:
        reach_edge: of resized images only those whose edge some box comes near
    """
    largest = float(raw_boxes.max(initial=0))
    units = ["pixels"]
    if has_sizes:
        units += ["fractions", "1 letterboxed", "1 padded"] if largest <= 2 else []
        units += ["percent"] if 2 < largest <= 110 else []
        furthest_edge = float(
            max(
                (raw_boxes[:, 0] + raw_boxes[:, 2]).max(initial=0),
                (raw_boxes[:, 1] + raw_boxes[:, 3]).max(initial=0),
            )
        )
        for resize_side in RESIZE_SIDES:
            lowest = 0.9 * resize_side if reach_edge else 0
            if largest > 2 and any(
                lowest <= bound <= 1.02 * resize_side for bound in (largest, furthest_edge)
            ):
                units += [f"{resize_side} {mode}" for mode in SQUARE_MODES]
    has_ordered_corners = (
        bool(
            (raw_boxes[:, 2] >= raw_boxes[:, 0]).mean() > 0.98
            and (raw_boxes[:, 3] >= raw_boxes[:, 1]).mean() > 0.98
        )
        if len(raw_boxes)
        else False
    )
    return [
        BoxFormat(shape, unit)
        for unit in units
        for shape in BOX_SHAPES
        if shape not in CORNER_SHAPES or has_ordered_corners
    ]


def select_image_annotations(annotations: Annotations, image_rows: Int32Array) -> Annotations:
    """Only the annotations of these images."""
    is_selected = np.zeros(
        max(int(image_rows.max(initial=0)), int(annotations.image.max(initial=0))) + 1, bool
    )
    is_selected[image_rows] = True
    return annotations.take(is_selected[annotations.image])


def overlap_share(box: Float64Array, image_rows: Int32Array, annotations: Annotations) -> float:
    """The share of boxes that overlap an annotation of any concept in their image (IoU >= 0.5).

    Args:
        image_rows: int32, all known
    """
    zeros = np.zeros(len(box), np.int32)
    predictions = Predictions(
        image_rows, zeros, np.zeros(len(box)), box, np.arange(len(box), dtype=np.int32)
    )
    image_annotations = select_image_annotations(annotations, image_rows)
    image_annotations = image_annotations.replace(
        concept=np.zeros(len(image_annotations), np.int32)
    )
    agreeing_rows: set[int] = set()
    for prediction_rows, _, iou in overlapping_pairs(image_annotations, predictions, 1):
        agreeing_rows.update(prediction_rows[iou >= 0.5].tolist())
    return len(agreeing_rows) / max(1, len(box))


def mean_best_iou(box: Float64Array, image_rows: Int32Array, annotations: Annotations) -> float:
    """The mean, over boxes, of the highest IoU with an annotation of any concept."""
    if not len(box):
        return 0.0
    zeros = np.zeros(len(box), np.int32)
    order = np.arange(len(box), dtype=np.int32)
    predictions = Predictions(image_rows, zeros, np.zeros(len(box)), box, order)
    near = select_image_annotations(annotations, image_rows)
    near = near.replace(concept=np.zeros(len(near), np.int32))
    best = np.zeros(len(box))
    for prediction_rows, _, iou in overlapping_pairs(near, predictions, 1):
        np.maximum.at(best, prediction_rows, iou)
    return float(best.mean())


def format_overlap_shares(
    box_formats: Sequence[BoxFormat],
    raw_boxes: Float64Array,
    image_rows: Int32Array,
    images: Images,
    annotations: Annotations,
) -> dict[BoxFormat, float]:
    """Share of boxes that overlap an annotation in each format; negative sizes do not count."""
    width, height = images.width[image_rows], images.height[image_rows]
    annotations = select_image_annotations(annotations, image_rows)
    shares = {}
    for box_format in box_formats:
        box = convert_to_pixels(box_format, raw_boxes, width, height)
        is_valid = (box[:, 2:] > 0).all(axis=1)
        shares[box_format] = (
            overlap_share(box[is_valid], image_rows[is_valid], annotations) * float(is_valid.mean())
            if is_valid.any()
            else 0.0
        )
    return shares
