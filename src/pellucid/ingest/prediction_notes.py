"""Notes on what is unusual in imported predictions."""

from __future__ import annotations

import numpy as np

from pellucid.core.errors import format_count
from pellucid.core.tables import SPLITS, Float64Array, Images, Int32Array, Predictions
from pellucid.formats.dataset import CHECK_CHUNK_ROWS, Note, ParsedPredictions

MIN_SCORE_FLOOR, MIN_CAPPED_IMAGES = 0.01, 3


def export_limit_notes(predictions: Predictions) -> list[Note]:
    """Notes if the export seems truncated: by a minimum score or by a maximum number of boxes
    per image."""
    if len(predictions) < 100:
        return []
    notes = []
    floor = float(predictions.score.min())
    if MIN_SCORE_FLOOR <= floor < 1:
        message = f"the lowest score is {floor:g}: thresholds below it cannot be evaluated"
        notes.append(Note("score_floor", message, 1, "info"))
    box_counts = np.bincount(predictions.image)
    max_boxes, capped_images = int(box_counts.max()), int((box_counts == box_counts.max()).sum())
    if capped_images >= MIN_CAPPED_IMAGES and max_boxes >= 10:
        message = (
            f"exactly {max_boxes} boxes, the maximum, in {format_count(capped_images, 'image')}: "
            "lower-scored boxes may have been cut off"
        )
        notes.append(Note("box_cap", message, capped_images, "info"))
    return notes


def stated_split_notes(
    source: ParsedPredictions, image_index: Int32Array, images: Images
) -> list[Note]:
    """A warning if the file says of images that they are of another split than in the view.

    Args:
        image_index: of each image key, its row among the images, negative if unknown
    """
    stated = source.stated_splits
    if stated is None or len(stated) != len(image_index):
        return []
    actual = np.where(image_index >= 0, images.split[image_index], -1)
    others = np.flatnonzero((stated >= 0) & (actual >= 0) & (stated != actual))
    if not len(others):
        return []
    first = int(others[0])
    message = (
        f"{format_count(len(others), 'image')} of another split than the file says, such as "
        f"'{source.image_keys[first]}': {SPLITS[stated[first]]} in the file, "
        f"{SPLITS[actual[first]]} in the view. The splits of the view count"
    )
    return [Note("stated_split", message, len(others))]


def other_split_notes(
    source: ParsedPredictions, image_index: np.ndarray, is_selected: np.ndarray
) -> list[Note]:
    """Notes on predictions for images outside the requested split, and on files that reference
    no image."""
    is_excluded = (image_index >= 0) & ~is_selected
    if is_excluded.any():
        prediction_count = int(is_excluded[source.image].sum())
        message = (
            f"{format_count(prediction_count, 'prediction')} of "
            f"{format_count(int(is_excluded.sum()), 'image')} outside the requested split were "
            "ignored"
        )
        return [Note("other_split", message, prediction_count)]
    if not len(image_index):
        return [
            Note(
                "no_image_named",
                "the file references no image: only images of the split given by --split count as "
                "evaluated",
                1,
            )
        ]
    return []


def outside_image_notes(box: Float64Array, images: Images, image_rows: np.ndarray) -> list[Note]:
    """Note on boxes that extend more than a pixel outside their image; they are not changed."""
    outside_count = 0
    for block_start in range(0, len(box), CHECK_CHUNK_ROWS):
        box_block, image_block = (
            box[block_start : block_start + CHECK_CHUNK_ROWS],
            image_rows[block_start : block_start + CHECK_CHUNK_ROWS],
        )
        width, height = images.width[image_block], images.height[image_block]
        right_edge, bottom_edge = (
            box_block[:, 0] + box_block[:, 2],
            box_block[:, 1] + box_block[:, 3],
        )
        is_outside = (
            (box_block[:, 0] < -1)
            | (box_block[:, 1] < -1)
            | (right_edge > width + 1)
            | (bottom_edge > height + 1)
        )
        outside_count += int((is_outside & (width > 0)).sum())
    message = (
        f"{format_count(outside_count, 'box extends', 'boxes extend')} outside the image: not "
        "clipped"
    )
    return [Note("outside", message, outside_count)] if outside_count else []
