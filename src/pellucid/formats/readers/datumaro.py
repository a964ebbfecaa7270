"""Datumaro JSON: `categories` and `items` with their annotations; one file per split, in
`annotations/`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from pellucid.core.keypoints import VISIBLE, StatedKeypoints
from pellucid.core.masks import Masks
from pellucid.evaluation.mask_runs import measure_masks
from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.curves import ellipse_outline, rotate_box
from pellucid.formats.dataset import ParsedAnnotations, parse_split
from pellucid.formats.errors import UnlistedConceptError
from pellucid.formats.mask_arrays import encode_mask_arrays
from pellucid.formats.parsing import parse_json
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions, list_files
from pellucid.formats.readers.coco_masks import EncodedMask

NAME = "datumaro"


class DatumaroLabel(msgspec.Struct):
    name: str


class DatumaroLabels(msgspec.Struct):
    labels: list[DatumaroLabel] = []


class DatumaroPoints(msgspec.Struct):
    """The points of a label: their names, and pairs of them, from 1, that are joined."""

    label_id: int
    labels: list[str] = []
    joints: list[tuple[int, int]] = []


class DatumaroPointCategories(msgspec.Struct):
    items: list[DatumaroPoints] = []


class DatumaroCategories(msgspec.Struct):
    label: DatumaroLabels = msgspec.field(default_factory=DatumaroLabels)
    points: DatumaroPointCategories = msgspec.field(default_factory=DatumaroPointCategories)


class DatumaroMedia(msgspec.Struct):
    path: str | None = None
    size: list[float] | None = None


class DatumaroAnnotation(msgspec.Struct):
    type: str
    label_id: int | None = None
    bbox: tuple[float, float, float, float] | None = None
    points: list[Any] = []
    attributes: dict[str, Any] = {}
    rle: EncodedMask | None = None
    visibility: list[int] = []
    """Of each point: 0 absent, 1 hidden, 2 visible."""


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
        else [probe.load_head(file_name) for file_name in probe.sample_with_suffix(".json")]
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
        skeletons = {points.label_id: points.joints for points in document.categories.points.items}
        split = parse_split(file.stem)
        for item_index, item in enumerate(document.items):
            counts = parse_item(
                builder,
                file,
                item,
                f"$.items[{item_index}]",
                labels,
                skeletons,
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


def parse_item(
    builder: DatasetBuilder,
    file: Path,
    item: DatumaroItem,
    item_location: str,
    labels: list[str],
    skeletons: Mapping[int, list[tuple[int, int]]],
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
        outline_count += parse_annotation(
            builder, image, concept, annotation, location, ignore, skeletons
        )
    return outline_count, skipped_count


def parse_annotation(
    builder: DatasetBuilder,
    image: int,
    concept: str,
    annotation: DatumaroAnnotation,
    location: str,
    ignore: bool,
    skeletons: Mapping[int, list[tuple[int, int]]],
) -> bool:
    """Add an annotation; returns whether its box is the one around an outline."""
    if annotation.type == "label":
        builder.add_tag(image, concept)
    elif annotation.type == "bbox" and annotation.bbox:
        degrees = annotation.attributes.get("rotation")
        if isinstance(degrees, int | float) and degrees % 360:
            x, y, width, height = annotation.bbox
            corners = rotate_box((x, y, x + width, y + height), degrees)
            builder.add_outline(image, concept, corners, location, ignore, keep_outline=True)
            return True
        builder.add_box(image, concept, annotation.bbox, location, ignore)
    elif outline := find_outline(annotation):
        is_area = annotation.type != "polyline"
        builder.add_outline(image, concept, outline, location, ignore, keep_outline=is_area)
        return True
    elif annotation.type == "mask" and (masks := find_mask(annotation)) is not None:
        builder.add_encoded_mask(image, concept, masks, 0, location, ignore=ignore)
    elif annotation.type == "points" and (stated := find_keypoints(annotation, skeletons)):
        builder.add_keypoints(image, concept, stated, location, annotation.bbox)
    elif annotation.bbox:
        builder.add_box(image, concept, annotation.bbox, location, ignore)
        return True
    else:
        builder.skip_shape(image, annotation.type)
    return False


def find_outline(annotation: DatumaroAnnotation) -> list[tuple[float, float]]:
    """The points of a polygon, a line or an ellipse; none of other annotations."""
    numbers = annotation.points
    if not all(isinstance(coordinate, int | float) for coordinate in numbers):
        return []
    if annotation.type in ("polygon", "polyline"):
        return list(zip(numbers[::2], numbers[1::2], strict=False))
    if annotation.type == "ellipse" and len(numbers) == 4:
        left, top, right, bottom = numbers
        center = (left + right) / 2, (top + bottom) / 2
        return ellipse_outline(center, ((right - left) / 2, (bottom - top) / 2))
    return []


def find_mask(annotation: DatumaroAnnotation) -> Masks | None:
    """The mask of an annotation; None if it has none, or it covers nothing."""
    if annotation.rle is None:
        return None
    masks = encode_mask_arrays([msgspec.to_builtins(annotation.rle)])
    return masks if measure_masks(masks).area[0] else None


def find_keypoints(
    annotation: DatumaroAnnotation, skeletons: Mapping[int, list[tuple[int, int]]]
) -> StatedKeypoints | None:
    """The keypoints of an object; None unless at least two are labelled."""
    xs, ys = annotation.points[::2], annotation.points[1::2]
    visibility = annotation.visibility or [VISIBLE] * len(xs)
    if not len(xs) == len(ys) == len(visibility):
        return None
    numbers = [
        float(number) if seen else 0.0
        for x, y, seen in zip(xs, ys, visibility, strict=True)
        for number in (x, y, seen)
    ]
    joints = skeletons.get(-1 if annotation.label_id is None else annotation.label_id)
    edges = [(start - 1, end - 1) for start, end in joints or ()]
    stated = StatedKeypoints(numbers, skeleton=edges or None)
    return stated if stated.labelled_count > 1 else None


FORMAT = AnnotationFormat(NAME, matches, read)
