"""KITTI: one text file per image, fifteen columns per line; `DontCare` is an ignored region of
every concept (Geiger et al., 2012)."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.dataset import ParsedAnnotations, find_split
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.image_files import is_image_file
from pellucid.formats.parsing import is_number, load_lines, parse_number
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions
from pellucid.formats.split_lists import list_label_files

NAME = "kitti"
DONT_CARE = "DontCare"


def matches(probe: Probe) -> bool:
    heads = (
        [probe.head]
        if not probe.is_dir
        else [probe.load_head(file_name) for file_name in probe.sample_with_suffix(".txt")]
    )
    return any(is_kitti_line(head.split("\n", maxsplit=1)[0]) for head in heads)


def is_kitti_line(line: str) -> bool:
    return parse_line(line) is not None


def parse_line(line: str) -> tuple[str, list[str]] | None:
    """The concept, which may be of several words, and the 14 numbers behind it, or 15 with a
    score; None for another line."""
    fields = line.split()
    count = len(list(takewhile(is_number, reversed(fields))))
    concept = " ".join(fields[: len(fields) - count])
    return (concept, fields[-count:]) if concept and count in (14, 15) else None


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    builder = DatasetBuilder(str(probe.path), NAME, options.image_folder)
    ignored_regions: list[tuple[int, tuple[float, float, float, float], str]] = []
    concept_names: set[str] = set()
    for file in list_label_files(probe, is_kitti_line):
        folders = file.relative_to(probe.path).parts[:-1] if probe.is_dir else ()
        split = find_split(folders)
        image = builder.add_unique_image(
            find_image_name(file, options), split=split, image_id=file.stem
        )
        for line_number, line in load_lines(file):
            location = f"line {line_number}"
            parsed = parse_line(line)
            if parsed is None:
                raise InvalidRecordError(
                    file,
                    location,
                    f"'{line[:60]}'",
                    "Expected type truncated occluded alpha left top right bottom and seven more.",
                )
            concept, numbers = parsed
            x_min, y_min, x_max, y_max = (
                parse_number(field, file, location, "box coordinate") for field in numbers[3:7]
            )
            if concept == DONT_CARE:
                ignored_regions.append(
                    (image, (x_min, y_min, x_max, y_max), f"{file.name} {location}")
                )
            else:
                concept_names.add(concept)
                builder.add_corners(
                    image, concept, (x_min, y_min, x_max, y_max), f"{file.name} {location}"
                )
    for image, corners, location in ignored_regions:
        for concept_name in sorted(concept_names):
            builder.add_corners(image, concept_name, corners, location, ignore=True)
    builder.add_note(
        "dont_care",
        len(ignored_regions),
        f"{len(ignored_regions):,} DontCare regions set as ignored for every concept",
    )
    return builder.build(options.kind)


def find_image_name(file: Path, options: ReadOptions) -> str:
    """The image file name, looked up in `image_2` next to `label_2`; defaults to PNG, as in
    KITTI."""
    candidate_folders = (
        [Path(options.image_folder)]
        if options.image_folder
        else [file.parent.parent / "image_2", file.parent.parent / "images", file.parent]
    )
    for folder in candidate_folders:
        for candidate in folder.glob(f"{file.stem}.*") if folder.is_dir() else ():
            if is_image_file(candidate.name):
                return candidate.name
    return f"{file.stem}.png"


FORMAT = AnnotationFormat(NAME, matches, read)
