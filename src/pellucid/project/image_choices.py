"""What was decided on the images of a view: excluded, or moved to another split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.core.errors import InvalidChoiceError
from pellucid.core.tables import SPLITS, Annotations, Images, Split
from pellucid.project.errors import UnknownImagesError
from pellucid.storage.manifests import ViewManifest


def exclude(
    manifest: ViewManifest, view: str, images: Images, paths: Sequence[str], excluded: bool
) -> None:
    """Leave images out of the versions that are started from now on, or take them in again.

    Raises:
        UnknownImagesError: the view has no such image.
    """
    require_images(view, images, paths)
    kept = [path for path in manifest.excluded if path not in paths]
    manifest.excluded = sorted({*kept, *paths}) if excluded else kept


def move(
    manifest: ViewManifest, view: str, images: Images, paths: Sequence[str], split: Split
) -> Images:
    """The images of the view with some of them in another split, where they stay when their source
    is added again.

    Raises:
        InvalidChoiceError: there is no such split.
        UnknownImagesError: the view has no such image.
    """
    if split not in SPLITS:
        raise InvalidChoiceError("split", split, SPLITS)
    require_images(view, images, paths)
    manifest.moved = {**manifest.moved, **dict.fromkeys(paths, split)}
    new_split = images.split.copy()
    new_split[np.isin(images.path.astype(str), list(paths))] = SPLITS.index(split)
    return images.replace(split=new_split)


def require_images(view: str, images: Images, paths: Sequence[str]) -> None:
    known = set(images.path.tolist())
    for path in paths:
        if path not in known:
            raise UnknownImagesError(view, path)


def without_excluded(
    manifest: ViewManifest, images: Images, annotations: Annotations
) -> tuple[Images, Annotations]:
    """The tables of a view without the images that were left out."""
    if not manifest.excluded:
        return images, annotations
    is_kept = ~np.isin(images.path.astype(str), manifest.excluded)
    new_rows = np.cumsum(is_kept) - 1
    annotations = annotations.take(is_kept[annotations.image])
    return images.take(is_kept), annotations.replace(
        image=new_rows[annotations.image].astype(np.int32)
    )


def with_moved_splits(manifest: ViewManifest, images: Images) -> Images:
    """Images of a source, in the splits to which they were moved before."""
    if not manifest.moved:
        return images
    split = images.split.copy()
    for row, path in enumerate(images.path.tolist()):
        if path in manifest.moved:
            split[row] = SPLITS.index(manifest.moved[path])
    return images.replace(split=split)
