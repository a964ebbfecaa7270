"""Boxes that would lie on the annotations if an axis were turned around, their numbers had another
order, or all were moved by the same distance: refused, as no file format means that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.core.tables import Annotations, Float64Array, Images, Int32Array
from pellucid.formats.dataset import ParsedPredictions
from pellucid.formats.errors import InvalidRecordError
from pellucid.ingest.box_agreement import MIN_BOXES, MUCH_BETTER_RATIO, most_confident_rows
from pellucid.ingest.box_format_shares import boxes_as_written, default_box_format
from pellucid.ingest.box_formats import (
    convert_to_pixels,
    overlap_share,
    select_image_annotations,
)
from pellucid.ingest.references import Interpretation

MIN_SHARE, MIN_GAIN = 0.5, 0.3
"""Share of boxes that must overlap an annotation in the other place, and by how much more, if not
MUCH_BETTER_RATIO times as many."""
MAX_FRACTION = 1.05
MIN_DISTANCE = 10.0
"""Pixels by which all boxes are moved, from which it is no inaccuracy of the model."""
SAME_SIZE, CELL = 0.15, 12.0
"""Relative difference of sizes up to which a box and an annotation may be the same object, and
pixels up to which two distances are."""
MAX_PER_IMAGE = 50
"""Annotations of an image with which a box is compared."""
MODEST_GAIN = 0.1
"""Where an unusual size fits the boxes, by how much more of them must agree when moved."""
REMEDY = "Write [x, y, width, height] of each box from the upper left corner of the image."
Placement = Callable[[Float64Array, Int32Array, Int32Array], tuple[Any, Any, Any, Any]]
"""The four numbers of boxes, and widths and heights of their images, to left, top, width and
height."""
MIRRORED: dict[str, Placement] = {
    "y is measured from the lower edge of the image": lambda box, _, height: (
        *(box[0], height - box[1] - box[3]),
        *(box[2], box[3]),
    ),
    "x is measured from the right edge of the image": lambda box, width, _: (
        *(width - box[0] - box[2], box[1]),
        *(box[2], box[3]),
    ),
    "width and height are exchanged": lambda box, *_: (box[0], box[1], box[3], box[2]),
    "the numbers run from -1 to 1 across the image": lambda box, width, height: (
        *((box[0] + width) / 2, (box[1] + height) / 2),
        *(box[2] / 2, box[3] / 2),
    ),
    "its point is the lower left corner": lambda box, *_: (
        *(box[0], box[1] - box[3]),
        *(box[2], box[3]),
    ),
    "its point is the middle of the lower edge": lambda box, *_: (
        *(box[0] - box[2] / 2, box[1] - box[3]),
        *(box[2], box[3]),
    ),
}
REORDERED: dict[str, Placement] = {
    "the numbers are x1, x2, y1, y2": lambda box, *_: (
        *(box[0], box[2]),
        *(box[1] - box[0], box[3] - box[2]),
    ),
    "the numbers are y1, y2, x1, x2": lambda box, *_: (
        *(box[2], box[0]),
        *(box[3] - box[2], box[1] - box[0]),
    ),
    "the numbers are y, x, width, height": lambda box, *_: (box[1], box[0], box[2], box[3]),
    "the numbers are the lower right corner, then the upper left one": lambda box, *_: (
        *(box[2], box[3]),
        *(box[0] - box[2], box[1] - box[3]),
    ),
    "the numbers are a center and half the sizes": lambda box, *_: (
        *(box[0] - box[2], box[1] - box[3]),
        *(2 * box[2], 2 * box[3]),
    ),
}


def reject_misplaced_boxes(
    source: ParsedPredictions, image_refs: Interpretation, images: Images, annotations: Annotations
) -> None:
    """Raise InvalidRecordError if clearly more of the boxes overlap an annotation when they are
    MIRRORED or, where no columns name them, REORDERED."""
    sample = sample_boxes(source, image_refs, images, len(annotations))
    if sample is None:
        return
    box, image_rows = sample
    width, height = images.width[image_rows], images.height[image_rows]
    share = overlap_share(box, image_rows, annotations)
    is_open = source.stated_shape is None and source.box_shape == "xywh"
    for meaning, placement in (MIRRORED | REORDERED if is_open else MIRRORED).items():
        moved = np.stack(placement(box.T, width, height), axis=1)
        moved_share = overlap_share(moved, image_rows, annotations)
        is_clear = moved_share >= share * MUCH_BETTER_RATIO or moved_share - share >= MIN_GAIN
        if moved_share >= MIN_SHARE and is_clear:
            raise InvalidRecordError(
                source.path,
                "boxes",
                f"{share:.0%} of confident boxes overlap an annotation, and {moved_share:.0%} if "
                f"{meaning}",
                REMEDY,
            )
    reject_moved_boxes(source.path, box, image_rows, images, annotations, share)


def reject_cropped_images(
    source: ParsedPredictions,
    image_refs: Interpretation,
    images: Images,
    annotations: Annotations,
    share: float,
) -> None:
    """Raise InvalidRecordError if the boxes agree better as those of cropped images than as those
    of images of an unusual size.

    Args:
        share: of the boxes that overlap an annotation with that size
    """
    if sample := sample_boxes(source, image_refs, images, len(annotations)):
        reject_moved_boxes(source.path, *sample, images, annotations, share, MODEST_GAIN)


def reject_moved_boxes(
    path: str,
    box: Float64Array,
    image_rows: Int32Array,
    images: Images,
    annotations: Annotations,
    share: float,
    min_gain: float = MIN_GAIN,
) -> None:
    """Raise InvalidRecordError if more of the boxes overlap an annotation when all are moved by the
    same distance, as those of cropped images are, or of images cropped around their center.

    Args:
        share: of the boxes that overlap an annotation as they are read
    """
    centers = np.stack([images.width[image_rows], images.height[image_rows]], axis=1) / 2
    for origins in (np.zeros_like(centers), centers):
        distance = common_distance(box, image_rows, annotations, origins)
        if distance is None or np.abs(distance + origins).max() < MIN_DISTANCE:
            return
        moved = np.column_stack([box[:, :2] + distance + origins, box[:, 2:]])
        moved_share = overlap_share(moved, image_rows, annotations)
        if moved_share < MIN_SHARE or moved_share - share < min_gain:
            continue
        x, y = distance.round().astype(int).tolist()
        how = f"all are moved by ({x}, {y}) pixels, as where the images were cropped"
        if origins is centers:
            how = f"the images were cropped to {-2 * x} x {-2 * y} pixels around their center"
        raise InvalidRecordError(
            path,
            "boxes",
            f"{share:.0%} of confident boxes overlap an annotation, and {moved_share:.0%} if {how}",
            "Write the boxes in the pixels of the annotated images.",
        )


def common_distance(
    box: Float64Array, image_rows: Int32Array, annotations: Annotations, origins: Float64Array
) -> Float64Array | None:
    """The distance (x, y) from boxes to annotations of the same size that is the most frequent,
    beyond the origin of each box; None if no annotation has the size of a box."""
    near = select_image_annotations(annotations, image_rows)
    order = np.argsort(near.image, kind="stable")
    annotated, images = np.asarray(near.box, np.float64)[order], near.image[order]
    first = np.searchsorted(images, image_rows, "left")
    counts = np.minimum(np.searchsorted(images, image_rows, "right") - first, MAX_PER_IMAGE)
    rows = np.repeat(np.arange(len(box)), counts)
    offsets = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    others = annotated[np.repeat(first, counts) + offsets]
    is_alike = (np.abs(others[:, 2:] - box[rows, 2:]) <= SAME_SIZE * others[:, 2:]).all(axis=1)
    distances = (others[:, :2] - box[rows, :2] - origins[rows])[is_alike]
    if not len(distances):
        return None
    cells, cell_of_pair = np.unique(np.round(distances / CELL), axis=0, return_inverse=True)
    fullest = cells[np.argmax(np.bincount(cell_of_pair.reshape(-1)))] * CELL
    is_near = (np.abs(distances - fullest) <= CELL).all(axis=1)
    return np.asarray(np.median(distances[is_near], axis=0))


def sample_boxes(
    source: ParsedPredictions, image_refs: Interpretation, images: Images, annotation_count: int
) -> tuple[Float64Array, Int32Array] | None:
    """The most confident boxes in images of known size, in pixels, and the rows of their images;
    None if they are too few."""
    rows = most_confident_rows(source.score, annotation_count)
    rows = rows[image_refs.positions[source.image[rows]] >= 0]
    image_rows = image_refs.positions[source.image[rows]]
    is_known = images.width[image_rows] > 0
    rows, image_rows = rows[is_known], image_rows[is_known]
    if source.box is None or len(rows) < MIN_BOXES:
        return None
    written = default_box_format(source)
    if source.box[rows].max(initial=0) <= MAX_FRACTION:
        written = replace(written, unit="fractions")
    width, height = images.width[image_rows], images.height[image_rows]
    raw_boxes = boxes_as_written(source, source.box[rows])
    return convert_to_pixels(written, raw_boxes, width, height), image_rows
