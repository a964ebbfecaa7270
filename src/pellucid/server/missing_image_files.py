"""Image files that are not where they were when a version was frozen."""

from __future__ import annotations

import numpy as np

from pellucid.core.tables import Images
from pellucid.images.locations import join_location, location_exists
from pellucid.server.schemas.gallery_schema import AbsentPictures

MAX_CHECKED = 500
"""Images whose files are looked for, spread over all of them."""


def find_missing_image_files(images: Images, folders: list[str]) -> AbsentPictures | None:
    """How many of some pictures are absent, and the folder of the first; None if none is. Images
    without a folder and remote ones are not looked for."""
    located = np.flatnonzero(images.root >= 0)
    rows = located
    if len(located) > MAX_CHECKED:
        rows = located[np.linspace(0, len(located) - 1, MAX_CHECKED).astype(int)]
    absent = [
        row
        for row in rows.tolist()
        if not location_exists(join_location(folders[images.root[row]], images.path[row]))
    ]
    if not absent:
        return None
    first = absent[0]
    return AbsentPictures(
        len(absent), len(rows), folders[images.root[first]], str(images.path[first])
    )
