"""Who reviews: the user of a request, and whether it is an owner."""

from __future__ import annotations

from fastapi import Request

from pellucid.review.identity import normalize_name


def get_who_header(request: Request) -> str | None:
    """The header in which an authenticating proxy sends the user name; if set, names sent by
    the page are ignored."""
    header: str | None = request.app.state.who_header
    return header


def reviewer_name(request: Request, submitted_name: str) -> str:
    """The name of the person who sent the request: as the proxy states it, else as submitted."""
    if get_who_header(request) is None:
        return normalize_name(submitted_name)
    user: str = request.state.user
    return user


def is_owner(request: Request) -> bool:
    return bool(request.state.role == "owner")
