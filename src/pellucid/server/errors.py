"""Errors of starting the server."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.core.errors import PellucidError
from pellucid.core.suggestions import suggestion_text


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


class UnknownParameterError(PellucidError):
    def __init__(self, name: str, known: Sequence[str]) -> None:
        expected = f"Expected one of: {', '.join(known)}." if known else "Expected none."
        super().__init__(
            f"unknown query parameter '{name}'. {expected}{suggestion_text(name, known)}"
        )
