"""Sort orders of rows: by key, by run, and the gallery order."""

from __future__ import annotations

import numpy as np

from pellucid import _native
from pellucid.core.tables import SPLITS, Images, Int32Array, Int64Array, Predictions


def counting_sort(row_keys: Int32Array, key_count: int) -> tuple[Int32Array, Int64Array]:
    """Stable counting sort of rows by key; returns the order and the start of each key.

    Returns int32 (n,) and int64 (keys + 1,).

    Args:
        row_keys: int32 (n,), from 0 to key_count - 1
    """
    row_keys = np.ascontiguousarray(row_keys, np.int32)
    order, key_starts = np.empty(len(row_keys), np.int32), np.zeros(key_count + 1, np.int64)
    if _native.library is None:
        np.cumsum(np.bincount(row_keys, minlength=key_count), out=key_starts[1:])
        order[:] = np.argsort(row_keys, kind="stable")
    else:
        pointer = _native.pointer
        _native.library.order_by_key(
            pointer(row_keys),
            _native.int64_arg(len(row_keys)),
            _native.int64_arg(key_count),
            pointer(key_starts),
            pointer(order),
        )
    return order, key_starts


def run_keys(
    concept_count: int, images: Images, image: Int32Array, concept: Int32Array
) -> Int32Array:
    """Run index of each row, from its split and concept."""
    return np.asarray(
        images.split[image].astype(np.int32) * np.int32(concept_count) + concept, np.int32
    )


def gallery_order(
    concept_count: int, images: Images, predictions: Predictions
) -> tuple[Int32Array, Int64Array]:
    """Rows by split, concept, score descending, image, input order; and the start of each run.

    Returns int32 (n,) and int64 (splits * concepts + 1,). A counting sort by run, then a sort
    within each run.
    """
    gallery_rows, run_starts = counting_sort(
        run_keys(concept_count, images, predictions.image, predictions.concept),
        len(SPLITS) * concept_count,
    )
    sort_runs_by_score(gallery_rows, run_starts, predictions)
    return gallery_rows, run_starts


def sort_runs_by_score(
    run_rows: Int32Array, run_starts: Int64Array, predictions: Predictions
) -> None:
    """Sort the rows of every run, in place, by score descending, image, input order."""
    score, image, input_order = predictions.score, predictions.image, predictions.order
    if _native.library is None:
        run_index = np.repeat(np.arange(len(run_starts) - 1), np.diff(run_starts))
        run_rows[:] = run_rows[
            np.lexsort((input_order[run_rows], image[run_rows], -score[run_rows], run_index))
        ]
        return
    library, pointer, int64_arg = _native.library, _native.pointer, _native.int64_arg
    score, image, input_order = (
        np.ascontiguousarray(score),
        np.ascontiguousarray(image),
        np.ascontiguousarray(input_order, np.int32),
    )

    def sort_span(first_run: int, last_run: int) -> None:
        _native.check_memory(
            library.sort_runs(
                int64_arg(first_run),
                int64_arg(last_run),
                pointer(run_starts),
                pointer(score),
                pointer(image),
                pointer(input_order),
                pointer(run_rows),
            )
        )

    _native.run_parallel(sort_span, _native.balance_spans(run_starts))
