"""Refuse query parameters that a route does not have: answers at default values would look like
those that were asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import Request

from pellucid.server.errors import UnknownParameterError

ALWAYS_ACCEPTED = ("token",)
"""Read before the routes; see `auth`."""


def reject_unknown_parameters(request: Request) -> None:
    """A dependency of every route. Raises UnknownParameterError."""
    known = list(query_parameters(request.scope["route"].dependant))
    for name in request.query_params:
        if name not in known and name not in ALWAYS_ACCEPTED:
            raise UnknownParameterError(name, known)


def query_parameters(dependant: Any) -> Iterator[str]:
    """The query parameters of a route and of what it depends on."""
    yield from (parameter.alias for parameter in dependant.query_params)
    for dependency in dependant.dependencies:
        yield from query_parameters(dependency)
