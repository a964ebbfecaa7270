"""An order in which what looks alike lies together."""

from __future__ import annotations

import numpy as np

from pellucid.core.tables import Float64Array, Int64Array


def chained(features: Float64Array) -> Int64Array:
    """An order of the rows of `features`, (n, d): the first row, and then always the nearest of those left (ties: the earlier one).

    NaN rows, of which nothing is known, come last, as they are. Costs n².
    """
    known = np.flatnonzero(~np.isnan(features).any(axis=1))
    unknown = np.flatnonzero(np.isnan(features).any(axis=1))
    if not len(known):
        return unknown
    points = features[known].astype(np.float32)
    norms = (points**2).sum(axis=1)
    left = np.ones(len(points), bool)
    order = [0]
    left[0] = False
    for _ in range(len(points) - 1):
        here = order[-1]
        distance = norms - 2 * (points @ points[here])
        distance[~left] = np.inf
        nearest = int(np.argmin(distance))
        order.append(nearest)
        left[nearest] = False
    return np.concatenate([known[order], unknown])
