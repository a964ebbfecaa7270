"""DOTA and similar oriented boxes: each line has eight coordinates, concept and difficulty; read
as bounding boxes, with a note."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.dataset import ParsedAnnotations, find_split
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.parsing import is_number, load_lines, parse_number, split_fields
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions
from pellucid.formats.split_lists import list_label_files

NAME = "dota"
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
HEADER_PREFIXES = ("imagesource:", "gsd:")


def matches(probe: Probe) -> bool:
    heads = (
        [probe.head]
        if not probe.is_dir
        else [probe.load_head(file_name) for file_name in probe.sample_with_suffix(".txt")]
    )
    return any(is_dota_line(line) for head in heads for line in head.split("\n")[:4])


def is_dota_line(line: str) -> bool:
    fields = line.split()
    return (
        len(fields) >= 9
        and all(is_number(field) for field in fields[:8])
        and not is_number(fields[8])
    )


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    builder = DatasetBuilder(str(probe.path), NAME, options.image_folder)
    oriented_count = 0
    root = Path(options.image_folder or (probe.path if probe.is_dir else probe.path.parent))
    for file in list_label_files(probe, is_dota_line):
        folder_names = file.relative_to(probe.path).parts[:-1] if probe.is_dir else ()
        split = find_split(folder_names)
        image_prefix = "/".join(
            "images" if folder_name in ("labelTxt", "labels") else folder_name
            for folder_name in folder_names
        )
        picture = find_image_file(root, f"{image_prefix}/{file.stem}".lstrip("/"))
        image = builder.add_image(picture, split=split, image_id=file.stem)
        for line_number, line in load_lines(file):
            if line.startswith(HEADER_PREFIXES):
                continue
            fields, location = (
                split_fields(
                    line, 9, file, line_number, "x1 y1 x2 y2 x3 y3 x4 y4 concept difficulty"
                ),
                f"line {line_number}",
            )
            concept, difficulty = concept_and_difficulty(fields[8:])
            if len(fields) > 9 and is_number(fields[-1]) and not difficulty:
                raise InvalidRecordError(
                    file,
                    location,
                    f"found {fields[-1]} behind the concept, where 0 or 1 says how difficult it is",
                    "If it is a score, these are predictions: write DOTA's Task1_CONCEPT.txt, with "
                    "`image score x1 y1 ... x4 y4` in each line.",
                )
            coordinates = [
                parse_number(field, file, location, "corner coordinate") for field in fields[:8]
            ]
            points = list(zip(coordinates[::2], coordinates[1::2], strict=True))
            builder.add_outline(
                image,
                concept,
                points,
                f"{file.name} {location}",
                ignore=difficulty not in ("", "0"),
                keep_outline=True,
            )
            oriented_count += 1
    builder.add_note(
        "rotated",
        oriented_count,
        f"{oriented_count:,} oriented boxes: their upright boxes are those around them",
    )
    return builder.build(options.kind)


def concept_and_difficulty(words: Sequence[str]) -> tuple[str, str]:
    """The concept, which may be of several words, and the number behind it, '' if there is
    none."""
    if len(words) > 1 and words[-1].isdecimal():
        return " ".join(words[:-1]), words[-1]
    return " ".join(words), ""


def find_image_file(root: Path, stem: str) -> str:
    """The image of a label file in the image folder, whatever its ending; .jpg if none is
    there."""
    return next(
        (f"{stem}{ending}" for ending in IMAGE_ENDINGS if (root / f"{stem}{ending}").is_file()),
        f"{stem}.jpg",
    )


FORMAT = AnnotationFormat(NAME, matches, read)
