"""DOTA and its oriented kin: eight corners, the concept and a difficulty a line; taken by the bounding box, and that is said."""

from __future__ import annotations

from pellucid.formats.gathering import Gathering
from pellucid.formats.look import AnnotationFormat, Asked, Look, files_of
from pellucid.formats.parsed import columns_of, is_number, lines_of, number_of
from pellucid.formats.source import AnnotationSource, split_in

NAME = "dota"


def is_it(look: Look) -> bool:
    heads = [look.head] if not look.is_dir else [look.head_of(name) for name in look.ending(".txt")[:5]]
    return any(is_line(line) for head in heads for line in head.split("\n")[:4])


def is_line(line: str) -> bool:
    words = line.split()
    return len(words) in (9, 10) and all(is_number(word) for word in words[:8]) and not is_number(words[8])


def read(look: Look, asked: Asked) -> AnnotationSource:
    gathering = Gathering(str(look.path), NAME, asked.pictures)
    oriented = 0
    for file in files_of(look, ".txt"):
        parts = file.relative_to(look.path).parts[:-1] if look.is_dir else ()
        if not any(is_line(line) for _, line in lines_of(file)):
            continue
        split = split_in(parts)
        folder = "/".join("images" if part in ("labelTxt", "labels") else part for part in parts)
        image = gathering.image(f"{folder}/{file.stem}.jpg", split=split, identity=file.stem)
        for number, line in lines_of(file):
            if line.startswith(("imagesource:", "gsd:")):
                continue
            words, place = columns_of(line, 9, file, number, "x1 y1 x2 y2 x3 y3 x4 y4 concept difficulty"), f"line {number}"
            numbers = [number_of(word, file, place, "a corner") for word in words[:8]]
            points = list(zip(numbers[::2], numbers[1::2], strict=True))
            gathering.around(image, words[8], points, f"{file.name} {place}", ignore=words[9:10] == ["1"], drawn=True)
            oriented += 1
    gathering.note("rotated", oriented, f"{oriented:,} oriented boxes taken by their bounding box")
    return gathering.source(asked.kind)


FORMAT = AnnotationFormat(NAME, is_it, read)
