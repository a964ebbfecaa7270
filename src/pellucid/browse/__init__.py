"""Which items a gallery lists, and in which order: pure functions."""
