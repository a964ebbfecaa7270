"""YOLO: a `data.yaml` with one label file per image.

A line is `class cx cy width height [confidence]` in fractions of the image; polygon lines
(`class x1 y1 x2 y2 x3 y3 ...`) are converted to bounding boxes, with a note.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.errors import FileMissingError, MalformedFileError, format_count, summarize_names
from pellucid.core.outlines import polygon_area
from pellucid.core.tables import SPLITS, Annotations, string_column
from pellucid.formats.dataset import Note, ParsedAnnotations, Severity, check_boxes, create_images
from pellucid.formats.errors import InvalidRecordError, LabelFilesMissingError, SplitConflictError
from pellucid.formats.image_files import list_image_files
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions
from pellucid.formats.readers.dota import is_dota_line
from pellucid.formats.readers.yolo_label_files import (
    candidate_label_files,
    find_label_files,
    label_files_elsewhere,
    label_folders,
    orphan_label_files,
)
from pellucid.formats.readers.yolo_label_lines import class_index, line_box, parse_label_lines
from pellucid.formats.readers.yolo_poses import (
    format_pose,
    parse_keypoint_shape,
    parse_sigmas,
    unstated_pose_shape,
)
from pellucid.formats.readers.yolo_settings import (
    find_settings_file,
    parse_concept_names,
    parse_settings,
    reject_other_names,
)

NAME = "yolo"
SPLIT_KEYS = (
    ("train", "training"),
    ("val", "validation"),
    ("validation", "validation"),
    ("valid", "validation"),
    ("test", "test"),
)


def matches(probe: Probe) -> bool:
    """Whether the source is a YAML file with `names`, or a folder with one."""
    if probe.is_dir:
        return find_settings_file(probe.path) is not None and not any(
            is_dota_line(line) for line in first_lines(probe)
        )
    return probe.path.suffix.lower() in (".yaml", ".yml") and "names" in probe.head


def first_lines(probe: Probe) -> list[str]:
    return [
        line
        for file_name in probe.sample_with_suffix(".txt")
        for line in probe.load_head(file_name).split("\n")[:2]
    ]


def has_text_files(label_file: Path) -> bool:
    """Whether there are label files where this one was looked for."""
    return label_file.parent.is_dir() and any(label_file.parent.glob("*.txt"))


def split_entries(settings: Mapping[str, Any]) -> list[tuple[str, int]]:
    """The folders and list files of each split. Settings that name none have all images below
    their folder, in no particular split."""
    entries = [
        (str(entry), SPLITS.index(split_name))
        for key, split_name in SPLIT_KEYS
        if settings.get(key)
        for entry in (settings[key] if isinstance(settings[key], list) else [settings[key]])
    ]
    return entries or [(".", -1)]


@dataclass
class ListedImages:
    """The images of the splits.

    Attributes:
        label_files: None for an image without one
        label_folders: where they were looked for
        first_candidate: the first file looked for
        missing: entries of the settings that are not there
        unlabelled: entries without any label file, their number of images and the first file looked
            for
    """

    paths: list[str] = field(default_factory=list)
    splits: list[int] = field(default_factory=list)
    label_files: list[Path | None] = field(default_factory=list)
    label_folders: set[Path] = field(default_factory=set)
    first_candidate: Path | None = None
    missing: list[str] = field(default_factory=list)
    unlabelled: list[tuple[str, int, Path]] = field(default_factory=list)


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    """Image paths are relative to the dataset root, or to the image folder if one was given."""
    path = probe.path
    if path.is_dir():
        reject_other_names(path)
    path = ((find_settings_file(path) or path) if path.is_dir() else path).resolve()
    settings = parse_settings(path)
    concepts = parse_concept_names(path, settings)
    root = (path.parent / str(settings.get("path") or ".")).resolve()
    root = root if root.is_dir() else path.parent
    image_folder = Path(options.image_folder).resolve() if options.image_folder else root
    listed = list_images(path, settings, root, image_folder)
    if not listed.paths:
        raise MalformedFileError(path, "names no images: nothing under train, val or test")
    if not any(listed.label_files):
        raise LabelFilesMissingError(
            path, len(listed.paths), str(listed.first_candidate), label_folders(root)
        )
    if listed.unlabelled:
        entry, image_count, candidate = listed.unlabelled[0]
        raise LabelFilesMissingError(
            f"{path}: {entry}", image_count, str(candidate), label_folders(root)
        )
    return build_annotations(path, image_folder, concepts, listed, parse_pose_shape(path, settings))


def list_images(
    path: Path, settings: dict[str, Any], root: Path, image_folder: Path
) -> ListedImages:
    """path: of the settings · root: of the dataset · image_folder: that image paths are relative
    to."""
    listed = ListedImages()
    missing: list[FileMissingError] = []
    split_of_entry: dict[str, int] = {}
    for entry, split_index in split_entries(settings):
        try:
            base_folder, image_files = list_entry_images(path, entry, root, image_folder)
        except FileMissingError as error:  # Roboflow names a test folder that may not be there
            missing.append(error)
            listed.missing.append(entry)
            continue
        labels = find_label_files(base_folder, image_files, path.parent, root, entry)
        first_split = split_of_entry.setdefault(os.path.normpath(entry), split_index)
        if first_split != split_index and image_files:
            raise SplitConflictError(
                path,
                relative_image_path(image_files[0], image_folder, path),
                SPLITS[first_split],
                SPLITS[split_index],
                f"'{entry}' is the folder of both splits: remove one of the two lines.",
            )
        if image_files:
            candidates = candidate_label_files(
                image_files[0], base_folder, path.parent, root, entry
            )
            listed.first_candidate = listed.first_candidate or candidates[0]
            if not labels.by_image and not any(map(has_text_files, candidates)):
                listed.unlabelled.append((entry, len(image_files), candidates[0]))
        listed.paths += [relative_image_path(file, image_folder, path) for file in image_files]
        listed.splits += [split_index] * len(image_files)
        listed.label_files += [labels.by_image.get(file) for file in image_files]
        listed.label_folders |= labels.folders
    if missing and not listed.paths:
        raise missing[0]
    return listed


@dataclass(frozen=True)
class PoseShape:
    """The keypoints of a YOLO pose data set.

    Attributes:
        points: how many a pose has, and the numbers of a point
        sigmas: of each, if stated
    """

    points: tuple[int, int]
    sigmas: list[float] | None


def parse_pose_shape(path: Path, settings: dict[str, Any]) -> PoseShape | None:
    points = parse_keypoint_shape(path, settings)
    return None if points is None else PoseShape(points, parse_sigmas(path, settings, points[0]))


def build_annotations(
    path: Path,
    image_folder: Path,
    concepts: list[str],
    listed: ListedImages,
    pose: PoseShape | None = None,
) -> ParsedAnnotations:
    """Parse label files. pose: of the keypoints behind each box."""
    orphan_labels = orphan_label_files(listed.label_folders, listed.label_files)
    root = path if path.is_dir() else path.parent
    notes = label_file_notes(root, listed.paths, listed.label_files, orphan_labels)
    if listed.missing:
        message = f"{summarize_names(listed.missing)} of {path.name} not there: left out"
        notes.append(Note("missing_split", message, len(listed.missing)))
    lines = [
        LabelLine(image_index, *line)
        for image_index, label_file in enumerate(listed.label_files)
        if label_file
        for line in parse_label_lines(label_file)
    ]
    poses: list[str] = []
    if pose is not None:
        poses = [
            format_pose(line.numbers, pose.points, pose.sigmas, line.file, line.number)
            for line in lines
        ]
        lines = [replace(line, numbers=line.numbers[:5]) for line in lines]
    else:
        reject_unstated_poses(path, lines)
    annotations = annotate_lines(lines, concepts, poses)
    notes += shape_notes(lines)
    assert annotations.box is not None
    notes += check_boxes(path, annotations.box, lambda index: lines[index].location)
    return ParsedAnnotations(
        str(path),
        NAME,
        "detection",
        concepts,
        [str(index) for index in range(len(concepts))],
        True,
        create_images(listed.paths, listed.splits),
        annotations,
        str(image_folder),
        notes,
        "fractions",
    )


def reject_unstated_poses(path: Path, lines: Sequence[LabelLine]) -> None:
    """Raises InvalidRecordError if the lines are poses."""
    shape = unstated_pose_shape([line.numbers for line in lines])
    if shape is not None:
        count, dimensions = shape
        first = next(line for line in lines if line.is_polygon)
        raise InvalidRecordError(
            first.file,
            f"line {first.number}",
            f"found a box and the numbers of {format_count(count, 'keypoint')}",
            f"State their shape, kpt_shape: [{count}, {dimensions}], in "
            f"{'a data.yaml with the names beside the images' if path.is_dir() else path.name}.",
        )


def annotate_lines(
    lines: Sequence[LabelLine], concepts: list[str], poses: Sequence[str]
) -> Annotations:
    """poses: the outlines of the lines, if they have keypoints."""
    boxes = np.array(
        [line_box(line.numbers, line.file, line.number) for line in lines], float
    ).reshape(-1, 4)
    areas = [
        polygon_area(line.numbers[1:]) if line.is_polygon else box[2] * box[3]
        for line, box in zip(lines, boxes.tolist(), strict=True)
    ]
    outlines = poses or [
        json.dumps([line.numbers[1:]]) if line.is_polygon else "" for line in lines
    ]
    concept_indexes = [
        class_index(line.numbers[0], len(concepts), line.file, line.number, concepts)
        for line in lines
    ]
    return Annotations(
        np.array([line.image for line in lines], np.int32),
        np.array(concept_indexes, np.int32),
        boxes,
        np.zeros(len(lines), bool),
        np.ones(len(lines), bool),
        np.array(areas, float),
        string_column(outlines) if any(outlines) else None,
    )


@dataclass(frozen=True)
class LabelLine:
    """One object of a label file.

    Attributes:
        image: index
        number: of the line
        numbers: class, then a box or the corners of a polygon
    """

    image: int
    file: Path
    number: int
    numbers: list[float]

    @property
    def is_polygon(self) -> bool:
        return len(self.numbers) > 5

    @property
    def location(self) -> str:
        return f"{self.file.name} line {self.number}"


def label_file_notes(
    root: Path,
    image_paths: Sequence[str],
    label_files: Sequence[Path | None],
    orphan_labels: Sequence[str],
) -> list[Note]:
    """Notes on images without a label file, and on label files without an image."""
    notes = []
    unlabelled_images = [
        image_path
        for image_path, label_file in zip(image_paths, label_files, strict=True)
        if label_file is None
    ]
    elsewhere = label_files_elsewhere(root, unlabelled_images) if unlabelled_images else []
    if elsewhere:
        files = format_count(len(elsewhere), "label file")
        message = (
            f"{files} of images without one lie elsewhere, not read: "
            f"{summarize_names(elsewhere)}. Move them to where the images' label files are"
        )
        notes.append(Note("labels_elsewhere", message, len(elsewhere)))
    if unlabelled_images:
        message = (
            f"{format_count(len(unlabelled_images), 'image')} without a label file, treated as "
            f"having no objects: {summarize_names(unlabelled_images)}"
        )
        are_most = len(unlabelled_images) * 2 > len(image_paths)
        severity: Severity = "warning" if are_most else "info"
        notes.append(Note("no_label_file", message, len(unlabelled_images), severity))
    if orphan_labels:
        message = (
            f"{format_count(len(orphan_labels), 'label file')} without an image, ignored: "
            f"{summarize_names(orphan_labels)}"
        )
        notes.append(Note("no_picture", message, len(orphan_labels)))
    return notes


def shape_notes(label_lines: Sequence[LabelLine]) -> list[Note]:
    """A note on polygons."""
    notes = []
    if polygon_count := sum(line.is_polygon for line in label_lines):
        message = f"{format_count(polygon_count, 'polygon')}: the boxes are those around them"
        notes.append(Note("polygons", message, polygon_count, "info"))
    return notes


def find_moved_folders(posix_entry: str, bases: Sequence[Path]) -> list[Path]:
    """Where an absolute folder of another machine may be now: at the end of its path, of two names
    at least, as `images` alone would be that of any split."""
    if not (posix_entry.startswith("/") or posix_entry[1:3] == ":/"):
        return []
    parts = posix_entry.split("/")
    tails = ["/".join(parts[start:]) for start in range(1, len(parts) - 1)]
    return [base / tail for tail in tails for base in bases]


def list_entry_images(
    path: Path, entry: str, root: Path, image_folder: Path
) -> tuple[Path, list[Path]]:
    """The base folder and image files of one entry: a folder, or a text file that lists them."""
    posix_entry = entry.replace("\\", "/").removeprefix("./")
    entry_below_images = posix_entry.removeprefix("images/")
    candidates = [
        root / posix_entry,
        path.parent / posix_entry,
        path.parent / posix_entry.removeprefix("../"),
        image_folder / posix_entry,
        image_folder / entry_below_images,
        image_folder.parent / posix_entry,
        *find_moved_folders(posix_entry, (root, path.parent, image_folder)),
    ]
    if "valid" in posix_entry.split(
        "/"
    ):  # Roboflow writes `valid`, but the folder may be named `val`
        val_entry = "/".join(
            "val" if folder_name == "valid" else folder_name
            for folder_name in posix_entry.removeprefix("../").split("/")
        )
        candidates += [root / val_entry, path.parent / val_entry]
    image_source = next((candidate for candidate in candidates if candidate.exists()), None)
    if image_source is None:
        raise FileMissingError(
            f"{path}: {entry} (searched {root} and {image_folder}; set the image folder with "
            "--images DIR)"
        )
    if image_source.is_dir():
        return image_source, [
            image_source / image_path for image_path in list_image_files(image_source)
        ]
    base_folders = (root, image_source.parent, image_folder)
    return image_source.parent, [
        locate_listed_image(line.strip(), base_folders)
        for line in image_source.read_text(encoding="utf-8-sig").splitlines()
        if line.strip()
    ]


def locate_listed_image(line: str, base_folders: Sequence[Path]) -> Path:
    """The image of a line of a list. Paths may be written on Windows, and absolute paths may be
    of another machine: their end is then looked for."""
    posix_line = line.replace("\\", "/")
    for base_folder in base_folders:
        for listed_path in (line, posix_line):
            if (base_folder / listed_path).exists():
                return base_folder / listed_path
    parts = [part for part in posix_line.split("/") if part not in ("", ".")]
    is_absolute = posix_line.startswith("/") or posix_line[1:3] == ":/"
    for start in range(1, len(parts)) if is_absolute else ():
        for base_folder in base_folders:
            if (base_folder / Path(*parts[start:])).exists():
                return base_folder / Path(*parts[start:])
    return base_folders[0] / posix_line


def relative_image_path(image_file: Path, image_folder: Path, path: Path) -> str:
    try:
        return (
            Path(os.path.normpath(image_file)).relative_to(image_folder).as_posix()
        )  # not resolved: the image may be a symbolic link
    except ValueError as error:
        raise InvalidRecordError(
            path,
            image_file,
            f"the image is outside {image_folder}",
            "Use --images DIR with a folder that contains all images.",
        ) from error


FORMAT = AnnotationFormat(NAME, matches, read)
