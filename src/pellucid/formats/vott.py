"""VoTT JSON: `assets` with regions in pixels. (Its CSV is read as a table.)"""

from __future__ import annotations

import msgspec

from pellucid.formats.gathering import Gathering
from pellucid.formats.look import AnnotationFormat, Asked, Look, files_of
from pellucid.formats.parsed import parsed_json
from pellucid.formats.source import AnnotationSource, split_named

NAME = "vott"


class Tag(msgspec.Struct):
    name: str


class Size(msgspec.Struct):
    width: float = 0
    height: float = 0


class Asset(msgspec.Struct):
    name: str
    size: Size = msgspec.field(default_factory=Size)


class Box(msgspec.Struct):
    left: float
    top: float
    width: float
    height: float


class Point(msgspec.Struct):
    x: float
    y: float


class Region(msgspec.Struct):
    tags: list[str]
    boundingBox: Box | None = None  # noqa: N815 (the format's own name)
    points: list[Point] = []


class Entry(msgspec.Struct):
    asset: Asset
    regions: list[Region] = []


class File(msgspec.Struct):
    assets: dict[str, Entry]
    tags: list[Tag] = []


def is_it(look: Look) -> bool:
    heads = [look.head] if not look.is_dir else [look.head_of(name) for name in look.ending("-export.json", ".vott")[:3]]
    return any(head.startswith("{") and '"assets"' in head for head in heads)


def read(look: Look, asked: Asked) -> AnnotationSource:
    gathering = Gathering(str(look.path), NAME, asked.pictures)
    names: dict[str, None] = {}
    for file in files_of(look, "-export.json"):
        found: File = parsed_json(file, File, "VoTT")
        names |= dict.fromkeys(tag.name for tag in found.tags)
        split = split_named(file.stem.removesuffix("-export"))
        for key, entry in found.assets.items():
            image = gathering.image(entry.asset.name, entry.asset.size.width, entry.asset.size.height, -1 if split is None else split, key)
            for number, region in enumerate(entry.regions):
                for concept in region.tags:
                    place = f"{file.name} $.assets.{key}.regions[{number}]"
                    if region.boundingBox is not None:
                        box = region.boundingBox
                        gathering.box(image, concept, (box.left, box.top, box.width, box.height), place)
                    else:
                        gathering.around(image, concept, [(point.x, point.y) for point in region.points], place)
    return gathering.source(asked.kind, list(names))


FORMAT = AnnotationFormat(NAME, is_it, read)
