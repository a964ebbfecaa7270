"""Datumaro JSON: `categories` and `items` with their annotations; a file a split, in `annotations/`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from pellucid.errors import ConceptUnknown
from pellucid.formats.gathering import Gathering
from pellucid.formats.look import AnnotationFormat, Asked, Look, files_of
from pellucid.formats.parsed import parsed_json
from pellucid.formats.source import AnnotationSource, split_named

NAME = "datumaro"


class Label(msgspec.Struct):
    name: str


class Labels(msgspec.Struct):
    labels: list[Label] = []


class Categories(msgspec.Struct):
    label: Labels = msgspec.field(default_factory=Labels)


class Media(msgspec.Struct):
    path: str | None = None
    size: list[float] | None = None


class Annotation(msgspec.Struct):
    type: str
    label_id: int | None = None
    bbox: tuple[float, float, float, float] | None = None
    points: list[Any] = []
    attributes: dict[str, Any] = {}


class Item(msgspec.Struct):
    id: str | int
    annotations: list[Annotation] = []
    image: Media | None = None
    media: Media | None = None
    attr: dict[str, Any] = {}


class File(msgspec.Struct):
    items: list[Item]
    categories: Categories = msgspec.field(default_factory=Categories)


def is_it(look: Look) -> bool:
    heads = [look.head] if not look.is_dir else [look.head_of(name) for name in look.ending(".json")[:3]]
    return any(head.startswith("{") and '"categories"' in head and '"items"' in head and '"images"' not in head for head in heads) or any(
        head.startswith("{") and '"label_groups"' in head for head in heads
    )


def read(look: Look, asked: Asked) -> AnnotationSource:
    gathering = Gathering(str(look.path), NAME, asked.pictures)
    names: dict[str, None] = {}
    outlines = others = 0
    for file in files_of(look, ".json"):
        found: File = parsed_json(file, File, "Datumaro")
        labels = [label.name for label in found.categories.label.labels]
        names |= dict.fromkeys(labels)
        split = split_named(file.stem)
        for number, item in enumerate(found.items):
            more = read_item(gathering, file, item, f"$.items[{number}]", labels, -1 if split is None else split)
            outlines, others = outlines + more[0], others + more[1]
    gathering.note("polygons", outlines, f"{outlines:,} outlines taken by their bounding box")
    gathering.note("left_out", others, f"{others:,} captions, depths and other annotations without a concept or a place left out")
    return gathering.source(asked.kind, list(names))


def read_item(gathering: Gathering, file: Path, item: Item, place: str, labels: list[str], split: int) -> tuple[int, int]:
    """Returns how many outlines there were, and how many annotations were left out."""
    media = item.image or item.media or Media()
    height, width = (media.size or [0, 0])[:2]
    image = gathering.image(media.path or f"{item.id}.jpg", width, height, split, str(item.id))
    outlines = others = 0
    for number, one in enumerate(item.annotations):
        where = f"{file.name} {place}.annotations[{number}]"
        if one.label_id is None or one.type in ("caption", "depth_annotation"):
            others += 1
            continue
        if not 0 <= one.label_id < len(labels):
            raise ConceptUnknown(file, where, one.label_id, [f"0 to {len(labels) - 1}"])
        concept = labels[one.label_id]
        ignore = bool(one.attributes.get("is_crowd") or one.attributes.get("difficult"))
        if one.type == "label":
            gathering.tag(image, concept)
        elif one.type == "bbox" and one.bbox:
            gathering.box(image, concept, one.bbox, where, ignore)
        elif one.type in ("polygon", "polyline") and one.points and all(isinstance(value, int | float) for value in one.points):
            outlines += 1
            gathering.around(
                image, concept, list(zip(one.points[::2], one.points[1::2], strict=False)), where, ignore, drawn=one.type == "polygon"
            )
        elif one.bbox:
            outlines += 1
            gathering.box(image, concept, one.bbox, where, ignore)
        else:
            others += 1
    return outlines, others


FORMAT = AnnotationFormat(NAME, is_it, read)
