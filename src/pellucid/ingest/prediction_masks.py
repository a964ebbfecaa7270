"""Masks at import: whether a version compares them, and the masks of both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.core.errors import InvalidChoiceError, format_count
from pellucid.core.masks import concat_masks, no_masks
from pellucid.core.outlines import parse_outlines
from pellucid.core.tables import (
    GEOMETRIES,
    HAS_PREDICTIONS,
    Annotations,
    Float64Array,
    Geometry,
    Images,
    Int32Array,
    Int64Array,
    Predictions,
)
from pellucid.evaluation.geometry import (
    complete_masks,
    image_sizes,
    masks_of_annotations,
)
from pellucid.evaluation.mask_runs import masks_of_polygons, measure_masks
from pellucid.formats.dataset import Inference, Note, ParsedPredictions
from pellucid.ingest.box_scaling import fill_image_sizes, scale_outline
from pellucid.ingest.errors import GeometryUnavailableError, MaskSizeError
from pellucid.ingest.frozen_version import FrozenVersion

SIZE_REASON = "masks are compared on its pixels"


@dataclass(frozen=True, eq=False)
class ComparedObjects:
    """Both sides with what is compared: masks on both or on none."""

    images: Images
    annotations: Annotations
    predictions: Predictions
    notes: list[Note]
    inferences: list[Inference]


def settle_geometry(
    source: ParsedPredictions,
    rows: Int64Array | slice,
    predictions: Predictions,
    images: Images,
    version: FrozenVersion,
    forced: str | None,
) -> ComparedObjects:
    """Compare masks if annotations and predictions state them, else boxes. rows: of the source,
    behind the predictions; forced: the geometry set by the user, if any.

    Raises:
        InvalidChoiceError: the forced geometry is none.
        GeometryUnavailableError: it cannot be compared, or earlier predictions are compared by
            another.
        MaskSizeError: a mask has another size than its image.
    """
    if forced is not None and forced not in GEOMETRIES:
        raise InvalidChoiceError("--geometry", forced, GEOMETRIES)
    geometry, notes = choose_geometry(source, version, forced)
    if geometry == "box":
        predictions = predictions.replace(area=box_mode_areas(source, rows, predictions))
        return ComparedObjects(images, version.annotations, predictions, notes, [])
    images, predictions, box_count = attach_masks(source, rows, predictions, images, version)
    if (images.width <= 0).any():
        images = size_images(images, *encoded_sizes(version.annotations))
    annotated = version.annotations.image.astype(np.int64)
    images = fill_image_sizes(
        images, np.unique(annotated), version.folders, source.path, SIZE_REASON
    )
    annotations, annotation_notes = annotations_with_masks(version.annotations, images)
    if box_count:
        message = (
            f"{format_count(box_count, 'prediction')} without a mask: compared by the pixels of "
            "the box"
        )
        notes.append(Note("boxes_as_masks", message, box_count))
    evidence = "annotations and predictions have them" if forced is None else "--geometry mask"
    inference = Inference("geometry", "mask", evidence, ["box"], forced is not None)
    notes += annotation_notes
    return ComparedObjects(images, annotations, predictions, notes, [inference])


def box_mode_areas(
    source: ParsedPredictions, rows: Int64Array | slice, predictions: Predictions
) -> Float64Array | None:
    """The areas where they are not those of the boxes: masks stated without a box keep their own,
    as in pycocotools."""
    if source.area is None or predictions.box is None:
        return None
    area = source.area[rows]
    return np.where(np.isnan(area), predictions.box[:, 2] * predictions.box[:, 3], area)


def encoded_sizes(annotations: Annotations) -> tuple[Int32Array, Int32Array, Int32Array]:
    """Image, height and width of each annotation with an encoded mask."""
    shapes = parse_outlines(annotations.outline, len(annotations))
    sizes = [
        (image, *shape["size"])
        for image, shape in zip(annotations.image.tolist(), shapes, strict=True)
        if isinstance(shape, dict)
    ]
    image, height, width = np.array(sizes, np.int32).reshape(-1, 3).T
    return image, height, width


def choose_geometry(
    source: ParsedPredictions, version: FrozenVersion, forced: str | None
) -> tuple[Geometry, list[Note]]:
    is_predicted = source.mask is not None or source.outline is not None
    is_annotated = has_outlines(version.annotations)
    if (version.coverage == HAS_PREDICTIONS).any():
        earlier: Geometry = "box" if version.annotations.mask is None else "mask"
        if forced not in (None, earlier):
            raise GeometryUnavailableError(
                source.path,
                str(forced),
                f"version '{version.name}' compares {PLURALS[earlier]}. Import into a new version",
            )
        return earlier, unread_notes(source, earlier)
    if forced == "mask" and not (is_predicted and is_annotated):
        missing = "annotations" if is_predicted else "predictions"
        raise GeometryUnavailableError(
            source.path, "mask", f"the {missing} have no masks. Export them with masks"
        )
    if forced is not None:
        return ("mask" if forced == "mask" else "box"), []
    if is_predicted and is_annotated:
        return "mask", []
    if is_predicted:
        message = (
            "predictions have masks, annotations have none: compared by their boxes. AP of masks "
            "differs"
        )
        return "box", [Note("geometry", message, len(source.score))]
    if is_annotated:
        message = "annotations have outlines, predictions have none: compared by their boxes"
        return "box", [Note("geometry", message, len(version.annotations), "info")]
    return "box", []


PLURALS: dict[Geometry, str] = {"box": "boxes", "mask": "masks"}


def unread_notes(source: ParsedPredictions, geometry: Geometry) -> list[Note]:
    """A note where a version of boxes gets more predictions, with masks."""
    if geometry != "box" or (source.mask is None and source.outline is None):
        return []
    message = "masks not read: the version's earlier predictions are compared by their boxes"
    return [Note("geometry", message, len(source.score))]


def has_outlines(annotations: Annotations) -> bool:
    if annotations.mask is not None:
        return True
    return annotations.outline is not None and any(annotations.outline.tolist())


def attach_masks(
    source: ParsedPredictions,
    rows: Int64Array | slice,
    predictions: Predictions,
    images: Images,
    version: FrozenVersion,
) -> tuple[Images, Predictions, int]:
    """The predictions with their masks, and how many had none."""
    masks = no_masks(len(predictions)) if source.mask is None else source.mask[rows]
    is_encoded = np.diff(masks.start) > 0
    encoded = np.flatnonzero(is_encoded)
    images = size_images(
        images, predictions.image[encoded], masks.height[encoded], masks.width[encoded]
    )
    images = fill_image_sizes(
        images, np.unique(predictions.image), version.folders, source.path, SIZE_REASON
    )
    height, width = image_sizes(images, predictions.image)
    is_misfit = is_encoded & ((masks.height != height) | (masks.width != width))
    if is_misfit.any():
        row = int(np.flatnonzero(is_misfit)[0])
        raise MaskSizeError(
            source.path,
            images.path[predictions.image[row]],
            (int(masks.width[row]), int(masks.height[row])),
            (int(width[row]), int(height[row])),
        )
    area = None if source.area is None else source.area[rows]
    if source.outline is not None:
        outlines = source.outline[rows].tolist()
        if source.outline_unit == "fractions":
            outlines = [
                scale_outline(outline, int(columns), int(lines))
                for outline, columns, lines in zip(outlines, width, height, strict=True)
            ]
        shapes = parse_outlines(outlines, len(predictions))
        drawn = np.array(
            [row for row, shape in enumerate(shapes) if shape is not None and not is_encoded[row]],
            np.int64,
        )
        polygons = [shapes[row] for row in drawn.tolist()]
        drawn_masks = masks_of_polygons(polygons, height[drawn], width[drawn])
        order = np.arange(len(predictions))
        order[drawn] = len(predictions) + np.arange(len(drawn))
        masks = concat_masks([masks, drawn_masks])[order]
    box_count = int((np.diff(masks.start) == 0).sum())
    completed = complete_masks(predictions.replace(mask=masks), images)
    if area is not None and completed.mask is not None:
        area = np.where(np.isnan(area), measure_masks(completed.mask).area, area)
    return images, completed.replace(area=area), box_count


def size_images(
    images: Images, owners: Int32Array, mask_height: Int32Array, mask_width: Int32Array
) -> Images:
    """Images of unknown size have the size of their masks. owners: the image of each mask."""
    is_sizing = images.width[owners] <= 0
    if not is_sizing.any():
        return images
    width, height = images.width.copy(), images.height.copy()
    width[owners[is_sizing]] = mask_width[is_sizing]
    height[owners[is_sizing]] = mask_height[is_sizing]
    return images.replace(width=width, height=height)


def annotations_with_masks(
    annotations: Annotations, images: Images
) -> tuple[Annotations, Sequence[Note]]:
    if annotations.mask is not None:
        return annotations, []
    shapes = parse_outlines(annotations.outline, len(annotations))
    stated = masks_of_annotations(annotations, shapes, images)
    notes = []
    counted = annotations.positive & ~annotations.ignore
    misfit_count = int((stated.is_misfit & counted).sum())
    box_count = int((~stated.is_stated & ~stated.is_misfit & counted).sum())
    if misfit_count:
        message = (
            f"{format_count(misfit_count, 'annotated mask does', 'annotated masks do')} not have "
            "the size of the image: compared by the pixels of the box"
        )
        notes.append(Note("mask_size", message, misfit_count))
    if box_count:
        message = (
            f"{format_count(box_count, 'annotation')} without an outline: compared by the pixels "
            "of the box"
        )
        notes.append(Note("boxes_as_masks", message, box_count))
    return annotations.replace(mask=stated.masks), notes
