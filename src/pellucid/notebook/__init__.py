"""Versions, galleries and figures in notebooks."""
