"""Why and where a model is wrong: pure functions."""
