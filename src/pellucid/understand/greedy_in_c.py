"""Greedy matching of boxes by the kernel: bit for bit what `greedy` says.

Images do not touch each other, so each run (split and concept) is walked once, best score first, whatever images its boxes are of.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np

from pellucid import kernel
from pellucid.columns import SPLITS, Annotations, Floats, Images, Integers, Longs, Predictions
from pellucid.understand.orders import order_by_key, run_keys
from pellucid.understand.outcomes import WRONG, Matching, Staircase


@dataclass(frozen=True, eq=False)
class ByRun:
    """Annotations by run, then image, then place in the input. row: the annotation behind a place · start: int64 (runs + 1,)."""

    row: Integers
    start: Longs
    image: Integers
    box: Floats
    ignore: np.ndarray

    @property
    def structure(self) -> kernel.Annotations:
        return kernel.Annotations(*(kernel.address(column) for column in (self.start, self.image, self.box, self.ignore)))


def by_run(annotations: Annotations, key: Integers, runs: int, images: int) -> ByRun:
    """key: int32 (annotations,), the run of each."""
    assert annotations.box is not None
    by_image, _ = order_by_key(annotations.image, images)
    within, start = order_by_key(key[by_image], runs)
    row = by_image[within]
    ignore = np.ascontiguousarray(annotations.ignore[row]).view(np.uint8)
    return ByRun(row, start, np.ascontiguousarray(annotations.image[row]), np.ascontiguousarray(annotations.box[row]), ignore)


def match_boxes(
    images: Images, annotations: Annotations, predictions: Predictions, start: Longs, iou: float, concepts: int
) -> Matching:  # fmt: skip
    """See `greedy.match_boxes`; start: where the predictions' runs begin."""
    assert predictions.box is not None
    runs = len(SPLITS) * concepts
    there = by_run(annotations, run_keys(concepts, images, annotations.image, annotations.concept), runs, len(images))
    state = np.full(len(predictions), WRONG, np.int8)
    partner = np.full(len(predictions), -1, np.int32)
    overlap = np.full(len(predictions), np.nan)
    answer = np.full(len(annotations), -1, np.int32)
    top = np.full(len(annotations), -1, np.int32)
    columns = [np.ascontiguousarray(column) for column in (predictions.score, predictions.image, predictions.box)]
    place, integer, library = kernel.address, kernel.integer, kernel.library
    assert library is not None
    structure = there.structure

    def walk(first: int, last: int) -> int:
        slot = np.full(len(images), -1, np.int32)
        steps = library.match_runs(
            integer(first), integer(last), place(start), *(place(column) for column in columns), ctypes.byref(structure),
            place(there.row), ctypes.c_double(iou), place(slot), place(state), place(partner), place(overlap), place(answer), place(top),
        )  # fmt: skip
        kernel.enough(steps)
        return int(steps)

    parts = kernel.pieces(start)
    found = kernel.side_by_side(walk, parts)
    stairs = staircase(found, parts, there, top)
    return Matching(state, partner, overlap, answer, np.full(len(annotations), -1, np.int32), stairs)


def staircase(found: list[int], parts: list[tuple[int, int]], there: ByRun, top: Integers) -> Staircase:
    """Gather the steps of all parts by annotation, and let the kernel's memory go."""
    place, library = kernel.address, kernel.library
    assert library is not None
    spans = [(kernel.integer(there.start[first]), kernel.integer(there.start[last])) for first, last in parts]
    start = np.zeros(len(top) + 1, np.int64)
    for steps, span in zip(found, spans, strict=True):
        library.count_steps(ctypes.c_void_p(steps), *span, place(there.row), place(top), ctypes.c_void_p(start.ctypes.data + 8))
    np.cumsum(start, out=start)
    score, value = np.empty(start[-1]), np.empty(start[-1])
    for steps, span in zip(found, spans, strict=True):
        library.place_steps(ctypes.c_void_p(steps), *span, place(there.row), place(top), place(start), place(score), place(value))
        library.free_steps(ctypes.c_void_p(steps))
    return Staircase(start, score, value)
