"""One folder per concept: `split/concept/image`, or `concept/image` without splits."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import Annotations
from pellucid.formats.class_names import parse_class_names
from pellucid.formats.companion_files import is_companion_file
from pellucid.formats.dataset import (
    Note,
    ParsedAnnotations,
    create_images,
    parse_split,
    require_split,
)
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.image_files import is_image_file
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions

NAME = "image-folder"
"""Text files beside image folders that list the names or say nothing of the images."""
ANNOTATION_SUFFIXES = (".csv", ".json", ".jsonl", ".txt", ".xml", ".parquet", ".yaml", ".yml")


def matches(probe: Probe) -> bool:
    """Whether the source is a folder with subfolders of images and no annotation files."""
    if not probe.is_dir or any(is_annotation_file(file_path) for file_path in probe.file_names):
        return False
    return has_image_files(probe)


def has_image_files(probe: Probe) -> bool:
    """Whether a folder has subfolders of images, whatever else it has."""
    return probe.is_dir and any("/" in image_path for image_path in image_paths_of(probe))


def image_paths_of(probe: Probe) -> list[str]:
    return [file_name for file_name in probe.file_names if is_image_file(file_name)]


def is_annotation_file(file_path: str) -> bool:
    """Whether a file may hold annotations; if so, the folder names are not treated as labels."""
    file_name = file_path.rsplit("/", maxsplit=1)[-1].lower()
    return file_name.endswith(ANNOTATION_SUFFIXES) and not is_companion_file(file_name)


@dataclass(frozen=True)
class FolderImages:
    """The images below the folders of concepts.

    Attributes:
        depth: how many folders stand above that of a concept
        paths: with a label
        strays: beside the folders of concepts
        deep: below further folders
        masks: called as another image with `_mask` behind its name
    """

    depth: int
    paths: list[str]
    strays: list[str]
    deep: list[str]
    masks: list[str]

    @property
    def has_splits(self) -> bool:
        return self.depth > 0


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    """Every image below the folder, labelled with its folder's name. Images beside the folders
    of concepts are named in a note; below `split/concept`, deeper folders do not count."""
    found = find_images(probe)
    reject_other_depths(probe.path, found)
    parts = [path.split("/") for path in found.paths]
    folders = sorted({names[found.depth] for names in parts})
    reject_role_names(probe.path, folders)
    index_of = {folder: index for index, folder in enumerate(folders)}
    concepts, concept_ids, name_notes = name_numbers(probe, folders)
    splits = [
        require_split(names[0], probe.path, names[0]) if found.has_splits else -1 for names in parts
    ]
    annotations = Annotations(
        np.arange(len(parts), dtype=np.int32),
        np.array([index_of[names[found.depth]] for names in parts], np.int32),
        None,
        np.zeros(len(parts), bool),
        np.ones(len(parts), bool),
        None,
    )
    return ParsedAnnotations(
        str(probe.path),
        NAME,
        "classification",
        concepts,
        concept_ids,
        False,
        create_images(found.paths, splits),
        annotations,
        str(probe.path),
        [
            *name_notes,
            *role_notes(folders),
            *(lone_folder_notes(found.paths) if found.has_splits else []),
            *position_notes(found.strays, found.deep),
            *mask_notes(found.masks),
            *other_file_notes(probe, found.depth),
        ],
    )


def find_images(probe: Probe) -> FolderImages:
    listed_paths = image_paths_of(probe)
    masks = find_masks(listed_paths)
    all_paths = [path for path in listed_paths if path not in masks]
    top_folders = {path.split("/")[0] for path in all_paths if "/" in path}
    depth = 1 if all(parse_split(folder) is not None for folder in top_folders) else 0
    strays = [path for path in all_paths if path.count("/") <= depth]
    paths = [path for path in all_paths if path.count("/") > depth]
    unlabelled = set(find_unlabelled(paths) if depth else ())
    paths = [path for path in paths if path not in unlabelled]
    deep = [path for path in paths if path.count("/") > depth + 1]
    return FolderImages(depth, paths, [*strays, *sorted(unlabelled)], deep, sorted(masks))


MASK_PATTERN = re.compile(r"(.+?)[ _-](masks?|seg|segmentation|gt)([ _-]?\d+)?", re.I)


def find_masks(image_paths: Sequence[str]) -> set[str]:
    """Images called as another one beside them with `_mask` behind its name, as segmentation data
    sets in folders of classes have them."""
    stems = {path.rpartition(".")[0] for path in image_paths}
    return {
        path
        for path in image_paths
        if (match := MASK_PATTERN.fullmatch(path.rpartition(".")[0])) and match[1] in stems
    }


def mask_notes(masks: Sequence[str]) -> list[Note]:
    if not masks:
        return []
    message = (
        f"{format_count(len(masks), 'image')} called as the masks of others, not read: "
        f"{summarize_names(masks)}"
    )
    return [Note("masks", message, len(masks))]


def reject_other_depths(folder: Path, found: FolderImages) -> None:
    """Raise InvalidRecordError if there are no labelled images, or images below further folders
    whose names may be the concepts."""
    if found.paths and not (found.deep and not found.has_splits):
        return
    path = (found.deep or found.strays)[0]
    expected = "split/concept/image" if found.has_splits else "concept/image"
    raise InvalidRecordError(
        folder,
        path,
        f"found {path.count('/')} levels deep, expected {expected}",
        folder_advice(found.paths, found.has_splits),
    )


IMAGE_NAMES = ("images", "image", "imgs", "img", "pictures", "photos", "jpegimages", "pngimages")
ROLE_NAMES = (
    *IMAGE_NAMES,
    *("masks", "labels", "annotations", "predictions", "segmentationclass", "segmentationobject"),
    *("thumbnails", "thumbs"),
)
"""Folders that are named after what they hold, in lower case."""


def reject_role_names(path: Path, folders: Sequence[str]) -> None:
    """Raise InvalidRecordError if all folders are named after what they hold, not after concepts,
    or one of images stands beside one of masks."""
    named = [folder for folder in folders if folder.lower() in ROLE_NAMES]
    is_pair = len({folder.lower() in IMAGE_NAMES for folder in named}) == 2
    if named and (len(named) == len(folders) or is_pair):
        raise InvalidRecordError(
            path,
            f"folder {named[0]}",
            "its name says what it holds, not which concept its images show",
            "Specify the file with the annotations and this folder with --images; if it is a "
            "concept, rename it.",
        )


def role_notes(folders: Sequence[str]) -> list[Note]:
    """A warning on folders named after what they hold, beside folders of concepts."""
    named = [folder for folder in folders if folder.lower() in ROLE_NAMES]
    if not named:
        return []
    message = f"folders read as concepts, whatever their name says: {summarize_names(named)}"
    return [Note("role_folders", message, len(named))]


def folder_advice(image_paths: Sequence[str], has_splits: bool) -> str:
    """What to do with images that are deeper than expected."""
    folders = sorted({image_path.partition("/")[0] for image_path in image_paths})
    if has_splits or not image_paths:
        return "Move the image."
    if len(folders) == 1:
        return f"Specify the folder {folders[0]} itself if it is not a concept."
    return (
        f"Move the image; or, if {summarize_names(folders)} are splits, rename them to train, val "
        "or test."
    )


UNLABELLED_NAMES = (
    *("images", "image", "imgs", "img", "pictures", "unlabeled", "unlabelled", "unknown"),
    *("data", "all", "files"),
)
"""Folders of a split that hold its images without a concept."""


def find_unlabelled(image_paths: Sequence[str]) -> list[str]:
    """Images of a split whose only folder is none of the concepts of the other splits."""
    folders_by_split: dict[str, set[str]] = {}
    for image_path in image_paths:
        split, folder, _ = image_path.split("/", 2)
        folders_by_split.setdefault(split, set()).add(folder)
    unlabelled = {
        split
        for split, folders in folders_by_split.items()
        if len(folders) == 1
        and is_unlabelled_name(next(iter(folders)))
        and any(not folders & others for others in folders_by_split.values())
    }
    return [image_path for image_path in image_paths if image_path.split("/")[0] in unlabelled]


def is_unlabelled_name(folder: str) -> bool:
    """Whether a folder is named after what holds images, or after a split: `test/test/1.jpg`."""
    return folder.lower() in UNLABELLED_NAMES or parse_split(folder) is not None


def lone_folder_notes(image_paths: Sequence[str]) -> list[Note]:
    """Notes on the splits whose only folder is none of the concepts of the other splits."""
    folders_by_split: dict[str, set[str]] = {}
    for image_path in image_paths:
        split, folder, _ = image_path.split("/", 2)
        folders_by_split.setdefault(split, set()).add(folder)
    return [
        Note(
            "lone_folder",
            f"the only folder of {split}, '{folder}', is in no other split: read as the concept "
            f"'{folder}'. If its images have no concept, move them up into {split}",
            1,
        )
        for split, (folder, *others) in sorted(folders_by_split.items())
        if not others
        and len(folders_by_split) > 1
        and all(folder not in fs for name, fs in folders_by_split.items() if name != split)
        and any(len(fs) > 1 for fs in folders_by_split.values())
    ]


NAMES_FILES = ("classes.txt", "class_names.txt", "labels.txt", "names.txt")


def name_numbers(probe: Probe, folders: Sequence[str]) -> tuple[list[str], list[str], list[Note]]:
    """The names of the concepts, their ids and a note. Folders that are numbers have the names of
    a list beside them, if it has a name for each, from 0 or 1 on."""
    no_ids = [""] * len(folders)
    file_name = next((name for name in NAMES_FILES if name in probe.file_names), None)
    if file_name is None or not all(folder.isdecimal() for folder in folders):
        return list(folders), no_ids, []
    names = parse_class_names(probe.path / file_name)
    numbers = sorted(int(folder) for folder in folders)
    first = 0 if 0 in numbers else 1
    if len(set(names)) < len(names) or numbers != list(range(first, first + len(names))):
        message = f"{file_name} not used: it does not have a name for each folder"
        return list(folders), no_ids, [Note("names", message, 1)]
    message = f"numbered folders have the names of {file_name}, from {first} on"
    named = [names[int(folder) - first] for folder in folders]
    return named, list(folders), [Note("names", message, 1, "info")]


def other_file_notes(probe: Probe, depth: int) -> list[Note]:
    """A note on files in the folders of concepts that are not read as images."""
    endings = Counter(
        PurePosixPath(file_name).suffix.lower() or "no ending"
        for file_name in probe.file_names
        if file_name.count("/") > depth
        and not is_image_file(file_name)
        and not is_companion_file(file_name.rsplit("/", maxsplit=1)[-1])
    )
    if not endings:
        return []
    kinds = ", ".join(f"{ending} ({count:,})" for ending, count in endings.most_common(6))
    count = sum(endings.values())
    message = f"{format_count(count, 'file')} in the folders of concepts not read: {kinds}"
    return [Note("other_files", message, count)]


def position_notes(stray_paths: list[str], deep_paths: list[str]) -> list[Note]:
    notes = []
    if stray_paths:
        message = (
            f"{format_count(len(stray_paths), 'image')} outside the folders of concepts, not read: "
            f"{summarize_names(stray_paths)}"
        )
        notes.append(Note("stray_images", message, len(stray_paths)))
    if deep_paths:
        message = (
            f"{format_count(len(deep_paths), 'image')} in folders below split/concept: labelled "
            f"with the concept's folder, such as {summarize_names(deep_paths, 1)}"
        )
        notes.append(Note("deep_folders", message, len(deep_paths)))
    return notes


FORMAT = AnnotationFormat(NAME, matches, read)
