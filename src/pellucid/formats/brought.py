"""Sources in object stores: brought to this machine while they are read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pellucid.addresses import is_remote, refuse_secrets
from pellucid.errors import FileMissing, PellucidError, StoreUnknown, StoreUnreachable


@contextmanager
def brought(source: str | Path) -> Iterator[Path]:
    """The file or folder as one of this machine. Errors name the place that the user did."""
    if not is_remote(str(source)):
        yield Path(source)
        return
    url = str(source).rstrip("/")
    refuse_secrets(url)
    with tempfile.TemporaryDirectory(prefix="pellucid-") as room:
        here = Path(room) / url.rpartition("/")[2]
        fetch(url, here)
        try:
            yield here
        except PellucidError as error:
            error.args = (str(error).replace(str(here), url),)
            raise


def fetch(url: str, here: Path) -> None:
    """Raises FileMissing, StoreUnknown, StoreUnreachable."""
    import fsspec

    try:
        store, path = fsspec.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise StoreUnknown(url, str(error)) from error
    try:
        if store.isfile(path):
            store.get_file(path, str(here))
        elif not store.exists(path):
            raise FileMissing(url)
        else:
            for file in store.find(path):  # one by one, as `get` would look for patterns in names
                target = here / file.removeprefix(path).lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                store.get_file(file, str(target))
    except PellucidError:
        raise
    except Exception as error:  # each store has its own
        raise StoreUnreachable(url, f"{type(error).__name__}: {error}".split("?", 1)[0][:200]) from error
