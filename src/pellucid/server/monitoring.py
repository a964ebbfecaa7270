"""Monitoring: request counts, latencies and memory in Prometheus text format, and an optional JSON
log line per request."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import Counter
from pathlib import Path

BUCKET_LIMITS = (0.005, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0)
"""Upper limits of the latency buckets, in seconds."""


HTTP_METHODS = ("GET", "HEAD", "POST", "OPTIONS")


class RequestMetrics:
    """Thread-safe request counts by method, route template (never the URL itself) and status."""

    def __init__(self, log_requests: bool = False) -> None:
        """log_requests: write a JSON line to standard error for each request."""
        self._log_requests = log_requests
        self._request_counts: Counter[tuple[str, str, int]] = Counter()
        self._bucket_counts: Counter[tuple[str, float]] = Counter()
        self._total_seconds: dict[str, float] = {}
        self._lock = threading.Lock()
        self._start_time = time.time()

    def record_request(
        self, method: str, route: str, status: int, seconds: float, user: str = ""
    ) -> None:
        method = method if method in HTTP_METHODS else "other"
        with self._lock:
            self._request_counts[method, route, status] += 1
            self._total_seconds[route] = self._total_seconds.get(route, 0.0) + seconds
            self._bucket_counts[
                route, next((limit for limit in BUCKET_LIMITS if seconds <= limit), float("inf"))
            ] += 1
        if self._log_requests:
            log_entry = {
                "time": round(time.time(), 3),
                "method": method,
                "path": route,
                "status": status,
                "ms": round(1000 * seconds, 1),
            }
            sys.stderr.write(json.dumps({**log_entry, **({"who": user} if user else {})}) + "\n")

    def render(self) -> str:
        with self._lock:
            request_counts, bucket_counts, total_seconds = (
                dict(self._request_counts),
                dict(self._bucket_counts),
                dict(self._total_seconds),
            )
        output_lines = [
            "# HELP pellucid_requests_total Requests answered.",
            "# TYPE pellucid_requests_total counter",
        ]
        output_lines += [
            f'pellucid_requests_total{{method="{method}",path="{route}",status="{status}"}} '
            f"{request_count}"
            for (method, route, status), request_count in sorted(request_counts.items())
        ]
        output_lines += [
            "# HELP pellucid_request_seconds Request latency.",
            "# TYPE pellucid_request_seconds histogram",
        ]
        for route in sorted(total_seconds):
            cumulative_count = 0
            for limit in (*BUCKET_LIMITS, float("inf")):
                cumulative_count += bucket_counts.get((route, limit), 0)
                bound = "+Inf" if limit == float("inf") else limit
                labels = f'path="{route}",le="{bound}"'
                output_lines.append(
                    f"pellucid_request_seconds_bucket{{{labels}}} {cumulative_count}"
                )
            output_lines.append(
                f'pellucid_request_seconds_sum{{path="{route}"}} {total_seconds[route]:.6f}'
            )
            output_lines.append(
                f'pellucid_request_seconds_count{{path="{route}"}} {cumulative_count}'
            )
        gauges = {
            "resident_bytes": ("Resident memory.", process_memory()),
            "start_time_seconds": ("Start time.", int(self._start_time)),
        }
        for gauge_name, (help_text, gauge_value) in gauges.items():
            output_lines += [
                f"# HELP pellucid_{gauge_name} {help_text}",
                f"# TYPE pellucid_{gauge_name} gauge",
                f"pellucid_{gauge_name} {gauge_value}",
            ]
        return "\n".join(output_lines) + "\n"


def process_memory() -> int:
    """Resident memory of this process in bytes; 0 if unavailable."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf(
            "SC_PAGE_SIZE"
        )
    except (OSError, ValueError, IndexError):
        return 0
