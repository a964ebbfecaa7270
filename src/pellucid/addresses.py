"""Addresses: paths of this machine, and URLs of stores."""

from __future__ import annotations

from urllib.parse import urlsplit

from pellucid.errors import SecretInUrlError


def is_remote(location: str) -> bool:
    return "://" in location


def refuse_secrets(location: str) -> None:
    """Addresses are kept in manifests and shown on pages: a name and key, or a signature, has no place in one. Raises AddressHasSecret."""
    parts = urlsplit(location)
    if "@" in parts.netloc or parts.query:
        raise SecretInUrlError(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")
