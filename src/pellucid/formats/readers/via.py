"""VGG Image Annotator (VIA) 1 and 2: JSON and CSV with regions in pixels and attributes of one's
own choice. (Dutta and Zisserman, The VIA Annotation Software for Images, Audio and Video, 2019.)"""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from pellucid.core.errors import InvalidChoiceError, MalformedFileError
from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.concept_fields import drop_repeats
from pellucid.formats.curves import ellipse_outline
from pellucid.formats.dataset import ParsedAnnotations, parse_split
from pellucid.formats.errors import AmbiguousColumnsError, DuplicateImageError
from pellucid.formats.parsing import (
    decode_utf8,
    expect_list,
    expect_object,
    parse_json,
    parse_number,
)
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions

NAME = "via"
CONCEPT_NAMES = ("label", "class", "category", "concept")
"""Attributes that hold the concept where a file has several; two that differ are ambiguous."""
DEFAULT_ATTRIBUTES = ("caption", "public_domain", "image_url")
"""Attributes of files that VIA has in every new project."""
CSV_COLUMNS = ("filename", "region_shape_attributes", "region_attributes")
PROJECT_KEY = "_via_img_metadata"
MAX_FIELD_BYTES = 1 << 24
"""Of a cell: an outline of a million points."""


@dataclass(frozen=True)
class Region:
    """One region of an image, and where it stands in the file; without a shape for an image that
    has none."""

    file_name: str
    shape: dict[str, Any] | None
    attributes: dict[str, Any]
    location: str


def matches(probe: Probe) -> bool:
    head = probe.head
    if probe.is_dir:
        return False
    if head.startswith("{"):
        return f'"{PROJECT_KEY}"' in head or (
            '"filename"' in head
            and '"regions"' in head
            and any(key in head for key in ('"shape_attributes"', '"file_attributes"'))
        )
    first_line = head.partition("\n")[0]
    return all(column in first_line for column in CSV_COLUMNS)


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    builder = DatasetBuilder(str(probe.path), NAME, options.image_folder)
    read_regions = json_regions if probe.head.startswith("{") else csv_regions
    regions = list(read_regions(probe.path))
    if not any(region.shape for region in regions):
        return parse_file_attributes(probe, options, builder, regions)
    regions = [region if region.shape else replace(region, attributes={}) for region in regions]
    attribute = choose_attribute(probe.path, regions, options.columns.get("concept", ()))
    other_attributes: Counter[str] = Counter()
    for region in regions:
        image = builder.add_image(region.file_name, split=folder_split(region.file_name))
        if region.shape is None:
            continue
        other_attributes.update(key for key in region.attributes if key != attribute)
        concepts = attribute_concepts(region.attributes.get(attribute))
        if not concepts:
            builder.skip_shape(image, "region without a label", has_concept=False)
        for concept in concepts:
            add_region(builder, probe.path, image, concept, region)
    if attribute:
        builder.add_note("columns", 1, f"concept from the region attribute {attribute}")
    for key in other_attributes.elements():
        builder.skip_key(key)
    return builder.build(options.kind)


def parse_file_attributes(
    probe: Probe, options: ReadOptions, builder: DatasetBuilder, images: list[Region]
) -> ParsedAnnotations:
    """The tags of images, of a file that has no regions."""
    attribute = choose_attribute(probe.path, images, options.columns.get("concept", ()))
    for record in images:
        image = builder.add_image(record.file_name, split=folder_split(record.file_name))
        for concept in attribute_concepts(record.attributes.get(attribute)):
            builder.add_tag(image, concept)
    if attribute:
        builder.add_note("columns", 1, f"concept from the file attribute {attribute}")
    return builder.build(options.kind)


def folder_split(file_name: str) -> int:
    """The split that the first folder names, -1 if none."""
    folder, separator, _ = file_name.replace("\\", "/").partition("/")
    split = parse_split(folder) if separator else None
    return -1 if split is None else split


