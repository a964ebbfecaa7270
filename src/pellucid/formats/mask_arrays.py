"""Masks of models as arrays of pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pellucid.core.masks import Masks, create_masks, encode_counts, no_masks


def encode_mask_arrays(arrays: Any) -> Masks:
    """Masks from an array (n, height, width) or (n, 1, height, width), where a pixel belongs to the
    object if it is not 0, or, of probabilities, if it is over 0.5; or from a list of COCO's
    run-length encodings.

    Raises:
        ValueError: the array has another shape, or numbers that are no probabilities.
    """
    if len(arrays) and all(isinstance(mask, Mapping) for mask in arrays):
        sizes = np.array([mask["size"] for mask in arrays], np.int32)
        return create_masks([counts_text(mask["counts"]) for mask in arrays], *sizes.T.copy())
    pixels = np.asarray(arrays)
    if not len(pixels):
        return no_masks(0)
    if pixels.ndim == 4 and pixels.shape[1] == 1:  # as torchvision has them
        pixels = pixels[:, 0]
    if pixels.ndim != 3:
        raise ValueError(f"masks of shape {pixels.shape}")
    if pixels.dtype.kind == "f":
        pixels = pixels > object_threshold(pixels)
    count, height, width = pixels.shape
    texts = [encode_counts(run_lengths(mask != 0)) for mask in pixels]
    return create_masks(texts, np.full(count, height), np.full(count, width))


def object_threshold(pixels: Any) -> float:
    """The number over which a pixel of floating-point masks belongs to the object.

    Raises:
        ValueError: they are neither probabilities nor 0 and one other number.
    """
    if not np.isfinite(pixels).all() or pixels.min() < 0:
        raise ValueError("masks with numbers that are no probabilities, such as logits")
    high = float(pixels.max())
    if high <= 1:
        return 0.5
    if not ((pixels == 0) | (pixels == high)).all():
        raise ValueError("masks with numbers over 1 that are no probabilities")
    return 0


def counts_text(counts: str | bytes | list[int]) -> str:
    if isinstance(counts, list):
        return encode_counts(counts)
    return counts if isinstance(counts, str) else counts.decode("ascii")


def run_lengths(mask: Any) -> list[int]:
    """Lengths of the runs of background and object in turn, down the columns.

    Args:
        mask: bool (height, width)
    """
    changes = np.flatnonzero(np.diff(mask.ravel(order="F"), prepend=False))
    counts: list[int] = np.diff(changes, prepend=0, append=mask.size).tolist()
    return counts
