"""The few loops that NumPy cannot do at once, in C. Whoever calls them has the same in NumPy, for where they could not be built.

The library is built with the wheel (see hatch_build.py) and loaded by ctypes, which lets go of Python's lock while it works.
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
"""Rows from which a second thread pays."""
MAX_CHUNKS = 8
"""How many pieces the work is cut into, so that threads end at about the same time."""


ABI_VERSION = 1
"""Of the functions and what they are called with; a library of another, left from before, is not used. See order.c."""


def load_library() -> ctypes.CDLL | None:
    """The library beside this file; None where it was not built or is another machine's."""
    path = os.path.join(os.path.dirname(__file__), "kernel.so")  # noqa: PTH118, PTH120 (the core knows no files)
    try:
        native = ctypes.CDLL(path)
        if native.kernel_version() != ABI_VERSION:
            return None
    except (OSError, AttributeError):
        return None
    native.match_runs.restype = ctypes.c_void_p
    native.read_results.restype = ctypes.c_int64
    return native


library = load_library()


class AnnotationPointers(ctypes.Structure):
    """Annotations by run, image and place in the input; see boxes.h."""

    _fields_ = [(field, ctypes.c_void_p) for field in ("start", "image", "box", "ignore")]


class CocoSettings(ctypes.Structure):
    """What COCO's figures are counted at; see coco.c."""

    _fields_ = [(field, ctypes.c_void_p) for field in ("ious", "ranges", "recalls", "caps")]


def pointer(array: Any) -> ctypes.c_void_p:
    """Of a contiguous array; the caller keeps it alive."""
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)


def int64_arg(int_value: int) -> ctypes.c_int64:
    return ctypes.c_int64(int(int_value))


def balanced_spans(run_starts: Any) -> list[tuple[int, int]]:
    """Consecutive runs with about as many rows each; start: int64 (runs + 1,)."""
    row_count, run_count = int(run_starts[-1] - run_starts[0]), len(run_starts) - 1
    if row_count < MANY:
        return [(0, run_count)]
    cut_indices = np.searchsorted(run_starts, run_starts[0] + np.arange(1, MAX_CHUNKS) * row_count // MAX_CHUNKS)
    edges = np.unique(np.concatenate([[0], cut_indices, [run_count]]))
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def thread_count() -> int:
    """Threads to work with: as many as the machine has cores, or as OMP_NUM_THREADS allows, as it does where others share the machine."""
    configured = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, int(configured)) if configured.isdecimal() else os.cpu_count() or 1


def run_parallel(task: Callable[[int, int], T], spans: Iterable[tuple[int, int]]) -> list[T]:
    """Call with each part, on as many threads as the machine has cores; results in the order of the parts."""
    spans = list(spans)
    if len(spans) == 1:
        return [task(*spans[0])]
    with ThreadPoolExecutor(thread_count()) as executor:
        return list(executor.map(lambda span: task(*span), spans))


def check_memory(result: Any) -> None:
    """What the library says when it could not get the memory it needs."""
    if result is None or result == -1:
        raise MemoryError
