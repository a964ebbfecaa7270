"""DOTA and its oriented kin: eight corners, the concept and a difficulty a line; taken by the bounding box, and that is said."""

from __future__ import annotations

from pellucid.formats.gathering import Gathering
from pellucid.formats.look import AnnotationFormat, Asked, Look, files_of
from pellucid.formats.parsed import columns_of, is_number, lines_of, number_of
from pellucid.formats.source import AnnotationSource, split_in

NAME = "dota"


def matches(probe: Look) -> bool:
    heads = [probe.head] if not probe.is_dir else [probe.head_of(file_name) for file_name in probe.ending(".txt")[:5]]
    return any(is_dota_line(line) for head in heads for line in head.split("\n")[:4])


def is_dota_line(line: str) -> bool:
    fields = line.split()
    return len(fields) in (9, 10) and all(is_number(field) for field in fields[:8]) and not is_number(fields[8])


def read(probe: Look, options: Asked) -> AnnotationSource:
    builder = Gathering(str(probe.path), NAME, options.pictures)
    oriented_count = 0
    for file in files_of(probe, ".txt"):
        folder_names = file.relative_to(probe.path).parts[:-1] if probe.is_dir else ()
        if not any(is_dota_line(line) for _, line in lines_of(file)):
            continue
        split = split_in(folder_names)
        image_prefix = "/".join("images" if folder_name in ("labelTxt", "labels") else folder_name for folder_name in folder_names)
        image = builder.image(f"{image_prefix}/{file.stem}.jpg", split=split, identity=file.stem)
        for line_number, line in lines_of(file):
            if line.startswith(("imagesource:", "gsd:")):
                continue
            fields, location = columns_of(line, 9, file, line_number, "x1 y1 x2 y2 x3 y3 x4 y4 concept difficulty"), f"line {line_number}"
            coordinates = [number_of(field, file, location, "a corner") for field in fields[:8]]
            points = list(zip(coordinates[::2], coordinates[1::2], strict=True))
            builder.around(image, fields[8], points, f"{file.name} {location}", ignore=fields[9:10] == ["1"], drawn=True)
            oriented_count += 1
    builder.note("rotated", oriented_count, f"{oriented_count:,} oriented boxes taken by their bounding box")
    return builder.source(options.kind)


FORMAT = AnnotationFormat(NAME, matches, read)
