"""A column of masks: which pixels of its image an object covers.

A mask is kept as COCO's compressed run lengths: runs of background and object in turn, down the
columns of the image from the left, each a varint of base-32 digits. It takes about two bytes a
column of the object, and files in COCO's format hold the same text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid import _native

Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]
UInt8Array = NDArray[np.uint8]

Shape = list[list[float]] | dict[str, Any] | None
"""What an annotation states: polygons `x, y, x, y, ...` in pixels; or a mask in COCO's run-length
encoding, `{"size": [height, width], "counts": ...}`; or None."""

ROWS_PER_COPY = 1 << 16
"""Masks copied at a time without the kernel, to keep temporary arrays small."""
FIRST_DIGIT = ord("0")
DIGIT_BITS = 5
LAST_SHIFT = 55
MOST_PIXELS = 1 << 52
"""No mask has more. Numbers above are unreadable, so that the kernel's 64 bits hold every sum."""


@dataclass(frozen=True, eq=False)
class Masks:
    """Masks as run lengths, one per row.

    Attributes:
        text: uint8 (bytes,), the run lengths of all masks
        start: int64 (n + 1,), where each begins in `text`
        height, width: int32 (n,), of the image in pixels
    """

    text: UInt8Array
    start: Int64Array
    height: Int32Array
    width: Int32Array

    def __len__(self) -> int:
        return len(self.height)

    def __getitem__(self, rows: Any) -> Masks:
        """Select `rows` (indices, a mask or a slice)."""
        if isinstance(rows, slice) and rows == slice(None):
            return self
        rows = np.arange(len(self))[rows]
        begins, ends = self.start[rows], self.start[rows + 1]
        start = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(ends - begins, out=start[1:])
        text = gather_texts(self.text, np.asarray(begins), start)
        return Masks(text, start, self.height[rows], self.width[rows])

    def counts(self, row: int) -> bytes:
        """The compressed run lengths of a mask."""
        return self.text[self.start[row] : self.start[row + 1]].tobytes()

    def texts(self) -> Iterator[str]:
        """The compressed run lengths of every mask."""
        content, start = self.text.tobytes().decode("ascii"), self.start.tolist()
        return (content[begin:end] for begin, end in pairwise(start))


def gather_texts(text: UInt8Array, begins: Int64Array, start: Int64Array) -> UInt8Array:
    """Texts behind one another.

    Args:
        begins: where each is in `text`
        start: where each goes, and the end of the last
    """
    target = np.empty(start[-1], np.uint8)
    if _native.library is not None and isinstance(text, np.ndarray):
        arrays = [np.ascontiguousarray(text), np.ascontiguousarray(begins), start, target]
        _native.library.gather_texts(
            _native.int64_arg(0),
            _native.int64_arg(len(begins)),
            *(_native.pointer(array) for array in arrays),
        )
        return target
    for first in range(0, len(begins), ROWS_PER_COPY):
        last = min(first + ROWS_PER_COPY, len(begins))
        lengths = np.diff(start[first : last + 1])
        shift = np.repeat(begins[first:last] - start[first:last], lengths)
        positions = np.arange(start[first], start[last])
        target[start[first] : start[last]] = text[positions + shift]
    return target


def create_masks(texts: Iterable[str], height: Any, width: Any) -> Masks:
    """Masks from compressed run lengths and the sizes of their images in pixels."""
    contents = [text.encode("ascii", "replace") for text in texts]
    start = np.zeros(len(contents) + 1, np.int64)
    np.cumsum([len(content) for content in contents], out=start[1:])
    return Masks(
        np.frombuffer(b"".join(contents), np.uint8),
        start,
        np.asarray(height, np.int32),
        np.asarray(width, np.int32),
    )


def concat_masks(parts: list[Masks]) -> Masks:
    offsets = np.cumsum([0, *(len(part.text) for part in parts)])
    starts = [part.start[:-1] + offset for part, offset in zip(parts, offsets[:-1], strict=True)]
    return Masks(
        np.concatenate([part.text for part in parts]),
        np.concatenate([*starts, offsets[-1:]]).astype(np.int64),
        np.concatenate([part.height for part in parts]),
        np.concatenate([part.width for part in parts]),
    )


def no_masks(count: int) -> Masks:
    """Masks without a text, for rows that state none."""
    sizes = np.zeros(count, np.int32)
    return Masks(np.zeros(0, np.uint8), np.zeros(count + 1, np.int64), sizes, sizes)


def decode_counts(text: str | bytes) -> list[int]:
    """The run lengths of COCO's compressed encoding: base-32 digits from the character `0` on,
    lowest first, with a continuation bit; from the fourth run on, differences to the run before
    the last. Empty if they are unreadable: the text ends within a number, or a number is negative
    or too large."""
    digits = text.encode("latin-1", "replace") if isinstance(text, str) else text
    counts: list[int] = []
    position = pixels = 0
    while position < len(digits):
        count, shift, has_more = 0, 0, True
        while has_more:
            if position >= len(digits) or shift > LAST_SHIFT:
                return []
            digit = digits[position] - FIRST_DIGIT
            count |= (digit & 0x1F) << shift
            has_more = bool(digit & 0x20)
            position += 1
            shift += DIGIT_BITS
            if not has_more and digit & 0x10:
                count |= -1 << shift
        count += counts[-2] if len(counts) > 2 else 0
        pixels += count
        if count < 0 or pixels > MOST_PIXELS:
            return []
        counts.append(count)
    return counts


def encode_counts(counts: list[int]) -> str:
    """The inverse of `decode_counts`."""
    digits = bytearray()
    for position, count in enumerate(counts):
        number = count - counts[position - 2] if position > 2 else count
        has_more = True
        while has_more:
            digit = number & 0x1F
            number >>= DIGIT_BITS
            has_more = number != (-1 if digit & 0x10 else 0)
            digits.append((digit | (0x20 if has_more else 0)) + FIRST_DIGIT)
    return digits.decode("ascii")


def is_valid_mask(counts: list[int], height: int, width: int) -> bool:
    """Whether run lengths cover an image of this size exactly."""
    return bool(counts) and min(counts) >= 0 and sum(counts) == height * width
