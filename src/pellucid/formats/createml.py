"""Apple CreateML JSON: a list of pictures whose boxes are given by their middle, in pixels."""

from __future__ import annotations

import msgspec

from pellucid.formats.gathering import Gathering
from pellucid.formats.look import AnnotationFormat, Asked, Look, files_of
from pellucid.formats.parsed import parsed_json
from pellucid.formats.source import AnnotationSource, split_named

NAME = "createml"


class Place(msgspec.Struct):
    x: float
    y: float
    width: float
    height: float


class Annotation(msgspec.Struct):
    label: str
    coordinates: Place


class Picture(msgspec.Struct):
    image: str
    annotations: list[Annotation] = []


def is_it(look: Look) -> bool:
    heads = [look.head] if not look.is_dir else [look.head_of(name) for name in look.ending(".json")[:3]]
    return any(head.startswith("[") and '"coordinates"' in head and '"image"' in head for head in heads)


def read(look: Look, asked: Asked) -> AnnotationSource:
    gathering = Gathering(str(look.path), NAME, asked.pictures)
    for file in files_of(look, ".json"):
        folder = file.parent.relative_to(look.path).as_posix() if look.is_dir else "."
        split = split_named(file.parent.name) if look.is_dir else None
        for row, picture in enumerate(parsed_json(file, list[Picture], "CreateML")):
            image = gathering.image(f"{folder}/{picture.image}", split=-1 if split is None else split)
            for number, one in enumerate(picture.annotations):
                at = one.coordinates
                box = (at.x - at.width / 2, at.y - at.height / 2, at.width, at.height)
                gathering.box(image, one.label, box, f"{file.name} $[{row}].annotations[{number}]")
    return gathering.source(asked.kind)


FORMAT = AnnotationFormat(NAME, is_it, read)
