"""What a check tried, and what went wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Outcomes:
    """counts: how often each expected outcome occurred; failures: what must not occur."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def count(self, outcome: str) -> None:
        self.counts[outcome] += 1

    def fail(self, message: str) -> None:
        self.failures.append(message)

    def expect(self, condition: bool, message: str) -> None:
        if not condition:
            self.fail(message)

    def summary(self) -> str:
        counts = ", ".join(f"{count:,} {name}" for name, count in self.counts.most_common())
        return f"{counts or 'nothing tried'}; {len(self.failures)} failures"
