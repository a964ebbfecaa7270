"""Clustering, t-SNE map and nearest neighbours of feature vectors. Rows of similar items are
close."""

from __future__ import annotations

import numpy as np

from pellucid.core.tables import BoolArray, Float64Array, Int64Array

MAX_GROUPS, ITEMS_PER_GROUP = 16, 40
"""Maximum number of groups, and number of items per group."""
MAX_TSNE_POINTS = 1_500
"""Maximum number of points embedded by t-SNE; others are interpolated from their neighbours."""
PERPLEXITY = 30
TSNE_ITERATIONS, EXAGGERATED_ITERATIONS = 350, 100


def has_features(features: Float64Array) -> BoolArray:
    """Whether rows have features: one of an item without has NaN."""
    return np.asarray(~np.isnan(features).any(axis=1))


def cluster_features(features: Float64Array, seed: int = 0) -> Int64Array:
    """A group per row, numbered from 0 by size, -1 for rows with NaN: k-means with k-means++
    (Arthur, Vassilvitskii, 2007)."""
    from scipy.cluster.vq import kmeans2

    is_usable = has_features(features)
    labels = np.full(len(features), -1, np.int64)
    group_count = min(MAX_GROUPS, int(is_usable.sum()) // ITEMS_PER_GROUP)
    if group_count < 2:
        labels[is_usable] = 0
        return labels
    points = principal_components(features[is_usable])
    sample = points[
        np.random.default_rng(seed).choice(len(points), min(len(points), 20_000), replace=False)
    ]
    if len(np.unique(sample, axis=0)) < group_count:
        labels[is_usable] = 0
        return labels
    centres, _ = kmeans2(sample, group_count, minit="++", seed=seed, iter=25)
    nearest_centres = np.concatenate(
        [
            squared_distances(chunk, centres).argmin(axis=1)
            for chunk in np.array_split(points, max(1, len(points) // 4096))
        ]
    )
    group_sizes = np.bincount(nearest_centres, minlength=group_count)
    group_ranks = np.empty(group_count, np.int64)
    group_ranks[np.argsort(-group_sizes, kind="stable")] = np.arange(group_count)
    labels[is_usable] = group_ranks[nearest_centres]
    return labels


def principal_components(features: Float64Array, component_count: int = 40) -> Float64Array:
    """The rows projected onto their principal components."""
    points = np.asarray(features, float)
    points = points - points.mean(axis=0)
    if points.shape[1] <= component_count:
        return np.asarray(points)
    _, eigenvectors = np.linalg.eigh(points.T @ points)
    return np.asarray(points @ eigenvectors[:, ::-1][:, :component_count])


def squared_distances(points: Float64Array, targets: Float64Array) -> Float64Array:
    """Squared distances, (points, others)."""
    squared = (points**2).sum(axis=1)[:, None] + (targets**2).sum(axis=1) - 2 * points @ targets.T
    return np.asarray(np.maximum(squared, 0))


def nearest_rows(features: Float64Array, query_row: int, limit: int) -> Int64Array:
    """The rows nearest to row `to`, itself first."""
    if not has_features(features)[query_row]:
        return np.array([query_row])
    distances = ((np.asarray(features, float) - features[query_row]) ** 2).sum(axis=1)
    distances[np.isnan(distances)] = np.inf
    distances[query_row] = -1
    order = np.argsort(distances, kind="stable")[:limit]
    return np.asarray(order[np.isfinite(distances[order])])


def map_layout(features: Float64Array, seed: int = 0) -> Float64Array:
    """Positions on a map, float64 (n, 2), 0 to 1: neighbours are close (t-SNE: van der Maaten,
    Hinton, 2008). NaN for rows with NaN. Deterministic."""
    usable_rows = np.flatnonzero(has_features(features))
    positions = np.full((len(features), 2), np.nan)
    if len(usable_rows) < 4:
        positions[usable_rows] = 0.5
        return positions
    points = principal_components(features[usable_rows])
    sampled_points = np.sort(
        np.random.default_rng(seed).choice(
            len(points), min(MAX_TSNE_POINTS, len(points)), replace=False
        )
    )
    sampled_positions = tsne(points[sampled_points])
    point_positions = np.empty((len(points), 2))
    point_positions[sampled_points] = sampled_positions
    remaining_points = np.setdiff1d(np.arange(len(points)), sampled_points)
    for chunk in (
        np.array_split(remaining_points, max(1, len(remaining_points) // 2048))
        if len(remaining_points)
        else []
    ):
        distances = squared_distances(points[chunk], points[sampled_points])
        closest = np.argpartition(distances, 3, axis=1)[:, :3]
        weights = 1 / (np.take_along_axis(distances, closest, 1) + 1e-9)
        point_positions[chunk] = (
            sampled_positions[closest] * (weights / weights.sum(axis=1, keepdims=True))[..., None]
        ).sum(axis=1)
    low, high = point_positions.min(axis=0), point_positions.max(axis=0)
    positions[usable_rows] = (point_positions - low) / np.maximum(high - low, 1e-12)
    return positions


def tsne(points: Float64Array) -> Float64Array:
    """Exact t-SNE, initialised with the first two principal components."""
    probabilities = joint_probabilities(squared_distances(points, points)).astype(np.float32)
    initial = principal_components(points, 2)[:, :2]
    initial = np.pad(initial, ((0, 0), (0, 2 - initial.shape[1])))
    positions = (initial / max(float(initial[:, 0].std()), 1e-12) * 1e-2).astype(np.float32)
    velocity, gains = np.zeros_like(positions), np.ones_like(positions)
    learning_rate = max(50.0, len(points) / 12 / 4)
    for iteration in range(TSNE_ITERATIONS):
        squared_norms = (positions**2).sum(axis=1)
        kernel = 1 / (
            1 + np.maximum(squared_norms[:, None] + squared_norms - 2 * positions @ positions.T, 0)
        )
        np.fill_diagonal(kernel, 0)
        attraction = (
            probabilities * (12 if iteration < EXAGGERATED_ITERATIONS else 1)
            - kernel / kernel.sum()
        ) * kernel
        gradient = 4 * (attraction.sum(axis=1)[:, None] * positions - attraction @ positions)
        gains = np.where(
            np.sign(gradient) == np.sign(velocity), np.maximum(gains * 0.8, 0.01), gains + 0.2
        )
        velocity = (
            0.5 if iteration < EXAGGERATED_ITERATIONS else 0.8
        ) * velocity - learning_rate * gains * gradient
        positions = positions + velocity
    return np.asarray(positions - positions.mean(axis=0), float)


def joint_probabilities(distances: Float64Array) -> Float64Array:
    """Symmetric joint probabilities of neighbourhood, summing to 1; the perplexity is about
    PERPLEXITY."""
    point_count = len(distances)
    target_entropy = np.log(min(PERPLEXITY, (point_count - 1) / 3))
    distances = distances - np.where(np.eye(point_count, dtype=bool), np.inf, distances).min(
        axis=1, keepdims=True
    )
    low_beta, high_beta, beta = (
        np.zeros(point_count),
        np.full(point_count, np.inf),
        np.ones(point_count) / max(float(np.median(distances)), 1e-12),
    )
    for _ in range(60):
        weights = np.exp(-np.maximum(distances, 0) * beta[:, None])
        np.fill_diagonal(weights, 0)
        weight_sums = np.maximum(weights.sum(axis=1), 1e-300)
        entropy = (
            np.log(weight_sums)
            + beta * (weights * np.maximum(distances, 0)).sum(axis=1) / weight_sums
        )
        is_too_wide = entropy > target_entropy
        low_beta, high_beta = (
            np.where(is_too_wide, beta, low_beta),
            np.where(is_too_wide, high_beta, beta),
        )
        beta = np.where(np.isinf(high_beta), beta * 2, (low_beta + high_beta) / 2)
    conditional = weights / weight_sums[:, None]
    return np.asarray((conditional + conditional.T) / (2 * point_count))
