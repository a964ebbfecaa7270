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
from pellucid.formats.errors import (
    BoxesOutsideImagesError,
    BoxFormatRequiredError,
    StatedBoxesError,
)
from pellucid.images.locations import join_location
from pellucid.images.sizes import display_sizes
from pellucid.ingest.box_formats import (
    CORNER_SHAPES,
    BoxFormat,
    convert_to_pixels,
    parse_box_format,
)
from pellucid.ingest.box_inference import EXAMPLE_FORMATS, MIN_ORDERED_BOXES, VLM_SCALE
from pellucid.ingest.box_scaling import fill_image_sizes
from pellucid.ingest.exchanged_axes import exchange_axes, reject_exchanged_axes
from pellucid.ingest.mixed_units import reject_mixed_units

MIN_INSIDE_SHARE = 0.98
"""Share of boxes that must lie inside their image for a meaning to be plausible."""
MIN_EXPECTED_SHARE = 0.5
"""Share of boxes that must lie inside their image for the meaning that the format states."""
MIN_SIZE_BEYOND_PERCENT = 115
"""Usual width and height in pixels of images in which some box would reach beyond 100."""
STATED_SHAPES = BoxShapes(("xywh",), "xywh")
"""Of a format that states what the numbers mean."""
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
    raw = source.annotations.box
    is_located = source.annotations.positive & (raw != 0).any(axis=1)
    if source.unit == "pixels":
        reject_mixed_units(source.path, raw[is_located])
    unit = source.unit if not is_located.any() else infer_unit(source, raw[is_located])
    shapes = source.box_shapes or STATED_SHAPES
    reject_percent(source, shapes, images, folders, is_located)
    if source.box_shapes is None and unit == source.unit:
        return source, check_stated(source, images, folders, is_located), []
    shape, reason = choose_shape(source, shapes, images, folders, unit, is_located)
    if unit == "fractions" and source.unit == "pixels":
        reason = f"no number exceeds 1; {reason}"
    settled = convert_shape(replace(source, unit=unit), shape)
    notes = check_positive(source.path, settled.annotations)
    format_name = f"{shape}-{unit}"
    is_expected = shape == shapes.default and unit == "pixels"
    if not is_expected:
        message = f"boxes read as {format_name}: {reason} (--boxes {format_name})"
        is_sure = shapes.default is None and "yxyx" not in reason
        severity: Severity = "info" if is_sure else "warning"
        notes.append(Note("boxes", message, int(is_located.sum()), severity))
    return settled, notes, [Inference("boxes", format_name, reason)]


def check_positive(path: str, annotations: Annotations) -> list[Note]:
    """As check_boxes, without the concepts that are stated to be absent, which have no box."""
    assert annotations.box is not None
    rows = np.flatnonzero(annotations.positive)
    return check_boxes(path, annotations.box[rows], lambda row: f"annotation {rows[row]}")


def reject_percent(
    source: ParsedAnnotations,
    shapes: BoxShapes,
    images: Images,
    folders: Sequence[str],
    is_located: BoolArray,
) -> None:
    """Raise BoxFormatRequiredError if boxes in pixels span all of 0 to 100, and nothing of their
    larger images beyond: they may be in percent."""
    annotations = source.annotations.take(is_located)
    assert annotations.box is not None
    if source.unit != "pixels" or len(annotations) < MIN_ORDERED_BOXES:
        return
    shape = shapes.default or "xywh"
    largest = (
        annotations.box.max(axis=0)
        if shape == "xyxy"
        else corner_points(shape, annotations.box)[1].max(axis=0)
    )
    if not (90 < largest.max() <= 100.5 and annotations.box.min() >= 0):
        return
    sizes = find_sizes(images, folders, annotations)
    sizes = sizes[(sizes > 0).all(axis=1)]
    if not len(sizes) or np.median(sizes, axis=0).min() < MIN_SIZE_BEYOND_PERCENT:
        return
    candidates = shapes.candidates[:2] if source.box_shapes else (source.stated_shape or "xywh",)
    names = [f"{name}-{unit}" for unit in ("pixels", "percent") for name in candidates]
    raise BoxFormatRequiredError(
        source.path, "no box reaches beyond 100, in larger images; boxes may be in percent", names
    )


