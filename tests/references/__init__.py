"""Slow, plain oracles: what Pellucid computes, once more, in loops over dictionaries."""
