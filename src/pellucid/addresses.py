"""Addresses: paths of this machine, and URLs of stores."""

from __future__ import annotations

from urllib.parse import urlsplit

from pellucid.errors import SecretInUrlError


def is_remote(location: str) -> bool:
    return "://" in location


def reject_credentials(location: str) -> None:
    """Addresses are kept in manifests and shown on pages: a name and key, or a signature, has no place in one. Raises AddressHasSecret."""
    url = urlsplit(location)
    if "@" in url.netloc or url.query:
        raise SecretInUrlError(f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}")
