"""Native (C) versions of loops that NumPy cannot vectorise. Callers fall back to NumPy if the
library was not built.

The library is built with the wheel (see hatch_build.py) and loaded with ctypes, which releases the
GIL during calls.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

MANY = 50_000
"""Minimum number of rows for which several threads are used."""
MAX_CHUNKS = 8
"""Maximum number of chunks the work is split into, so that threads finish at about the same time.
"""


ABI_VERSION = 3
"""ABI version of the native functions; a library with another version is not used. See order.c."""


BUILT_LIBRARY = os.path.join(os.path.dirname(__file__), "kernel.so")


def load_library(path: str = BUILT_LIBRARY) -> ctypes.CDLL | None:
    """Load the compiled kernel; None if it was not built or does not fit this machine."""
    try:
        native = ctypes.CDLL(path)
        if native.kernel_version() != ABI_VERSION:
            return None
    except (OSError, AttributeError):
        return None
    native.match_runs.restype = ctypes.c_void_p
    native.read_results.restype = ctypes.c_int64
    native.rasterize_polygons.restype = ctypes.c_int64
    return native


library = load_library()


class AnnotationPointers(ctypes.Structure):
    """Annotations sorted by run, image and input order; see boxes.h."""

    _fields_ = [(field, ctypes.c_void_p) for field in ("start", "image", "box", "ignore")]


class CocoSettings(ctypes.Structure):
    """Evaluation settings of the COCO metrics; see coco.c."""

    _fields_ = [(field, ctypes.c_void_p) for field in ("ious", "ranges", "recalls", "caps")]


class Shapes(ctypes.Structure):
    """Masks or oriented boxes of one side; see masks.h."""

    _fields_ = [
        (field, ctypes.c_void_p) for field in ("text", "start", "height", "box", "area", "corners")
    ]


def pointer(array: Any) -> ctypes.c_void_p:
    """Pointer to the data of a contiguous array; the caller must keep the array alive."""
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)


def int64_arg(int_value: int) -> ctypes.c_int64:
    return ctypes.c_int64(int(int_value))


def balance_spans(run_starts: Any) -> list[tuple[int, int]]:
    """Split runs into consecutive spans of about equally many rows

    Args:
        run_starts: int64 (runs + 1,)
    """
    row_count, run_count = int(run_starts[-1] - run_starts[0]), len(run_starts) - 1
    if row_count < MANY:
        return [(0, run_count)]
    cut_indices = np.searchsorted(
        run_starts, run_starts[0] + np.arange(1, MAX_CHUNKS) * row_count // MAX_CHUNKS
    )
    edges = np.unique(np.concatenate([[0], cut_indices, [run_count]]))
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def thread_count() -> int:
    """Number of threads: OMP_NUM_THREADS if set (e.g. on a shared machine), else the number of
    cores."""
    configured = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, int(configured)) if configured.isdecimal() else os.cpu_count() or 1


def run_parallel(task: Callable[[int, int], T], spans: Iterable[tuple[int, int]]) -> list[T]:
    """Call `task` with each span, on `thread_count()` threads; results are in the order of the
    spans."""
    spans = list(spans)
    if len(spans) == 1:
        return [task(*spans[0])]
    with ThreadPoolExecutor(thread_count()) as executor:
        return list(executor.map(lambda span: task(*span), spans))


def check_memory(result: Any) -> None:
    """Raise MemoryError if a native call returned its out-of-memory code."""
    if result is None or result == -1:
        raise MemoryError
