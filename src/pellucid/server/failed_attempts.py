"""A delay that grows with the wrong tokens from one address, against guessing."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

FREE_ATTEMPTS = 10
FIRST_DELAY, LONGEST_DELAY = 0.05, 5.0
"""Seconds; the delay doubles with every attempt."""
FORGET_AFTER = 300.0
"""Seconds without a wrong token after which an address starts anew."""
MAX_ADDRESSES = 10_000


@dataclass
class FailedAttempts:
    """Counts wrong tokens by address.

    Attributes:
        clock: seconds, never going back
    """

    clock: Callable[[], float] = time.monotonic
    _counts: OrderedDict[str, tuple[int, float]] = field(default_factory=OrderedDict)

    def record(self, address: str) -> float:
        """Count a wrong token; return the seconds to wait before it is answered."""
        now = self.clock()
        count, last = self._counts.pop(address, (0, now))
        count = 1 if now - last > FORGET_AFTER else count + 1
        self._counts[address] = count, now
        if len(self._counts) > MAX_ADDRESSES:
            self._counts.popitem(last=False)
        doublings = count - FREE_ATTEMPTS
        return (
            0.0 if doublings <= 0 else min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(doublings, 20))
        )
