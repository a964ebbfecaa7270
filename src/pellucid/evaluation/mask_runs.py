"""Masks from polygons and boxes, and what follows from their runs: boxes, areas, intersections.

Without the kernel everything is computed here, run by run; with it the same bits are computed in
`masks.c`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pellucid import _native
from pellucid.core.masks import Masks, concat_masks, create_masks, decode_counts, encode_counts
from pellucid.core.tables import BoolArray, Float64Array, Int32Array, Int64Array

SUBPIXELS = 5
"""Points of an edge are found on a grid of a fifth of a pixel, as pycocotools does."""


def object_runs(counts: Sequence[int]) -> tuple[Int64Array, Int64Array]:
    """First pixel of each run of the object, and the pixel after its last, counted down the
    columns."""
    edges = np.concatenate([[0], np.cumsum(np.asarray(counts, np.int64))])
    begins, ends = edges[1:-1:2], edges[2::2]
    is_empty = begins == ends
    return begins[~is_empty], ends[~is_empty]


def counts_of_runs(begins: Int64Array, ends: Int64Array, pixels: int) -> list[int]:
    """Run lengths from sorted runs of the object that may touch or overlap.

    Args:
        pixels: of the image
    """
    edges: list[int] = [0]
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        if len(edges) > 1 and begin <= edges[-1]:
            edges[-1] = max(edges[-1], end)
        else:
            edges += [begin, end]
    if edges[-1] < pixels:
        edges.append(pixels)
    counts: list[int] = np.diff(edges).tolist()
    return counts


def union_counts(parts: Sequence[Sequence[int]], pixels: int) -> list[int]:
    """Run lengths of the union of several masks of one image."""
    runs = [object_runs(counts) for counts in parts]
    begins = np.concatenate([begin for begin, _ in runs] or [np.zeros(0, np.int64)])
    ends = np.concatenate([end for _, end in runs] or [np.zeros(0, np.int64)])
    order = np.argsort(begins, kind="stable")
    return counts_of_runs(begins[order], ends[order], pixels)


def polygon_counts(polygon: Sequence[float], height: int, width: int) -> list[int]:
    """Run lengths of the pixels inside a polygon `x, y, x, y, ...` in pixels.

    The same pixels as pycocotools' `frPoly`: edges are walked on a grid of a fifth of a pixel;
    where they cross the middle of a column, the column's runs begin and end.
    """
    points = np.array(polygon, float).reshape(-1, 2)
    grid = np.trunc(SUBPIXELS * points + 0.5).astype(np.int64)
    columns, rows = walk_edges(grid)
    is_step = columns[1:] != columns[:-1]
    column = np.minimum(columns[1:], columns[:-1])[is_step]
    row = np.minimum(rows[1:], rows[:-1])[is_step]
    crossed = (column + 0.5) / SUBPIXELS - 0.5
    is_middle = (np.floor(crossed) == crossed) & (crossed >= 0) & (crossed <= width - 1)
    first_row = np.ceil(np.clip((row[is_middle] + 0.5) / SUBPIXELS - 0.5, 0, height))
    edges = np.sort(crossed[is_middle].astype(np.int64) * height + first_row.astype(np.int64))
    return toggle_counts(edges, height * width)


def walk_edges(grid: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Every grid point on the edges of a closed polygon, in order. grid: int64 (n, 2)."""
    columns, rows = [], []
    for (x, y), (next_x, next_y) in zip(grid, np.roll(grid, -1, axis=0), strict=True):
        distance_x, distance_y = abs(next_x - x), abs(next_y - y)
        is_flat = distance_x >= distance_y
        is_reversed = x > next_x if is_flat else y > next_y
        begin, end = ((next_x, next_y), (x, y)) if is_reversed else ((x, y), (next_x, next_y))
        steps = np.arange(max(distance_x, distance_y) + 1)
        if is_reversed:
            steps = steps[::-1]
        along, across = (0, 1) if is_flat else (1, 0)
        length = end[along] - begin[along]
        slope = (end[across] - begin[across]) / length if length else 0.0
        moved = np.trunc(begin[across] + slope * steps + 0.5).astype(np.int64)
        columns.append(begin[0] + steps if is_flat else moved)
        rows.append(moved if is_flat else begin[1] + steps)
    return np.concatenate(columns), np.concatenate(rows)


def toggle_counts(edges: Int64Array, pixels: int) -> list[int]:
    """Run lengths when background and object change at each of the sorted pixels; two changes at
    the same pixel cancel out."""
    pixel, change_count = np.unique(edges, return_counts=True)
    changes = pixel[change_count % 2 == 1]
    changes = changes[changes < pixels]
    counts: list[int] = np.diff(np.concatenate([[0], changes, [pixels]])).tolist()
    return counts


