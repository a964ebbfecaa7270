"""Evaluation in shards, on several processes or machines."""
