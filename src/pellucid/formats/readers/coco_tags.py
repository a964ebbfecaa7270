"""Classes and tags of a COCO file: annotations without boxes, and LVIS's image-level labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pellucid.core.tables import PARTIAL, Annotations, Images, Int32Array, Kind
from pellucid.formats.dataset import Note
from pellucid.formats.probe import ReadOptions
from pellucid.formats.readers.coco_categories import CocoId
from pellucid.formats.readers.coco_document import CocoFile, find_concept_index


def tag_notes(annotations: Annotations, options: ReadOptions) -> list[Note]:
    """A note where each image has one concept, as those of a classifier have."""
    is_single = len(np.unique(annotations.image)) == len(annotations) > 1
    if not is_single or options.kind is not None:
        return []
    message = (
        "each image has one category: read as tags. For a classification view, specify --kind "
        "classification"
    )
    return [Note("single_tags", message, len(annotations), "info")]


def tags_kind(annotations: Annotations, options: ReadOptions) -> Kind:
    """Classification if the user says so and no image has two concepts, else tagging."""
    images = annotations.image[annotations.positive]
    has_one_concept = len(np.unique(images)) == len(images)
    return "classification" if options.kind == "classification" and has_one_concept else "tagging"


def tag_annotations(
    image_indexes: Int32Array, concept_indexes: Int32Array, concept_count: int
) -> Annotations:
    """One tag per image and concept; duplicates are removed."""
    _, first_occurrences = np.unique(
        image_indexes.astype(np.int64) * concept_count + concept_indexes, return_index=True
    )
    kept_rows = np.sort(first_occurrences)
    return Annotations(
        image_indexes[kept_rows],
        concept_indexes[kept_rows],
        None,
        np.zeros(len(kept_rows), bool),
        np.ones(len(kept_rows), bool),
        None,
    )


def add_lvis_annotations(
    path: Path,
    document: CocoFile,
    concept_index_by_id: dict[CocoId, int],
    images: Images,
    annotations: Annotations,
) -> Annotations:
    """Add LVIS' per-image labels: verified negatives as absent concepts, non-exhaustive concepts
    as ignored regions."""
    if annotations.box is None or all(image.neg_category_ids is None for image in document.images):
        return annotations
    images.stated[:] = PARTIAL
    negatives = [
        (
            image_index,
            find_concept_index(concept_index_by_id, category_id, path, image_index),
            ignore,
        )
        for image_index, image in enumerate(document.images)
        for category_ids, ignore in (
            (image.neg_category_ids, False),
            (image.not_exhaustive_category_ids, True),
        )
        for category_id in category_ids or ()
    ]
    image_indexes, concept_indexes = (
        np.array([negative[position] for negative in negatives], np.int32).reshape(-1)
        for position in (0, 1)
    )
    is_ignored = np.array([negative[2] for negative in negatives], bool)
    boxes = np.zeros((len(negatives), 4))
    boxes[is_ignored, 2], boxes[is_ignored, 3] = (
        images.width[image_indexes[is_ignored]],
        images.height[image_indexes[is_ignored]],
    )
    return annotations.concat(
        Annotations(
            image_indexes,
            concept_indexes,
            boxes,
            is_ignored,
            is_ignored.copy(),
            boxes[:, 2] * boxes[:, 3],
        )
    )
