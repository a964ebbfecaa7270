"""WIDER FACE: one text file a split; a picture's path, how many faces, and a line a face (Yang et al., 2016). Invalid faces are ignored."""

from __future__ import annotations

import re

from pellucid.errors import RecordBad
from pellucid.formats.gathering import Gathering
from pellucid.formats.look import AnnotationFormat, Asked, Look, files_of
from pellucid.formats.parsed import columns_of, lines_of, number_of
from pellucid.formats.pictures import is_picture
from pellucid.formats.source import AnnotationSource, split_in

NAME = "wider-face"
FACE_CONCEPT = "face"


def matches(probe: Look) -> bool:
    heads = [probe.head] if not probe.is_dir else [probe.head_of(file_name) for file_name in probe.ending("_bbx_gt.txt")]
    return any(re.match(r"\S+\.(jpe?g|png)\s*\n\s*\d+\s*\n\s*[-\d.]+( +[-\d.]+){3,}", head, re.I) for head in heads)


def read(probe: Look, options: Asked) -> AnnotationSource:
    builder = Gathering(str(probe.path), NAME, options.pictures)
    for file in files_of(probe, "_bbx_gt.txt"):
        split = split_in(file.stem.split("_"))
        lines = list(lines_of(file))
        position = 0
        while position < len(lines):
            line_number, image_path = lines[position]
            if not is_picture(image_path):
                raise RecordBad(
                    file, f"line {line_number}", f"'{image_path[:60]}' is no picture", "Write its path, the number of faces, and a line a face."
                )
            image = builder.image(image_path, split=split)
            face_count = int(number_of(lines[position + 1][1] if position + 1 < len(lines) else "", file, f"line {line_number + 1}", "the number of faces"))
            face_lines = lines[position + 2 : position + 2 + max(face_count, 1)] if face_count else []
            for face_line_number, face_line in face_lines:
                fields = columns_of(face_line, 4, file, face_line_number, "left top width height and six marks")
                x, y, width, height = (number_of(field, file, f"line {face_line_number}", "a side") for field in fields[:4])
                is_invalid = len(fields) > 7 and fields[7] == "1"
                builder.box(image, FACE_CONCEPT, (x, y, width, height), f"{file.name} line {face_line_number}", ignore=is_invalid)
            position += 2 + len(face_lines)
            if not face_count and position < len(lines) and not is_picture(lines[position][1]):
                position += 1  # without a face a line of zeros follows
    return builder.source(options.kind, [FACE_CONCEPT])


FORMAT = AnnotationFormat(NAME, matches, read)
