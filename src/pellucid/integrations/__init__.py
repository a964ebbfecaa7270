"""Recorders for training frameworks."""
