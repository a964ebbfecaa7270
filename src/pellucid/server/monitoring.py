"""For who runs the server: how many requests there were, how long they took, what it holds; in Prometheus' text, and a line a request."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import Counter
from pathlib import Path

BUCKETS = (0.005, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0)
"""Seconds, upper ends."""


METHODS = ("GET", "HEAD", "POST", "OPTIONS")


class Health:
    """Thread-safe counts of requests by what was asked for (the form of the address, never the address) and how it ended."""

    def __init__(self, lines: bool = False) -> None:
        """lines: write one to standard error for each request."""
        self._lines = lines
        self._number: Counter[tuple[str, str, int]] = Counter()
        self._slots: Counter[tuple[str, float]] = Counter()
        self._seconds: dict[str, float] = {}
        self._lock = threading.Lock()
        self._begun = time.time()

    def note(self, method: str, form: str, status: int, seconds: float, who: str = "") -> None:
        method = method if method in METHODS else "other"
        with self._lock:
            self._number[method, form, status] += 1
            self._seconds[form] = self._seconds.get(form, 0.0) + seconds
            self._slots[form, next((end for end in BUCKETS if seconds <= end), float("inf"))] += 1
        if self._lines:
            told = {"time": round(time.time(), 3), "method": method, "path": form, "status": status, "ms": round(1000 * seconds, 1)}
            sys.stderr.write(json.dumps({**told, **({"who": who} if who else {})}) + "\n")

    def text(self) -> str:
        with self._lock:
            number, slots, seconds = dict(self._number), dict(self._slots), dict(self._seconds)
        said = ["# HELP pellucid_requests_total Requests answered.", "# TYPE pellucid_requests_total counter"]
        said += [
            f'pellucid_requests_total{{method="{method}",path="{form}",status="{status}"}} {times}'
            for (method, form, status), times in sorted(number.items())
        ]
        said += ["# HELP pellucid_request_seconds How long answers took.", "# TYPE pellucid_request_seconds histogram"]
        for form in sorted(seconds):
            total = 0
            for end in (*BUCKETS, float("inf")):
                total += slots.get((form, end), 0)
                said.append(f'pellucid_request_seconds_bucket{{path="{form}",le="{"+Inf" if end == float("inf") else end}"}} {total}')
            said.append(f'pellucid_request_seconds_sum{{path="{form}"}} {seconds[form]:.6f}')
            said.append(f'pellucid_request_seconds_count{{path="{form}"}} {total}')
        gauges = {"resident_bytes": ("Memory held.", resident()), "start_time_seconds": ("When it began.", int(self._begun))}
        for name, (words, value) in gauges.items():
            said += [f"# HELP pellucid_{name} {words}", f"# TYPE pellucid_{name} gauge", f"pellucid_{name} {value}"]
        return "\n".join(said) + "\n"


def resident() -> int:
    """Bytes of memory held by this process, 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
