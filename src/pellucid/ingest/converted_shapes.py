"""Predicted shapes beside boxes that were read in another form than written."""

from __future__ import annotations

import numpy as np

from pellucid.core.outlines import parse_outlines
from pellucid.core.tables import Annotations, Float64Array, Images, Int32Array, Int64Array
from pellucid.formats.dataset import ParsedPredictions
from pellucid.ingest.box_format_shares import mean_ious
from pellucid.ingest.errors import UnconvertedShapesError

SAMPLED_SHAPES = 200
SAME_EXTENTS = 0.9
"""Mean IoU from which the boxes of a file are the extents of its shapes."""


def reject_unconverted_shapes(
    source: ParsedPredictions,
    converted: ParsedPredictions,
    image_rows: Int32Array,
    images: Images,
    annotations: Annotations,
) -> None:
    """Raises UnconvertedShapesError if the boxes were read in another form than written, and are
    the extents of shapes, which would be compared as they are written.

    Args:
        image_rows: of each prediction, -1 for unknown images
    """
    if converted.box is source.box or source.box is None or converted.box is None:
        return
    if source.outline is None or annotations.outline is None:
        return
    rows, extents = sample_extents(source)
    is_known = image_rows[rows] >= 0
    rows, extents = rows[is_known], extents[is_known]
    if not len(rows):
        return
    before = mean_ious(extents, source.box[rows][None])[0]
    if source.outline_unit == "fractions":
        width, height = images.width[image_rows[rows]], images.height[image_rows[rows]]
        extents = extents * np.stack([width, height, width, height], axis=1)
    after = mean_ious(extents, converted.box[rows][None])[0]
    if before >= SAME_EXTENTS > after:
        raise UnconvertedShapesError(source.path)


def sample_extents(source: ParsedPredictions) -> tuple[Int64Array, Float64Array]:
    """Rows with polygons, and the box around each, [left, top, width, height], as written."""
    assert source.outline is not None
    outlines = source.outline[:SAMPLED_SHAPES].tolist()
    rows, extents = [], []
    for row, shape in enumerate(parse_outlines(outlines, len(outlines))):
        if isinstance(shape, list):
            points = np.array([number for polygon in shape for number in polygon]).reshape(-1, 2)
            start = points.min(axis=0)
            rows.append(row)
            extents.append([*start, *(points.max(axis=0) - start)])
    return np.array(rows, np.int64), np.array(extents, float).reshape(-1, 4)
