"""A text file of `picture concept` lines, as Kaggle and ImageNet have them; numbers are names of a `synsets.txt` beside it."""

from __future__ import annotations

import re

from pellucid.formats.gathering import Gathering
from pellucid.formats.look import AnnotationFormat, Asked, Look
from pellucid.formats.parsed import lines_of
from pellucid.formats.pictures import is_picture
from pellucid.formats.source import AnnotationSource, split_named

NAME = "picture-list"


def is_it(look: Look) -> bool:
    if look.is_dir:
        return any((look.path / f"{split}.txt").is_file() and is_list(look.head_of(f"{split}.txt")) for split in ("train", "val", "test"))
    return is_list(look.head)


def is_list(head: str) -> bool:
    lines = [line for line in head.split("\n")[:20] if line.strip()]
    complete = lines[:-1] if len(lines) > 1 else lines
    return bool(complete) and all(
        re.fullmatch(r"[^,;]+\.\w+[ \t]+\S[^,;]*", line.strip()) and is_picture(line.split()[0]) for line in complete
    )


def read(look: Look, asked: Asked) -> AnnotationSource:
    files = [file for file in sorted(look.path.glob("*.txt")) if split_named(file.stem) is not None] if look.is_dir else [look.path]
    gathering = Gathering(str(look.path), NAME, asked.pictures)
    names: list[str] = []
    for file in files:
        known = next((place for place in (file.parent / "synsets.txt", file.parent / "classes.txt") if place.is_file()), None)
        names = [line.split(",")[0] for _, line in lines_of(known)] if known else names
        split = split_named(file.stem)
        for _, line in lines_of(file):
            picture, _, concept = line.partition(" ") if " " in line else line.partition("\t")
            number = concept.strip()
            named = names[int(number)] if number.isdigit() and int(number) < len(names) else number
            gathering.tag(gathering.image(picture, split=-1 if split is None else split), named)
    return gathering.source(asked.kind, names)


FORMAT = AnnotationFormat(NAME, is_it, read)