def box_polygon(box: Sequence[float]) -> list[float]:
    """The corners of a box [left, top, width, height], as pycocotools' `frBbox` lists them."""
    left, top, width, height = box
    right, bottom = left + width, top + height
    return [left, top, left, bottom, right, bottom, right, top]


class MaskMeasures(NamedTuple):
    """The box, area and size of masks.

    Attributes:
        box: float64 (n, 4), the box around each mask [left, top, width, height], and area: float64
            (n,), both in pixels, zeros for an empty mask
        pixels: int64 (n,), of all its runs together, -1 if they cannot be read
    """

    box: Float64Array
    area: Float64Array
    pixels: Int64Array


def measure_masks(masks: Masks) -> MaskMeasures:
    """The bounding box, area and number of pixels of each mask."""
    box, area = np.zeros((len(masks), 4)), np.zeros(len(masks))
    pixels = np.zeros(len(masks), np.int64)
    library = _native.library
    if library is not None:
        pointer = _native.pointer
        arrays = (*contiguous(masks), box, area, pixels)

        def measure_span(first: int, last: int) -> None:
            _native.check_memory(
                library.measure_masks(
                    _native.int64_arg(first),
                    _native.int64_arg(last),
                    *(pointer(array) for array in arrays),
                )
            )

        _native.run_parallel(measure_span, even_spans(len(masks)))
        return MaskMeasures(box, area, pixels)
    for row in range(len(masks)):
        counts = decode_counts(masks.counts(row))
        begins, ends = object_runs(counts)
        is_readable = len(counts) > 0 or masks.start[row] == masks.start[row + 1]
        pixels[row] = sum(counts) if is_readable else -1
        if len(begins) and masks.height[row] > 0:
            box[row] = box_around(begins, ends, int(masks.height[row]))
            area[row] = (ends - begins).sum()
    return MaskMeasures(box, area, pixels)


def box_around(begins: Int64Array, ends: Int64Array, height: int) -> list[int]:
    """The bounding box `[left, top, width, height]`, in pixels, of runs of a mask.

    Args:
        begins, ends: pixels in the order of columns; a run does not contain its end
        height: of the image
    """
    first_column, last_column = begins // height, (ends - 1) // height
    is_tall = first_column != last_column
    top = np.where(is_tall, 0, begins % height).min()
    bottom = np.where(is_tall, height - 1, (ends - 1) % height).max()
    left, right = first_column[0], last_column[-1]
    return [left, top, right - left + 1, bottom - top + 1]


def pairwise_mask_iou(
    predicted: Masks,
    predicted_rows: Int64Array,
    annotated: Masks,
    annotated_rows: Int64Array,
    is_ignored: BoolArray,
) -> Float64Array:
    """IoU of the masks predicted[predicted_rows[i]] and annotated[annotated_rows[i]].

    Args:
        is_ignored: bool (n,); there the union is the area of the predicted mask. Equal to
            pycocotools' `rleIou`; 0 for masks of images of different heights.
    """
    iou = np.zeros(len(predicted_rows))
    library = _native.library
    if library is not None:
        pointer = _native.pointer
        arrays = [
            *contiguous(predicted),
            np.ascontiguousarray(predicted_rows, np.int64),
            *contiguous(annotated),
            np.ascontiguousarray(annotated_rows, np.int64),
            np.ascontiguousarray(is_ignored).view(np.uint8),
            iou,
        ]

        def compute_span(first: int, last: int) -> None:
            _native.check_memory(
                library.mask_pairs(
                    _native.int64_arg(first),
                    _native.int64_arg(last),
                    *(pointer(array) for array in arrays),
                )
            )

        _native.run_parallel(compute_span, even_spans(len(iou)))
        return iou
    for pair, (own, other) in enumerate(zip(predicted_rows, annotated_rows, strict=True)):
        if predicted.height[own] == annotated.height[other]:
            iou[pair] = iou_of_counts(
                decode_counts(predicted.counts(own)),
                decode_counts(annotated.counts(other)),
                bool(is_ignored[pair]),
            )
    return iou


PARALLEL_ROWS = 1_000
"""Rows above which they are computed by several threads."""


def even_spans(row_count: int) -> list[tuple[int, int]]:
    """The first row, and the one behind the last, of the spans that are measured in parallel."""
    if row_count < PARALLEL_ROWS:
        return [(0, row_count)]
    edges = np.linspace(0, row_count, _native.MAX_CHUNKS + 1).astype(int).tolist()
    return list(pairwise(edges))