def json_regions(path: Path) -> Iterator[Region]:
    document = parse_json(path, dict[str, Any], "VIA")
    images = expect_object(document.get(PROJECT_KEY, document), path, "$")
    names: set[str] = set()
    for key, record in images.items():
        location = f"$.{key}"
        image = expect_object(record, path, location)
        file_name = image.get("filename")
        if not isinstance(file_name, str):
            raise MalformedFileError(path, f"{location} has no filename")
        if file_name in names:  # two images of different folders, whose keys have their size
            raise DuplicateImageError(path, file_name)
        names.add(file_name)
        stated_of_file = expect_object(image.get("file_attributes") or {}, path, location)
        about_file = {k: v for k, v in stated_of_file.items() if k not in DEFAULT_ATTRIBUTES}
        yield Region(file_name, None, about_file, location)
        stated = image.get("regions") or []
        # VIA 1 numbers the regions: {"0": {...}}
        regions: Iterable[Any] = (
            stated.values()
            if isinstance(stated, dict)
            else expect_list(stated, path, f"{location}.regions")
        )
        for index, region in enumerate(regions):
            place = f"{location}.regions[{index}]"
            fields = expect_object(region, path, place)
            shape = expect_object(fields.get("shape_attributes"), path, place)
            attributes = expect_object(fields.get("region_attributes") or {}, path, place)
            yield Region(file_name, shape, attributes, place)


def csv_regions(path: Path) -> Iterator[Region]:
    csv.field_size_limit(MAX_FIELD_BYTES)
    rows = csv.DictReader(decode_utf8(path).decode().removeprefix("#").splitlines())
    for row in rows:
        location = f"line {rows.line_num}"
        file_name = row["filename"] or ""
        yield Region(file_name, None, {}, location)
        shape, attributes = (
            cell_object(path, location, row.get(column)) for column in CSV_COLUMNS[1:]
        )
        if shape:
            yield Region(file_name, shape, attributes, location)


def cell_object(path: Path, location: str, cell: str | None) -> dict[str, Any]:
    try:
        decoded = msgspec.json.decode(cell or "{}")
    except msgspec.DecodeError as error:
        raise MalformedFileError(path, f"{location}: invalid JSON in a cell: {error}") from error
    return expect_object(decoded, path, location)


def choose_attribute(path: Path, regions: list[Region], requested: Iterable[str]) -> str:
    """The region attribute that holds the concept.

    Raises:
        AmbiguousColumnsError: several could, and none was requested.
    """
    filled: Counter[str] = Counter()
    for region in regions:
        filled.update(key for key, value in region.attributes.items() if attribute_concepts(value))
    for name in requested:
        if name not in filled:
            raise InvalidChoiceError("--columns concept", name, tuple(filled))
        return name
    candidates = drop_repeats(
        {
            key: [tuple(attribute_concepts(region.attributes.get(key))) for region in regions]
            for key in filled
        }
    )
    named = [key for key in candidates if key.strip().casefold() in CONCEPT_NAMES]
    chosen = named if len(named) == 1 else candidates
    if len(chosen) > 1:
        raise AmbiguousColumnsError(path, "concept", candidates)
    return next(iter(chosen), "")


def attribute_concepts(value: Any) -> list[str]:
    """The value of an attribute; of check boxes, `{"name": true}`, the names that are set."""
    if isinstance(value, dict):
        return [str(name) for name, is_set in value.items() if is_set]
    text = "" if value is None else str(value).strip()
    return [text] if text and text != "undefined" else []


def add_region(
    builder: DatasetBuilder, path: Path, image: int, concept: str, region: Region
) -> None:
    shape = region.shape or {}
    kind = str(shape.get("name"))

    def numbers(*keys: str) -> list[float]:
        return [parse_number(shape.get(key), path, region.location, key) for key in keys]

    if kind == "rect":
        x, y, width, height = numbers("x", "y", "width", "height")
        builder.add_box(image, concept, (x, y, width, height), region.location)
        return
    if kind in ("circle", "ellipse"):
        x, y, x_radius = numbers("cx", "cy", "r" if kind == "circle" else "rx")
        y_radius = x_radius if kind == "circle" else numbers("ry")[0]
        theta = numbers("theta")[0] if "theta" in shape else 0.0
        points = ellipse_outline((x, y), (x_radius, y_radius), math.degrees(theta))
    elif kind in ("polygon", "polyline"):
        xs, ys = (
            expect_list(shape.get(key), path, region.location)
            for key in ("all_points_x", "all_points_y")
        )
        points = [
            (
                parse_number(x, path, region.location, "all_points_x"),
                parse_number(y, path, region.location, "all_points_y"),
            )
            for x, y in zip(xs, ys, strict=False)
        ]
    else:
        builder.skip_shape(image, kind)
        return
    if len(points) < 2:
        builder.skip_shape(image, f"{kind} of {len(points)} points")
        return
    is_area = kind != "polyline"
    builder.add_outline(image, concept, points, region.location, keep_outline=is_area)


FORMAT = AnnotationFormat(NAME, matches, read, has_columns=True)
