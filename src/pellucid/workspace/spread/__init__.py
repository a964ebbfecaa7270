"""Evaluating a version in pieces: on this machine's cores, or on many machines."""
