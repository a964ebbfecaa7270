"""Small models, really trained: candidate regions, features, softmax regression. NumPy alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.core.tables import Float64Array, Int64Array
from pellucid.demo.world import HEIGHT, WIDTH
from pellucid.evaluation.boxes import pairwise_iou

SCALE = 2
"""Candidates are looked for in pictures this many times smaller."""
RADII = (4.0, 10.5, 12.5, 17.0, 20.0)
"""Of the discs looked for, in small pixels."""
PATCH = 14
HIGH_ENOUGH = 0.07
"""How much more light a disc must take than the ring around it."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Regions of one picture: box float64 (n, 4) in pixels, features float64 (n, features)."""

    box: Float64Array
    features: Float64Array


def small(picture: np.ndarray) -> Float64Array:
    """The picture at half size, 0 to 1, its ground at 0: how much light each channel lost."""
    half = picture.reshape(HEIGHT // SCALE, SCALE, WIDTH // SCALE, SCALE, 3).mean((1, 3)) / 255
    ground = np.percentile(half.reshape(-1, 3), 92, axis=0)
    return np.asarray(ground - half)


def disc_responses() -> list[NDArray[np.complex128]]:
    """Transforms of discs minus the rings around them, one a radius."""
    y, x = np.mgrid[0 : HEIGHT // SCALE, 0 : WIDTH // SCALE]
    y, x = np.minimum(y, HEIGHT // SCALE - y), np.minimum(x, WIDTH // SCALE - x)
    distance = np.hypot(x, y)
    kernels = []
    for radius in RADII:
        disc, ring = distance <= radius, (distance > radius * 1.05) & (distance <= radius * 1.4 + 1)
        kernels.append(np.fft.rfft2(disc / disc.sum() - 0.8 * ring / ring.sum()))
    return kernels


def candidates(picture: np.ndarray, kernels: list[NDArray[np.complex128]], rich: bool) -> Candidates:
    """Where a disc stands out from its surroundings, at several sizes."""
    light = small(picture)
    density = light[..., 1] + 0.5 * light[..., 0]
    transform = np.fft.rfft2(density)
    boxes = []
    for radius, kernel in zip(RADII, kernels, strict=True):
        response = np.fft.irfft2(transform * kernel, density.shape)
        for y, x in peaks(response, radius):
            boxes.append(fitted(density, x, y, radius, rich))
    box = np.array(boxes).reshape(-1, 4)
    return Candidates(box * SCALE, np.array([features(light, one, rich) for one in box]).reshape(len(box), -1))


def peaks(response: Float64Array, radius: float) -> Int64Array:
    """Local maxima that are high enough, (n, 2) as y, x."""
    reach = max(1, int(radius * 0.5))
    best = response
    for axis in (0, 1):
        best = np.maximum.reduce([np.roll(best, shift, axis) for shift in range(-reach, reach + 1)])
    return np.argwhere((response >= best) & (response > HIGH_ENOUGH))


def fitted(density: Float64Array, x: int, y: int, radius: float, rich: bool) -> list[float]:
    """A square around the disc; the richer model draws each side to where the stain ends."""
    if not rich:
        return [x - radius, y - radius, 2 * radius, 2 * radius]
    reach = int(radius * 1.35) + 1
    top, left = max(0, y - reach), max(0, x - reach)
    window = density[top : y + reach + 1, left : x + reach + 1]
    row, column = window[:, max(0, x - left - 1) : x - left + 2].mean(1), window[max(0, y - top - 1) : y - top + 2].mean(0)
    low, high = extent(row, y - top, radius)
    first, last = extent(column, x - left, radius)
    return [left + first, top + low, last - first, high - low]


def extent(profile: Float64Array, centre: int, radius: float) -> tuple[float, float]:
    """How far the stain reaches from the centre, both ways, between 0.7 and 1.3 radii."""
    level = 0.3 * float(profile.max())
    low = high = centre
    while low > 0 and (profile[low - 1] > level or centre - low < 0.7 * radius):
        low -= 1
    while high < len(profile) - 1 and (profile[high + 1] > level or high - centre < 0.7 * radius):
        high += 1
    return float(low), float(high + 1)


def features(light: Float64Array, box: Float64Array, rich: bool) -> Float64Array:
    """Colour and size; the richer model also sees a small copy of the patch and its rings."""
    left, top, width, height = box
    rows = np.clip(np.linspace(top - 0.15 * height, top + 1.15 * height, PATCH).astype(int), 0, light.shape[0] - 1)
    columns = np.clip(np.linspace(left - 0.15 * width, left + 1.15 * width, PATCH).astype(int), 0, light.shape[1] - 1)
    patch = light[rows[:, None], columns]
    plain = [*patch.mean((0, 1)), *patch.std((0, 1)), width / 20, height / 20]
    if not rich:
        return np.array(plain)
    rings = [patch[ring == RINGS].mean(0) for ring in range(RINGS.max() + 1)]
    ranked = np.sort(patch.reshape(-1, 3), axis=0)[[5, 20, 98, 176, 190]]
    shape = [width / 20, height / 20, (width / 20) ** 2, width / max(height, 1)]
    window = light[max(0, int(top)) : int(top + height) + 1, max(0, int(left)) : int(left + width) + 1]
    dark = np.sort(window[..., 0].ravel())[::-1]
    specks = dark[[0, min(4, len(dark) - 1), min(12, len(dark) - 1), len(dark) // 8, len(dark) // 3]]
    return np.concatenate([plain, np.ravel(rings), ranked.ravel(), shape, specks, patch[::2, ::2].ravel()])


RINGS = (np.hypot(*np.mgrid[-1 : 1 : PATCH * 1j, -1 : 1 : PATCH * 1j]) * 4).astype(int)


@dataclass(frozen=True, eq=False)
class Softmax:
    """Weights over standardised features."""

    mean: Float64Array
    deviation: Float64Array
    weights: Float64Array

    def __call__(self, x: Float64Array) -> Float64Array:
        """Probabilities, (n, classes)."""
        return probabilities(extended((x - self.mean) / self.deviation) @ self.weights)


def extended(x: Float64Array) -> Float64Array:
    return np.hstack([x, np.ones((len(x), 1))])


def probabilities(logits: Float64Array) -> Float64Array:
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(raised / raised.sum(1, keepdims=True))


def train(x: Float64Array, y: Float64Array, rounds: int, decay: float = 1e-3, rate: float = 0.5) -> Softmax:
    """Full-batch gradient descent with momentum. y: target probabilities, (n, classes)."""
    mean, deviation = x.mean(0), x.std(0) + 1e-6
    inputs = extended((x - mean) / deviation)
    weights = np.zeros((inputs.shape[1], y.shape[1]))
    speed = np.zeros_like(weights)
    for _ in range(rounds):
        slope = inputs.T @ (probabilities(inputs @ weights) - y) / len(x) + decay * weights
        speed = 0.9 * speed - rate * 0.1 * slope
        weights += speed
    return Softmax(mean, deviation, weights)


def targets(box: Float64Array, truth: Float64Array, concept: Int64Array, classes: int) -> Float64Array:
    """What each candidate should be: the concept of the annotation it lies on (IoU >= 0.5), else nothing (the last class)."""
    wanted = np.zeros((len(box), classes + 1))
    wanted[:, classes] = 1
    if len(truth) and len(box):
        overlap = pairwise(box, truth)
        best = overlap.argmax(1)
        rows = np.flatnonzero(overlap.max(1) >= 0.5)
        wanted[rows] = 0
        wanted[rows, concept[best[rows]]] = 1
    return wanted


def pairwise(one: Float64Array, other: Float64Array) -> Float64Array:
    flat = pairwise_iou(np.repeat(one, len(other), 0), np.tile(other, (len(one), 1)), np.zeros(len(one) * len(other), bool))
    return flat.reshape(len(one), len(other))


def suppressed(box: Float64Array, score: Float64Array, most: float = 0.4) -> Int64Array:
    """Non-maximum suppression: the rows kept, best first."""
    order = np.argsort(-score, kind="stable")
    overlap = pairwise(box, box) if len(box) else np.zeros((0, 0))
    kept: list[int] = []
    for row in order.tolist():
        if all(overlap[row, other] <= most for other in kept):
            kept.append(row)
    return np.array(kept, np.int64)
