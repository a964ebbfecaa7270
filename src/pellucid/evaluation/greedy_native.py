"""Greedy box matching by the kernel, bitwise equal to `greedy_numpy`.

Images are independent, so each run (split and concept) is processed once, by descending score,
across its images.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import _native
from pellucid.core.masks import Masks
from pellucid.core.tables import (
    SPLITS,
    Annotations,
    Float64Array,
    Images,
    Int32Array,
    Int64Array,
    Predictions,
)
from pellucid.evaluation.mask_runs import contiguous, measure_masks
from pellucid.evaluation.match_result import WRONG, BestOverlapSteps, Matching
from pellucid.evaluation.sorting import counting_sort, run_keys


@dataclass(frozen=True, eq=False)
class RunAnnotations:
    """Annotations sorted by run, image and input order.

    Attributes:
        annotation_rows: their rows in the table
        run_starts: int64 (runs + 1,)
        mask: None if boxes are compared
    """

    annotation_rows: Int32Array
    run_starts: Int64Array
    image: Int32Array
    box: Float64Array
    ignore: np.ndarray
    mask: Masks | None
    corners: Float64Array | None

    @property
    def pointers(self) -> _native.AnnotationPointers:
        """The columns as arguments of the native library."""
        return _native.AnnotationPointers(
            *(
                _native.pointer(array)
                for array in (self.run_starts, self.image, self.box, self.ignore)
            )
        )


def group_by_run(
    annotations: Annotations, run_key: Int32Array, run_count: int, image_count: int
) -> RunAnnotations:
    """run_key: int32 (annotations,), the run of each annotation."""
    assert annotations.box is not None
    image_order, _ = counting_sort(annotations.image, image_count)
    run_order, run_starts = counting_sort(run_key[image_order], run_count)
    annotation_rows = image_order[run_order]
    ignore = np.ascontiguousarray(annotations.ignore[annotation_rows]).view(np.uint8)
    return RunAnnotations(
        annotation_rows,
        run_starts,
        np.ascontiguousarray(annotations.image[annotation_rows]),
        np.ascontiguousarray(annotations.box[annotation_rows]),
        ignore,
        None if annotations.mask is None else annotations.mask[annotation_rows],
        None if annotations.corners is None else annotations.corners[annotation_rows],
    )


class NativeShapes:
    """The masks or the oriented boxes of one side for the kernel; `reference` is a null pointer if
    boxes are compared."""

    def __init__(self, masks: Masks | None, corners: Float64Array | None) -> None:
        self.reference: Any = None
        arrays: dict[str, Any] = {}
        if masks is not None:
            box, area, _ = measure_masks(masks)
            names = ("text", "start", "height", "box", "area")
            arrays = dict(zip(names, (*contiguous(masks), box, area), strict=True))
        elif corners is not None:
            arrays = {"corners": np.ascontiguousarray(corners)}
        if arrays:
            pointers = {name: _native.pointer(array) for name, array in arrays.items()}
            self._arrays, self._shapes = arrays, _native.Shapes(**pointers)
            self.reference = ctypes.byref(self._shapes)


def native_shapes(
    predictions: Predictions, annotations: RunAnnotations
) -> tuple[NativeShapes, NativeShapes]:
    """The shapes of both sides if both have them, else none."""
    sides = predictions, annotations
    has_masks = all(side.mask is not None for side in sides)
    has_corners = all(side.corners is not None for side in sides)
    predicted, annotated = (
        NativeShapes(side.mask if has_masks else None, side.corners if has_corners else None)
        for side in sides
    )
    return predicted, annotated


def match_boxes_native(
    images: Images,
    annotations: Annotations,
    predictions: Predictions,
    run_starts: Int64Array,
    iou_threshold: float,
    concept_count: int,
) -> Matching:
    """See `greedy_numpy.match_boxes_numpy`; run_starts: the start of each run of predictions."""
    assert predictions.box is not None
    run_count = len(SPLITS) * concept_count
    run_annotations = group_by_run(
        annotations,
        run_keys(concept_count, images, annotations.image, annotations.concept),
        run_count,
        len(images),
    )
    state = np.full(len(predictions), WRONG, np.int8)
    partner = np.full(len(predictions), -1, np.int32)
    overlap = np.full(len(predictions), np.nan)
    matched_by = np.full(len(annotations), -1, np.int32)
    top_steps = np.full(len(annotations), -1, np.int32)
    prediction_arrays = [
        np.ascontiguousarray(array)
        for array in (predictions.score, predictions.image, predictions.box)
    ]
    pointer, int64_arg, library = _native.pointer, _native.int64_arg, _native.library
    assert library is not None
    annotation_pointers = run_annotations.pointers
    predicted_shapes, annotated_shapes = native_shapes(predictions, run_annotations)

    def match_span(first_run: int, last_run: int) -> int:
        image_slots = np.full(len(images), -1, np.int32)
        step_handle = library.match_runs(
            int64_arg(first_run),
            int64_arg(last_run),
            pointer(run_starts),
            *(pointer(array) for array in prediction_arrays),
            ctypes.byref(annotation_pointers),
            predicted_shapes.reference,
            annotated_shapes.reference,
            pointer(run_annotations.annotation_rows),
            ctypes.c_double(iou_threshold),
            pointer(image_slots),
            pointer(state),
            pointer(partner),
            pointer(overlap),
            pointer(matched_by),
            pointer(top_steps),
        )
        _native.check_memory(step_handle)
        return int(step_handle)

    spans = _native.balance_spans(run_starts)
    step_handles = _native.run_parallel(match_span, spans)
    overlap_steps = gather_overlap_steps(step_handles, spans, run_annotations, top_steps)
    return Matching(
        state, partner, overlap, matched_by, np.full(len(annotations), -1, np.int32), overlap_steps
    )


def gather_overlap_steps(
    step_handles: list[int],
    run_spans: list[tuple[int, int]],
    run_annotations: RunAnnotations,
    top_steps: Int32Array,
) -> BestOverlapSteps:
    """Collect the steps of all spans by annotation, and free the kernel's memory."""
    pointer, library = _native.pointer, _native.library
    assert library is not None
    annotation_spans = [
        (
            _native.int64_arg(run_annotations.run_starts[first_run]),
            _native.int64_arg(run_annotations.run_starts[last_run]),
        )
        for first_run, last_run in run_spans
    ]
    start = np.zeros(len(top_steps) + 1, np.int64)
    for step_handle, annotation_span in zip(step_handles, annotation_spans, strict=True):
        library.count_steps(
            ctypes.c_void_p(step_handle),
            *annotation_span,
            pointer(run_annotations.annotation_rows),
            pointer(top_steps),
            ctypes.c_void_p(start.ctypes.data + 8),
        )
    np.cumsum(start, out=start)
    score, iou = np.empty(start[-1]), np.empty(start[-1])
    for step_handle, annotation_span in zip(step_handles, annotation_spans, strict=True):
        library.place_steps(
            ctypes.c_void_p(step_handle),
            *annotation_span,
            pointer(run_annotations.annotation_rows),
            pointer(top_steps),
            pointer(start),
            pointer(score),
            pointer(iou),
        )
        library.free_steps(ctypes.c_void_p(step_handle))
    return BestOverlapSteps(start, score, iou)
