"""Pascal VOC: an XML file a picture, with `ImageSets` for the splits; also what other tools write in this form, with pixels from 0.

VOC itself numbers pixels from 1 and includes the last one. Which of the two a data set does is decided for all of it: a coordinate
of 0, or a fraction, is proof of 0. (Everingham et al., The PASCAL Visual Object Classes Challenge, development kit, 2012.)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement

import numpy as np

from pellucid.columns import SPLITS
from pellucid.errors import ExportImpossible, FileMalformed
from pellucid.formats.gathering import Gathering, Numbers
from pellucid.formats.look import AnnotationFormat, Asked, Look, files_of
from pellucid.formats.outgoing import SHORT, Outgoing, folder_for
from pellucid.formats.parsed import lines_of, number_of, parsed_xml, text_of
from pellucid.formats.source import AnnotationSource, Judgement, split_named

NAME = "voc"
SIDES = ("xmin", "ymin", "xmax", "ymax")


def is_it(look: Look) -> bool:
    """XML of an `annotation` with objects that have a `bndbox`, or a folder of such files."""
    if not look.is_dir:
        return is_voc(look.head)
    files = look.ending(".xml")
    return bool(files) and any(is_voc(look.head_of(name)) for name in files[:20])


def is_voc(head: str) -> bool:
    return "<annotation" in head and "<annotations" not in head and ("<bndbox>" in head or ("<size>" in head and "<polygon>" not in head))


@dataclass(frozen=True)
class Found:
    """One object as it stands: corners as written."""

    image: int
    concept: str
    corners: Numbers
    difficult: bool
    place: str


def read(look: Look, asked: Asked) -> AnnotationSource:
    gathering = Gathering(str(look.path), NAME, asked.pictures)
    splits = image_sets(look.path) if look.is_dir else {}
    objects: list[Found] = []
    for file in files_of(look, ".xml"):
        root = parsed_xml(file)
        if root.tag != "annotation":
            raise FileMalformed(file, f"begins with <{root.tag}>, where <annotation> was expected")
        objects += read_picture(gathering, file, root, splits)
    first = asked.first_pixel if asked.first_pixel is not None else first_pixel(objects)
    for one in objects:
        left, top, right, bottom = one.corners
        corners = (left - first, top - first, right, bottom)
        gathering.corners(one.image, one.concept, corners, one.place, one.difficult)
    evidence = said(objects, first, asked.first_pixel is not None)
    gathering.note("first_pixel", int(bool(objects)), evidence)
    gathering.note(
        "difficult", sum(one.difficult for one in objects), f"{sum(one.difficult for one in objects):,} difficult objects: ignored regions"
    )
    found = gathering.source(asked.kind)
    found.judgements.append(Judgement("first pixel", str(first), evidence, [f"--first-pixel {1 - first}"], asked.first_pixel is not None))
    return found


def read_picture(gathering: Gathering, file: Path, root: Element, splits: dict[str, int]) -> list[Found]:
    name = text_of(root, "filename") or f"{file.stem}.jpg"
    name = name if "." in name.rsplit("/", maxsplit=1)[-1] else f"{name}.jpg"
    sizes = [text_of(root, f"size/{side}", "0") or "0" for side in ("width", "height")]
    width, height = (number_of(size, file, "size", "a side") for size in sizes)
    image = gathering.record(name, width, height, splits.get(name, splits.get(file.stem, -1)), file.stem)
    found = []
    for number, one in enumerate(root.iterfind("object")):
        place = f"{file.name} object {number}"
        box = one.find("bndbox")
        if box is None:
            raise FileMalformed(file, f"object {number} has no bndbox")
        left, top, right, bottom = (number_of(text_of(box, side), file, place, side) for side in SIDES)
        found.append(Found(image, text_of(one, "name"), (left, top, right, bottom), text_of(one, "difficult") in ("1", "true"), place))
    return found


def first_pixel(objects: list[Found]) -> int:
    """0 where a coordinate is 0 or no whole number; else 1, as VOC has it."""
    numbers = [number for one in objects for number in one.corners]
    return 0 if any(number <= 0 or number != int(number) for number in numbers) else 1


def said(objects: list[Found], first: int, forced: bool) -> str:
    if forced:
        return f"pixels are numbered from {first}, as asked"
    if first:
        return "pixels are numbered from 1, as VOC has it: no coordinate is 0 (--first-pixel 0 reads them from 0)"
    zero = sum(0 in one.corners for one in objects)
    why = f"{zero:,} boxes have a coordinate of 0" if zero else "some coordinates are no whole numbers"
    return f"pixels are numbered from 0: {why} (--first-pixel 1 reads them from 1)"


def image_sets(folder: Path) -> dict[str, int]:
    """The split of each picture's stem, from `ImageSets/Main` or else another task's; `trainval` alone says nothing."""
    found: dict[str, int] = {}
    for task in ("Main", "Segmentation", "Layout", "Action"):
        places = sorted(folder.rglob(f"ImageSets/{task}/*.txt"))
        for place in places:
            split = split_named(place.stem)
            if split is None or place.stem not in ("train", "val", "test", *SPLITS):
                continue
            for _, line in lines_of(place):
                found.setdefault(line, split)
        if found:
            break
    return found


def write(outgoing: Outgoing, path: Path) -> None:
    """`Annotations` and `ImageSets`. Whole boxes are numbered from 1, as VOC has them; others keep their fractions, from 0."""
    table = outgoing.annotations
    if outgoing.kind != "detection" or table is None or table.box is None:
        raise ExportImpossible(NAME, "Pascal VOC holds boxes; write csv or parquet")
    outgoing.cannot("Pascal VOC", "statements that a concept is absent", int((~table.positive).sum()))
    table = table.take(table.positive)
    assert table.box is not None
    box = table.box
    whole = bool((box == np.floor(box)).all()) and bool((box[:, :2] >= 0).all())
    first = 1 if whole else 0
    folder = folder_for(path)
    for image, rows in outgoing.of_image(table):
        name = str(outgoing.images.path[image])
        root = Element("annotation")
        put(root, "filename", name)
        size = SubElement(root, "size")
        for side, value in (("width", outgoing.images.width[image]), ("height", outgoing.images.height[image]), ("depth", 3)):
            put(size, side, str(int(value)))
        for row in rows:
            one = SubElement(root, "object")
            put(one, "name", outgoing.concepts[table.concept[row]])
            put(one, "difficult", str(int(table.ignore[row])))
            left, top, width, height = box[row].tolist()
            corners = SubElement(one, "bndbox")
            for side, number in zip(SIDES, (left + first, top + first, left + width, top + height), strict=True):
                put(corners, side, str(int(number)) if whole else repr(number))
        file = folder / "Annotations" / f"{name}.xml"
        file.parent.mkdir(parents=True, exist_ok=True)
        ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)
    sets = folder / "ImageSets" / "Main"
    sets.mkdir(parents=True)
    for place, split in enumerate(SPLITS):
        names = outgoing.images.path[outgoing.images.split == place]
        if len(names):
            (sets / f"{SHORT[split]}.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def put(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = text


FORMAT = AnnotationFormat(NAME, is_it, read)
