"""Boxes whose numbers have y before x: refused where they lie inside their images in that order
alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.core.tables import Annotations, Float64Array, Images, Int32Array
from pellucid.formats.dataset import BoxShape
from pellucid.formats.errors import BoxFormatRequiredError
from pellucid.images.sizes import load_orientations
from pellucid.ingest.checks import image_locations

MIN_OUTSIDE_SHARE, MIN_OUTSIDE = 0.03, 3
"""Share and number of boxes that must leave their image in the order that the format defines."""
MAX_IMAGES_READ = 50


def reject_exchanged_axes(
    path: str,
    shape: BoxShape,
    shares: tuple[float, float],
    annotations: Annotations,
    images: Images,
    folders: Sequence[str],
) -> None:
    """Raise BoxFormatRequiredError if the boxes leave their images as written, and not with x and y
    exchanged. Images that EXIF turns are another explanation, which is handled elsewhere.

    Args:
        shares: of boxes inside their image, as written and exchanged
    """
    as_written, exchanged = shares
    outside = round((1 - as_written) * len(annotations))
    is_clear = as_written <= 1 - MIN_OUTSIDE_SHARE and outside >= MIN_OUTSIDE
    if shape != "xywh" or not is_clear or exchanged < 1:
        return
    if are_images_turned(np.unique(annotations.image), images, folders):
        return
    raise BoxFormatRequiredError(
        path,
        f"{1 - as_written:.0%} of its boxes extend outside their image as [x, y, width, height], "
        "and none as [y, x, height, width]; the widths and heights of the images could be "
        "exchanged as well",
        ("yxhw-pixels", "xywh-pixels"),
    )


def are_images_turned(rows: Int32Array, images: Images, folders: Sequence[str]) -> bool:
    """Whether EXIF turns one of the first images of these rows."""
    rows = rows[images.root[rows] >= 0][:MAX_IMAGES_READ]
    locations = image_locations(images, list(folders), rows)
    return any(orientation >= 5 for orientation, _ in load_orientations(locations))


def exchange_axes(numbers: Float64Array) -> Float64Array:
    """[x, y, width, height] of [y, x, height, width]. numbers: float64 (n, 4)."""
    return numbers[:, [1, 0, 3, 2]]
