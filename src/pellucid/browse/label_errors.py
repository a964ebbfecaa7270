"""Label error detection: how likely each item is mislabelled, from the predictions alone.

Boxes, after ObjectLab (Tkachenko, Thyagarajan, Mueller, 2023): an annotation is *overlooked* (a
confident prediction without annotation), *badly located* (a confident prediction of the same
concept next to it) or *swapped* (a confident prediction of another concept at its location).
Images: self-confidence and margin, as confident learning (Northcutt, Jiang, Chuang, 2021);
tags: self-confidence compared with the mean of its label (Kuan, Mueller, 2022).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pellucid.core.tables import NOT_RUN, BoolArray, Float64Array, Int32Array, Int64Array
from pellucid.evaluation.error_causes import MIN_LOCALIZATION_IOU
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.match_result import MATCHED, NOT_HIGHEST, WRONG
from pellucid.evaluation.similarity import pairwise_similarity
from pellucid.evaluation.sorting import counting_sort

MAX_EVIDENCE_PAIRS = 2_000_000
"""Maximum number of box pairs in memory at a time: about 300 MB."""


@dataclass(frozen=True, eq=False)
class LabelErrorScores:
    """float64 per prediction and per annotation: higher means a label error is more likely.
    *_ties: break equal scores."""

    prediction_scores: Float64Array
    annotation_scores: Float64Array
    prediction_ties: Float64Array
    annotation_ties: Float64Array


def label_error_scores(evaluation: Evaluation) -> LabelErrorScores:
    """Label error scores of all predictions and annotations, comparable within a version; all 0
    where predictions have no scores. Cost: box pairs per image."""
    if not evaluation.has_scores:
        predicted, annotated = (
            np.zeros(len(evaluation.predictions)),
            np.zeros(len(evaluation.annotations)),
        )
        return LabelErrorScores(predicted, annotated, predicted, annotated)
    if evaluation.kind == "detection":
        return score_boxes(evaluation)
    return (
        score_image_labels(evaluation)
        if evaluation.kind == "classification"
        else score_tags(evaluation)
    )


def sort_by_label_error(
    error_scores: LabelErrorScores, shows_annotations: bool, item_rows: Int64Array
) -> Int64Array:
    """Rows sorted by descending label error score; the sort is stable."""
    item_scores, item_ties = (
        (error_scores.annotation_scores, error_scores.annotation_ties)
        if shows_annotations
        else (error_scores.prediction_scores, error_scores.prediction_ties)
    )
    return item_rows[np.lexsort((-item_ties[item_rows], -item_scores[item_rows]))]


def normalize_scores(scores: Float64Array) -> Float64Array:
    """Scores as probabilities: unchanged if within 0 to 1, else by the logistic function."""
    if not len(scores) or (scores.min() >= 0 and scores.max() <= 1):
        return scores
    return np.asarray((1 + np.tanh(scores / 2)) / 2)


@dataclass(frozen=True, eq=False)
class Evidence:
    """The strongest of the overlapping objects.

    Attributes:
        agreement, swap, misplacement: float64 of each annotation, scores of predictions
        same_concept_iou, other_concept_iou: float64 of each prediction
        is_misplaced: whether it is of the same concept as an annotation nearby
    """

    agreement: Float64Array
    swap: Float64Array
    misplacement: Float64Array
    same_concept_iou: Float64Array
    other_concept_iou: Float64Array
    is_misplaced: BoolArray


def score_boxes(evaluation: Evaluation) -> LabelErrorScores:
    """Annotation: the strongest evidence against it (swap, bad location) minus the strongest
    for it. False positive: the maximum of its overlooked score (confidence reduced by overlap)
    and its evidence against an annotation."""
    scores = normalize_scores(np.asarray(evaluation.predictions.score))
    evidence = collect_evidence(evaluation, scores)
    is_matched = evaluation.state == MATCHED
    reliability = localization_reliability(scores[is_matched], scores[evidence.is_misplaced])
    accusation = accuse_annotations(evaluation, scores, reliability, evidence.agreement)
    annotation_scores = (
        np.maximum(evidence.swap, reliability * evidence.misplacement) - evidence.agreement
    )
    overlooked_scores = scores * (1 - evidence.same_concept_iou) * (1 - evidence.other_concept_iou)
    prediction_scores = np.where(
        evaluation.state == WRONG, np.maximum(overlooked_scores, accusation), -np.inf
    )
    prediction_scores[is_matched] = annotation_scores[evaluation.partner[is_matched]]
    return LabelErrorScores(
        prediction_scores, annotation_scores, scores, np.zeros(len(evaluation.annotations))
    )


def collect_evidence(evaluation: Evaluation, scores: Float64Array) -> Evidence:
    """scores: of the predictions, as probabilities."""
    annotation_count, prediction_count = len(evaluation.annotations), len(evaluation.predictions)
    evidence = Evidence(
        agreement=np.zeros(annotation_count),
        swap=np.zeros(annotation_count),
        misplacement=np.zeros(annotation_count),
        same_concept_iou=np.zeros(prediction_count),
        other_concept_iou=np.zeros(prediction_count),
        is_misplaced=np.zeros(prediction_count, bool),
    )
    for prediction_rows, annotation_rows, ious in touching_pairs(evaluation):
        pairs = pair_evidence(evaluation, prediction_rows, annotation_rows, ious)
        pair_scores = scores[prediction_rows]
        for strongest, rows, is_chosen, values in (
            (evidence.agreement, annotation_rows, pairs.is_agreement, pair_scores),
            (evidence.swap, annotation_rows, pairs.is_swap, pair_scores),
            (evidence.misplacement, annotation_rows, pairs.is_misplaced, pair_scores * (1 - ious)),
            (evidence.same_concept_iou, prediction_rows, pairs.same_concept, ious),
            (evidence.other_concept_iou, prediction_rows, ~pairs.same_concept, ious),
        ):
            np.maximum.at(strongest, rows[is_chosen], values[is_chosen])
        evidence.is_misplaced[prediction_rows[pairs.is_misplaced]] = True
    return evidence


def accuse_annotations(
    evaluation: Evaluation, scores: Float64Array, reliability: float, agreement: Float64Array
) -> Float64Array:
    """How strongly each prediction speaks against an annotation, less what speaks for that one
    (agreement); -inf if it touches none."""
    accusation = np.full(len(evaluation.predictions), -np.inf)
    for prediction_rows, annotation_rows, ious in touching_pairs(evaluation):
        pairs = pair_evidence(evaluation, prediction_rows, annotation_rows, ious)
        pair_scores = scores[prediction_rows]
        for is_contradicted, weight in (
            (pairs.is_swap, pair_scores),
            (pairs.is_misplaced, reliability * pair_scores * (1 - ious)),
        ):
            rows = prediction_rows[is_contradicted]
            difference = weight - agreement[annotation_rows]
            np.maximum.at(accusation, rows, difference[is_contradicted])
    return accusation


@dataclass(frozen=True, eq=False)
class PairEvidence:
    """What each prediction implies for its annotation: same_concept

    Attributes:
        is_agreement: same concept and place
        is_swap: another concept, same place
        is_misplaced: same concept nearby
    """

    same_concept: BoolArray
    is_agreement: BoolArray
    is_swap: BoolArray
    is_misplaced: BoolArray


def pair_evidence(
    evaluation: Evaluation,
    prediction_rows: Int64Array,
    annotation_rows: Int64Array,
    ious: Float64Array,
) -> PairEvidence:
    """What pairs of a prediction and an annotation say about errors of annotations.

    Args:
        prediction_rows, annotation_rows, ious: of each pair
    """
    same_concept = (
        evaluation.predictions.concept[prediction_rows]
        == evaluation.annotations.concept[annotation_rows]
    )
    is_close, states = ious >= evaluation.iou_threshold, evaluation.state[prediction_rows]
    is_misplaced = same_concept & ~is_close & (ious >= MIN_LOCALIZATION_IOU) & (states == WRONG)
    return PairEvidence(
        same_concept,
        same_concept & is_close,
        ~same_concept & is_close & (states != MATCHED),
        is_misplaced,
    )


def localization_reliability(matched_scores: Float64Array, misplaced_scores: Float64Array) -> float:
    """Weight of badly located predictions as evidence: the share of confident boxes that match. A
    model with poor localisation gives no evidence about annotation locations."""
    matched_weight, misplaced_weight = (
        float((matched_scores**4).sum()),
        float((misplaced_scores**4).sum()),
    )
    return (
        matched_weight / (matched_weight + misplaced_weight)
        if matched_weight + misplaced_weight
        else 1.0
    )


def touching_pairs(evaluation: Evaluation) -> Iterator[tuple[Int64Array, Int64Array, Float64Array]]:
    """Overlapping pairs of predictions and annotations (no ignore regions) per image, of any
    concepts, with IoU; in batches."""
    predictions, annotations, row_index = (
        evaluation.predictions,
        evaluation.annotations,
        evaluation.row_index,
    )
    if predictions.box is None or annotations.box is None:
        return
    matchable_rows = np.flatnonzero(
        annotations.positive
        & ~annotations.ignore
        & (evaluation.coverage[annotations.image] != NOT_RUN)
    )
    image_order, image_starts = counting_sort(
        annotations.image[matchable_rows], len(evaluation.images)
    )
    matchable_rows = matchable_rows[image_order]
    pair_counts = np.diff(row_index.prediction_image_start) * np.diff(image_starts)
    pairs_before = np.concatenate([[0], np.cumsum(pair_counts)])
    image = 0
    while image < len(pair_counts):
        end_image = max(
            image + 1,
            int(
                np.searchsorted(
                    pairs_before, pairs_before[image] + MAX_EVIDENCE_PAIRS, side="right"
                )
            )
            - 1,
        )
        first_position, last_position = row_index.prediction_image_start[[image, end_image]]
        prediction_rows = np.asarray(
            row_index.prediction_of_image[first_position:last_position], np.int64
        )
        prediction_images = np.asarray(predictions.image[prediction_rows], np.int64)
        annotation_counts = image_starts[prediction_images + 1] - image_starts[prediction_images]
        pair_predictions = np.repeat(prediction_rows, annotation_counts)
        pair_offsets = np.arange(len(pair_predictions)) - np.repeat(
            np.cumsum(annotation_counts) - annotation_counts, annotation_counts
        )
        pair_annotations = matchable_rows[
            np.repeat(image_starts[prediction_images], annotation_counts) + pair_offsets
        ]
        ious = pairwise_similarity(predictions, pair_predictions, annotations, pair_annotations)
        is_touching = ious > 0
        yield pair_predictions[is_touching], pair_annotations[is_touching], ious[is_touching]
        image = end_image


def score_image_labels(evaluation: Evaluation) -> LabelErrorScores:
    """Minus the score of the annotated concept; ties by the margin of the best other concept."""
    predictions, annotations = evaluation.predictions, evaluation.annotations
    scores = normalize_scores(np.asarray(predictions.score))
    image_count = len(evaluation.images)
    label_scores, best_other_scores = np.zeros(image_count), np.zeros(image_count)
    image_labels = np.full(image_count, -1)
    image_labels[annotations.image] = annotations.concept
    is_label = predictions.concept == image_labels[predictions.image]
    label_scores[predictions.image[is_label]] = scores[is_label]
    np.maximum.at(best_other_scores, predictions.image[~is_label], scores[~is_label])
    error_scores, ties = (
        np.where(image_labels >= 0, -label_scores, -np.inf),
        best_other_scores - label_scores,
    )
    prediction_scores = np.where(
        evaluation.state == NOT_HIGHEST, -np.inf, error_scores[predictions.image]
    )
    return LabelErrorScores(
        prediction_scores,
        error_scores[annotations.image],
        ties[predictions.image],
        ties[annotations.image],
    )


def score_tags(evaluation: Evaluation) -> LabelErrorScores:
    """How far the self-confidence is below the mean of the same concept and label."""
    predictions, annotations, concept_count = (
        evaluation.predictions,
        evaluation.annotations,
        len(evaluation.concepts),
    )
    scores = normalize_scores(np.asarray(predictions.score))
    is_matched, is_counted = (
        evaluation.state == MATCHED,
        (evaluation.state == MATCHED) | (evaluation.state == WRONG),
    )
    self_confidence = np.where(is_matched, scores, 1 - scores)
    group_keys = predictions.concept * 2 + is_matched
    group_sizes = np.bincount(group_keys[is_counted], minlength=2 * concept_count)
    group_means = np.bincount(
        group_keys[is_counted], self_confidence[is_counted], minlength=2 * concept_count
    ) / np.maximum(group_sizes, 1)
    prediction_scores = np.where(is_counted, group_means[group_keys] - self_confidence, -np.inf)
    paired_scores = take_or_zeros(evaluation.same_concept_prediction, prediction_scores)
    fallback_scores = group_means[annotations.concept * 2 + 1]
    annotation_scores = np.where(
        evaluation.same_concept_prediction >= 0, paired_scores, fallback_scores
    )
    return LabelErrorScores(
        prediction_scores, annotation_scores, np.zeros(len(predictions)), np.zeros(len(annotations))
    )


def take_or_zeros(prediction_rows: Int32Array, prediction_scores: Float64Array) -> Float64Array:
    """The scores of rows; zeros in a version without scores."""
    return (
        prediction_scores[prediction_rows]
        if len(prediction_scores)
        else np.zeros(len(prediction_rows))
    )
