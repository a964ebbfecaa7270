"""Matching of predictions to annotations, for each kind of view.

A prediction never loses its annotation to one with a lower score, so its outcome does not
depend on the threshold: one pass is enough for every threshold, curve and tab.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid import _native
from pellucid.core.tables import (
    EXHAUSTIVE,
    UNANNOTATED,
    Annotations,
    BoolArray,
    Images,
    Int8Array,
    Int32Array,
    Int64Array,
    Kind,
    Predictions,
)
from pellucid.evaluation import greedy_native, greedy_numpy
from pellucid.evaluation.match_result import IGNORED, MATCHED, NOT_HIGHEST, WRONG, Matching
from pellucid.evaluation.unscored_matching import match_unscored


def match_predictions(
    kind: Kind,
    concept_count: int,
    images: Images,
    annotations: Annotations,
    predictions: Predictions,
    run_starts: Int64Array,
    iou_threshold: float,
    unannotated_concepts: Sequence[int] = (),
) -> Matching:
    """Match every prediction once. `iou_threshold` (0 to 1) is used in detection only.

    Args:
        predictions: in gallery order
        run_starts: int64 (splits * concepts + 1,), the start of each run
        unannotated_concepts: those that only predictions name, ignored where no annotation of the
            image has them (detection, tagging)
    """
    if kind == "detection":
        if len(predictions) and np.isinf(predictions.score[0]):
            matching = match_unscored(annotations, predictions, iou_threshold, concept_count)
        elif _native.library is None or predictions.keypoints is not None:
            matching = greedy_numpy.match_boxes_numpy(
                annotations, predictions, iou_threshold, concept_count
            )
        else:
            matching = greedy_native.match_boxes_native(
                images, annotations, predictions, run_starts, iou_threshold, concept_count
            )
        matching.state[
            (matching.state == WRONG)
            & find_unverified(concept_count, images, annotations, predictions, unannotated_concepts)
        ] = IGNORED
        return matching
    same_concept_annotation, same_concept_prediction = pair_same_concept(
        annotations, predictions, concept_count
    )
    if kind == "classification":
        state = classification_states(images, predictions, same_concept_annotation >= 0)
    else:
        state = tagging_states(
            images, annotations, predictions, same_concept_annotation, unannotated_concepts
        )
    is_matched = state == MATCHED
    partner = np.where(is_matched, same_concept_annotation, -1).astype(np.int32)
    matched_by = np.full(len(annotations), -1, np.int32)
    matched_by[partner[is_matched]] = np.flatnonzero(is_matched)
    return Matching(
        state, partner, np.full(len(state), np.nan), matched_by, same_concept_prediction, None
    )


def find_unverified(
    concept_count: int,
    images: Images,
    annotations: Annotations,
    predictions: Predictions,
    unannotated_concepts: Sequence[int] = (),
) -> BoolArray:
    """Predictions of concepts not verified in their image (LVIS, Open Images, unannotated images,
    concepts without annotations): they are not errors."""
    is_not_exhaustive = images.stated != EXHAUSTIVE
    if not is_not_exhaustive.any() and not len(unannotated_concepts):
        return np.zeros(len(predictions), bool)
    is_unannotated = concept_mask(concept_count, unannotated_concepts)
    annotated_keys = np.unique(
        annotations.image.astype(np.int64) * concept_count + annotations.concept
    )
    predicted_keys = predictions.image.astype(np.int64) * concept_count + predictions.concept
    is_open = is_not_exhaustive[predictions.image] | is_unannotated[predictions.concept]
    return np.asarray(is_open & ~np.isin(predicted_keys, annotated_keys))


def concept_mask(concept_count: int, concepts: Sequence[int]) -> BoolArray:
    """bool (concepts,): true for these concepts."""
    mask = np.zeros(concept_count, bool)
    mask[list(concepts)] = True
    return mask


def pair_same_concept(
    annotations: Annotations, predictions: Predictions, concept_count: int
) -> tuple[Int32Array, Int32Array]:
    """For each prediction the annotation of the same image and concept, and vice versa; -1 if
    none."""
    annotated_keys = annotations.image.astype(np.int64) * concept_count + annotations.concept
    predicted_keys = predictions.image.astype(np.int64) * concept_count + predictions.concept
    return lookup_positions(annotated_keys, predicted_keys), lookup_positions(
        predicted_keys, annotated_keys
    )


def lookup_positions(keys: Int64Array, queries: Int64Array) -> Int32Array:
    """Index of each query in `keys` (unique, any order); -1 if absent."""
    if not len(keys):
        return np.full(len(queries), -1, np.int32)
    order = np.argsort(keys, kind="stable")
    sorted_position = np.minimum(np.searchsorted(keys, queries, sorter=order), len(keys) - 1)
    candidates = order[sorted_position]
    return np.where(keys[candidates] == queries, candidates, -1).astype(np.int32)


def classification_states(
    images: Images, predictions: Predictions, is_correct: np.ndarray
) -> Int8Array:
    """The predicted concept of an image has its highest score; ties: the lowest concept index."""
    order = np.lexsort((predictions.concept, -predictions.score, predictions.image))
    image = predictions.image[order]
    is_first = np.ones(len(order), bool)
    is_first[1:] = image[1:] != image[:-1]
    top_prediction = order[is_first]
    state = np.full(len(predictions), NOT_HIGHEST, np.int8)
    state[top_prediction] = np.where(is_correct[top_prediction], MATCHED, WRONG)
    is_unannotated = images.stated[predictions.image[top_prediction]] == UNANNOTATED
    state[top_prediction[is_unannotated]] = IGNORED
    return state


def tagging_states(
    images: Images,
    annotations: Annotations,
    predictions: Predictions,
    annotation_index: Int32Array,
    unannotated_concepts: Sequence[int] = (),
) -> Int8Array:
    """Each concept is positive, negative or unknown for an image; unknown ones are ignored."""
    stated = images.stated[predictions.image]
    is_listed = annotation_index >= 0
    is_positive = is_listed.copy()
    is_positive[is_listed] = annotations.positive[annotation_index[is_listed]]
    is_open = stated != EXHAUSTIVE
    if len(unannotated_concepts):
        is_open |= np.isin(predictions.concept, unannotated_concepts)
    is_unknown = ~is_listed & is_open
    is_unknown[is_listed] = annotations.ignore[annotation_index[is_listed]]
    return np.where(is_unknown, IGNORED, np.where(is_positive, MATCHED, WRONG)).astype(np.int8)
