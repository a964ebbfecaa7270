"""Boxes that would lie on the annotations if an axis were turned around, or their numbers had
another order: refused, as no file format means that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.core.tables import Annotations, Float64Array, Images, Int32Array
from pellucid.formats.dataset import ParsedPredictions
from pellucid.formats.errors import InvalidRecordError
from pellucid.ingest.box_agreement import MIN_BOXES, MUCH_BETTER_RATIO, most_confident_rows
from pellucid.ingest.box_format_shares import default_box_format
from pellucid.ingest.box_formats import convert_to_pixels, overlap_share
from pellucid.ingest.references import Interpretation

MIN_SHARE, MIN_GAIN = 0.5, 0.3
"""Share of boxes that must overlap an annotation in the other place, and by how much more, if not
MUCH_BETTER_RATIO times as many."""
MAX_FRACTION = 1.05
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
    rows = most_confident_rows(source.score, len(annotations))
    rows = rows[image_refs.positions[source.image[rows]] >= 0]
    image_rows = image_refs.positions[source.image[rows]]
    is_known = images.width[image_rows] > 0
    rows, image_rows = rows[is_known], image_rows[is_known]
    if source.box is None or len(rows) < MIN_BOXES:
        return
    width, height = images.width[image_rows], images.height[image_rows]
    written = default_box_format(source)
    if source.box[rows].max(initial=0) <= MAX_FRACTION:
        written = replace(written, unit="fractions")
    box = convert_to_pixels(written, source.box[rows], width, height)
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
