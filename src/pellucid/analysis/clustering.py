"""What looks alike, from features: groups, a map, and what is nearest. Features are rows of numbers, near for what looks alike."""

from __future__ import annotations

import numpy as np

from pellucid.core.tables import BoolArray, Float64Array, Int64Array

MOST_GROUPS, IN_GROUP = 16, 40
"""Groups made at most, and items of which there is one more."""
ON_MAP = 1_500
"""Points that are laid out by their neighbours; more are put beside those that they are nearest to."""
NEIGHBOURS = 30
ROUNDS, EARLY = 350, 100


def known(features: Float64Array) -> BoolArray:
    return np.asarray(~np.isnan(features).any(axis=1))


def grouped(features: Float64Array, seed: int = 0) -> Int64Array:
    """A group for each row, numbered from 0 by size, -1 where nothing is known: k-means, begun far apart (Arthur, Vassilvitskii, 2007)."""
    from scipy.cluster.vq import kmeans2

    able = known(features)
    label = np.full(len(features), -1, np.int64)
    number = min(MOST_GROUPS, int(able.sum()) // IN_GROUP)
    if number < 2:
        label[able] = 0
        return label
    points = flat(features[able])
    sample = points[np.random.default_rng(seed).choice(len(points), min(len(points), 20_000), replace=False)]
    if len(np.unique(sample, axis=0)) < number:
        label[able] = 0
        return label
    centres, _ = kmeans2(sample, number, minit="++", seed=seed, iter=25)
    nearest = np.concatenate([to_each(part, centres).argmin(axis=1) for part in np.array_split(points, max(1, len(points) // 4096))])
    size = np.bincount(nearest, minlength=number)
    rank = np.empty(number, np.int64)
    rank[np.argsort(-size, kind="stable")] = np.arange(number)
    label[able] = rank[nearest]
    return label


def flat(features: Float64Array, dimensions: int = 40) -> Float64Array:
    """The rows along the directions in which they differ most (principal components)."""
    points = np.asarray(features, float)
    points = points - points.mean(axis=0)
    if points.shape[1] <= dimensions:
        return np.asarray(points)
    _, vectors = np.linalg.eigh(points.T @ points)
    return np.asarray(points @ vectors[:, ::-1][:, :dimensions])


def to_each(points: Float64Array, others: Float64Array) -> Float64Array:
    """Squared distances, (points, others)."""
    square = (points**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * points @ others.T
    return np.asarray(np.maximum(square, 0))


def nearest(features: Float64Array, to: int, number: int) -> Int64Array:
    """The rows nearest to row `to`, itself first."""
    if not known(features)[to]:
        return np.array([to])
    distance = ((np.asarray(features, float) - features[to]) ** 2).sum(axis=1)
    distance[np.isnan(distance)] = np.inf
    distance[to] = -1
    order = np.argsort(distance, kind="stable")[:number]
    return np.asarray(order[np.isfinite(distance[order])])


def laid_out(features: Float64Array, seed: int = 0) -> Float64Array:
    """Places on a map, float64 (n, 2), 0 to 1: neighbours lie together (t-SNE: van der Maaten, Hinton, 2008). NaN where nothing is
    known. The same input gives the same map."""
    able = np.flatnonzero(known(features))
    place = np.full((len(features), 2), np.nan)
    if len(able) < 4:
        place[able] = 0.5
        return place
    points = flat(features[able])
    drawn = np.sort(np.random.default_rng(seed).choice(len(points), min(ON_MAP, len(points)), replace=False))
    layout = neighbour_embedding(points[drawn])
    found = np.empty((len(points), 2))
    found[drawn] = layout
    rest = np.setdiff1d(np.arange(len(points)), drawn)
    for part in np.array_split(rest, max(1, len(rest) // 2048)) if len(rest) else []:
        distance = to_each(points[part], points[drawn])
        close = np.argpartition(distance, 3, axis=1)[:, :3]
        weight = 1 / (np.take_along_axis(distance, close, 1) + 1e-9)
        found[part] = (layout[close] * (weight / weight.sum(axis=1, keepdims=True))[..., None]).sum(axis=1)
    low, high = found.min(axis=0), found.max(axis=0)
    place[able] = (found - low) / np.maximum(high - low, 1e-12)
    return place


def neighbour_embedding(points: Float64Array) -> Float64Array:
    """t-SNE, exact, begun at the first two principal components."""
    joint = affinities(to_each(points, points)).astype(np.float32)
    begin = flat(points, 2)[:, :2]
    begin = np.pad(begin, ((0, 0), (0, 2 - begin.shape[1])))
    place = (begin / max(float(begin[:, 0].std()), 1e-12) * 1e-2).astype(np.float32)
    speed, gain = np.zeros_like(place), np.ones_like(place)
    rate = max(50.0, len(points) / 12 / 4)
    for turn in range(ROUNDS):
        square = (place**2).sum(axis=1)
        near = 1 / (1 + np.maximum(square[:, None] + square - 2 * place @ place.T, 0))
        np.fill_diagonal(near, 0)
        pull = (joint * (12 if turn < EARLY else 1) - near / near.sum()) * near
        slope = 4 * (pull.sum(axis=1)[:, None] * place - pull @ place)
        gain = np.where(np.sign(slope) == np.sign(speed), np.maximum(gain * 0.8, 0.01), gain + 0.2)
        speed = (0.5 if turn < EARLY else 0.8) * speed - rate * gain * slope
        place = place + speed
    return np.asarray(place - place.mean(axis=0), float)


def affinities(distance: Float64Array) -> Float64Array:
    """How much of each point's neighbourhood every other is, symmetric, summing to 1; neighbourhoods hold about NEIGHBOURS points."""
    number = len(distance)
    wanted = np.log(min(NEIGHBOURS, (number - 1) / 3))
    distance = distance - np.where(np.eye(number, dtype=bool), np.inf, distance).min(axis=1, keepdims=True)
    low, high, beta = np.zeros(number), np.full(number, np.inf), np.ones(number) / max(float(np.median(distance)), 1e-12)
    for _ in range(60):
        weight = np.exp(-np.maximum(distance, 0) * beta[:, None])
        np.fill_diagonal(weight, 0)
        total = np.maximum(weight.sum(axis=1), 1e-300)
        entropy = np.log(total) + beta * (weight * np.maximum(distance, 0)).sum(axis=1) / total
        wide = entropy > wanted
        low, high = np.where(wide, beta, low), np.where(wide, high, beta)
        beta = np.where(np.isinf(high), beta * 2, (low + high) / 2)
    share = weight / total[:, None]
    return np.asarray((share + share.T) / (2 * number))
