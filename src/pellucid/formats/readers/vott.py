"""VoTT JSON: `assets` with regions in pixels. (Its CSV is read as a table.)"""

from __future__ import annotations

import msgspec

from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.dataset import ParsedAnnotations, parse_split
from pellucid.formats.parsing import parse_json
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions, list_files

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
    boundingBox: VottBox | None = None
    points: list[VottPoint] = []


class VottEntry(msgspec.Struct):
    asset: VottAsset
    regions: list[VottRegion] = []


class VottFile(msgspec.Struct):
    assets: dict[str, VottEntry]
    tags: list[VottTag] = []


def matches(probe: Probe) -> bool:
    heads = (
        [probe.head]
        if not probe.is_dir
        else [
            probe.load_head(file_name)
            for file_name in probe.sample_with_suffix("-export.json", ".vott")
        ]
    )
    return any(head.startswith("{") and '"assets"' in head for head in heads)


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    builder = DatasetBuilder(str(probe.path), NAME, options.image_folder)
    concept_names: dict[str, None] = {}
    for file in list_files(probe, "-export.json"):
        document: VottFile = parse_json(file, VottFile, "VoTT")
        concept_names |= dict.fromkeys(tag.name for tag in document.tags)
        split = parse_split(file.stem.removesuffix("-export"))
        for asset_key, entry in document.assets.items():
            image = builder.add_image(
                entry.asset.name,
                entry.asset.size.width,
                entry.asset.size.height,
                -1 if split is None else split,
                asset_key,
            )
            for region_index, region in enumerate(entry.regions):
                for concept in region.tags:
                    location = f"{file.name} $.assets.{asset_key}.regions[{region_index}]"
                    if region.boundingBox is not None:
                        box = region.boundingBox
                        builder.add_box(
                            image, concept, (box.left, box.top, box.width, box.height), location
                        )
                    else:
                        builder.add_outline(
                            image,
                            concept,
                            [(point.x, point.y) for point in region.points],
                            location,
                        )
    return builder.build(options.kind, list(concept_names))


FORMAT = AnnotationFormat(NAME, matches, read)
