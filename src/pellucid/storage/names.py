"""Names of views and versions, which are used as folder names."""

from __future__ import annotations

import re
from pathlib import Path

from pellucid.storage.errors import InvalidNameError

NAME_PATTERN = re.compile(r"[^./\\:\x00-\x1f\x7f][^/\\:\x00-\x1f\x7f]{0,99}")


def validate_name(subject: str, name: str) -> str:
    if not NAME_PATTERN.fullmatch(name) or len(name.encode()) > 200 or name != name.strip():
        raise InvalidNameError(subject, name)
    return name


def list_names(folder: Path, manifest_name: str) -> list[str]:
    """Sorted names of the subfolders that contain the manifest."""
    return (
        sorted(child.name for child in folder.iterdir() if (child / manifest_name).is_file())
        if folder.is_dir()
        else []
    )
