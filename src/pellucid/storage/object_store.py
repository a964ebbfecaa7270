"""Object stores, as fsspec reaches them: s3, gs, az, http, ...

Keys to a store come from where its own tools look for them (environment, profile, the machine's role), never from an address: what
stands in an address is kept in manifests and shown on pages.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pellucid.core.errors import UnsupportedStoreError


def open_store(location: str) -> tuple[Any, str]:
    """The store that a URL is of, and the path in it. Raises UnsupportedStoreError."""
    import fsspec

    store_options = {"auto_mkdir": True} if location.startswith("file:") else {}  # other stores have no folders to be made
    try:
        return fsspec.url_to_fs(location, **store_options)  # type: ignore[no-any-return]
    except (ImportError, ValueError) as error:
        raise UnsupportedStoreError(location, str(error)) from error


def send(local_file: Path, location: str) -> None:
    """Put a file of this machine where the location says, in one piece."""
    store, path = open_store(location)
    store.put_file(str(local_file), path)
