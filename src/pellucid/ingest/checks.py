"""What is worth knowing about a set and a version beyond how they are read."""

from __future__ import annotations

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import SPLITS, Annotations, Images, Predictions
from pellucid.evaluation.coco_metrics import rank_in_group
from pellucid.evaluation.greedy_numpy import overlapping_pairs
from pellucid.formats.dataset import Note
from pellucid.images.duplicates import exact_duplicates, near_duplicates
from pellucid.images.locations import join_location
from pellucid.images.sizes import display_sizes

IMAGE_SAMPLE_SIZE = 500
"""Pictures of which the true size is compared."""
DUPLICATE_BOX_IOU, MIN_DUPLICATE_SHARE = 0.9, 0.02
"""IoU over which two boxes of a model are nearly the same, and the share of boxes from which that is told."""
MAX_NEAR_DUPLICATE_IMAGES = 20_000
"""Pictures up to which near twins are looked for: all must be read."""


def image_locations(images: Images, folders: list[str], image_rows: np.ndarray) -> list[str]:
    return [join_location(folders[images.root[image_row]], str(images.path[image_row])) if images.root[image_row] >= 0 else "" for image_row in image_rows.tolist()]


def image_file_notes(images: Images, folders: list[str]) -> list[Note]:
    """Declared against true sizes, and pictures that cannot be read, in an even sample."""
    sampled_rows = np.flatnonzero(images.root >= 0)
    sampled_rows = sampled_rows[np.linspace(0, len(sampled_rows) - 1, min(IMAGE_SAMPLE_SIZE, len(sampled_rows))).astype(int)] if len(sampled_rows) else sampled_rows
    file_locations = image_locations(images, folders, sampled_rows)
    unreadable_paths: list[str] = []
    mismatched_paths: list[str] = []
    rotated_paths: list[str] = []
    for image_row, size in zip(sampled_rows.tolist(), display_sizes(file_locations), strict=True):
        declared_size = int(images.width[image_row]), int(images.height[image_row])
        if size is None:
            unreadable_paths.append(str(images.path[image_row]))
        elif declared_size[0] > 0 and declared_size != size:
            (rotated_paths if declared_size == size[::-1] else mismatched_paths).append(str(images.path[image_row]))
    notes = []
    if unreadable_paths:
        message = f"{format_count(len(unreadable_paths), 'picture')} of {len(sampled_rows):,} looked at absent or unreadable: {summarize_names(unreadable_paths)}"
        notes.append(Note("picture_unreadable", message, len(unreadable_paths)))
    if rotated_paths:
        message = (
            f"{format_count(len(rotated_paths), 'picture')} of {len(sampled_rows):,} looked at are declared the other way round than displayed (EXIF): "
            f"boxes may be those of the stored picture: {summarize_names(rotated_paths)}"
        )
        notes.append(Note("turned", message, len(rotated_paths)))
    if mismatched_paths:
        message = f"{format_count(len(mismatched_paths), 'picture')} of {len(sampled_rows):,} looked at have another size than declared: {summarize_names(mismatched_paths)}"
        notes.append(Note("size_differs", message, len(mismatched_paths)))
    return notes


def duplicate_image_notes(images: Images, folders: list[str], include_near: bool) -> list[Note]:
    """Training pictures that also lie in validation or test."""
    training_rows = np.flatnonzero((images.split == SPLITS.index("training")) & (images.root >= 0))
    notes = []
    for split in ("validation", "test"):
        held_out_rows = np.flatnonzero((images.split == SPLITS.index(split)) & (images.root >= 0))
        if not len(training_rows) or not len(held_out_rows):
            continue
        training_paths, held_out_paths = image_locations(images, folders, training_rows), image_locations(images, folders, held_out_rows)
        exact_pairs = exact_duplicates(training_paths, held_out_paths)
        notes += duplicate_notes("twins", exact_pairs, f"also lie in {split}, the same to the byte", images, training_rows, held_out_rows)
        if include_near and len(training_paths) + len(held_out_paths) <= MAX_NEAR_DUPLICATE_IMAGES:
            exact_indexes = {training_index for training_index, _ in exact_pairs}
            near_pairs = [pair for pair in near_duplicates(training_paths, held_out_paths) if pair[0] not in exact_indexes]
            notes += duplicate_notes("near_twins", near_pairs, f"look nearly the same as pictures of {split}", images, training_rows, held_out_rows)
    return notes


def duplicate_notes(kind: str, pairs: list[tuple[int, int]], description: str, images: Images, training_rows: np.ndarray, held_out_rows: np.ndarray) -> list[Note]:
    if not pairs:
        return []
    duplicate_count = len({training_index for training_index, _ in pairs})
    examples = summarize_names([f"{images.path[training_rows[training_index]]} = {images.path[held_out_rows[held_out_index]]}" for training_index, held_out_index in pairs])
    return [Note(kind, f"{format_count(duplicate_count, 'training picture')} {description}: {examples}", duplicate_count)]


def duplicate_box_notes(predictions: Predictions, concept_count: int) -> list[Note]:
    """Boxes that nearly repeat another of their concept, as a model gives them whose overlaps were not suppressed."""
    if predictions.box is None or len(predictions) < 50:
        return []
    is_sampled = np.zeros(int(predictions.image.max()) + 1, bool)
    is_sampled[np.unique(predictions.image[:100_000])[:200]] = True
    sampled_rows = np.flatnonzero(is_sampled[predictions.image])
    sample = predictions.take(sampled_rows[rank_in_group(predictions.image[sampled_rows].astype(np.int64)) < 100])  # pairs grow with the square
    no_flags = np.zeros(len(sample), bool)
    sample_annotations = Annotations(sample.image, sample.concept, sample.box, no_flags, ~no_flags, None)
    duplicate_rows: set[int] = set()
    for prediction_rows, other_rows, iou in overlapping_pairs(sample_annotations, sample, concept_count):
        duplicate_rows.update(prediction_rows[(prediction_rows > other_rows) & (iou >= DUPLICATE_BOX_IOU)].tolist())
    duplicate_share = len(duplicate_rows) / len(sample)
    if duplicate_share < MIN_DUPLICATE_SHARE:
        return []
    message = f"{duplicate_share:.0%} of the boxes nearly repeat another of their concept (IoU over {DUPLICATE_BOX_IOU}): were overlaps suppressed (NMS)?"
    return [Note("repeated_boxes", message, len(duplicate_rows))]
