"""Object stores accessed through fsspec: s3, gs, az, http, ...

Credentials come from the store's usual sources (environment, profile, machine role), never from
a URL, as URLs are stored in manifests and shown on pages.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pellucid.core.errors import UnsupportedStoreError


def open_store(location: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it. Raises UnsupportedStoreError."""
    import fsspec

    store_options = (
        {"auto_mkdir": True} if location.startswith("file:") else {}
    )  # other stores need no folders
    try:
        return fsspec.url_to_fs(location, **store_options)  # type: ignore[no-any-return]
    except (ImportError, ValueError) as error:
        raise UnsupportedStoreError(location, str(error)) from error


def send(local_file: Path, location: str) -> None:
    """Upload a local file to a location, atomically."""
    store, path = open_store(location)
    store.put_file(str(local_file), path)
