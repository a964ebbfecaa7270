"""Correction for many tests at once."""

from __future__ import annotations

from collections.abc import Sequence


def significant(p_values: Sequence[float], level: float) -> list[bool]:
    """Which tests are significant at a false discovery rate, by the step-up procedure of Benjamini
    and Hochberg (1995)."""
    ranked = sorted(p_values)
    passed = [p for rank, p in enumerate(ranked, 1) if p < level * rank / len(ranked)]
    limit = max(passed, default=-1.0)
    return [p <= limit for p in p_values]
