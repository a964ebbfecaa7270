"""Local paths and object-store URLs."""

from __future__ import annotations

from urllib.parse import urlsplit

from pellucid.core.errors import SecretInUrlError


def is_remote(location: str) -> bool:
    return "://" in location


def reject_credentials(location: str) -> None:
    """Reject URLs with credentials or a query (signature): URLs are stored in manifests and shown
    on pages. Raises SecretInUrlError."""
    url = urlsplit(location)
    if "@" in url.netloc or url.query:
        raise SecretInUrlError(f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}")
