"""Orders of rows: by concept, by image, and the gallery's own."""

from __future__ import annotations

import numpy as np

from pellucid import kernel
from pellucid.columns import SPLITS, Images, Integers, Longs, Predictions


def order_by_key(key: Integers, keys: int) -> tuple[Integers, Longs]:
    """Rows by key, ties as they come, and where each key's begin.

    key: int32 (n,), from 0 to keys - 1. Returns int32 (n,) and int64 (keys + 1,).
    """
    key = np.ascontiguousarray(key, np.int32)
    order, start = np.empty(len(key), np.int32), np.zeros(keys + 1, np.int64)
    if kernel.library is None:
        np.cumsum(np.bincount(key, minlength=keys), out=start[1:])
        order[:] = np.argsort(key, kind="stable")
    else:
        place = kernel.address
        kernel.library.order_by_key(place(key), kernel.integer(len(key)), kernel.integer(keys), place(start), place(order))
    return order, start


def run_keys(concepts: int, images: Images, image: Integers, concept: Integers) -> Integers:
    """The number of each row's run: its split and concept."""
    return np.asarray(images.split[image].astype(np.int32) * np.int32(concepts) + concept, np.int32)


def gallery_order(concepts: int, images: Images, predictions: Predictions) -> tuple[Integers, Longs]:
    """Rows by split, concept, score descending, image, input order; and where each split's and concept's begin.

    Returns int32 (n,) and int64 (splits * concepts + 1,). A counting sort by run, then each run alone.
    """
    rows, start = order_by_key(run_keys(concepts, images, predictions.image, predictions.concept), len(SPLITS) * concepts)
    best_first(rows, start, predictions)
    return rows, start


def best_first(rows: Integers, start: Longs, predictions: Predictions) -> None:
    """Sort the rows of every run, in place, by score descending, image, input order."""
    score, image, order = predictions.score, predictions.image, predictions.order
    if kernel.library is None:
        run = np.repeat(np.arange(len(start) - 1), np.diff(start))
        rows[:] = rows[np.lexsort((order[rows], image[rows], -score[rows], run))]
        return
    library, place, integer = kernel.library, kernel.address, kernel.integer
    score, image, order = np.ascontiguousarray(score), np.ascontiguousarray(image), np.ascontiguousarray(order, np.int32)

    def sort(first: int, last: int) -> None:
        kernel.enough(library.sort_runs(integer(first), integer(last), place(start), place(score), place(image), place(order), place(rows)))

    kernel.side_by_side(sort, kernel.pieces(start))


def positions_in(order: Integers, number: int) -> Integers:
    """The reverse of an order: where each of `number` rows stands, -1 where it does not."""
    place = np.full(number, -1, np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    return place
