"""Label Studio's encoding of a brush stroke: runs of RGBA bytes in a stream of bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core.tables import BoolArray

CHANNELS = 4
ALPHA = 3


class BitReader:
    """Numbers of any width, highest bit first. Raises ValueError at the end of the stream."""

    def __init__(self, content: bytes) -> None:
        self._bits = np.unpackbits(np.frombuffer(content, np.uint8))
        self._position = 0

    def read(self, width: int) -> int:
        bits = self._bits[self._position : self._position + width]
        if len(bits) < width:
            raise ValueError("the stream ends within a run")
        self._position += width
        number = 0
        for bit in bits.tolist():
            number = number << 1 | bit
        return number


def decode_brush(encoded: Any, width: int, height: int) -> BoolArray | None:
    """The pixels that a brush covers, bool (height, width); None if it cannot be read.

    The stream has the number of bytes (32 bits); less one, the width of a byte (5 bits) and four
    widths of run lengths (4 bits each); then runs: a flag for repetition, the index of a width, the
    length less one, and one value or as many.
    """
    try:
        reader = BitReader(bytes(encoded))
        count = reader.read(32)
        if count != CHANNELS * width * height:
            return None
        word_width = reader.read(5) + 1
        length_widths = [reader.read(4) + 1 for _ in range(4)]
        content = np.zeros(count, np.uint8)
        position = 0
        while position < count:
            is_repeated = reader.read(1)
            end = position + 1 + reader.read(length_widths[reader.read(2)])
            if is_repeated:
                content[position:end] = reader.read(word_width) & 0xFF
            else:
                for place in range(position, min(end, count)):
                    content[place] = reader.read(word_width) & 0xFF
            position = end
    except (ValueError, TypeError):
        return None
    return np.asarray(content.reshape(height, width, CHANNELS)[..., ALPHA] > 0)
