"""Errors of starting the server."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.core.errors import PellucidError


class PortUnavailableError(PellucidError):
    exit_status = 1

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(
            f"cannot listen on {host}:{port} ({reason}). Choose another port with --port, or 0 "
            "for any free one."
        )


class InvalidTokensError(PellucidError):
    exit_status = 2

    def __init__(self, variables: Sequence[str], min_length: int) -> None:
        super().__init__(
            f"{' and '.join(variables)}: expected two different tokens of at least {min_length} "
            "characters. Omit them to generate new ones."
        )
