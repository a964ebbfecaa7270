"""Open Images CSV: boxes as fractions (XMin, XMax, YMin, YMax), image labels a person verified or refused, groups as ignored regions.

What nobody verified of a picture is unknown, so a prediction of it is no error (Kuznetsova et al., The Open Images Dataset V4, 2020).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from pellucid.columns import OPEN
from pellucid.errors import RecordBad, counted
from pellucid.formats.gathering import Gathering
from pellucid.formats.look import AnnotationFormat, Asked, Look
from pellucid.formats.parsed import number_of
from pellucid.formats.pictures import is_picture
from pellucid.formats.source import AnnotationSource, split_in, split_named

NAME = "open-images"
SIDES = ("XMin", "XMax", "YMin", "YMax")
Row = dict[str, str]


def is_it(look: Look) -> bool:
    if not look.is_dir:
        return is_boxes(look.head) or is_labels(look.head)
    heads = [look.head_of(name) for name in look.ending(".csv")]
    return any(is_boxes(head) or is_labels(head) or is_images(head) for head in heads)


def first_line(head: str) -> str:
    return head.split("\n", maxsplit=1)[0]


def is_boxes(head: str) -> bool:
    return all(word in first_line(head) for word in ("ImageID", "LabelName", *SIDES)) and "MaskPath" not in first_line(head)


def is_labels(head: str) -> bool:
    return "ImageID" in first_line(head) and "LabelName" in first_line(head) and "XMin" not in head and "MaskPath" not in first_line(head)


def is_images(head: str) -> bool:
    return "ImageID" in first_line(head) and "Rotation" in first_line(head)


def read(look: Look, asked: Asked) -> AnnotationSource:
    root = look.path if look.is_dir else look.path.parent
    files = sorted(root.rglob("*.csv")) if look.is_dir else [look.path]
    heads = {file: Look(file, file.read_text(encoding="utf-8-sig", errors="replace")[:4096]).head for file in files}
    names = descriptions(root)
    pictures = pictures_by_stem(Path(asked.pictures) if asked.pictures else root)
    gathering = Gathering(str(look.path), NAME, asked.pictures)
    rows: dict[str, int] = {}

    def image(row: Row, file: Path, place: str, split: int = -1) -> int:
        key = (row.get("ImageID") or "").strip()
        if not key:
            raise RecordBad(file, place, "it has no ImageID", "Name the image.")
        if key not in rows or split >= 0:
            name = pictures.get(key, key if is_picture(key) else f"{key}.jpg")
            rows[key] = gathering.image(name, split=split if split >= 0 else split_of(file), identity=key)
        return rows[key]

    for file in files:
        if is_images(heads[file]):
            for place, row in records(file):
                split = split_named(row.get("Subset") or "")
                image(row, file, place, -1 if split is None else split)
    found = Found(gathering, names)
    for file in files:
        if is_boxes(heads[file]):
            for place, row in records(file):
                found.box(image(row, file, place), row, file, place)
        elif is_labels(heads[file]):
            for place, row in records(file):
                found.label(image(row, file, place), row, file, place)
    return found.source(asked, list(names.values()))


def records(file: Path) -> Iterator[tuple[str, Row]]:
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as opened:
        for number, row in enumerate(csv.DictReader(opened), 2):
            yield f"line {number}", row


def descriptions(root: Path) -> dict[str, str]:
    """The names of labels such as /m/01g317, in the order of their file."""
    found: dict[str, str] = {}
    for file in sorted([*root.rglob("*class-descriptions*.csv")]):
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as opened:
            found |= {row[0]: row[1] for row in csv.reader(opened) if len(row) >= 2 and row[0] != "LabelName"}
    return found


def pictures_by_stem(folder: Path) -> dict[str, str]:
    """Where each picture lies in the folder, by its name without ending."""
    files = (file for file in folder.rglob("*") if is_picture(file.name))
    return {file.stem: file.relative_to(folder).as_posix() for file in sorted(files)}


def split_of(file: Path) -> int:
    return split_in(file.stem.replace("_", "-").split("-"))


class Found:
    """Boxes and verified labels, of which the kind that is asked for decides what is made."""

    def __init__(self, gathering: Gathering, names: dict[str, str]) -> None:
        self.gathering = gathering
        self.names = names
        self.verified: dict[tuple[int, str], bool] = {}
        self.groups = 0
        self.boxes = 0

    def concept(self, row: Row) -> str:
        label = (row.get("LabelName") or "").strip()
        return self.names.get(label, label)

    def box(self, image: int, row: Row, file: Path, place: str) -> None:
        left, right, top, bottom = (number_of((row.get(side) or "").replace(",", "."), file, place, side) for side in SIDES)
        group = (row.get("IsGroupOf") or "").strip() == "1"
        self.groups += group
        self.boxes += 1
        self.gathering.corners(image, self.concept(row), (left, top, right, bottom), f"{file.name} {place}", group)

    def label(self, image: int, row: Row, file: Path, place: str) -> None:
        confidence = number_of((row.get("Confidence") or "").replace(",", "."), file, place, "Confidence")
        self.verified[image, self.concept(row)] = confidence > 0

    def source(self, asked: Asked, concepts: list[str]) -> AnnotationSource:
        gathering = self.gathering
        gathering.note("groups", self.groups, f"{counted(self.groups, 'group')} (IsGroupOf) taken as ignored regions")
        boxes = asked.kind == "detection" or (asked.kind is None and self.boxes)
        for (image, concept), positive in self.verified.items():
            if not boxes:
                gathering.tag(image, concept, positive)
            elif not positive:
                gathering.absent(image, concept)
        text = f"{counted(len(self.verified), 'verified label')}: what nobody verified of an image is unknown, and no error"
        gathering.note("verified", len(self.verified) if boxes else 0, text)
        found = gathering.source("detection" if boxes else asked.kind, concepts, unit="fractions" if boxes else "pixels")
        if boxes and self.verified:
            found.images.stated[:] = OPEN
        return found


FORMAT = AnnotationFormat(NAME, is_it, read)
