"""Decide by evidence what the four numbers of annotated boxes mean, where the format leaves it open
or the numbers contradict the format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pellucid.core.errors import InvalidChoiceError, format_count
from pellucid.core.tables import Annotations, BoolArray, Float64Array, Images
from pellucid.formats.dataset import (
    BoxShape,
    BoxShapes,
    BoxUnit,
    Inference,
    Note,
    ParsedAnnotations,
    Severity,
    check_boxes,
)
from pellucid.formats.errors import BoxFormatRequiredError
from pellucid.images.locations import join_location
from pellucid.images.sizes import display_sizes
from pellucid.ingest.box_formats import BoxFormat, convert_to_pixels, parse_box_format
from pellucid.ingest.box_inference import EXAMPLE_FORMATS
from pellucid.ingest.box_scaling import fill_image_sizes

MIN_INSIDE_SHARE = 0.98
"""Share of boxes that must lie inside their image for a meaning to be plausible."""
MIN_ORDERED_BOXES = 20
"""From this many boxes on, all numbers in the order of corners are evidence for corners."""
MAX_SIZES_READ = 200
"""Most image files whose size is read as evidence."""

Settled = tuple[ParsedAnnotations, list[Note], list[Inference]]


def settle_boxes(
    source: ParsedAnnotations, images: Images, folders: Sequence[str], forced: str | None
) -> Settled:
    """The annotations with boxes as [left, top, width, height], in pixels or fractions.

    forced: a box format named by the user.

    Raises:
        BoxFormatRequiredError: several meanings are plausible.
        InvalidChoiceError: forced is not a box format.
    """
    if source.annotations.box is None or not len(source.annotations):
        return source, [], []
    if forced:
        return force_boxes(source, images, folders, forced)
    if source.box_shapes is None:
        return source, [], []
    raw = source.annotations.box
    is_located = source.annotations.positive & (raw != 0).any(axis=1)
    unit = source.unit if not is_located.any() else infer_unit(source, raw[is_located])
    shape, reason = choose_shape(source, source.box_shapes, images, folders, unit, is_located)
    if unit == "fractions" and source.unit == "pixels":
        reason = f"no number exceeds 1; {reason}"
    settled = convert_shape(replace(source, unit=unit), shape)
    assert settled.annotations.box is not None
    notes = check_boxes(source.path, settled.annotations.box, lambda row: f"annotation {row}")
    format_name = f"{shape}-{unit}"
    is_expected = shape == source.box_shapes.default and unit == "pixels"
    if not is_expected:
        message = f"boxes read as {format_name}: {reason} (--boxes {format_name})"
        severity: Severity = "info" if source.box_shapes.default is None else "warning"
        notes.append(Note("boxes", message, int(is_located.sum()), severity))
    return settled, notes, [Inference("boxes", format_name, reason)]


def infer_unit(source: ParsedAnnotations, raw: Float64Array) -> BoxUnit:
    """Pixels, or fractions if no number exceeds 1."""
    if source.unit == "fractions" or raw.max() > 1.01:
        return source.unit
    if (raw == np.round(raw)).all():
        raise BoxFormatRequiredError(
            source.path,
            "no box is larger than one pixel; they may be fractions of the image",
            ("xywh-pixels", "xywh-fractions"),
        )
    return "fractions"


def choose_shape(
    source: ParsedAnnotations,
    shapes: BoxShapes,
    images: Images,
    folders: Sequence[str],
    unit: BoxUnit,
    is_located: BoolArray,
) -> tuple[BoxShape, str]:
    """The meaning that the numbers allow, and the evidence for it."""
    annotations = source.annotations.take(is_located)
    assert annotations.box is not None
    sizes = np.ones((len(annotations), 2))
    if unit == "pixels":
        sizes = known_sizes(images, folders, annotations)
    plausible = [
        shape for shape in shapes.candidates if is_plausible(shape, annotations.box, sizes)
    ]
    default = shapes.default
    if default is not None and (not plausible or plausible == [default]):
        return default, "as the format defines it"
    has_sizes = bool((sizes > 0).any())
    may_be_corners = "xyxy" in plausible and len(annotations) >= MIN_ORDERED_BOXES
    is_stated = unit == "pixels" and (has_sizes or not may_be_corners)
    if default in plausible and default is not None and is_stated:
        return default, "as the format defines it"
    if len(plausible) == 1:
        others = [shape for shape in shapes.candidates if shape not in plausible]
        boxes = format_count(len(annotations), "box", "boxes")
        where = " inside the image" if has_sizes and unit == "pixels" else ""
        return plausible[0], f"{boxes} cannot be {' or '.join(others)}{where}"
    choices = [f"{shape}-{unit}" for shape in plausible or shapes.candidates]
    raise BoxFormatRequiredError(
        source.path, f"the numbers of its boxes could be {' or '.join(choices)}", choices
    )


def known_sizes(images: Images, folders: Sequence[str], annotations: Annotations) -> Float64Array:
    """Width and height of each annotation's image, 0 where unknown; read from some image files
    where the source states none."""
    width, height = images.width.astype(float), images.height.astype(float)
    rows = np.unique(annotations.image)
    unknown = rows[(width[rows] <= 0) & (images.root[rows] >= 0)][:MAX_SIZES_READ]
    locations = [join_location(folders[images.root[row]], images.path[row]) for row in unknown]
    for row, size in zip(unknown, display_sizes(locations), strict=True):
        if size is not None:
            width[row], height[row] = size
    return np.stack([width[annotations.image], height[annotations.image]], axis=1)


def is_plausible(shape: BoxShape, raw: Float64Array, sizes: Float64Array) -> bool:
    """Whether the numbers can have this meaning: sizes are not negative and nearly all boxes lie
    inside their image. sizes: width and height of each box's image, 0 if unknown."""
    if shape == "xyxy":
        low, high = raw[:, :2], raw[:, 2:]
    elif shape == "cxcywh":
        low, high = raw[:, :2] - raw[:, 2:] / 2, raw[:, :2] + raw[:, 2:] / 2
    else:
        low, high = raw[:, :2], raw[:, :2] + raw[:, 2:]
    if (high < low).any():
        return False
    is_known = (sizes > 0).all(axis=1)
    margin = 0.02 * sizes + np.where(sizes > 1, 1.0, 0.0)
    is_inside = np.all((low >= -margin) & (high <= sizes + margin), axis=1)
    return not is_known.any() or bool(is_inside[is_known].mean() >= MIN_INSIDE_SHARE)


