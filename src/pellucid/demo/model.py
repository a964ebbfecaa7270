"""Small trained models: region proposals, features, softmax regression. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.core.tables import Float64Array, Int64Array
from pellucid.demo.world import FIELD_HEIGHT, FIELD_WIDTH
from pellucid.evaluation.boxes import pairwise_iou

DOWNSCALE = 2
"""Downscaling factor of the images in which candidates are searched."""
RADII = (4.0, 10.5, 12.5, 17.0, 20.0)
"""Radii of the disc filters, in downscaled pixels."""
PATCH_SIZE = 14
MIN_RESPONSE = 0.07
"""Minimum filter response: additional absorption of a disc over the surrounding ring."""


@dataclass(frozen=True, eq=False)
class CandidateRegions:
    """Regions of one image: box float64 (n, 4) in pixels, features float64 (n, features)."""

    box: Float64Array
    features: Float64Array


def light_loss(image: np.ndarray) -> Float64Array:
    """The image at half size, 0 to 1, with background at 0: the absorption per channel."""
    downscaled = (
        image.reshape(
            FIELD_HEIGHT // DOWNSCALE, DOWNSCALE, FIELD_WIDTH // DOWNSCALE, DOWNSCALE, 3
        ).mean((1, 3))
        / 255
    )
    background = np.percentile(downscaled.reshape(-1, 3), 92, axis=0)
    return np.asarray(background - downscaled)


def disc_kernels() -> list[NDArray[np.complex128]]:
    """Fourier transforms of the disc-minus-ring filters, one per radius."""
    y, x = np.mgrid[0 : FIELD_HEIGHT // DOWNSCALE, 0 : FIELD_WIDTH // DOWNSCALE]
    y, x = np.minimum(y, FIELD_HEIGHT // DOWNSCALE - y), np.minimum(x, FIELD_WIDTH // DOWNSCALE - x)
    distance = np.hypot(x, y)
    kernels = []
    for radius in RADII:
        disc, ring = distance <= radius, (distance > radius * 1.05) & (distance <= radius * 1.4 + 1)
        kernels.append(np.fft.rfft2(disc / disc.sum() - 0.8 * ring / ring.sum()))
    return kernels


def detect_candidates(
    image: np.ndarray, kernels: list[NDArray[np.complex128]], rich: bool
) -> CandidateRegions:
    """Regions where a disc filter responds, at several radii."""
    light = light_loss(image)
    density = light[..., 1] + 0.5 * light[..., 0]
    transform = np.fft.rfft2(density)
    boxes = []
    for radius, kernel in zip(RADII, kernels, strict=True):
        response = np.fft.irfft2(transform * kernel, density.shape)
        for y, x in find_peaks(response, radius):
            boxes.append(fit_box(density, x, y, radius, rich))
    box_array = np.array(boxes).reshape(-1, 4)
    return CandidateRegions(
        box_array * DOWNSCALE,
        np.array(
            [patch_features(light, candidate_box, rich) for candidate_box in box_array]
        ).reshape(len(box_array), -1),
    )


def find_peaks(response: Float64Array, radius: float) -> Int64Array:
    """Local maxima above MIN_RESPONSE, (n, 2) as y, x."""
    reach = max(1, int(radius * 0.5))
    local_maxima = response
    for axis in (0, 1):
        local_maxima = np.maximum.reduce(
            [np.roll(local_maxima, shift, axis) for shift in range(-reach, reach + 1)]
        )
    return np.argwhere((response >= local_maxima) & (response > MIN_RESPONSE))


def fit_box(density: Float64Array, x: int, y: int, radius: float, rich: bool) -> list[float]:
    """A square around the disc; the richer model moves each side to the edge of the stain."""
    if not rich:
        return [x - radius, y - radius, 2 * radius, 2 * radius]
    reach = int(radius * 1.35) + 1
    top, left = max(0, y - reach), max(0, x - reach)
    window = density[top : y + reach + 1, left : x + reach + 1]
    vertical_profile, horizontal_profile = (
        window[:, max(0, x - left - 1) : x - left + 2].mean(1),
        window[max(0, y - top - 1) : y - top + 2].mean(0),
    )
    first_row, last_row = stain_extent(vertical_profile, y - top, radius)
    first_column, last_column = stain_extent(horizontal_profile, x - left, radius)
    return [left + first_column, top + first_row, last_column - first_column, last_row - first_row]


def stain_extent(profile: Float64Array, centre: int, radius: float) -> tuple[float, float]:
    """Extent of the stain around the centre in both directions, limited to 0.7 to 1.3 radii."""
    level = 0.3 * float(profile.max())
    low = high = centre
    while low > 0 and (profile[low - 1] > level or centre - low < 0.7 * radius):
        low -= 1
    while high < len(profile) - 1 and (profile[high + 1] > level or high - centre < 0.7 * radius):
        high += 1
    return float(low), float(high + 1)


def patch_features(light: Float64Array, box: Float64Array, rich: bool) -> Float64Array:
    """Colour and size; the richer model also uses a downscaled patch and its ring means."""
    left, top, width, height = box
    patch_rows = np.clip(
        np.linspace(top - 0.15 * height, top + 1.15 * height, PATCH_SIZE).astype(int),
        0,
        light.shape[0] - 1,
    )
    patch_columns = np.clip(
        np.linspace(left - 0.15 * width, left + 1.15 * width, PATCH_SIZE).astype(int),
        0,
        light.shape[1] - 1,
    )
    patch = light[patch_rows[:, None], patch_columns]
    basic_features = [*patch.mean((0, 1)), *patch.std((0, 1)), width / 20, height / 20]
    if not rich:
        return np.array(basic_features)
    ring_means = [patch[ring == RING_INDEX].mean(0) for ring in range(RING_INDEX.max() + 1)]
    quantiles = np.sort(patch.reshape(-1, 3), axis=0)[[5, 20, 98, 176, 190]]
    shape_features = [width / 20, height / 20, (width / 20) ** 2, width / max(height, 1)]
    window = light[
        max(0, int(top)) : int(top + height) + 1, max(0, int(left)) : int(left + width) + 1
    ]
    sorted_loss = np.sort(window[..., 0].ravel())[::-1]
    loss_quantiles = sorted_loss[
        [
            0,
            min(4, len(sorted_loss) - 1),
            min(12, len(sorted_loss) - 1),
            len(sorted_loss) // 8,
            len(sorted_loss) // 3,
        ]
    ]
    return np.concatenate(
        [
            basic_features,
            np.ravel(ring_means),
            quantiles.ravel(),
            shape_features,
            loss_quantiles,
            patch[::2, ::2].ravel(),
        ]
    )


RING_INDEX = (np.hypot(*np.mgrid[-1 : 1 : PATCH_SIZE * 1j, -1 : 1 : PATCH_SIZE * 1j]) * 4).astype(
    int
)


@dataclass(frozen=True, eq=False)
class SoftmaxModel:
    """Softmax regression on standardised features."""

    mean: Float64Array
    deviation: Float64Array
    weights: Float64Array

    def __call__(self, x: Float64Array) -> Float64Array:
        """Probabilities, (n, classes)."""
        return softmax(append_bias((x - self.mean) / self.deviation) @ self.weights)


def append_bias(x: Float64Array) -> Float64Array:
    return np.hstack([x, np.ones((len(x), 1))])


def softmax(logits: Float64Array) -> Float64Array:
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(1, keepdims=True))


def train_softmax(
    x: Float64Array,
    y: Float64Array,
    iterations: int,
    weight_decay: float = 1e-3,
    learning_rate: float = 0.5,
) -> SoftmaxModel:
    """Full-batch gradient descent with momentum. y: target probabilities, (n, classes)."""
    mean, deviation = x.mean(0), x.std(0) + 1e-6
    inputs = append_bias((x - mean) / deviation)
    weights = np.zeros((inputs.shape[1], y.shape[1]))
    velocity = np.zeros_like(weights)
    for _ in range(iterations):
        gradient = inputs.T @ (softmax(inputs @ weights) - y) / len(x) + weight_decay * weights
        velocity = 0.9 * velocity - learning_rate * 0.1 * gradient
        weights += velocity
    return SoftmaxModel(mean, deviation, weights)


def candidate_targets(
    boxes: Float64Array,
    annotated_boxes: Float64Array,
    annotated_concepts: Int64Array,
    class_count: int,
) -> Float64Array:
    """Target per candidate: the concept of the annotation with IoU >= 0.5, else background (the
    last class)."""
    target_probabilities = np.zeros((len(boxes), class_count + 1))
    target_probabilities[:, class_count] = 1
    if len(annotated_boxes) and len(boxes):
        overlap = iou_matrix(boxes, annotated_boxes)
        best_annotation = overlap.argmax(1)
        matched_rows = np.flatnonzero(overlap.max(1) >= 0.5)
        target_probabilities[matched_rows] = 0
        target_probabilities[matched_rows, annotated_concepts[best_annotation[matched_rows]]] = 1
    return target_probabilities


def iou_matrix(first_boxes: Float64Array, second_boxes: Float64Array) -> Float64Array:
    flat_ious = pairwise_iou(
        np.repeat(first_boxes, len(second_boxes), 0),
        np.tile(second_boxes, (len(first_boxes), 1)),
        np.zeros(len(first_boxes) * len(second_boxes), bool),
    )
    return flat_ious.reshape(len(first_boxes), len(second_boxes))


def non_maximum_suppression(
    boxes: Float64Array, scores: Float64Array, max_iou: float = 0.4
) -> Int64Array:
    """Non-maximum suppression: rows to keep, by descending score."""
    score_order = np.argsort(-scores, kind="stable")
    overlap = iou_matrix(boxes, boxes) if len(boxes) else np.zeros((0, 0))
    kept_rows: list[int] = []
    for candidate_row in score_order.tolist():
        if all(overlap[candidate_row, kept_row] <= max_iou for kept_row in kept_rows):
            kept_rows.append(candidate_row)
    return np.array(kept_rows, np.int64)
