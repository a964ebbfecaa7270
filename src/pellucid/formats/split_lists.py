"""Text files that list the images of a split beside the annotations: `train.txt`, or those of a
folder `ImageSets`. One rule for every format of folders."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import SPLITS, Images
from pellucid.formats.companion_files import is_companion_file
from pellucid.formats.dataset import Note, ParsedAnnotations, parse_split
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.parsing import load_lines
from pellucid.formats.probe import Probe, list_files

LIST_FOLDERS = (
    *("main", "imagesets", "splits", "split", "lists", "segmentation", "layout", "action"),
)
"""Folders of lists, in lower case; lists beside the annotations are in none."""
MIN_LISTED_SHARE = 0.5
"""Least share of the lines of a list that name an image of the set."""


def with_listed_splits(annotations: ParsedAnnotations, probe: Probe) -> ParsedAnnotations:
    """The annotations with the splits of the lists in the folder, if the images have no splits yet,
    or all one: KITTI divides its folder `training`.

    Raises:
        InvalidRecordError: an image is in the lists of two splits.
    """
    images, lists = annotations.images, list(find_split_lists(probe))
    if not lists or len(np.unique(images.split)) > 1:
        return annotations
    row_by_name = unique_names(images)
    split = np.full_like(images.split, -1)
    read, unread = [], []
    unknown: list[str] = []
    for file_name, list_split in lists:
        lines = [line for _, line in load_lines(probe.path / file_name) if line]
        rows = [row for line in lines if (row := find_image(line, row_by_name)) is not None]
        if len(rows) < max(1, MIN_LISTED_SHARE * len(lines)):
            unread.append(file_name)
            continue
        unknown += [line for line in lines if find_image(line, row_by_name) is None]
        read.append(f"{file_name} ({format_count(len(set(rows)), 'image')})")
        elsewhere = [row for row in rows if split[row] not in (-1, list_split)]
        if elsewhere:
            raise InvalidRecordError(
                probe.path / file_name,
                f"image '{images.path[elsewhere[0]]}'",
                f"it is also listed as {SPLITS[split[elsewhere[0]]]}",
                "Remove it from one of the lists.",
            )
        split[rows] = list_split
    notes = list_notes(read, unread, unknown, int((split < 0).sum()))
    split = np.where(split < 0, images.split, split).astype(images.split.dtype)
    return replace(
        annotations, images=images.replace(split=split), notes=[*annotations.notes, *notes]
    )


def list_notes(read: list[str], unread: list[str], unknown: list[str], unlisted: int) -> list[Note]:
    notes = []
    if read:
        notes.append(Note("split_lists", f"splits from {', '.join(read)}", len(read), "info"))
    if read and unlisted:
        message = f"{format_count(unlisted, 'image')} in no list of a split"
        notes.append(Note("unlisted", message, unlisted))
    if unknown:
        lines = format_count(len(unknown), "line of a list of a split", "lines of lists of splits")
        message = f"{lines} name no annotated image, left out: {summarize_names(unknown)}"
        notes.append(Note("listed_without_annotation", message, len(unknown)))
    if unread:
        message = f"lists of splits not read: few of their lines in {summarize_names(unread)} are "
        notes.append(Note("split_lists_not_read", f"{message}images of the set", len(unread)))
    return notes


def find_split_lists(probe: Probe) -> Iterator[tuple[str, int]]:
    """The lists in the folder with their splits. Of several folders of lists the first of
    LIST_FOLDERS: VOC divides images for segmentation in another way. Lists of single classes if
    there are no others."""
    by_folder: dict[int, list[PurePosixPath]] = defaultdict(list)
    for file in map(PurePosixPath, probe.files_with_suffix(".txt")):
        folder = file.parent.name.lower()
        if not folder or folder in LIST_FOLDERS:
            rank = LIST_FOLDERS.index(folder) if folder else len(LIST_FOLDERS)
            by_folder[rank].append(file)
    for find in (split_of_list, split_of_class_list):
        for _, files in sorted(by_folder.items()):
            splits = {str(file): find(file.stem) for file in files}
            if any(split is not None for split in splits.values()):
                yield from ((name, split) for name, split in splits.items() if split is not None)
                return


def split_of_list(stem: str) -> int | None:
    """The split that the name of a list states: `train`, `val_list`."""
    return parse_split(re.sub(r"[_-]?(list|files|images)$", "", stem, flags=re.IGNORECASE))


def split_of_class_list(stem: str) -> int | None:
    """The split in the name of a list of VOC's, which states with 1 and -1 where a class is."""
    match = re.fullmatch(r".+_(train|val|test)", stem, flags=re.IGNORECASE)
    return None if match is None else parse_split(match[1])


def list_label_files(probe: Probe, is_label_line: Callable[[str], bool]) -> Iterator[Path]:
    """The text files with labels: without those that list the images of a split."""
    lists = {name for name, _ in find_split_lists(probe)} if probe.is_dir else set()
    for file in list_files(probe, ".txt"):
        name = file.relative_to(probe.path).as_posix()
        is_list = name in lists and not any(map(is_label_line, probe.load_head(name).split("\n")))
        if not is_list and not is_companion_file(file.name):
            yield file


def unique_names(images: Images) -> dict[str, int]:
    """The row of each image by its path, its stem and its ids, such as the stem of its annotation
    file; -1 for names of several images."""
    rows: dict[str, int] = {}
    for row, (path, ids) in enumerate(zip(images.path, images.source_id, strict=True)):
        file = PurePosixPath(path)
        for name in {path, file.stem, str(file.with_suffix("")), *ids.split("\n")} - {""}:
            rows[name] = -1 if name in rows else row
    return rows


def find_image(line: str, row_by_name: Mapping[str, int]) -> int | None:
    """The image that a line names by its path, in whatever folder and with whatever ending, alone
    or before other columns; None if there is none."""
    for text in (line, line.split(maxsplit=1)[0]):
        path = PurePosixPath(text.replace("\\", "/").lstrip("/"))
        for start in range(len(path.parts)):
            tail = "/".join(path.parts[start:])
            for name in (tail, str(Path(tail).with_suffix(""))):
                row = row_by_name.get(name, -1)
                if row >= 0:
                    return row
        if (row := row_by_name.get(path.stem, -1)) >= 0:
            return row
    return None