def convert_shape(source: ParsedAnnotations, shape: BoxShape) -> ParsedAnnotations:
    """The annotations with boxes as [left, top, width, height], in their unit."""
    annotations = source.annotations
    assert annotations.box is not None
    raw, positive = annotations.box, annotations.positive
    box = raw.copy()
    if shape == "xyxy":
        box[:, 2:] -= raw[:, :2]
    elif shape == "cxcywh":
        box[:, :2] -= raw[:, 2:] / 2
    box[~positive] = 0
    area = annotations.area
    if area is not None and shape != "xywh":
        is_computed = np.isclose(area, raw[:, 2] * raw[:, 3])
        area = np.where(is_computed, box[:, 2] * box[:, 3], area)
    return replace(source, annotations=annotations.replace(box=box, area=area), box_shapes=None)


def force_boxes(
    source: ParsedAnnotations, images: Images, folders: Sequence[str], forced: str
) -> Settled:
    """The annotations with boxes converted from a format named by the user."""
    box_format = parse_box_format(forced)
    if box_format is None:
        raise InvalidChoiceError("--boxes", forced, EXAMPLE_FORMATS)
    inference = Inference("boxes", forced, f"boxes read as {forced} (--boxes)", [], True)
    shape: BoxShape = box_format.shape  # type: ignore[assignment]
    if box_format.unit in ("pixels", "fractions"):
        unit: BoxUnit = "pixels" if box_format.unit == "pixels" else "fractions"
        settled = convert_shape(replace(source, unit=unit), shape)
    else:
        settled = convert_resized(source, images, folders, box_format)
    assert settled.annotations.box is not None
    notes = check_boxes(source.path, settled.annotations.box, lambda row: f"annotation {row}")
    if source.annotations.outline is not None and settled.annotations.outline is None:
        message = f"outlines not read: only boxes are converted from {forced}"
        notes.append(Note("outlines", message, len(source.annotations)))
    return settled, notes, [inference]


def convert_resized(
    source: ParsedAnnotations, images: Images, folders: Sequence[str], box_format: BoxFormat
) -> ParsedAnnotations:
    """Boxes in percent, or in pixels of the square that images were resized to, as pixels."""
    annotations = source.annotations
    assert annotations.box is not None
    rows = np.unique(annotations.image).astype(np.int64)
    sized = fill_image_sizes(images, rows, folders, source.path, "boxes are relative to it")
    box = convert_to_pixels(
        box_format,
        annotations.box.copy(),
        sized.width[annotations.image],
        sized.height[annotations.image],
    )
    box[~annotations.positive] = 0
    area = box[:, 2] * box[:, 3]
    return replace(
        source,
        annotations=annotations.replace(box=box, area=area, outline=None),
        unit="pixels",
        box_shapes=None,
    )
