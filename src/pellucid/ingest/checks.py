"""Data checks of a dataset and of predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import SPLITS, Annotations, Images, Predictions
from pellucid.evaluation.coco_metrics import rank_in_group
from pellucid.evaluation.greedy_numpy import overlapping_pairs
from pellucid.formats.dataset import Note
from pellucid.images.duplicates import exact_duplicates, near_duplicates
from pellucid.images.locations import join_location
from pellucid.images.sizes import load_orientations

IMAGE_SAMPLE_SIZE, ADDED_SAMPLE_SIZE = 500, 100
"""Number of images whose actual size is checked, by the doctor and whenever some are added."""
DUPLICATE_BOX_IOU, MIN_DUPLICATE_SHARE = 0.9, 0.02
"""IoU above which two predicted boxes are near duplicates, and the share of such boxes that is
reported."""
MIN_REPEATED_SHARE, MIN_COMPARED_BOXES = 0.2, 50
"""The share of annotations that is reported, and the least number of boxes that tell."""
FIRST_TURNED = 5
"""EXIF orientations from here on exchange width and height."""
MAX_NEAR_DUPLICATE_IMAGES = 20_000
"""Maximum number of images for the near-duplicate check, which reads all of them."""


def image_locations(images: Images, folders: list[str], image_rows: np.ndarray) -> list[str]:
    return [
        join_location(folders[images.root[image_row]], str(images.path[image_row]))
        if images.root[image_row] >= 0
        else ""
        for image_row in image_rows.tolist()
    ]


@dataclass(frozen=True)
class SampledFiles:
    """Paths of images that were looked at: count

    Attributes:
        unreadable: missing or damaged
        turned: whose declared sides are exchanged, as those of the file before its EXIF rotation
        other_size: of another size than declared
    """

    count: int
    unreadable: list[str]
    turned: list[str]
    other_size: list[str]


def sample_files(images: Images, folders: Sequence[str], limit: int) -> SampledFiles:
    """Compare declared with actual image sizes and find unreadable files, in a sample."""
    rows = np.flatnonzero(images.root >= 0)
    if len(rows) > limit:
        rows = rows[np.linspace(0, len(rows) - 1, limit).astype(int)]
    sampled = SampledFiles(len(rows), [], [], [])
    found = load_orientations(image_locations(images, list(folders), rows))
    for row, (orientation, size) in zip(rows.tolist(), found, strict=True):
        path = str(images.path[row])
        declared = int(images.width[row]), int(images.height[row])
        if size == (0, 0):
            sampled.unreadable.append(path)
        elif declared[0] > 0 and declared != size:
            is_turned = declared == size[::-1] and orientation >= FIRST_TURNED
            (sampled.turned if is_turned else sampled.other_size).append(path)
    return sampled


def image_file_notes(images: Images, folders: Sequence[str]) -> list[Note]:
    """Notes on unreadable files and on images of another size than declared, in a sample."""
    sampled = sample_files(images, folders, IMAGE_SAMPLE_SIZE)
    notes = []
    if sampled.unreadable:
        message = (
            f"{format_count(len(sampled.unreadable), 'image')} of {sampled.count:,} checked "
            f"missing or unreadable: {summarize_names(sampled.unreadable)}"
        )
        notes.append(Note("picture_unreadable", message, len(sampled.unreadable)))
    if sampled.turned:
        message = (
            f"{format_count(len(sampled.turned), 'image')} of {sampled.count:,} checked: "
            "declared width and height are swapped (EXIF rotation), "
            f"so boxes may refer to the image as stored: {summarize_names(sampled.turned)}"
        )
        notes.append(Note("turned", message, len(sampled.turned)))
    return [*notes, *size_notes(sampled)]


def size_notes(sampled: SampledFiles) -> list[Note]:
    """A note on images of another size than declared."""
    if not sampled.other_size:
        return []
    message = (
        f"{format_count(len(sampled.other_size), 'image')} of {sampled.count:,} checked: actual "
        f"size differs from the declared size: {summarize_names(sampled.other_size)}"
    )
    return [Note("size_differs", message, len(sampled.other_size))]


def duplicate_image_notes(images: Images, folders: list[str], include_near: bool) -> list[Note]:
    """Duplicates of training images in validation or test."""
    training_rows = np.flatnonzero((images.split == SPLITS.index("training")) & (images.root >= 0))
    notes = []
    for split in ("validation", "test"):
        held_out_rows = np.flatnonzero((images.split == SPLITS.index(split)) & (images.root >= 0))
        if not len(training_rows) or not len(held_out_rows):
            continue
        training_paths, held_out_paths = (
            image_locations(images, folders, training_rows),
            image_locations(images, folders, held_out_rows),
        )
        exact_pairs = exact_duplicates(training_paths, held_out_paths)
        notes += duplicate_notes(
            "twins",
            exact_pairs,
            f"duplicated in {split} (identical files)",
            images,
            training_rows,
            held_out_rows,
        )
        if include_near and len(training_paths) + len(held_out_paths) <= MAX_NEAR_DUPLICATE_IMAGES:
            exact_indexes = {training_index for training_index, _ in exact_pairs}
            near_pairs = [
                pair
                for pair in near_duplicates(training_paths, held_out_paths)
                if pair[0] not in exact_indexes
            ]
            notes += duplicate_notes(
                "near_twins",
                near_pairs,
                f"nearly identical to images of {split}",
                images,
                training_rows,
                held_out_rows,
            )
    return notes


def duplicate_notes(
    kind: str,
    pairs: list[tuple[int, int]],
    description: str,
    images: Images,
    training_rows: np.ndarray,
    held_out_rows: np.ndarray,
) -> list[Note]:
    if not pairs:
        return []
    duplicate_count = len({training_index for training_index, _ in pairs})
    examples = summarize_names(
        [
            f"{images.path[training_rows[training_index]]} = "
            f"{images.path[held_out_rows[held_out_index]]}"
            for training_index, held_out_index in pairs
        ]
    )
    return [
        Note(
            kind,
            f"{format_count(duplicate_count, 'training image')} {description}: {examples}",
            duplicate_count,
        )
    ]


def duplicate_box_notes(predictions: Predictions, concept_count: int) -> list[Note]:
    """Near-duplicate boxes of the same concept, which suggest missing non-maximum suppression
    (NMS)."""
    repeated_count, share = repeated_boxes(predictions, concept_count)
    if share < MIN_DUPLICATE_SHARE:
        return []
    message = (
        f"{share:.0%} of the boxes nearly duplicate another of the same concept (IoU > "
        f"{DUPLICATE_BOX_IOU}): was NMS applied?"
    )
    return [Note("repeated_boxes", message, repeated_count)]


def duplicate_annotation_notes(annotations: Annotations, concept_count: int) -> list[Note]:
    """Likewise of annotations: several people or passes may have marked the same objects."""
    rows = np.flatnonzero(annotations.positive & ~annotations.ignore)
    if annotations.box is None or not len(rows):
        return []
    objects = annotations.take(rows)
    zeros = np.zeros(len(rows))
    as_predictions = Predictions(
        objects.image, objects.concept, zeros, objects.box, np.arange(len(rows), dtype=np.int32)
    )
    repeated_count, share = repeated_boxes(as_predictions, concept_count)
    if share < MIN_REPEATED_SHARE:
        return []
    message = (
        f"{share:.0%} of the annotated boxes nearly repeat another of the same concept in their "
        f"image (IoU > {DUPLICATE_BOX_IOU}): several people or passes may have annotated the same "
        "objects. Keep one annotation of each"
    )
    return [Note("repeated_boxes", message, repeated_count)]


def repeated_boxes(predictions: Predictions, concept_count: int) -> tuple[int, float]:
    """The number of boxes of a sample that nearly repeat an earlier one of the same concept, and
    their share."""
    if predictions.box is None or len(predictions) < MIN_COMPARED_BOXES:
        return 0, 0.0
    is_sampled = np.zeros(int(predictions.image.max()) + 1, bool)
    is_sampled[np.unique(predictions.image[:100_000])[:200]] = True
    sampled_rows = np.flatnonzero(is_sampled[predictions.image])
    sample = predictions.take(
        sampled_rows[rank_in_group(predictions.image[sampled_rows].astype(np.int64)) < 100]
    )  # the number of pairs is quadratic
    no_flags = np.zeros(len(sample), bool)
    sample_annotations = Annotations(
        sample.image, sample.concept, sample.box, no_flags, ~no_flags, None
    )
    repeated: set[int] = set()
    for rows, other_rows, iou in overlapping_pairs(sample_annotations, sample, concept_count):
        repeated.update(rows[(rows > other_rows) & (iou >= DUPLICATE_BOX_IOU)].tolist())
    return len(repeated), len(repeated) / len(sample)
