"""Datumaro JSON: `categories` and `items` with their annotations; one file per split, in
`annotations/`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.dataset import ParsedAnnotations, parse_split
from pellucid.formats.errors import UnlistedConceptError
from pellucid.formats.parsing import parse_json
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions, list_files

NAME = "datumaro"


class DatumaroLabel(msgspec.Struct):
    name: str


class DatumaroLabels(msgspec.Struct):
    labels: list[DatumaroLabel] = []


class DatumaroCategories(msgspec.Struct):
    label: DatumaroLabels = msgspec.field(default_factory=DatumaroLabels)


class DatumaroMedia(msgspec.Struct):
    path: str | None = None
    size: list[float] | None = None


class DatumaroAnnotation(msgspec.Struct):
    type: str
    label_id: int | None = None
    bbox: tuple[float, float, float, float] | None = None
    points: list[Any] = []
    attributes: dict[str, Any] = {}


class DatumaroItem(msgspec.Struct):
    id: str | int
    annotations: list[DatumaroAnnotation] = []
    image: DatumaroMedia | None = None
    media: DatumaroMedia | None = None
    attr: dict[str, Any] = {}


class DatumaroFile(msgspec.Struct):
    items: list[DatumaroItem]
    categories: DatumaroCategories = msgspec.field(default_factory=DatumaroCategories)


def matches(probe: Probe) -> bool:
    heads = (
        [probe.head]
        if not probe.is_dir
        else [probe.read_head(file_name) for file_name in probe.sample_with_suffix(".json")]
    )
    return any(
        head.startswith("{")
        and '"categories"' in head
        and '"items"' in head
        and '"images"' not in head
        for head in heads
    ) or any(head.startswith("{") and '"label_groups"' in head for head in heads)


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    builder = DatasetBuilder(str(probe.path), NAME, options.image_folder)
    concept_names: dict[str, None] = {}
    outline_count = skipped_count = 0
    for file in list_files(probe, ".json"):
        document: DatumaroFile = parse_json(file, DatumaroFile, "Datumaro")
        labels = [label.name for label in document.categories.label.labels]
        concept_names |= dict.fromkeys(labels)
        split = parse_split(file.stem)
        for item_index, item in enumerate(document.items):
            counts = read_item(
                builder,
                file,
                item,
                f"$.items[{item_index}]",
                labels,
                -1 if split is None else split,
            )
            outline_count, skipped_count = outline_count + counts[0], skipped_count + counts[1]
    builder.add_note(
        "polygons", outline_count, f"{outline_count:,} outlines: their boxes are those around them"
    )
    builder.add_note(
        "left_out",
        skipped_count,
        f"{skipped_count:,} captions and depth maps not read",
    )
    return builder.build(options.kind, list(concept_names))


def read_item(
    builder: DatasetBuilder,
    file: Path,
    item: DatumaroItem,
    item_location: str,
    labels: list[str],
    split: int,
) -> tuple[int, int]:
    """Return the number of outlines and of skipped annotations."""
    media = item.image or item.media or DatumaroMedia()
    height, width = (media.size or [0, 0])[:2]
    image = builder.add_image(media.path or f"{item.id}.jpg", width, height, split, str(item.id))
    outline_count = skipped_count = 0
    for annotation_index, annotation in enumerate(item.annotations):
        location = f"{file.name} {item_location}.annotations[{annotation_index}]"
        if annotation.type in ("caption", "depth_annotation"):
            skipped_count += 1
            continue
        if annotation.label_id is None:
            builder.skip_shape(image, f"{annotation.type} without a label", has_concept=False)
            continue
        if not 0 <= annotation.label_id < len(labels):
            raise UnlistedConceptError(
                file, location, annotation.label_id, [f"0 to {len(labels) - 1}"]
            )
        concept = labels[annotation.label_id]
        ignore = bool(
            annotation.attributes.get("is_crowd") or annotation.attributes.get("difficult")
        )
        if annotation.type == "label":
            builder.add_tag(image, concept)
        elif annotation.type == "bbox" and annotation.bbox:
            builder.add_box(image, concept, annotation.bbox, location, ignore)
        elif (
            annotation.type in ("polygon", "polyline")
            and annotation.points
            and all(isinstance(coordinate, int | float) for coordinate in annotation.points)
        ):
            outline_count += 1
            builder.add_outline(
                image,
                concept,
                list(zip(annotation.points[::2], annotation.points[1::2], strict=False)),
                location,
                ignore,
                keep_outline=annotation.type == "polygon",
            )
        elif annotation.bbox:
            outline_count += 1
            builder.add_box(image, concept, annotation.bbox, location, ignore)
        else:
            builder.skip_shape(image, annotation.type)
    return outline_count, skipped_count


FORMAT = AnnotationFormat(NAME, matches, read)
