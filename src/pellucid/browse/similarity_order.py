"""Order items so that similar ones are adjacent."""

from __future__ import annotations

import numpy as np

from pellucid.core.tables import Float64Array, Int64Array


def nearest_neighbour_order(features: Float64Array) -> Int64Array:
    """An order of the rows of `features`, (n, d): the first row, then repeatedly the nearest
    remaining row (ties: the earliest).

    Rows with NaN come last, in their original order. Costs O(n²).
    """
    known_rows = np.flatnonzero(~np.isnan(features).any(axis=1))
    unknown_rows = np.flatnonzero(np.isnan(features).any(axis=1))
    if not len(known_rows):
        return unknown_rows
    points = features[known_rows].astype(np.float32)
    squared_norms = (points**2).sum(axis=1)
    is_unvisited = np.ones(len(points), bool)
    visit_order = [0]
    is_unvisited[0] = False
    for _ in range(len(points) - 1):
        current = visit_order[-1]
        distances = squared_norms - 2 * (points @ points[current])
        distances[~is_unvisited] = np.inf
        next_point = int(np.argmin(distances))
        visit_order.append(next_point)
        is_unvisited[next_point] = False
    return np.concatenate([known_rows[visit_order], unknown_rows])