def iou_of_counts(predicted: Sequence[int], annotated: Sequence[int], is_ignored: bool) -> float:
    """The IoU of two masks of one image.

    Args:
        predicted, annotated: lengths of runs, as COCO has them
        is_ignored: of the annotation: the intersection is divided by the area of the prediction
    """
    begins, ends = object_runs(predicted)
    other_begins, other_ends = object_runs(annotated)
    covered = np.concatenate([[0], np.cumsum(other_ends - other_begins)])
    before_end = count_before(ends, other_begins, other_ends, covered)
    before_begin = count_before(begins, other_begins, other_ends, covered)
    intersection = int((before_end - before_begin).sum())
    area = int((ends - begins).sum())
    union = area if is_ignored else area + int(covered[-1]) - intersection
    return intersection / union if intersection else 0.0


def count_before(
    pixels: Int64Array, begins: Int64Array, ends: Int64Array, covered: Int64Array
) -> Int64Array:
    """For each pixel, how many pixels of the runs come before it.

    Args:
        covered: int64 (runs + 1,), the pixels of all runs before each
    """
    if not len(begins):
        return np.zeros(len(pixels), np.int64)
    run = np.searchsorted(begins, pixels, side="right")
    inside = np.where(run > 0, np.minimum(pixels, ends[run - 1]) - begins[run - 1], 0)
    return np.asarray(covered[np.maximum(run - 1, 0)] + inside)


def contiguous(masks: Masks) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The columns of masks as the native library reads them."""
    return (
        np.ascontiguousarray(masks.text),
        np.ascontiguousarray(masks.start),
        np.ascontiguousarray(masks.height),
    )


Polygons = Sequence[Sequence[float]]
"""Each `x, y, x, y, ...` in pixels."""


def masks_of_polygons(objects: Sequence[Polygons], height: Int32Array, width: Int32Array) -> Masks:
    """The mask of each object: the pixels inside any of its polygons.

    Args:
        height, width: int32 (n,), of the images in pixels
    """
    if _native.library is None:
        return create_masks(
            (
                text_of_polygons(polygons, int(rows), int(columns))
                for polygons, rows, columns in zip(objects, height, width, strict=True)
            ),
            height,
            width,
        )
    edges = range(0, len(objects) + 1, OBJECTS_PER_CALL)
    spans = list(zip(edges, [*edges[1:], len(objects)], strict=True))
    return concat_masks(
        _native.run_parallel(
            lambda first, last: rasterize_native(
                objects[first:last], height[first:last], width[first:last]
            ),
            spans,
        )
    )


OBJECTS_PER_CALL = 2_000


def rasterize_native(objects: Sequence[Polygons], height: Int32Array, width: Int32Array) -> Masks:
    """The masks of polygons, by the native library: see `rasterize`."""
    polygons = [np.asarray(polygon, float) for polygons in objects for polygon in polygons]
    polygon_start = offsets([len(polygons) for polygons in objects])
    point_start = offsets([len(polygon) // 2 for polygon in polygons])
    points = np.concatenate(
        [*(polygon[: len(polygon) // 2 * 2] for polygon in polygons), np.zeros(0)]
    )
    height, width = np.ascontiguousarray(height, np.int32), np.ascontiguousarray(width, np.int32)
    start = np.zeros(len(objects) + 1, np.int64)
    room = 1 << 20
    pointer, library = _native.pointer, _native.library
    assert library is not None
    while True:
        text = np.empty(room, np.uint8)
        written = library.rasterize_polygons(
            _native.int64_arg(len(objects)),
            *(
                pointer(array)
                for array in (polygon_start, point_start, points, height, width, text)
            ),
            _native.int64_arg(room),
            pointer(start),
        )
        _native.check_memory(written)
        if written == len(objects):
            return Masks(text[: start[-1]].copy(), start, height, width)
        room *= 4


def offsets(lengths: Sequence[int]) -> Int64Array:
    """Where each of several lists of these lengths begins in all of them; int64 (n + 1,)."""
    start = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=start[1:])
    return start


def text_of_polygons(polygons: Polygons, height: int, width: int) -> str:
    """The mask that is covered by any of the polygons, as compressed run lengths."""
    parts = [polygon_counts(polygon, height, width) for polygon in polygons]
    counts = parts[0] if len(parts) == 1 else union_counts(parts, height * width)
    return encode_counts(counts)