def infer_unit(source: ParsedAnnotations, raw: Float64Array) -> BoxUnit:
    """Pixels, or fractions if no number exceeds 1."""
    if source.unit == "fractions" or raw.max() > 1.05:
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
    raw = annotations.box
    sizes = np.ones((len(annotations), 2))
    if unit == "pixels":
        sizes = find_sizes(images, folders, annotations)
    plausible = plausible_shapes(shapes, raw, sizes)
    default = shapes.default
    has_sizes = bool((sizes > 0).any())
    if default is not None:
        if (sizes > 0).all() and len(raw) >= MIN_ORDERED_BOXES:
            inside = (
                inside_share(*corner_points(default, raw), sizes),
                inside_share(*corner_points("yxhw", raw), sizes),
            )
            reject_exchanged_axes(source.path, default, inside, annotations, images, folders)
        if not plausible:
            reject_outside(source, default, raw, sizes)
        may_be_corners = "xyxy" in plausible and len(annotations) >= MIN_ORDERED_BOXES
        is_stated = unit == "pixels" and (has_sizes or not may_be_corners)
        if plausible in ([], [default]) or (default in plausible and is_stated):
            return default, "as the format defines it"
    if len(plausible) == 1:
        return plausible[0], excluded_shapes(shapes, raw, sizes)
    if set(plausible) == {"xywh", "cxcywh"} and unit == "pixels" and len(raw) < MIN_ORDERED_BOXES:
        return "xywh", "too few boxes to tell a corner from a centre; a corner is usual"
    choices = [f"{shape}-{unit}" for shape in plausible or shapes.candidates]
    if not plausible and has_sizes and raw.max() <= VLM_SCALE:
        choices += [f"{shape}-{VLM_SCALE}-stretched" for shape in CORNER_SHAPES]
    raise BoxFormatRequiredError(
        source.path, f"the numbers of its boxes could be {' or '.join(choices)}", choices
    )


def excluded_shapes(shapes: BoxShapes, raw: Float64Array, sizes: Float64Array) -> str:
    """Which meanings the numbers exclude, and that y may be first where they do not."""
    others = [shape for shape in shapes.candidates if not is_plausible(shape, raw, sizes)]
    where = " inside the image" if (sizes > 1).any() else ""
    boxes = format_count(len(raw), "box", "boxes")
    excluded = f"{boxes} cannot be {' or '.join(others)}{where}" if others else "as is usual"
    if "yxyx" in shapes.candidates and "yxyx" not in others:
        return f"{excluded}; with y first (yxyx) they would fit as well, which is rare"
    return excluded


def plausible_shapes(shapes: BoxShapes, raw: Float64Array, sizes: Float64Array) -> list[BoxShape]:
    """The meanings that the numbers allow, without rare ones where another one fits."""
    plausible = [shape for shape in shapes.candidates if is_plausible(shape, raw, sizes)]
    if "xyxy" in plausible and "cxcywh" in plausible:
        plausible.remove("cxcywh")  # boxes around the upper left corner are rare
    if "yxyx" in plausible and len(plausible) > 1:
        plausible.remove("yxyx")  # y first is rare, so it must be the only one that fits
    return plausible


