"""WIDER FACE: one text file per split; image path, face count, then a line per face (Yang et al.,
2016). Invalid faces are ignored."""

from __future__ import annotations

import re

from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.dataset import ParsedAnnotations, find_split
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.image_files import is_image_file
from pellucid.formats.parsing import load_lines, parse_number, split_fields
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions, list_files

NAME = "wider-face"
FACE_CONCEPT = "face"


def matches(probe: Probe) -> bool:
    heads = (
        [probe.head]
        if not probe.is_dir
        else [probe.load_head(file_name) for file_name in probe.files_with_suffix("_bbx_gt.txt")]
    )
    return any(
        re.match(r"\S+\.(jpe?g|png)\s*\n\s*\d+\s*\n\s*[-\d.]+( +[-\d.]+){3,}", head, re.I)
        for head in heads
    )


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    builder = DatasetBuilder(str(probe.path), NAME, options.image_folder)
    for file in list_files(probe, "_bbx_gt.txt"):
        split = find_split(file.stem.split("_"))
        lines = list(load_lines(file))
        position = 0
        while position < len(lines):
            line_number, image_path = lines[position]
            if not is_image_file(image_path):
                raise InvalidRecordError(
                    file,
                    f"line {line_number}",
                    f"expected an image path, found '{image_path[:60]}'",
                    "Write path, face count, then a line per face.",
                )
            image = builder.add_image(image_path, split=split)
            face_count = int(
                parse_number(
                    lines[position + 1][1] if position + 1 < len(lines) else "",
                    file,
                    f"line {line_number + 1}",
                    "the number of faces",
                )
            )
            face_lines = (
                lines[position + 2 : position + 2 + max(face_count, 1)] if face_count else []
            )
            for face_line_number, face_line in face_lines:
                fields = split_fields(
                    face_line, 4, file, face_line_number, "left top width height and six attributes"
                )
                x, y, width, height = (
                    parse_number(field, file, f"line {face_line_number}", "box value")
                    for field in fields[:4]
                )
                is_invalid = len(fields) > 7 and fields[7] == "1"
                builder.add_box(
                    image,
                    FACE_CONCEPT,
                    (x, y, width, height),
                    f"{file.name} line {face_line_number}",
                    ignore=is_invalid,
                )
            position += 2 + len(face_lines)
            if not face_count and position < len(lines) and not is_image_file(lines[position][1]):
                position += 1  # an image without faces is followed by a line of zeros
    return builder.build(options.kind, [FACE_CONCEPT])


FORMAT = AnnotationFormat(NAME, matches, read)
