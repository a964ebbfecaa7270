"""Boxes of a COCO file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import UNANNOTATED, Annotations, Images, Int32Array
from pellucid.formats.builder import note_skipped
from pellucid.formats.dataset import Note, check_boxes
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.readers.coco_document import SET_FLAGS, CocoAnnotation, CocoFile
from pellucid.formats.readers.coco_keypoints import box_of_keypoints
from pellucid.formats.readers.coco_outlines import outline_texts, segmentation_notes
from pellucid.formats.readers.coco_shapes import box_of_segmentation

EMPTY_CATEGORIES = ("empty", "none", "background", "blank", "nothing", "no finding", "negative")
"""Categories of annotations without a box that state an image with nothing on it, as in camera
trap data sets."""


def box_annotations(
    path: Path,
    document: CocoFile,
    images: Images,
    image_indexes: Int32Array,
    concept_indexes: Int32Array,
) -> tuple[Annotations, list[Note]]:
    """Annotations with a box or a shape. An annotation without either, of a category such as
    `empty`, states an image with nothing on it; others leave their image not annotated."""
    located_boxes = [
        annotation_box(path, index, annotation)
        for index, annotation in enumerate(document.annotations)
    ]
    notes = note_unlocated(document, located_boxes, images, image_indexes)
    is_used = np.array([box is not None for box in located_boxes], bool)
    is_used &= images.stated[image_indexes] != UNANNOTATED
    used_rows = np.flatnonzero(is_used)
    used = [document.annotations[row] for row in used_rows.tolist()]
    boxes = np.array([located_boxes[row] for row in used_rows.tolist()], float).reshape(-1, 4)
    notes += check_boxes(path, boxes, lambda index: f"$.annotations[{used_rows[index]}]")
    areas = np.array(
        [
            boxes[index, 2] * boxes[index, 3] if annotation.area is None else annotation.area
            for index, annotation in enumerate(used)
        ],
        float,
    )
    if outline_count := sum(not annotation.bbox for annotation in used):
        message = (
            f"{outline_count:,} outlines or masks without a bbox: their boxes are those around them"
        )
        notes.append(Note("polygons", message, outline_count, "info"))
    sizes = np.stack([images.width, images.height], axis=1)[image_indexes[used_rows]]
    notes += segmentation_notes(used, boxes, sizes.astype(float))
    if flagged := sum(
        (a.ignore in SET_FLAGS or a.difficult in SET_FLAGS) and not a.iscrowd for a in used
    ):
        message = (
            f"{format_count(flagged, 'annotation')} with 'ignore' or 'difficult' and without "
            "'iscrowd': not ignored, as pycocotools has it. Set iscrowd to 1 to ignore them"
        )
        notes.append(Note("ignore_flags", message, flagged))
    crowd = np.array([bool(annotation.iscrowd) for annotation in used], bool)
    return Annotations(
        image_indexes[used_rows],
        concept_indexes[used_rows],
        boxes,
        crowd,
        np.ones(len(used), bool),
        areas,
        outline_texts(path, document, used_rows.tolist()),
    ), notes


def note_unlocated(
    document: CocoFile,
    boxes: list[list[float] | None],
    images: Images,
    image_indexes: Int32Array,
) -> list[Note]:
    """Notes on annotations without a box or a shape. Sets the images of those that do not mean
    an empty image to not annotated."""
    located = {
        annotation.category_id
        for annotation, box in zip(document.annotations, boxes, strict=True)
        if box is not None
    }
    name_by_id = {category.id: category.name for category in document.categories}
    rows = [row for row, box in enumerate(boxes) if box is None]
    empty_rows = [
        row
        for row in rows
        if (category_id := document.annotations[row].category_id) not in located
        and name_by_id.get(category_id, "").strip().lower() in EMPTY_CATEGORIES
    ]
    other_rows = sorted(set(rows) - set(empty_rows))
    notes = []
    if empty_rows:
        names = {name_by_id[document.annotations[row].category_id] for row in empty_rows}
        message = (
            f"{format_count(len(empty_rows), 'annotation')} of {summarize_names(sorted(names))} "
            "without a box: read as images with nothing on them"
        )
        notes.append(Note("empty_images", message, len(empty_rows), "info"))
    if other_rows:
        skipped_images = np.unique(image_indexes[other_rows])
        images.stated[skipped_images] = UNANNOTATED
        skipped_counts = {"without a box or a shape": len(other_rows)}
        notes += note_skipped(skipped_counts, len(skipped_images), 0, {})
    return notes


def annotation_box(
    path: Path, annotation_index: int, annotation: CocoAnnotation
) -> list[float] | None:
    """The box of an annotation, or around its shape; None if it has neither."""
    shape = annotation.segmentation or annotation.keypoints
    if annotation.bbox and (any(annotation.bbox) or not shape):  # four zeros state no box
        if len(annotation.bbox) == 4:
            return annotation.bbox
        raise InvalidRecordError(
            path,
            f"$.annotations[{annotation_index}].bbox",
            f"expected 4 numbers, found {len(annotation.bbox)}",
            "Write [left, top, width, height] in pixels.",
        )
    return box_of_segmentation(annotation.segmentation) or box_of_keypoints(annotation.keypoints)
