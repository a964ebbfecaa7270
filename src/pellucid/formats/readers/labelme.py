"""LabelMe: one JSON file per image with shapes in pixels; also the XML of the older web tool, with
polygons."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image

from pellucid.core.errors import format_count
from pellucid.core.tables import BoolArray
from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.curves import ellipse_outline
from pellucid.formats.dataset import ParsedAnnotations, split_of_file
from pellucid.formats.image_location import ImageLocator
from pellucid.formats.parsing import element_text, parse_json, parse_number, parse_xml
from pellucid.formats.probe import (
    HEAD_BYTES,
    AnnotationFormat,
    Probe,
    ReadOptions,
    list_files,
    load_head,
)

NAME = "labelme"
MAX_MASK_SIDE = 1 << 15
"""Of a mask's picture, in pixels."""


class Shape(msgspec.Struct):
    label: str
    points: list[tuple[float, float]]
    shape_type: str | None = None
    mask: str | None = None
    score: float | None = None
    """Of a model's prediction; LabelMe itself has none."""
    group_id: int | float | str | None = None
    """The same for all shapes of an object."""
    difficult: Any = False
    """Of X-AnyLabeling: the shape is ignored."""

    @property
    def polygon(self) -> list[tuple[float, float]] | None:
        """The outline that is compared; None for shapes without area."""
        if self.shape_type == "circle" and len(self.points) == 2:
            return circle_outline(self.points)
        is_old_polygon = self.shape_type is None and len(self.points) > 2
        is_area = is_old_polygon or self.shape_type in AREA_SHAPES
        return self.points if is_area and len(self.points) > 2 else None


AREA_SHAPES = ("circle", "polygon", "oriented_rectangle", "rotation")
"""Shapes whose outline is compared; X-AnyLabeling calls an oriented box `rotation`."""


class LabelMeFile(msgspec.Struct):
    imagePath: str
    shapes: list[Shape]
    imageWidth: float | None = None
    imageHeight: float | None = None
    flags: dict[str, bool | None] | None = None


def matches(probe: Probe) -> bool:
    if not probe.is_dir:
        return is_json(probe.head) or is_xml(probe.head)
    heads = [probe.load_head(name) for name in probe.sample_with_suffix(".json", ".xml")]
    return any(is_json(head) or is_xml(head) for head in heads)


def is_json(head: str) -> bool:
    has_shapes = '"shapes"' in head and '"points"' in head
    return head.startswith("{") and ('"imagePath"' in head or has_shapes)


def is_foreign(head: str) -> bool:
    """Whether a JSON file is none of LabelMe's: complete, and without the keys that all have."""
    return len(head) < HEAD_BYTES and '"imagePath"' not in head and '"shapes"' not in head


def is_xml(head: str) -> bool:
    return "<annotation>" in head and "<polygon>" in head and "<pt>" in head


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    builder = DatasetBuilder(str(probe.path), NAME, options.image_folder)
    outline_count = group_count = 0
    locator = ImageLocator(probe.path, options.image_folder, by_folder=True)
    for file in list_files(probe, ".json"):
        if probe.is_dir and is_foreign(load_head(file)):
            builder.skip_file(file.relative_to(probe.path).as_posix())
        elif probe.is_dir or is_json(probe.head):
            outlines, groups = parse_labelme_json(builder, locator, file)
            outline_count += outlines
            group_count += groups
    for file in list_files(probe, ".xml"):
        if probe.is_dir or is_xml(probe.head):
            outline_count += parse_labelme_xml(builder, probe.path, file)
    builder.notes.extend(locator.notes())
    builder.add_note(
        "polygons", outline_count, f"{outline_count:,} outlines: their boxes are those around them"
    )
    builder.add_note(
        "groups",
        group_count,
        f"{format_count(group_count, 'object')} of several polygons (one label and group_id)",
    )
    return builder.build(options.kind)


