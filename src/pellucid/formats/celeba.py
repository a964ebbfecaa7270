"""CelebA's attribute list: how many, the names of the attributes, and a line of 1 and -1 a picture.

Splits come from `list_eval_partition.txt`.
"""

from __future__ import annotations

import re
from pathlib import Path

from pellucid.errors import RecordBad
from pellucid.formats.gathering import Gathering
from pellucid.formats.look import AnnotationFormat, Asked, Look
from pellucid.formats.parsed import lines_of
from pellucid.formats.pictures import is_picture
from pellucid.formats.source import AnnotationSource

NAME = "celeba"


def is_it(look: Look) -> bool:
    if look.is_dir:
        return any(is_list(look.head_of(name)) for name in look.ending("list_attr_celeba.txt"))
    return is_list(look.head)


def is_list(head: str) -> bool:
    lines = head.split("\n", maxsplit=3)
    return len(lines) > 2 and lines[0].strip().isdigit() and re.match(r"\S+\.\w+(\s+-?[01])+\s*$", lines[2]) is not None


def read(look: Look, asked: Asked) -> AnnotationSource:
    file = sorted(look.path.rglob("list_attr_celeba.txt"))[0] if look.is_dir else look.path
    gathering = Gathering(str(look.path), NAME, asked.pictures)
    (_, _), (_, heading), *lines = lines_of(file)
    names = heading.split()
    splits = partition(file)
    folder = picture_folder(look, lines[0][1].split()[0] if lines else "")
    for number, line in lines:
        picture, *values = line.split()
        if len(values) != len(names) or not set(values) <= {"1", "-1", "0"}:
            raise RecordBad(file, f"line {number}", f"it has {len(values)} marks for {len(names)} attributes", "Write 1 or -1 for each.")
        image = gathering.image(folder + picture, split=splits.get(picture, -1))
        for name, value in zip(names, values, strict=True):
            if value == "1":
                gathering.tag(image, name)
    return gathering.source("tagging", names)


PARTITION = "list_eval_partition.txt"
"""Beside the attributes, or in a folder beside theirs, as CelebA comes; no further, as what lies there may be anything."""


def partition(file: Path) -> dict[str, int]:
    """CelebA numbers training 0, validation 1, test 2, as SPLITS does."""
    above = file.parent.parent
    near = [found for found in (file.parent / PARTITION, *sorted(above.glob(f"*/{PARTITION}")), above / PARTITION) if found.is_file()]
    pairs = [line.split()[:2] for _, line in lines_of(near[0])] if near else []
    return {words[0]: int(words[1]) for words in pairs if len(words) == 2 and words[1] in ("0", "1", "2")}


def picture_folder(look: Look, first: str) -> str:
    """Where the first picture lies in the folder."""
    found = next((name for name in look.names if is_picture(name) and name.rsplit("/", maxsplit=1)[-1] == first), "") if look.is_dir else ""
    return found[: -len(first)] if found else ""


FORMAT = AnnotationFormat(NAME, is_it, read)
