"""Pictures whose pixel values number the objects: masks of all objects of an image at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pellucid.core.errors import MalformedFileError
from pellucid.core.masks import Masks, create_masks, encode_counts

MAX_PIXELS = 1 << 28


def parse_instance_map(path: Path) -> NDArray[np.int32]:
    """The pixel values, int32 (height, width): palette indices or numbers of up to 16 bits; of
    colours, their indices in the palette of Pascal VOC, -1 for others.

    Raises:
        MalformedFileError: it is no such picture.
    """
    try:
        with Image.open(path) as picture:
            if picture.mode not in ("P", "L", "I", "I;16", "I;16B", "RGB"):
                raise MalformedFileError(path, f"pixels of mode {picture.mode}; expected numbers")
            if picture.width * picture.height > MAX_PIXELS:
                raise MalformedFileError(path, f"has {picture.width} x {picture.height} pixels")
            values = np.asarray(picture, np.int32)
            if picture.mode == "RGB":
                values = palette_indices(values)
    except (OSError, ValueError) as error:
        raise MalformedFileError(path, f"cannot be read as a picture: {error}") from error
    return values


def palette_indices(colors: NDArray[np.int32]) -> NDArray[np.int32]:
    """The index of each colour in Pascal VOC's palette, -1 if it has none: its three lowest bits
    are the highest bits of red, green and blue, and so on.

    Args:
        colors: int32 (height, width, 3)
    """
    index = np.zeros(colors.shape[:2], np.int32)
    for place in range(8):
        channel, bit = place % 3, 7 - place // 3
        index |= (colors[:, :, channel] >> bit & 1) << place
    has_other_bits = (colors & (0x1F, 0x1F, 0x3F)).any(axis=2)
    return np.where(has_other_bits, np.int32(-1), index)


def masks_of_instances(values: NDArray[np.int32]) -> tuple[list[int], Masks]:
    """The distinct values of an instance map, in order, and the mask of each.

    Args:
        values: int32 (height, width)
    """
    height, width = values.shape
    flat = values.ravel(order="F")
    starts = np.flatnonzero(np.diff(flat, prepend=flat[0] - 1))
    ends = np.append(starts[1:], flat.size)
    run_values = flat[starts]
    numbers = np.unique(run_values).tolist()
    texts = []
    for number in numbers:
        is_run = run_values == number
        edges = np.stack([starts[is_run], ends[is_run]], axis=1).ravel()
        counts = np.diff(edges, prepend=0, append=flat.size)
        texts.append(encode_counts(counts.tolist()))
    return numbers, create_masks(
        texts, np.full(len(texts), height, np.int32), np.full(len(texts), width, np.int32)
    )