def parse_labelme_json(
    builder: DatasetBuilder, locator: ImageLocator, file: Path
) -> tuple[int, int]:
    """Add shapes as boxes and set flags as tags; return the number of shapes that are not
    rectangles, and of objects of several shapes."""
    document: LabelMeFile = parse_json(file, LabelMeFile, "LabelMe")
    split, image_name = locator.locate(file, clean_image_path(document.imagePath))
    image = builder.add_unique_image(
        image_name,
        document.imageWidth or 0,
        document.imageHeight or 0,
        split,
        file.stem,
    )
    parts_by_group = group_parts(document.shapes)
    added_groups: set[Group] = set()
    for shape_index, shape in enumerate(document.shapes):
        location = f"{file.name} $.shapes[{shape_index}]"
        ignore = shape.difficult is True
        if shape.polygon is not None and (shape.label, shape.group_id) in parts_by_group:
            if (shape.label, shape.group_id) not in added_groups:
                parts = parts_by_group[shape.label, shape.group_id]
                builder.add_parts(image, shape.label, parts, location, ignore)
            added_groups.add((shape.label, shape.group_id))
        elif len(shape.points) < 2:
            builder.skip_shape(image, shape.shape_type or "shape without points")
        elif shape.shape_type == "mask":
            size = document.imageWidth or 0, document.imageHeight or 0
            pixels = mask_pixels(shape, *size)
            if pixels is None:
                builder.skip_shape(image, "mask")
            else:
                builder.add_mask(image, shape.label, pixels, location, ignore)
        else:
            polygon = shape.polygon
            builder.add_outline(
                image,
                shape.label,
                polygon or shape.points,
                location,
                ignore,
                keep_outline=bool(polygon),
            )
    for flag_name, is_set in (document.flags or {}).items():
        if is_set:
            builder.add_tag(image, flag_name)
    outline_count = sum(shape.shape_type not in (None, "rectangle") for shape in document.shapes)
    return outline_count, len(parts_by_group)


Group = tuple[str, int | float | str | None]


def group_parts(shapes: Sequence[Shape]) -> dict[Group, list[list[tuple[float, float]]]]:
    """The polygons of each object of several shapes, by label and group."""
    parts: dict[Group, list[list[tuple[float, float]]]] = {}
    for shape in shapes:
        if shape.group_id is not None and (polygon := shape.polygon) is not None:
            parts.setdefault((shape.label, shape.group_id), []).append(polygon)
    return {group: polygons for group, polygons in parts.items() if len(polygons) > 1}


def clean_image_path(path: str) -> str:
    """The image path with `/`; only the file name if the path is absolute or starts with `..`."""
    posix_path = path.replace("\\", "/")
    return (
        posix_path.rsplit("/", maxsplit=1)[-1]
        if posix_path.startswith(("..", "/")) or posix_path[1:2] == ":"
        else posix_path
    )


def circle_outline(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """A circle given by its center and a point on it."""
    radius = math.dist(points[0], points[1])
    return ellipse_outline(points[0], (radius, radius))


def mask_pixels(shape: Shape, width: float, height: float) -> BoolArray | None:
    """The pixels of a mask in its image, bool (height, width): a PNG image of its box, whose
    corners are the points, both within. None if it cannot be read, or does not fit."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(shape.mask or ""))) as picture:
            if max(picture.size) > MAX_MASK_SIDE:
                return None
            patch = np.asarray(picture.convert("L")) > 0
    except (ValueError, OSError):
        return None
    left, top = (round(coordinate) for coordinate in shape.points[0])
    bottom, right = top + patch.shape[0], left + patch.shape[1]
    if left < 0 or top < 0 or right > width or bottom > height or not patch.any():
        return None
    pixels = np.zeros((round(height), round(width)), bool)
    pixels[top:bottom, left:right] = patch
    return pixels


def parse_labelme_xml(builder: DatasetBuilder, source: Path, file: Path) -> int:
    root = parse_xml(file)
    folder, file_name = (
        element_text(root, "folder"),
        element_text(root, "filename", f"{file.stem}.jpg"),
    )
    height, width = (
        parse_number(element_text(root, f"imagesize/{side}", "0"), file, "imagesize", side)
        for side in ("nrows", "ncols")
    )
    split = split_of_file(file, source)
    image = builder.add_image(f"{folder}/{file_name}", width, height, split, file.stem)
    outline_count = 0
    for object_index, object_element in enumerate(root.iterfind("object")):
        if element_text(object_element, "deleted") == "1":
            continue
        location = f"{file.name} object {object_index}"
        points = [
            (
                parse_number(element_text(point, "x"), file, location, "x"),
                parse_number(element_text(point, "y"), file, location, "y"),
            )
            for point in object_element.iterfind("polygon/pt")
        ]
        box_element = object_element.find("segm/box")
        if box_element is not None:
            corners = [
                parse_number(element_text(box_element, side), file, location, side)
                for side in ("xmin", "ymin", "xmax", "ymax")
            ]
            points = [(corners[0], corners[1]), (corners[2], corners[3])]
        outline_count += box_element is None
        builder.add_outline(
            image,
            element_text(object_element, "name"),
            points,
            location,
            keep_outline=box_element is None,
        )
    return outline_count


FORMAT = AnnotationFormat(NAME, matches, read)
