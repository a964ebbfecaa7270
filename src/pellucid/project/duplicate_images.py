"""Duplicates of images in a view or a version, and what was decided on them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.core.errors import InvalidChoiceError
from pellucid.core.tables import SPLITS, Annotations, Images, Split
from pellucid.images.duplicates import DuplicatePair, DuplicatePairs, find_duplicate_pairs
from pellucid.images.locations import join_location
from pellucid.project.errors import UnknownImagesError
from pellucid.storage.manifests import ViewManifest

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class DuplicateImage:
    """An image of a pair of duplicates.

    Attributes:
        split: in the view, to which it may have been moved
        excluded: from the versions that are started from now on
    """

    image: str
    split: Split
    excluded: bool


@dataclass(frozen=True)
class ImagePair:
    """Two images that look alike.

    Attributes:
        identical: whether the files have the same content
        distance: of their hashes, in bits of 64
        leak: whether one is for training and the other is not
    """

    first: DuplicateImage
    second: DuplicateImage
    identical: bool
    distance: int
    leak: bool


def image_locations(images: Images, folders: Sequence[str]) -> list[str]:
    """Of each image; '' where its file is not known."""
    return [
        "" if root < 0 else join_location(folders[root], path)
        for path, root in zip(images.path.tolist(), images.root.tolist(), strict=True)
    ]


def find_pairs(
    images: Images, folders: Sequence[str], progress: Progress = lambda done, total: None
) -> DuplicatePairs:
    """Pairs of rows of the images that have files."""
    locations = image_locations(images, folders)
    rows = [row for row, location in enumerate(locations) if location]
    found = find_duplicate_pairs(
        [locations[row] for row in rows], images.split[rows].tolist(), progress
    )
    pairs = [
        DuplicatePair(rows[pair.first], rows[pair.second], pair.distance, pair.is_identical)
        for pair in found.pairs
    ]
    return DuplicatePairs(pairs, found.is_truncated)


def describe_pairs(
    pairs: Sequence[DuplicatePair], images: Images, manifest: ViewManifest, current: Images
) -> list[tuple[DuplicatePair, ImagePair]]:
    """What the view says of each pair now; first those of different splits, then identical files,
    then the most alike. Decisions do not change the order.

    Args:
        images: those of the pairs, by whose splits they are sorted
        current: of the view
    """
    splits = dict(zip(current.path.tolist(), current.split.tolist(), strict=True))
    excluded = set(manifest.excluded)

    def describe(row: int) -> DuplicateImage:
        path = str(images.path[row])
        split = SPLITS[splits.get(path, int(images.split[row]))]
        return DuplicateImage(path, split, path in excluded)

    described = []
    for pair in pairs:
        first, second = describe(pair.first), describe(pair.second)
        is_leak = (first.split == "training") != (second.split == "training")
        is_open = not (first.excluded or second.excluded)
        image_pair = ImagePair(first, second, pair.is_identical, pair.distance, is_leak and is_open)
        described.append((pair, image_pair))
    return sorted(
        described,
        key=lambda each: (
            images.split[each[0].first] == images.split[each[0].second],
            not each[1].identical,
            each[1].distance,
        ),
    )


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


class DuplicateSearch:
    """The duplicates of the images of a version, searched for once in the background."""

    def __init__(self, images: Images, folders: Sequence[str]) -> None:
        self.images = images
        self.folders = list(folders)
        self._found: DuplicatePairs | None = None
        self._error: Exception | None = None
        self._lock = threading.Lock()
        self._is_running = False
        self.progress = 0, 0

    def is_of(self, images: Images, folders: Sequence[str]) -> bool:
        """Whether these are the files that are searched; pictures may be found later."""
        return self.folders == list(folders) and bool((self.images.root == images.root).all())

    def get_or_start(self) -> DuplicatePairs | None:
        """The pairs; None while they are searched for. Raises what ended the search."""
        with self._lock:
            if self._error is not None:
                raise self._error
            if self._found is None and not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, daemon=True, name="pellucid-duplicates").start()
            return self._found

    def _run(self) -> None:
        try:
            found = find_pairs(self.images, self.folders, self._report)
            with self._lock:
                self._found = found
        except Exception as error:  # told to whoever asks next, not searched for again
            with self._lock:
                self._error = error

    def _report(self, done: int, total: int) -> None:
        self.progress = done, total
