"""Both sides of an import as they are compared: boxes, masks or oriented boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from pellucid.core.errors import InvalidChoiceError, format_count
from pellucid.core.masks import Masks, concat_masks, no_masks
from pellucid.core.outlines import parse_outlines
from pellucid.core.tables import (
    GEOMETRIES,
    Annotations,
    BoolArray,
    Float64Array,
    Images,
    Int32Array,
    Int64Array,
    Predictions,
)
from pellucid.evaluation.geometry import (
    complete_corners,
    complete_masks,
    corners_of_shapes,
    image_sizes,
    masks_of_annotations,
)
from pellucid.evaluation.mask_runs import masks_of_polygons, measure_masks
from pellucid.evaluation.object_keypoints import (
    COCO_SIGMAS,
    POINT_NUMBERS,
    SIGMA,
    build_column,
    mark_unlabelled,
    split_points,
)
from pellucid.evaluation.oriented_boxes import corner_areas, order_corners
from pellucid.formats.dataset import Inference, Note, ParsedPredictions
from pellucid.ingest.box_scaling import fill_image_sizes, scale_outline
from pellucid.ingest.errors import KeypointCountError, MaskSizeError
from pellucid.ingest.frozen_version import FrozenVersion
from pellucid.ingest.geometry_choice import StatedObjects, choose_geometry, geometry_inference

SIZE_REASON = "masks are compared on its pixels"


@dataclass(frozen=True, eq=False)
class ComparedObjects:
    """Both sides with what is compared: masks or oriented boxes on both or on none."""

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
    """Compare masks or oriented boxes if annotations and predictions state them, else boxes. rows:
    of the source, behind the predictions; forced: the geometry set by the user, if any.

    Raises:
        InvalidChoiceError: the forced geometry is none.
        GeometryUnavailableError: it cannot be compared, or earlier predictions are compared by
            another.
        MaskSizeError: a mask has another size than its image.
    """
    if forced is not None and forced not in GEOMETRIES:
        raise InvalidChoiceError("--geometry", forced, GEOMETRIES)
    objects = StatedObjects(version.annotations, source)
    geometry, notes = choose_geometry(objects, version, forced)
    if geometry == "keypoints":
        return compare_keypoints(objects, rows, predictions, images, version, notes, forced)
    if geometry == "oriented_box":
        return compare_oriented(objects, rows, predictions, images, version, notes, forced)
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
    notes += annotation_notes
    inference = geometry_inference(geometry, forced)
    return ComparedObjects(images, annotations, predictions, notes, [inference])


ObjectTable = TypeVar("ObjectTable", Annotations, Predictions)


def with_corners(table: ObjectTable, corners: Float64Array) -> ObjectTable:
    """The objects with their corners, those of the box where they are NaN, and the areas inside."""
    completed = complete_corners(table.replace(corners=corners))
    assert completed.corners is not None
    return completed.replace(area=corner_areas(completed.corners))


def compare_oriented(
    objects: StatedObjects,
    rows: Int64Array | slice,
    predictions: Predictions,
    images: Images,
    version: FrozenVersion,
    notes: list[Note],
    forced: str | None,
) -> ComparedObjects:
    """Both sides with their corners."""
    source, annotations = objects.source, version.annotations
    if source.outline_unit == "fractions":
        images = fill_image_sizes(
            images,
            np.unique(predictions.image),
            version.folders,
            source.path,
            "corners are fractions of the size",
        )
    corners = corners_of_shapes(objects.predicted)[rows]
    if source.outline_unit == "fractions":
        height, width = image_sizes(images, predictions.image)
        corners = order_corners(corners * np.tile(np.stack([width, height], axis=1), 4))
    annotated_corners = (
        corners_of_shapes(objects.annotated) if annotations.corners is None else annotations.corners
    )
    box_counts = [int(np.isnan(side[:, 0]).sum()) for side in (annotated_corners, corners)]
    for count, noun in zip(box_counts, ("annotation", "prediction"), strict=True):
        if count:
            message = f"{format_count(count, noun)} without corners: compared by those of the box"
            notes.append(Note("boxes_as_corners", message, count))
    return ComparedObjects(
        images,
        with_corners(annotations, annotated_corners),
        with_corners(predictions, corners),
        notes,
        [geometry_inference("oriented_box", forced)],
    )


def compare_keypoints(
    objects: StatedObjects,
    rows: Int64Array | slice,
    predictions: Predictions,
    images: Images,
    version: FrozenVersion,
    notes: list[Note],
    forced: str | None,
) -> ComparedObjects:
    """Both sides with their keypoints. Predicted points have the sigmas of their concept's
    annotations; annotations without a labelled point are ignored."""
    source, annotations = objects.source, version.annotations
    assert source.keypoints is not None
    points = source.keypoints[rows]
    if source.outline_unit == "fractions":
        reason = "keypoints are fractions of the size"
        images = fill_image_sizes(
            images, np.unique(predictions.image), version.folders, source.path, reason
        )
        height, width = image_sizes(images, predictions.image)
        points = points.copy()
        points[:, 0::3] *= width[:, None]
        points[:, 1::3] *= height[:, None]
    column = annotations.keypoints
    if column is None:
        column = build_column(objects.annotated_keypoints)
        column = with_unlabelled_points(annotations, column)
        if not any(stated.sigmas for stated in objects.annotated_keypoints if stated):
            notes += default_sigma_notes(column)
        annotations = mark_unlabelled(annotations, column)
        unlabelled = int((annotations.ignore & ~version.annotations.ignore).sum())
        if unlabelled:
            noun = format_count(unlabelled, "annotation")
            message = f"{noun} without a labelled keypoint: ignored, as COCO does"
            notes.append(Note("unlabelled_keypoints", message, unlabelled, "info"))
    schemes = concept_points(annotations, column)
    require_same_points(source.path, points, predictions, schemes)
    predicted = predicted_points(points, predictions, schemes)
    missing = int((~(split_points(predicted)[:, :, SIGMA] > 0).any(axis=1)).sum())
    if missing:
        message = (
            f"{format_count(missing, 'prediction')} without keypoints, or of a concept whose "
            "annotations have none: they match nothing"
        )
        notes.append(Note("no_keypoints", message, missing))
    return ComparedObjects(
        images,
        annotations,
        predictions.replace(keypoints=predicted),
        notes,
        [geometry_inference("keypoints", forced)],
    )


def with_unlabelled_points(annotations: Annotations, column: Float64Array) -> Float64Array:
    """The column where objects without keypoints have the points of their concept, none labelled:
    they are then compared as COCO compares those with `num_keypoints` 0."""
    points = split_points(column).copy()
    is_without = ~(points[:, :, SIGMA] > 0).any(axis=1)
    for concept, scheme in concept_points(annotations, column).items():
        points[is_without & (annotations.concept == concept), :, SIGMA:] = scheme
    return points.reshape(column.shape)


def default_sigma_notes(column: Float64Array) -> list[Note]:
    """A note where the set states no sigmas and has other points than COCO."""
    counts = {int(count) for count in (split_points(column)[:, :, SIGMA] > 0).sum(axis=1) if count}
    others = sorted(counts - {len(COCO_SIGMAS)})
    if not others:
        return []
    message = (
        f"objects have {', '.join(map(str, others))} keypoints and the annotations state no "
        "`sigmas`: 1 / keypoints is taken for each, as ultralytics does"
    )
    return [Note("sigmas", message, len(column))]


def concept_points(annotations: Annotations, column: Float64Array) -> dict[int, Float64Array]:
    """Sigma and links of each concept's points, float64 (points, 2), as its first annotation with
    keypoints has them."""
    points = split_points(column)
    rows = np.flatnonzero((points[:, :, SIGMA] > 0).any(axis=1))
    concepts, first = np.unique(annotations.concept[rows], return_index=True)
    return dict(zip(concepts.tolist(), points[rows[first], :, SIGMA:], strict=True))


def require_same_points(
    path: str,
    points: Float64Array,
    predictions: Predictions,
    schemes: Mapping[int, Float64Array],
) -> None:
    """Raise KeypointCountError if predictions have other numbers of points than the annotations of
    their concept.

    Args:
        schemes: see predicted_points
    """
    counts = (~np.isnan(points[:, 0::3])).sum(axis=1)
    for concept, scheme in schemes.items():
        expected = int((scheme[:, 0] > 0).sum())
        found = np.unique(counts[predictions.concept == concept])
        others = [int(count) for count in found if count not in (0, expected)]
        if others:
            raise KeypointCountError(path, others[0], expected)


FAR_AWAY = -1e7
"""Coordinates in pixels of points that a prediction lacks: similar to none."""


def predicted_points(
    points: Float64Array, predictions: Predictions, schemes: Mapping[int, Float64Array]
) -> Float64Array:
    """The column of predicted keypoints: as many points as the annotations have.

    Args:
        schemes: sigma and links of each concept's points
    """
    count = max((len(scheme) for scheme in schemes.values()), default=0)
    column = np.zeros((len(predictions), count, POINT_NUMBERS))
    shared = min(count, points.shape[1] // 3)
    column[:, :shared, :SIGMA] = points[:, : shared * 3].reshape(len(points), shared, 3)
    for concept, scheme in schemes.items():
        column[predictions.concept == concept, :, SIGMA:] = scheme
    is_absent = np.isnan(column[:, :, :SIGMA]).any(axis=2) | (np.arange(count) >= shared)
    column[is_absent] = (FAR_AWAY, FAR_AWAY, 0, 0, 0)
    return column.reshape(len(predictions), count * POINT_NUMBERS)


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
    reject_other_sizes(source.path, masks, is_encoded, predictions.image, images)
    if source.outline is not None:
        shapes = predicted_shapes(source, rows, height, width)
        masks = draw_missing_masks(masks, shapes, height, width)
    box_count = int((np.diff(masks.start) == 0).sum())
    completed = complete_masks(predictions.replace(mask=masks), images)
    area = None if source.area is None else source.area[rows]
    if area is not None and completed.mask is not None:
        area = np.where(np.isnan(area), measure_masks(completed.mask).area, area)
    return images, completed.replace(area=area), box_count


def reject_other_sizes(
    path: str, masks: Masks, is_encoded: BoolArray, image_rows: Int32Array, images: Images
) -> None:
    """Raise MaskSizeError if an encoded mask has not the size of its image.

    Args:
        image_rows: of each mask
    """
    height, width = image_sizes(images, image_rows)
    is_misfit = is_encoded & ((masks.height != height) | (masks.width != width))
    for row in np.flatnonzero(is_misfit)[:1].tolist():
        raise MaskSizeError(
            path,
            images.path[image_rows[row]],
            (int(masks.width[row]), int(masks.height[row])),
            (int(width[row]), int(height[row])),
        )


def predicted_shapes(
    source: ParsedPredictions, rows: Int64Array | slice, height: Int32Array, width: Int32Array
) -> list[Any]:
    """The parsed outlines of the predictions, in pixels; None for those without.

    Args:
        height, width: of their images
    """
    assert source.outline is not None
    outlines = source.outline[rows].tolist()
    if source.outline_unit == "fractions":
        outlines = [
            scale_outline(outline, int(columns), int(lines))
            for outline, columns, lines in zip(outlines, width, height, strict=True)
        ]
    return parse_outlines(outlines, len(outlines))


def draw_missing_masks(
    masks: Masks, shapes: Sequence[Any], height: Int32Array, width: Int32Array
) -> Masks:
    """The masks, with those of the shapes where there is none yet."""
    is_missing = np.diff(masks.start) == 0
    drawn = np.array(
        [row for row, shape in enumerate(shapes) if shape is not None and is_missing[row]], np.int64
    )
    polygons = [shapes[row] for row in drawn.tolist()]
    order = np.arange(len(shapes))
    order[drawn] = len(shapes) + np.arange(len(drawn))
    return concat_masks([masks, masks_of_polygons(polygons, height[drawn], width[drawn])])[order]


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
