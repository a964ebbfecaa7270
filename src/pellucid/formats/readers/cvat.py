"""CVAT for images 1.1: one XML file with the boxes, outlines and tags of all images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from pellucid.core.errors import MalformedFileError
from pellucid.core.tables import BoolArray
from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.curves import ellipse_outline, rotate_box
from pellucid.formats.dataset import ParsedAnnotations, parse_split, split_of_file
from pellucid.formats.errors import UnsupportedFormatError
from pellucid.formats.parsing import element_text, parse_number, parse_xml
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions, list_files
from pellucid.formats.readers.cvat_skeletons import Skeleton, parse_skeletons, skeleton_keypoints

NAME = "cvat"
OUTLINE_TAGS = ("polygon", "polyline", "points", "ellipse", "cuboid", "mask")


@dataclass(frozen=True)
class CvatImage:
    """An image of a CVAT document.

    Attributes:
        index: in the builder
        skeletons: of the file, by label
    """

    index: int
    name: str
    width: float
    height: float
    file: Path
    skeletons: Mapping[str, Skeleton]


def matches(probe: Probe) -> bool:
    if probe.is_dir:
        return any(
            is_cvat(probe.load_head(file_name)) for file_name in probe.sample_with_suffix(".xml")
        )
    return is_cvat(probe.head)


def is_cvat(head: str) -> bool:
    return "<annotations>" in head and (
        "<meta>" in head or "<version>" in head or "<image " in head or "<track " in head
    )


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    builder = DatasetBuilder(str(probe.path), NAME, options.image_folder)
    labels: dict[str, None] = {}
    outline_count = rotated_count = 0
    for file in list_files(probe, ".xml"):
        root = parse_xml(file)
        if root.tag != "annotations":
            raise MalformedFileError(
                file, f"expected root element <annotations>, found <{root.tag}>"
            )
        if root.find("track") is not None:
            raise UnsupportedFormatError(
                file,
                "CVAT for video 1.1",
                "Export it from CVAT as 'CVAT for images 1.1', with the frames as image files.",
            )
        labels |= dict.fromkeys(
            name
            for label_element in root.iterfind(".//label")
            if (name := element_text(label_element, "name"))
            and not element_text(label_element, "parent")  # a point of a skeleton
        )
        skeletons = parse_skeletons(root)
        for image_element in root.iterfind("image"):
            counts = parse_image_element(builder, probe.path, file, image_element, skeletons)
            outline_count, rotated_count = outline_count + counts[0], rotated_count + counts[1]
    builder.add_note(
        "polygons", outline_count, f"{outline_count:,} outlines: their boxes are those around them"
    )
    builder.add_note(
        "rotated",
        rotated_count,
        f"{rotated_count:,} rotated boxes: their upright boxes are those around them",
    )
    return builder.build(options.kind, list(labels))


def parse_image_element(
    builder: DatasetBuilder,
    source: Path,
    file: Path,
    image_element: Element,
    skeletons: Mapping[str, Skeleton],
) -> tuple[int, int]:
    """Return the number of outlines and of rotated boxes."""
    image_name = image_element.get("name") or ""
    width, height = (
        parse_number(image_element.get(side, "0"), file, f"image '{image_name}'", side)
        for side in ("width", "height")
    )
    split = parse_split(image_element.get("subset") or "")
    if split is None:
        split = split_of_file(file, source)
    image = builder.add_image(image_name, width, height, split, image_element.get("id") or "")
    cvat_image = CvatImage(image, image_name, width, height, file, skeletons)
    kinds = Counter(
        parse_shape(builder, cvat_image, shape, f"image '{image_name}' <{shape.tag}> {shape_index}")
        for shape_index, shape in enumerate(image_element)
    )
    return kinds["outline"], kinds["rotated box"]


def parse_shape(
    builder: DatasetBuilder, image: CvatImage, shape: Element, location: str
) -> str | None:
    """Add a shape; returns `outline` or `rotated box` where its box is the one around it."""
    concept = shape.get("label") or ""
    if shape.tag == "tag":
        builder.add_tag(image.index, concept)
    elif not concept:
        builder.skip_shape(image.index, f"{shape.tag} without a label", has_concept=False)
    elif shape.tag == "box":
        return parse_cvat_box(builder, image, shape, location)
    elif shape.tag == "skeleton":
        parse_skeleton(builder, image, shape, location)
    elif (
        shape.tag == "mask"
        and (pixels := mask_pixels(shape, image.width, image.height)) is not None
    ):
        builder.add_mask(image.index, concept, pixels, location)
    elif shape.tag in OUTLINE_TAGS:
        return parse_cvat_outline(builder, image, shape, location)
    else:
        builder.skip_shape(image.index, shape.tag)
    return None


def parse_cvat_box(
    builder: DatasetBuilder, image: CvatImage, shape: Element, location: str
) -> str | None:
    corners = tuple(
        parse_number(shape.get(side, ""), image.file, location, side)
        for side in ("xtl", "ytl", "xbr", "ybr")
    )
    angle = parse_number(shape.get("rotation", "0"), image.file, location, "rotation")
    is_rotated = angle % 360 != 0
    points = rotate_box(corners, angle)  # type: ignore[arg-type]
    builder.add_outline(
        image.index, shape.get("label") or "", points, location, keep_outline=is_rotated
    )
    return "rotated box" if is_rotated else None


def parse_skeleton(
    builder: DatasetBuilder, image: CvatImage, shape: Element, location: str
) -> None:
    """An object of fewer than two labelled points has no extent: it is counted, not read."""
    concept = shape.get("label") or ""
    stated = skeleton_keypoints(shape, image.skeletons[concept], image.file, location)
    if stated.labelled_count < 2:
        builder.skip_shape(image.index, f"skeleton with {stated.labelled_count} visible points")
    else:
        builder.add_keypoints(image.index, concept, stated, location)


def parse_cvat_outline(
    builder: DatasetBuilder, image: CvatImage, shape: Element, location: str
) -> str | None:
    if shape.tag == "ellipse":
        points = ellipse_outline(*parse_ellipse(shape, image.file, location))
    elif shape.get("points"):
        points = parse_points(shape.get("points") or "", image.file, location)
    else:
        points = shape_extremes(shape, image.file, location)
    if len(points) < 2:
        builder.skip_shape(image.index, f"{shape.tag} with {len(points)} visible points")
        return None
    is_area = shape.tag in ("polygon", "ellipse")
    builder.add_outline(
        image.index, shape.get("label") or "", points, location, keep_outline=is_area
    )
    return "outline"


def mask_pixels(shape: Element, width: float, height: float) -> BoolArray | None:
    """The pixels of a mask in its image, bool (height, width): runs of background and object along
    the rows of its box. None if they do not fill the box, or the box is not in the image."""
    try:
        runs = [int(run) for run in (shape.get("rle") or "").split(",")]
        left, top, columns, rows = (
            int(float(shape.get(side) or "")) for side in ("left", "top", "width", "height")
        )
    except ValueError:
        return None
    is_inside = 0 <= left <= left + columns <= width and 0 <= top <= top + rows <= height
    if not is_inside or min(runs) < 0 or sum(runs) != columns * rows or not sum(runs[1::2]):
        return None
    values = np.arange(len(runs)) % 2 == 1
    pixels = np.zeros((round(height), round(width)), bool)
    pixels[top : top + rows, left : left + columns] = np.repeat(values, runs).reshape(rows, columns)
    return pixels


def shape_extremes(shape: Element, file: object, location: str) -> list[tuple[float, float]]:
    """Points that span a shape without a `points` attribute: a mask whose pixels cannot be read, a
    cuboid."""

    def attribute(key: str) -> float:
        return parse_number(shape.get(key, ""), file, location, key)

    if shape.tag == "mask":
        left, top, width, height = (
            attribute("left"),
            attribute("top"),
            attribute("width"),
            attribute("height"),
        )
        return [(left, top), (left + width, top + height)]
    attributes = shape.attrib
    return [
        (attribute(key), attribute(f"y{key[1:]}"))
        for key in attributes
        if key[:2] in ("xt", "xb") and f"y{key[1:]}" in attributes
    ]


def parse_ellipse(
    shape: Element, file: object, location: str
) -> tuple[tuple[float, float], tuple[float, float], float]:
    """Center, radii and clockwise turn in degrees."""
    x, y, x_radius, y_radius, degrees = (
        parse_number(shape.get(key, default), file, location, key)
        for key, default in (("cx", ""), ("cy", ""), ("rx", ""), ("ry", ""), ("rotation", "0"))
    )
    return (x, y), (x_radius, y_radius), degrees


def parse_points(points_text: str, file: object, location: str) -> list[tuple[float, float]]:
    pairs = [pair.partition(",") for pair in points_text.split(";") if pair.strip()]
    return [
        (parse_number(x, file, location, "x"), parse_number(y, file, location, "y"))
        for x, _, y in pairs
    ]


FORMAT = AnnotationFormat(NAME, matches, read)
