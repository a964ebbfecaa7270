"""VoTT JSON: `assets` with regions in pixels. (Its CSV is read as a table.)"""

from __future__ import annotations

import msgspec

from pellucid.formats.gathering import Gathering
from pellucid.formats.look import AnnotationFormat, Asked, Look, files_of
from pellucid.formats.parsed import parsed_json
from pellucid.formats.source import AnnotationSource, split_named

NAME = "vott"


class VottTag(msgspec.Struct):
    name: str


class VottSize(msgspec.Struct):
    width: float = 0
    height: float = 0


class VottAsset(msgspec.Struct):
    name: str
    size: VottSize = msgspec.field(default_factory=VottSize)


class VottBox(msgspec.Struct):
    left: float
    top: float
    width: float
    height: float


class VottPoint(msgspec.Struct):
    x: float
    y: float


class VottRegion(msgspec.Struct):
    tags: list[str]
    boundingBox: VottBox | None = None  # noqa: N815 (the format's own name)
    points: list[VottPoint] = []


class VottEntry(msgspec.Struct):
    asset: VottAsset
    regions: list[VottRegion] = []


class VottFile(msgspec.Struct):
    assets: dict[str, VottEntry]
    tags: list[VottTag] = []


def matches(probe: Look) -> bool:
    heads = [probe.head] if not probe.is_dir else [probe.head_of(file_name) for file_name in probe.ending("-export.json", ".vott")[:3]]
    return any(head.startswith("{") and '"assets"' in head for head in heads)


def read(probe: Look, options: Asked) -> AnnotationSource:
    builder = Gathering(str(probe.path), NAME, options.pictures)
    concept_names: dict[str, None] = {}
    for file in files_of(probe, "-export.json"):
        document: VottFile = parsed_json(file, VottFile, "VoTT")
        concept_names |= dict.fromkeys(tag.name for tag in document.tags)
        split = split_named(file.stem.removesuffix("-export"))
        for asset_key, entry in document.assets.items():
            image = builder.image(entry.asset.name, entry.asset.size.width, entry.asset.size.height, -1 if split is None else split, asset_key)
            for region_index, region in enumerate(entry.regions):
                for concept in region.tags:
                    location = f"{file.name} $.assets.{asset_key}.regions[{region_index}]"
                    if region.boundingBox is not None:
                        box = region.boundingBox
                        builder.box(image, concept, (box.left, box.top, box.width, box.height), location)
                    else:
                        builder.around(image, concept, [(point.x, point.y) for point in region.points], location)
    return builder.source(options.kind, list(concept_names))


FORMAT = AnnotationFormat(NAME, matches, read)
