"""LabelMe: a JSON file a picture with shapes in pixels; also the XML of the older web tool, with polygons."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec

from pellucid.formats.gathering import Gathering
from pellucid.formats.look import AnnotationFormat, Asked, Look, files_of
from pellucid.formats.parsed import number_of, parsed_json, parsed_xml, text_of
from pellucid.formats.source import AnnotationSource

NAME = "labelme"


class Shape(msgspec.Struct):
    label: str
    points: list[tuple[float, float]]
    shape_type: str | None = None


class File(msgspec.Struct):
    imagePath: str  # noqa: N815 (the format's own name)
    shapes: list[Shape]
    imageWidth: float | None = None  # noqa: N815
    imageHeight: float | None = None  # noqa: N815
    flags: dict[str, bool | None] | None = None


def is_it(look: Look) -> bool:
    if not look.is_dir:
        return is_json(look.head) or is_xml(look.head)
    files = look.ending(".json", ".xml")
    heads = [look.head_of(name) for name in files[:10]]
    return any(is_json(head) or is_xml(head) for head in heads)


def is_json(head: str) -> bool:
    return head.startswith("{") and '"imagePath"' in head


def is_xml(head: str) -> bool:
    return "<annotation>" in head and "<polygon>" in head and "<pt>" in head


def read(look: Look, asked: Asked) -> AnnotationSource:
    gathering = Gathering(str(look.path), NAME, asked.pictures)
    outlines = 0
    for file in files_of(look, ".json"):
        if look.is_dir or is_json(look.head):
            outlines += read_json(gathering, file)
    for file in files_of(look, ".xml"):
        if look.is_dir or is_xml(look.head):
            outlines += read_xml(gathering, file)
    gathering.note("polygons", outlines, f"{outlines:,} outlines taken by their bounding box")
    return gathering.source(asked.kind)


def read_json(gathering: Gathering, file: Path) -> int:
    """Shapes as boxes, flags that are set as tags; returns how many were no rectangles."""
    found: File = parsed_json(file, File, "LabelMe")
    image = gathering.record(picture_name(found.imagePath), found.imageWidth or 0, found.imageHeight or 0, identity=file.stem)
    for number, shape in enumerate(found.shapes):
        points = around_circle(shape.points) if shape.shape_type == "circle" and len(shape.points) == 2 else shape.points
        gathering.around(image, shape.label, points, f"{file.name} $.shapes[{number}]", drawn=shape.shape_type == "polygon")
    for name, is_set in (found.flags or {}).items():
        if is_set:
            gathering.tag(image, name)
    return sum(shape.shape_type not in (None, "rectangle") for shape in found.shapes)


def picture_name(path: str) -> str:
    """Files written beside the pictures' folder name them by `..`: the picture's own name is what stays."""
    tidy = path.replace("\\", "/")
    return tidy.rsplit("/", maxsplit=1)[-1] if tidy.startswith(("..", "/")) or tidy[1:2] == ":" else tidy


def around_circle(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """A circle is its middle and a point on it."""
    (x, y), edge = points
    radius = math.dist((x, y), edge)
    return [(x - radius, y - radius), (x + radius, y + radius)]


def read_xml(gathering: Gathering, file: Path) -> int:
    root = parsed_xml(file)
    folder, name = text_of(root, "folder"), text_of(root, "filename", f"{file.stem}.jpg")
    height, width = (number_of(text_of(root, f"imagesize/{side}", "0"), file, "imagesize", side) for side in ("nrows", "ncols"))
    image = gathering.image(f"{folder}/{name}", width, height, identity=file.stem)
    outlines = 0
    for number, one in enumerate(root.iterfind("object")):
        if text_of(one, "deleted") == "1":
            continue
        place = f"{file.name} object {number}"
        points = [
            (number_of(text_of(point, "x"), file, place, "x"), number_of(text_of(point, "y"), file, place, "y"))
            for point in one.iterfind("polygon/pt")
        ]
        box = one.find("segm/box")
        if box is not None:
            sides = [number_of(text_of(box, side), file, place, side) for side in ("xmin", "ymin", "xmax", "ymax")]
            points = [(sides[0], sides[1]), (sides[2], sides[3])]
        outlines += box is None
        gathering.around(image, text_of(one, "name"), points, place, drawn=box is None)
    return outlines


FORMAT = AnnotationFormat(NAME, is_it, read)
