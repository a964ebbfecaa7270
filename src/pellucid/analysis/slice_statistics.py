"""Significance tests and intervals of slices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.core.tables import BoolArray, Float64Array, Int64Array

MIN_ITEMS, MIN_IMAGES = 12, 5
"""Items and images needed on either side of a condition for a test."""


@dataclass(frozen=True, eq=False)
class ImageCounts:
    """Items and errors of each image: float64 (images); inside each condition: float64
    (conditions, images)."""

    items: Float64Array
    errors: Float64Array
    items_inside: Float64Array
    errors_inside: Float64Array

    @property
    def pooled_rate(self) -> float:
        """Errors per item over all images."""
        return float(self.errors.sum() / self.items.sum())


def condition_p_values(
    is_inside: BoolArray, is_error: BoolArray, images: Int64Array
) -> Float64Array:
    """Two-sided, one per condition (row of is_inside); NaN if either side has too few items or
    images. The larger of a test between images and one between items, as items of one image are
    alike."""
    counts = count_by_image(is_inside, is_error, images)
    items_inside = counts.items_inside.sum(axis=1)
    images_inside = (counts.items_inside > 0).sum(axis=1)
    images_outside = (counts.items - counts.items_inside > 0).sum(axis=1)
    is_testable = np.minimum(items_inside, counts.items.sum() - items_inside) >= MIN_ITEMS
    is_testable &= np.minimum(images_inside, images_outside) >= MIN_IMAGES
    p_values = np.full(len(is_inside), np.nan)
    if not is_testable.any():
        return p_values
    fewest_images = np.minimum(images_inside, images_outside)
    p_between_images, p_normal = approximate_p_values(counts, fewest_images)
    p_values[is_testable] = np.fmax(p_between_images, p_normal)[is_testable]
    borderline = np.flatnonzero(is_testable & (p_values < 0.1))  # exact only where it can matter
    if len(borderline):
        exact = exact_p_values(counts, borderline)
        p_values[borderline] = np.fmax(p_between_images[borderline], exact)
    return p_values


def count_by_image(is_inside: BoolArray, is_error: BoolArray, images: Int64Array) -> ImageCounts:
    """Items and errors of each image, in all and inside of each condition.

    Args:
        is_inside: bool (conditions, items)
        is_error: bool (items,)
        images: the image of each item
    """
    order = np.argsort(images, kind="stable")
    starts = np.flatnonzero(np.append(True, images[order][1:] != images[order][:-1]))
    inside, errors = is_inside[:, order].astype(float), is_error[order].astype(float)
    return ImageCounts(
        items=np.add.reduceat(np.ones(len(errors)), starts),
        errors=np.add.reduceat(errors, starts),
        items_inside=np.add.reduceat(inside, starts, axis=1),
        errors_inside=np.add.reduceat(inside * errors, starts, axis=1),
    )


def approximate_p_values(
    counts: ImageCounts, fewest_images: Int64Array
) -> tuple[Float64Array, Float64Array]:
    """Of the difference of the error rates inside and outside each condition: a t test with the
    variance between images (fewest_images: on either side), and a normal test of items."""
    from scipy import special

    items_in, errors_in = counts.items_inside.sum(axis=1), counts.errors_inside.sum(axis=1)
    items_out, errors_out = counts.items.sum() - items_in, counts.errors.sum() - errors_in
    rate, image_count = counts.pooled_rate, len(counts.items)
    excess_in = counts.errors_inside - rate * counts.items_inside
    excess_out = (counts.errors - counts.errors_inside) - rate * (
        counts.items - counts.items_inside
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        residuals = excess_in / items_in[:, None] - excess_out / items_out[:, None]
        variance = (residuals**2).sum(axis=1) * image_count / max(1, image_count - 1)
        difference = np.abs(errors_in / items_in - errors_out / items_out)
        p_between_images = 2 * special.stdtr(fewest_images - 1, -difference / np.sqrt(variance))
        item_variance = rate * (1 - rate) * (1 / items_in + 1 / items_out)
        p_normal = 2 * special.ndtr(-difference / np.sqrt(item_variance))
    return p_between_images, p_normal


def exact_p_values(counts: ImageCounts, conditions: Int64Array) -> Float64Array:
    """Fisher's exact test of items, doubling the smaller tail."""
    from scipy import stats

    item_count, error_count = counts.items.sum(), counts.errors.sum()
    items_in = counts.items_inside[conditions].sum(axis=1)
    errors_in = counts.errors_inside[conditions].sum(axis=1)
    p_more = stats.hypergeom.sf(errors_in - 1, item_count, error_count, items_in)
    p_fewer = stats.hypergeom.cdf(errors_in, item_count, error_count, items_in)
    return np.asarray(np.minimum(1, 2 * np.minimum(p_more, p_fewer)))


def adjust_p_values(raw_p_values: Float64Array) -> Float64Array:
    """P values after Benjamini and Hochberg's control of the false discovery rate."""
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
