"""Download of sources from object stores to a temporary folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pellucid.core.errors import (
    FileMissingError,
    PellucidError,
    StoreUnavailableError,
    UnsupportedStoreError,
)
from pellucid.core.urls import is_remote, reject_credentials


@contextmanager
def download(source: str | Path) -> Iterator[Path]:
    """The local path of the source, downloaded if remote. Error messages contain the original
    URL."""
    if not is_remote(str(source)):
        yield Path(source)
        return
    url = str(source).rstrip("/")
    reject_credentials(url)
    with tempfile.TemporaryDirectory(prefix="pellucid-") as temporary_folder:
        local_path = Path(temporary_folder) / url.rpartition("/")[2]
        fetch(url, local_path)
        try:
            yield local_path
        except PellucidError as error:
            error.args = (str(error).replace(str(local_path), url),)
            raise


def fetch(url: str, local_path: Path) -> None:
    """Raises FileMissingError, UnsupportedStoreError, StoreUnavailableError."""
    import fsspec

    try:
        store, store_path = fsspec.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise UnsupportedStoreError(url, str(error)) from error
    try:
        if store.isfile(store_path):
            store.get_file(store_path, str(local_path))
        elif not store.exists(store_path):
            raise FileMissingError(url)
        else:
            for stored_file in store.find(
                store_path
            ):  # one by one, because `get` expands patterns in names
                target = local_path / stored_file.removeprefix(store_path).lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                store.get_file(stored_file, str(target))
    except PellucidError:
        raise
    except Exception as error:  # each store raises its own errors
        raise StoreUnavailableError(
            url, f"{type(error).__name__}: {error}".split("?", 1)[0][:200]
        ) from error
