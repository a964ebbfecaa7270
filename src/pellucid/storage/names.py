"""Names of views and versions, which are names of folders."""

from __future__ import annotations

import re
from pathlib import Path

from pellucid.storage.errors import InvalidNameError

EMBEDDINGS_FILE = "embeddings.npz"
"""The user's embeddings, in the folder of a view."""

ALLOWED = re.compile(r"[^./\\:\x00-\x1f\x7f][^/\\:\x00-\x1f\x7f]{0,99}")


def checked_name(what: str, name: str) -> str:
    if not ALLOWED.fullmatch(name) or len(name.encode()) > 200 or name != name.strip():
        raise InvalidNameError(what, name)
    return name


def listed_names(folder: Path, manifest: str) -> list[str]:
    """Folders below that hold the manifest, by name."""
    return sorted(child.name for child in folder.iterdir() if (child / manifest).is_file()) if folder.is_dir() else []
