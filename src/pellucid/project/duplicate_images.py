"""Duplicates of images in a view or a version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pellucid.core.tables import SPLITS, Images, Split
from pellucid.images.duplicates import DuplicatePair, DuplicatePairs, find_duplicate_pairs
from pellucid.images.locations import join_location
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