def find_sizes(images: Images, folders: Sequence[str], annotations: Annotations) -> Float64Array:
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
    inside their image.

    Args:
        sizes: width and height of each box's image, 0 if unknown
    """
    low, high = corner_points(shape, raw)
    return bool((high >= low).all()) and inside_share(low, high, sizes) >= MIN_INSIDE_SHARE


def corner_points(shape: BoxShape, raw: Float64Array) -> tuple[Float64Array, Float64Array]:
    """The points nearest to and farthest from the origin, of four numbers with this meaning."""
    if shape == "xyxy":
        return raw[:, :2], raw[:, 2:]
    if shape == "yxyx":
        return raw[:, 1::-1], raw[:, :1:-1]
    if shape == "yxhw":
        return corner_points("xywh", exchange_axes(raw))
    if shape == "cxcywh":
        return raw[:, :2] - raw[:, 2:] / 2, raw[:, :2] + raw[:, 2:] / 2
    return raw[:, :2], raw[:, :2] + raw[:, 2:]


def inside_share(low: Float64Array, high: Float64Array, sizes: Float64Array) -> float:
    """The share of boxes that lie inside their image; of images without a size, of those that do
    not start left of it or above it. 1 if there are no boxes."""
    if not len(low):
        return 1.0
    is_known: BoolArray = np.all(sizes > 0, axis=1)
    margin = np.where(is_known[:, None], 0.02 * sizes, 0.0) + np.where(sizes > 1, 1.0, 0.0)
    does_start = (low >= -margin).all(axis=1)
    is_inside = does_start & ((high <= sizes + margin).all(axis=1) | ~is_known)
    is_counted = is_known if is_known.any() else np.ones(len(low), bool)
    return float(is_inside[is_counted].mean())


def check_stated(
    source: ParsedAnnotations, images: Images, folders: Sequence[str], is_located: BoolArray
) -> list[Note]:
    """A note on boxes outside images whose size the source does not state; some are read.

    Raises:
        BoxesOutsideImagesError: most boxes of a format that states their meaning lie outside.
    """
    annotations = source.annotations.take(is_located)
    assert annotations.box is not None
    sizes = np.ones((len(annotations), 2))
    if source.unit == "pixels":
        sizes = find_sizes(images, folders, annotations)
    low, high = corner_points("xywh", annotations.box)
    is_known = (sizes > 0).all(axis=1)
    share = inside_share(low, high, sizes)
    if is_known.any() and share < MIN_EXPECTED_SHARE and len(annotations) >= MIN_ORDERED_BOXES:
        shape = source.stated_shape or "xywh"
        are_pixels = source.unit == "fractions" and (
            inside_share(low, high, find_sizes(images, folders, annotations)) >= MIN_INSIDE_SHARE
        )
        raise BoxesOutsideImagesError(source.path, source.format, share, shape, are_pixels)
    is_read = is_known & (images.width[annotations.image] <= 0)
    if source.unit != "pixels" or not is_read.any():
        return []
    outside = round((1 - inside_share(low[is_read], high[is_read], sizes[is_read])) * is_read.sum())
    message = (
        f"{outside:,} of {format_count(int(is_read.sum()), 'box', 'boxes')} looked at extend "
        "outside their image: not clipped"
    )
    return [Note("outside", message, outside)] if outside else []


def reject_outside(
    source: ParsedAnnotations, default: BoxShape, raw: Float64Array, sizes: Float64Array
) -> None:
    """Raise BoxFormatRequiredError if most boxes lie outside their image, so that the numbers are
    not what the format says."""
    share = inside_share(*corner_points(default, raw), sizes)
    if (sizes > 0).all(axis=1).any() and share < MIN_EXPECTED_SHARE:
        raise BoxFormatRequiredError(
            source.path,
            f"only {share:.0%} of its boxes lie inside their image as {default}, and they fit no "
            "other order of numbers. Check the sizes of the images and the boxes, or state the "
            "format",
            EXAMPLE_FORMATS,
        )


def convert_shape(source: ParsedAnnotations, shape: BoxShape) -> ParsedAnnotations:
    """The annotations with boxes as [left, top, width, height], in their unit."""
    annotations = source.annotations
    assert annotations.box is not None
    raw, positive = annotations.box, annotations.positive
    box = raw.copy()
    if shape == "xyxy":
        box[:, 2:] -= raw[:, :2]
    elif shape == "yxyx":
        low, high = corner_points(shape, raw)
        box = np.concatenate([low, high - low], axis=1)
    elif shape == "yxhw":
        box = exchange_axes(raw)
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
    if source.box_shapes is None and box_format.shape == source.stated_shape:
        box_format = replace(box_format, shape="xywh")  # converted already, but for the unit
    if source.box_shapes is None and box_format.shape != "xywh":
        raise StatedBoxesError(source.path, source.format, forced)
    inference = Inference("boxes", forced, f"boxes read as {forced} (--boxes)", [], True)
    shape: BoxShape = box_format.shape  # type: ignore[assignment]
    if box_format.unit in ("pixels", "fractions"):
        unit: BoxUnit = "pixels" if box_format.unit == "pixels" else "fractions"
        settled = convert_shape(replace(source, unit=unit), shape)
    else:
        settled = convert_resized(source, images, folders, box_format)
    notes = check_positive(source.path, settled.annotations)
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
