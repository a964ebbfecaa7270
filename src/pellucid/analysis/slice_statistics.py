"""Significance tests and intervals of slices."""

from __future__ import annotations

import numpy as np

from pellucid.core.tables import BoolArray, Float64Array, Int64Array

MIN_ITEMS, MIN_IMAGES = 12, 5
"""Items and images needed on either side of a condition for a test."""


def condition_p_values(
    is_inside: BoolArray, is_error: BoolArray, images: Int64Array
) -> Float64Array:
    """Two-sided, one per condition (row of is_inside); NaN if either side has too few items or
    images."""
    from scipy import stats

    image_order = np.argsort(images, kind="stable")
    image_starts = np.flatnonzero(
        np.append(True, images[image_order][1:] != images[image_order][:-1])
    )
    sorted_inside, sorted_errors = (
        is_inside[:, image_order].astype(float),
        is_error[image_order].astype(float),
    )
    image_items_in, image_errors_in = (
        np.add.reduceat(weights, image_starts, axis=1)
        for weights in (sorted_inside, sorted_inside * sorted_errors)
    )
    image_items, image_errors = (
        np.add.reduceat(weights, image_starts)
        for weights in (np.ones(len(sorted_errors)), sorted_errors)
    )
    items_in, errors_in = image_items_in.sum(axis=1), image_errors_in.sum(axis=1)
    item_count, error_count = float(len(sorted_errors)), float(sorted_errors.sum())
    items_out = item_count - items_in
    images_in, images_out = (
        (image_items_in > 0).sum(axis=1),
        (image_items - image_items_in > 0).sum(axis=1),
    )
    is_testable = np.minimum(items_in, items_out) >= MIN_ITEMS
    is_testable &= np.minimum(images_in, images_out) >= MIN_IMAGES
    p_by_condition = np.full(len(is_inside), np.nan)
    if not is_testable.any():
        return p_by_condition
    pooled_rate = error_count / item_count
    with np.errstate(divide="ignore", invalid="ignore"):
        residuals = (image_errors_in - pooled_rate * image_items_in) / items_in[:, None] - (
            (image_errors - image_errors_in) - pooled_rate * (image_items - image_items_in)
        ) / items_out[:, None]
        standard_error = np.sqrt(
            (residuals**2).sum(axis=1) * len(image_starts) / max(1, len(image_starts) - 1)
        )
        rate_difference = errors_in / items_in - (error_count - errors_in) / items_out
        p_between_images = 2 * stats.t.sf(
            np.abs(rate_difference) / standard_error, np.minimum(images_in, images_out) - 1
        )
        p_normal = 2 * stats.norm.sf(
            np.abs(rate_difference)
            / np.sqrt(pooled_rate * (1 - pooled_rate) * (1 / items_in + 1 / items_out))
        )
    p_by_condition[is_testable] = np.fmax(p_between_images, p_normal)[is_testable]
    borderline = np.flatnonzero(
        is_testable & (p_by_condition < 0.1)
    )  # exact test only where it can matter
    p_more = stats.hypergeom.sf(
        errors_in[borderline] - 1, item_count, error_count, items_in[borderline]
    )
    p_fewer = stats.hypergeom.cdf(
        errors_in[borderline], item_count, error_count, items_in[borderline]
    )
    p_by_condition[borderline] = np.fmax(
        p_between_images[borderline], np.minimum(1, 2 * np.minimum(p_more, p_fewer))
    )
    return p_by_condition


def adjust_p_values(raw_p_values: Float64Array) -> Float64Array:
    from scipy import stats

    return (
        np.asarray(stats.false_discovery_control(np.clip(raw_p_values, 0, 1)))
        if len(raw_p_values)
        else raw_p_values
    )


def design_effect(is_error: BoolArray, images: Int64Array) -> float:
    """Ratio of the rate's variance to that of the same number of independent items; at least 1."""
    _, image_index = np.unique(images, return_inverse=True)
    item_counts, error_counts = np.bincount(image_index), np.bincount(image_index, is_error)
    error_rate = error_counts.sum() / item_counts.sum()
    if error_rate in (0, 1) or len(item_counts) < 2:
        return 1.0
    variance = (
        ((error_counts - error_rate * item_counts) ** 2).sum()
        * len(item_counts)
        / (len(item_counts) - 1)
    )
    return max(1.0, float(variance / (item_counts.sum() * error_rate * (1 - error_rate))))


def wilson_interval(
    error_rate: float, sample_size: float, z: float = 1.959964
) -> tuple[float, float]:
    """Wilson score interval (1927)."""
    centre = (error_rate + z * z / (2 * sample_size)) / (1 + z * z / sample_size)
    half_width = (
        z
        / (1 + z * z / sample_size)
        * np.sqrt(
            error_rate * (1 - error_rate) / sample_size + z * z / (4 * sample_size * sample_size)
        )
    )
    return max(0.0, float(centre - half_width)), min(1.0, float(centre + half_width))
