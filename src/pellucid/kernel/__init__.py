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
PIECES = 8
"""How many pieces the work is cut into, so that threads end at about the same time."""


VERSION = 1
"""Of the functions and what they are called with; a library of another, left from before, is not used. See order.c."""


def load() -> ctypes.CDLL | None:
    """The library beside this file; None where it was not built or is another machine's."""
    path = os.path.join(os.path.dirname(__file__), "kernel.so")  # noqa: PTH118, PTH120 (the core knows no files)
    try:
        found = ctypes.CDLL(path)
        if found.kernel_version() != VERSION:
            return None
    except (OSError, AttributeError):
        return None
    found.match_runs.restype = ctypes.c_void_p
    found.read_results.restype = ctypes.c_int64
    return found


library = load()


class Annotations(ctypes.Structure):
    """Annotations by run, image and place in the input; see boxes.h."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("start", "image", "box", "ignore")]


class Settings(ctypes.Structure):
    """What COCO's figures are counted at; see coco.c."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("ious", "ranges", "recalls", "caps")]


def address(array: Any) -> ctypes.c_void_p:
    """Of a contiguous array; the caller keeps it alive."""
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)


def integer(value: int) -> ctypes.c_int64:
    return ctypes.c_int64(int(value))


def pieces(start: Any) -> list[tuple[int, int]]:
    """Consecutive runs with about as many rows each; start: int64 (runs + 1,)."""
    total, runs = int(start[-1] - start[0]), len(start) - 1
    if total < MANY:
        return [(0, runs)]
    cuts = np.searchsorted(start, start[0] + np.arange(1, PIECES) * total // PIECES)
    edges = np.unique(np.concatenate([[0], cuts, [runs]]))
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def cores() -> int:
    """Threads to work with: as many as the machine has cores, or as OMP_NUM_THREADS allows, as it does where others share the machine."""
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, int(allowed)) if allowed.isdecimal() else os.cpu_count() or 1


def side_by_side(call: Callable[[int, int], T], parts: Iterable[tuple[int, int]]) -> list[T]:
    """Call with each part, on as many threads as the machine has cores; results in the order of the parts."""
    parts = list(parts)
    if len(parts) == 1:
        return [call(*parts[0])]
    with ThreadPoolExecutor(cores()) as threads:
        return list(threads.map(lambda part: call(*part), parts))


def enough(result: Any) -> None:
    """What the library says when it could not get the memory it needs."""
    if result is None or result == -1:
        raise MemoryError
