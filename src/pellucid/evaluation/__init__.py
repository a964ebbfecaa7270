"""Matching, thresholds and metrics: pure functions over columns."""
