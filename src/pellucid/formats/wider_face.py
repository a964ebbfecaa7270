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
FACE = "face"


def is_it(look: Look) -> bool:
    heads = [look.head] if not look.is_dir else [look.head_of(name) for name in look.ending("_bbx_gt.txt")]
    return any(re.match(r"\S+\.(jpe?g|png)\s*\n\s*\d+\s*\n\s*[-\d.]+( +[-\d.]+){3,}", head, re.I) for head in heads)


def read(look: Look, asked: Asked) -> AnnotationSource:
    gathering = Gathering(str(look.path), NAME, asked.pictures)
    for file in files_of(look, "_bbx_gt.txt"):
        split = split_in(file.stem.split("_"))
        lines = list(lines_of(file))
        at = 0
        while at < len(lines):
            number, name = lines[at]
            if not is_picture(name):
                raise RecordBad(
                    file, f"line {number}", f"'{name[:60]}' is no picture", "Write its path, the number of faces, and a line a face."
                )
            image = gathering.image(name, split=split)
            faces = int(number_of(lines[at + 1][1] if at + 1 < len(lines) else "", file, f"line {number + 1}", "the number of faces"))
            here = lines[at + 2 : at + 2 + max(faces, 1)] if faces else []
            for line, text in here:
                words = columns_of(text, 4, file, line, "left top width height and six marks")
                left, top, width, height = (number_of(word, file, f"line {line}", "a side") for word in words[:4])
                invalid = len(words) > 7 and words[7] == "1"
                gathering.box(image, FACE, (left, top, width, height), f"{file.name} line {line}", ignore=invalid)
            at += 2 + len(here)
            if not faces and at < len(lines) and not is_picture(lines[at][1]):
                at += 1  # without a face a line of zeros follows
    return gathering.source(asked.kind, [FACE])


FORMAT = AnnotationFormat(NAME, is_it, read)
