"""False positives of two versions: those of one only, and those on objects that only the other has
annotated."""

from __future__ import annotations

import numpy as np

from pellucid.analysis.shared_index import SharedIndex
from pellucid.core.tables import Float64Array, Int64Array
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.match_result import WRONG
from pellucid.evaluation.similarity import pairwise_similarity


def false_positive_rows(evaluation: Evaluation, thresholds: Float64Array) -> Int64Array:
    """Rows of the false positives: unmatched predictions at or above the threshold."""
    predictions = evaluation.predictions
    return np.flatnonzero(
        (evaluation.state == WRONG) & (predictions.score >= thresholds[predictions.concept])
    )


def find_unpaired(
    version: Evaluation,
    own_rows: Int64Array,
    other_version: Evaluation,
    other_rows: Int64Array,
    shared: SharedIndex,
) -> Int64Array:
    """This version's false positives on shared images and concepts that have no counterpart in
    the other version."""
    image, concept = (
        shared.image_in_b[version.predictions.image[own_rows]],
        shared.concept_in_b[version.predictions.concept[own_rows]],
    )
    is_shared = (image >= 0) & (concept >= 0)
    own_rows, image, concept = own_rows[is_shared], image[is_shared], concept[is_shared]
    own_keys = image * len(other_version.concepts) + concept
    other_keys = (
        other_version.predictions.image[other_rows].astype(np.int64) * len(other_version.concepts)
        + other_version.predictions.concept[other_rows]
    )
    if version.predictions.box is None or other_version.predictions.box is None:
        return np.asarray(own_rows[~np.isin(own_keys, other_keys)])
    pair_items, other_positions = pair_equal_keys(own_keys, other_keys)
    pair_rows = other_rows[other_positions]
    own_boxes, other_boxes = (
        version.predictions.box[own_rows[pair_items]],
        other_version.predictions.box[pair_rows],
    )
    similarity = pairwise_similarity(
        version.predictions, own_rows[pair_items], other_version.predictions, pair_rows
    )
    is_close = similarity >= version.iou_threshold
    has_counterpart = np.zeros(len(own_rows), bool)
    has_counterpart[pair_items[is_close | (own_boxes == other_boxes).all(axis=1)]] = (
        True  # a zero-area box has no overlap, even with itself
    )
    return np.asarray(own_rows[~has_counterpart])


def left_out_rows(
    version: Evaluation, to_other: SharedIndex, compared_rows: Int64Array
) -> Int64Array:
    """Rows of the annotations on what is shared that only this version holds."""
    annotations = version.annotations
    is_left_out = (
        annotations.positive
        & ~annotations.ignore
        & (to_other.image_in_b >= 0)[annotations.image]
        & (to_other.concept_in_b >= 0)[annotations.concept]
    )
    is_left_out[compared_rows] = False
    return np.flatnonzero(is_left_out)


def drop_on_left_out(
    version: Evaluation,
    prediction_rows: Int64Array,
    other_version: Evaluation,
    annotation_rows: Int64Array,
    to_other: SharedIndex,
) -> Int64Array:
    """The false positives without those on an object that only the other version has annotated:
    like the annotation, they are left out.

    Args:
        annotation_rows: of the other version
    """
    predictions, annotations = version.predictions, other_version.annotations
    if not len(annotation_rows) or predictions.box is None or annotations.box is None:
        return prediction_rows
    concept_count = len(other_version.concepts)
    image = to_other.image_in_b[predictions.image[prediction_rows]]
    concept = to_other.concept_in_b[predictions.concept[prediction_rows]]
    own_keys = np.where((image >= 0) & (concept >= 0), image * concept_count + concept, -1)
    other_keys = (
        annotations.image[annotation_rows].astype(np.int64) * concept_count
        + annotations.concept[annotation_rows]
    )
    own_positions, other_positions = pair_equal_keys(own_keys, other_keys)
    ious = pairwise_similarity(
        predictions,
        prediction_rows[own_positions],
        annotations,
        annotation_rows[other_positions],
    )
    is_left_out = np.zeros(len(prediction_rows), bool)
    is_left_out[own_positions[ious >= version.iou_threshold]] = True
    return prediction_rows[~is_left_out]


def pair_equal_keys(own_keys: Int64Array, other_keys: Int64Array) -> tuple[Int64Array, Int64Array]:
    """All pairs of positions with equal keys."""
    key_order = np.argsort(other_keys, kind="stable")
    sorted_keys = other_keys[key_order]
    first = np.searchsorted(sorted_keys, own_keys)
    pair_counts = np.searchsorted(sorted_keys, own_keys, side="right") - first
    own_positions = np.repeat(np.arange(len(own_keys)), pair_counts)
    offsets = np.arange(len(own_positions)) - np.repeat(
        np.cumsum(pair_counts) - pair_counts, pair_counts
    )
    return own_positions, key_order[np.repeat(first, pair_counts) + offsets]
