"""KITTI: a text file a picture, fifteen columns a line; `DontCare` is an ignored region of every concept (Geiger et al., 2012)."""

from __future__ import annotations

from pathlib import Path

from pellucid.formats.gathering import Gathering
from pellucid.formats.look import AnnotationFormat, Asked, Look, files_of
from pellucid.formats.parsed import columns_of, is_number, lines_of, number_of
from pellucid.formats.pictures import is_picture
from pellucid.formats.source import AnnotationSource, split_in

NAME = "kitti"
DONT_CARE = "DontCare"


def is_it(look: Look) -> bool:
    heads = [look.head] if not look.is_dir else [look.head_of(name) for name in look.ending(".txt")[:5]]
    return any(is_line(head.split("\n", maxsplit=1)[0]) for head in heads)


def is_line(line: str) -> bool:
    words = line.split()
    return len(words) in (15, 16) and not is_number(words[0]) and all(is_number(word) for word in words[1:])


def read(look: Look, asked: Asked) -> AnnotationSource:
    gathering = Gathering(str(look.path), NAME, asked.pictures)
    regions: list[tuple[int, tuple[float, float, float, float], str]] = []
    names: set[str] = set()
    for file in files_of(look, ".txt"):
        folders = file.relative_to(look.path).parts[:-1] if look.is_dir else ()
        split = split_in(folders)
        image = gathering.record(picture_of(file, asked), split=split, identity=file.stem)
        for number, line in lines_of(file):
            words = columns_of(line, 15, file, number, "type truncated occluded alpha left top right bottom and seven more")
            place = f"line {number}"
            left, top, right, bottom = (number_of(word, file, place, "a side") for word in words[4:8])
            if words[0] == DONT_CARE:
                regions.append((image, (left, top, right, bottom), f"{file.name} {place}"))
            else:
                names.add(words[0])
                gathering.corners(image, words[0], (left, top, right, bottom), f"{file.name} {place}")
    for image, corners, place in regions:
        for name in sorted(names):
            gathering.corners(image, name, corners, place, ignore=True)
    gathering.note("dont_care", len(regions), f"{len(regions):,} DontCare regions: ignored for every concept")
    return gathering.source(asked.kind)


def picture_of(file: Path, asked: Asked) -> str:
    """Beside `label_2` lies `image_2`; KITTI's own pictures are PNG."""
    near = [Path(asked.pictures)] if asked.pictures else [file.parent.parent / "image_2", file.parent.parent / "images", file.parent]
    for folder in near:
        for found in folder.glob(f"{file.stem}.*") if folder.is_dir() else ():
            if is_picture(found.name):
                return found.name
    return f"{file.stem}.png"


FORMAT = AnnotationFormat(NAME, is_it, read)
