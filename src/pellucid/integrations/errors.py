"""Errors of integrations."""

from __future__ import annotations

from pellucid.core.errors import PellucidError


class InvalidBatchError(PellucidError):
    def __init__(self, location: str, expected: str) -> None:
        super().__init__(f"{location}: expected {expected}.")
