"""CVAT for images 1.1: one XML file with every picture's boxes, outlines and tags."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement

from pellucid.columns import SPLITS
from pellucid.errors import ExportImpossible, FileMalformed, FormatRefused
from pellucid.formats.gathering import Gathering
from pellucid.formats.look import AnnotationFormat, Asked, Look, files_of
from pellucid.formats.outgoing import SHORT, Outgoing, file_for
from pellucid.formats.parsed import number_of, parsed_xml
from pellucid.formats.source import AnnotationSource, split_named

NAME = "cvat"
OUTLINES = ("polygon", "polyline", "points", "ellipse", "cuboid", "mask", "skeleton")


def is_it(look: Look) -> bool:
    if look.is_dir:
        return any(is_cvat(look.head_of(name)) for name in look.ending(".xml")[:5])
    return is_cvat(look.head)


def is_cvat(head: str) -> bool:
    return "<annotations>" in head and ("<meta>" in head or "<version>" in head or "<image " in head or "<track " in head)


def read(look: Look, asked: Asked) -> AnnotationSource:
    gathering = Gathering(str(look.path), NAME, asked.pictures)
    labels: dict[str, None] = {}
    outlines = rotated = 0
    for file in files_of(look, ".xml"):
        root = parsed_xml(file)
        if root.tag != "annotations":
            raise FileMalformed(file, f"begins with <{root.tag}>, where <annotations> was expected")
        if root.find("track") is not None:
            raise FormatRefused(file, "CVAT for video 1.1", "Export it from CVAT as 'CVAT for images 1.1', with the frames as pictures.")
        labels |= dict.fromkeys(name.text.strip() for name in root.iterfind(".//label/name") if name.text)
        for picture in root.iterfind("image"):
            more = read_picture(gathering, file, picture)
            outlines, rotated = outlines + more[0], rotated + more[1]
    gathering.note("polygons", outlines, f"{outlines:,} outlines taken by their bounding box")
    gathering.note("rotated", rotated, f"{rotated:,} rotated boxes taken by their bounding box")
    return gathering.source(asked.kind, list(labels))


def read_picture(gathering: Gathering, file: object, picture: Element) -> tuple[int, int]:
    """Returns how many outlines and rotated boxes there were."""
    name = picture.get("name") or ""
    width, height = (number_of(picture.get(side, "0"), file, f"image '{name}'", side) for side in ("width", "height"))
    split = split_named(picture.get("subset") or "")
    image = gathering.image(name, width, height, -1 if split is None else split, picture.get("id") or "")
    outlines = rotated = 0
    for number, shape in enumerate(picture):
        place, concept = f"image '{name}' <{shape.tag}> {number}", shape.get("label") or ""
        if shape.tag == "tag":
            gathering.tag(image, concept)
        elif shape.tag == "box":
            left, top, right, bottom = (number_of(shape.get(side, ""), file, place, side) for side in ("xtl", "ytl", "xbr", "ybr"))
            angle = number_of(shape.get("rotation", "0"), file, place, "rotation")
            rotated += angle % 360 != 0
            gathering.around(image, concept, turned((left, top, right, bottom), angle), place)
        elif shape.tag in OUTLINES and concept and not shape.get("points"):
            outlines += 1
            gathering.around(image, concept, extremes(shape, file, place), place)
        elif shape.tag in OUTLINES and concept:
            outlines += 1
            gathering.around(image, concept, points_of(shape.get("points") or "", file, place), place, drawn=shape.tag == "polygon")
    return outlines, rotated


def extremes(shape: Element, file: object, place: str) -> list[tuple[float, float]]:
    """Corners of what has no list of points: an ellipse, a mask, a cuboid, the points of a skeleton."""

    def number(name: str) -> float:
        return number_of(shape.get(name, ""), file, place, name)

    if shape.tag == "ellipse":
        x, y, across, down = number("cx"), number("cy"), number("rx"), number("ry")
        return [(x - across, y - down), (x + across, y + down)]
    if shape.tag == "mask":
        left, top, width, height = number("left"), number("top"), number("width"), number("height")
        return [(left, top), (left + width, top + height)]
    if shape.tag == "cuboid":
        sides = shape.attrib
        return [(number(name), number(f"y{name[1:]}")) for name in sides if name[:2] in ("xt", "xb") and f"y{name[1:]}" in sides]
    return [point for one in shape for point in points_of(one.get("points") or "", file, place)]


def points_of(text: str, file: object, place: str) -> list[tuple[float, float]]:
    pairs = [pair.partition(",") for pair in text.split(";") if pair.strip()]
    return [(number_of(x, file, place, "x"), number_of(y, file, place, "y")) for x, _, y in pairs]


def turned(corners: tuple[float, float, float, float], degrees: float) -> list[tuple[float, float]]:
    """The corners of a box turned about its middle."""
    left, top, right, bottom = corners
    x, y, angle = (left + right) / 2, (top + bottom) / 2, math.radians(degrees)
    if not degrees % 360:
        return [(left, top), (right, bottom)]
    across, down = (right - left) / 2, (bottom - top) / 2
    return [
        (x + dx * math.cos(angle) - dy * math.sin(angle), y + dx * math.sin(angle) + dy * math.cos(angle))
        for dx, dy in ((-across, -down), (across, -down), (across, down), (-across, down))
    ]


def write(outgoing: Outgoing, path: Path) -> None:
    """One XML file; splits are subsets."""
    if outgoing.annotations is None:
        raise ExportImpossible(NAME, "CVAT holds annotations; write predictions as coco, yolo, csv or parquet")
    table = outgoing.plain_annotations("CVAT")
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    labels = SubElement(SubElement(SubElement(root, "meta"), "task"), "labels")
    for concept in outgoing.concepts:
        SubElement(SubElement(labels, "label"), "name").text = concept
    for image, rows in outgoing.of_image(table):
        images = outgoing.images
        picture = SubElement(
            root, "image", id=str(image), name=str(images.path[image]), subset=SHORT[SPLITS[images.split[image]]],
            width=str(int(images.width[image])), height=str(int(images.height[image])),
        )  # fmt: skip
        for row in rows:
            concept = outgoing.concepts[table.concept[row]]
            if table.box is None:
                SubElement(picture, "tag", label=concept)
                continue
            left, top, width, height = table.box[row].tolist()
            sides = {"xtl": left, "ytl": top, "xbr": left + width, "ybr": top + height}
            SubElement(picture, "box", {"label": concept, "occluded": "0", **{side: repr(number) for side, number in sides.items()}})
    ElementTree(root).write(file_for(path), encoding="utf-8", xml_declaration=True)


FORMAT = AnnotationFormat(NAME, is_it, read)
