"""Convert boxes and outlines given as fractions to pixels, reading image sizes where needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice

import numpy as np

from pellucid.core.outlines import encode_keypoints, parse_keypoints, parse_outline
from pellucid.core.tables import (
    Annotations,
    Float64Array,
    Images,
    Int64Array,
    StringArray,
    string_column,
)
from pellucid.formats.dataset import ParsedAnnotations, ParsedPredictions
from pellucid.images.locations import join_location
from pellucid.images.sizes import display_sizes
from pellucid.ingest.errors import ImageSizeRequiredError

LARGEST_FRACTION = 1.5
"""Shapes in fractions may reach over the edges of their image."""
SAMPLED_OUTLINES = 100


def scale_annotations(
    source: ParsedAnnotations, images: Images, folders: list[str]
) -> tuple[Images, Annotations]:
    annotations = source.annotations
    if source.unit == "pixels" or annotations.box is None:
        return images, annotations
    images = fill_image_sizes(
        images,
        np.unique(annotations.image).astype(np.int64),
        folders,
        source.path,
        "boxes are fractions of the size",
    )
    scale = np.stack([images.width, images.height, images.width, images.height], axis=1)[
        annotations.image
    ].astype(float)
    box = annotations.box * scale
    is_fraction = not are_in_pixels(annotations.outline)
    outline = (
        None
        if annotations.outline is None
        else string_column(
            [
                scale_outline(polygons, *image_scale[:2]) if is_fraction else polygons
                for polygons, image_scale in zip(annotations.outline, scale, strict=True)
            ]
        )
    )
    area = box[:, 2] * box[:, 3]
    if annotations.area is not None:
        is_inside = annotations.area != annotations.box[:, 2] * annotations.box[:, 3]
        is_inside &= annotations.area <= 1  # a share of the image, of a polygon
        area = np.where(is_inside, annotations.area * scale[:, 0] * scale[:, 1], area)
    return images, annotations.replace(box=box, area=area, outline=outline)


def are_in_pixels(outlines: StringArray | None) -> bool:
    """Whether most outlines reach beyond what fractions can: a file may have its boxes alone in
    fractions."""
    stated = (text for text in ([] if outlines is None else outlines) if text)
    sample = list(islice(stated, SAMPLED_OUTLINES))
    reaches = [largest_coordinate(text) for text in sample]
    return bool(reaches) and float(np.median(reaches)) > LARGEST_FRACTION


def largest_coordinate(outline: str) -> float:
    """Of polygons, else of keypoints; 0 for an encoded mask."""
    shape, keypoints = parse_outline(outline), parse_keypoints(outline)
    if isinstance(shape, list):
        return max(number for polygon in shape for number in polygon)
    points = keypoints.keypoints if keypoints else []
    return max([*points[::3], *points[1::3]], default=0.0)


def scale_outline(outline: str, width: float, height: float) -> str:
    """Scale a polygon outline from fractions to pixels.

    Rounded to a millionth of a pixel: a number that was divided and multiplied by the size is then
    what it was, and covers the same pixels.
    """
    if stated := parse_keypoints(outline):
        scale = (float(width), float(height), 1.0)
        stated.keypoints = [
            round(number * scale[position % 3], 6)
            for position, number in enumerate(stated.keypoints)
        ]
        return encode_keypoints(stated)
    if not outline or outline.startswith("{"):  # an encoded mask is in pixels
        return outline
    return json.dumps(
        [
            [
                round(coordinate * (height if position % 2 else width), 6)
                for position, coordinate in enumerate(polygon)
            ]
            for polygon in json.loads(outline)
        ]
    )


def scale_prediction_boxes(
    source: ParsedPredictions,
    imported_rows: Int64Array | slice,
    image_rows: np.ndarray,
    images: Images,
    folders: Sequence[str],
) -> tuple[Images, Float64Array | None]:
    if source.box is None:
        return images, None
    if source.unit == "pixels":
        return images, source.box[imported_rows]
    images = fill_image_sizes(
        images, np.unique(image_rows), folders, source.path, "boxes are fractions of the size"
    )
    scale = np.stack([images.width, images.height, images.width, images.height], axis=1)[
        image_rows
    ].astype(float)
    return images, source.box[imported_rows] * scale


def fill_image_sizes(
    images: Images, image_rows: Int64Array, folders: Sequence[str], path: str, reason: str
) -> Images:
    """Fill in unknown sizes of the images at `image_rows` by reading the image file headers.

    Raises:
        ImageSizeRequiredError: an image is not there, or cannot be read.
    """
    images = parse_image_sizes(images, image_rows, folders)
    unknown = image_rows[(images.width[image_rows] <= 0) | (images.height[image_rows] <= 0)]
    if len(unknown):
        raise ImageSizeRequiredError(path, images.path[unknown[0]], reason)
    return images


def parse_image_sizes(images: Images, image_rows: Int64Array, folders: Sequence[str]) -> Images:
    """The images with the sizes of those at `image_rows`, as far as their files tell them."""
    image_rows = image_rows[(images.width[image_rows] <= 0) | (images.height[image_rows] <= 0)]
    if not len(image_rows):
        return images
    width, height = images.width.copy(), images.height.copy()
    locations = [
        join_location(folders[images.root[image_row]], images.path[image_row])
        if images.root[image_row] >= 0
        else ""
        for image_row in image_rows
    ]
    for image_row, size in zip(image_rows, display_sizes(locations), strict=True):
        if size is not None:
            width[image_row], height[image_row] = size
    return images.replace(width=width, height=height)
