"""Decisions of reviewers and the annotations they correct."""
