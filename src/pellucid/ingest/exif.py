"""EXIF rotation: boxes are converted to the coordinates of the image as displayed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import Annotations, Float64Array, Images, Int32Array, Int64Array
from pellucid.formats.dataset import Inference, Note, ParsedPredictions
from pellucid.images.sizes import read_orientations
from pellucid.ingest.box_formats import overlap_share
from pellucid.ingest.checks import IMAGE_SAMPLE_SIZE, image_locations

TRANSPOSED_ORIENTATIONS = (5, 6, 7, 8)
EXIF_ROTATION_NOTE = "turned_by_exif"
"""Note kind that tells later imports that the view has such images."""
MIN_ROTATED_BOXES, MIN_ROTATION_RATIO = 5, 3.0


def rotate_boxes(
    box: Float64Array, orientation: Int32Array, width: Int32Array, height: Int32Array
) -> Float64Array:
    """Convert boxes of the stored image to the displayed image. orientation: EXIF's 5 to 8;
    width, height: as stored, in pixels."""
    x, y, w, h = box.T
    right_margin, bottom_margin = width - x - w, height - y - h
    new_x = np.select(
        [orientation == 5, orientation == 6, orientation == 7], [y, bottom_margin, bottom_margin], y
    )
    new_y = np.select(
        [orientation == 5, orientation == 6, orientation == 7], [x, x, right_margin], right_margin
    )
    return np.stack([new_x, new_y, h, w], axis=1)


def rotate_stored_annotations(
    images: Images, annotations: Annotations, folders: Sequence[str]
) -> tuple[Images, Annotations, list[Note], list[Inference]]:
    """Rotate the boxes and sizes of images with a transposing EXIF orientation that are
    annotated as stored."""
    image_rows = np.flatnonzero((images.root >= 0) & (images.width > 0))
    sampled_rows = (
        image_rows[
            np.linspace(0, len(image_rows) - 1, min(IMAGE_SAMPLE_SIZE, len(image_rows))).astype(int)
        ]
        if len(image_rows)
        else image_rows
    )
    if annotations.box is None or not any(
        code in TRANSPOSED_ORIENTATIONS
        for code, _ in read_exif_facts(images, folders, sampled_rows)
    ):
        return images, annotations, [], []
    exif_facts = read_exif_facts(images, folders, image_rows)
    rotated_images = [
        (image_row, code, size)
        for image_row, (code, size) in zip(image_rows.tolist(), exif_facts, strict=True)
        if code in TRANSPOSED_ORIENTATIONS
    ]
    stored_images = [
        (image_row, code)
        for image_row, code, (width, height) in rotated_images
        if width != height
        and (images.width[image_row], images.height[image_row]) == (height, width)
    ]
    notes = [
        Note(
            EXIF_ROTATION_NOTE,
            f"{format_count(len(rotated_images), 'image')} with EXIF rotation",
            len(rotated_images),
            "info",
        )
    ]
    message = (
        f"{len(stored_images):,} of {format_count(len(rotated_images), 'image')} with EXIF "
        "rotation are declared with the size of the stored image"
    )
    inference = Inference(
        "orientation of annotations", "as stored" if stored_images else "as displayed", message
    )
    if not stored_images:
        return images, annotations, notes, [inference]
    orientation_by_image = np.zeros(len(images), np.int32)
    orientation_by_image[[image_row for image_row, _ in stored_images]] = [
        code for _, code in stored_images
    ]
    affected_rows = np.flatnonzero(orientation_by_image[annotations.image] > 0)
    owner_images = annotations.image[affected_rows]
    box = annotations.box.copy()
    box[affected_rows] = rotate_boxes(
        box[affected_rows],
        orientation_by_image[owner_images],
        images.width[owner_images],
        images.height[owner_images],
    )
    width = np.where(orientation_by_image > 0, images.height, images.width).astype(np.int32)
    height = np.where(orientation_by_image > 0, images.width, images.height).astype(np.int32)
    example_paths = summarize_names([images.path[image_row] for image_row, _ in stored_images])
    notes.append(
        Note(
            "annotated_as_stored",
            f"{message}: their boxes were rotated ({example_paths})",
            len(stored_images),
            "info",
        )
    )
    outline = annotations.outline
    if outline is not None:  # outlines are not rotated, so they would not match the box
        outline = outline.copy()
        outline[affected_rows] = ""
    return (
        images.replace(width=width, height=height),
        annotations.replace(box=box, outline=outline),
        notes,
        [inference],
    )


def read_exif_facts(
    images: Images, folders: Sequence[str], image_rows: Int64Array
) -> list[tuple[int, tuple[int, int]]]:
    """EXIF orientation (1 if absent) and displayed size of each image."""
    return read_orientations(image_locations(images, list(folders), image_rows))


def rotate_stored_predictions(
    source: ParsedPredictions,
    image_index: Int32Array,
    images: Images,
    folders: Sequence[str],
    annotations: Annotations,
) -> tuple[ParsedPredictions, list[Inference]]:
    """Rotate predictions of images with EXIF rotation if clearly more of them then overlap an
    annotation.

    image_index: the image of each key, -1 if unknown. Only for boxes in pixels.
    """
    if source.box is None or source.unit != "pixels":
        return source, []
    image_rows = np.unique(image_index[image_index >= 0]).astype(np.int64)
    image_rows = image_rows[images.root[image_rows] >= 0]
    orientation_by_image = np.zeros(len(images) + 1, np.int32)
    stored_sizes = np.zeros((len(images) + 1, 2), np.int32)
    for image_row, (code, (width, height)) in zip(
        image_rows.tolist(), read_exif_facts(images, folders, image_rows), strict=True
    ):
        if code in TRANSPOSED_ORIENTATIONS:
            orientation_by_image[image_row], stored_sizes[image_row] = code, (height, width)
    owner_images = image_index[source.image]
    affected_rows = np.flatnonzero(orientation_by_image[owner_images] > 0)
    confident_rows = affected_rows[np.argsort(-source.score[affected_rows], kind="stable")][
        : 20 * MIN_ROTATED_BOXES
    ]
    if len(confident_rows) < MIN_ROTATED_BOXES:
        return source, []

    def rotate_rows(prediction_rows: Int64Array) -> Float64Array:
        assert source.box is not None
        row_images = owner_images[prediction_rows]
        return rotate_boxes(
            source.box[prediction_rows],
            orientation_by_image[row_images],
            stored_sizes[row_images, 0],
            stored_sizes[row_images, 1],
        )

    displayed_share = overlap_share(
        source.box[confident_rows], owner_images[confident_rows], annotations
    )
    stored_share = overlap_share(
        rotate_rows(confident_rows), owner_images[confident_rows], annotations
    )
    evidence = (
        f"on images with EXIF rotation, {stored_share:.0%} of confident boxes overlap an "
        f"annotation as stored, {displayed_share:.0%} as displayed"
    )
    if stored_share < 0.1 or stored_share < MIN_ROTATION_RATIO * displayed_share:
        return source, [Inference("orientation of predictions", "as displayed", evidence)]
    box = source.box.copy()
    box[affected_rows] = rotate_rows(affected_rows)
    return ParsedPredictions(**{**vars(source), "box": box}), [
        Inference("orientation of predictions", "as stored", evidence)
    ]
