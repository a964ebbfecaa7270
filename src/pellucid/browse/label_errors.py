"""How likely each item is the annotators' mistake and not the model's, from the predictions alone.

Boxes, after ObjectLab (Tkachenko, Thyagarajan, Mueller, 2023): an annotation may be *overlooked* (a confident prediction where
nothing is annotated), *badly placed* (a confident prediction of the concept beside it) or *swapped* (a confident prediction of
another concept in its place). Images: self-confidence and margin, after confident learning (Northcutt, Jiang, Chuang, 2021); tags:
self-confidence held against the mean of its label (Kuan, Mueller, 2022).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pellucid.core.tables import NOT_RUN, BoolArray, Float64Array, Int32Array, Int64Array
from pellucid.evaluation.boxes import pairwise_iou
from pellucid.evaluation.error_causes import BADLY_PLACED
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.match_result import MATCHED, NOT_HIGHEST, WRONG
from pellucid.evaluation.sorting import counting_sort

PAIRS_AT_ONCE = 2_000_000
"""Pairs of boxes held in memory at a time: about 300 MB."""


@dataclass(frozen=True, eq=False)
class Suspicion:
    """float64 per prediction and per annotation: higher is more likely a mistake of the annotators. tie: what settles equals."""

    predictions: Float64Array
    annotations: Float64Array
    prediction_tie: Float64Array
    annotation_tie: Float64Array


def suspicion(evaluation: Evaluation) -> Suspicion:
    """Of every prediction and annotation; comparable within a version. Costs the pairs of boxes that share an image."""
    if evaluation.kind == "detection":
        return of_boxes(evaluation)
    return of_images(evaluation) if evaluation.kind == "classification" else of_tags(evaluation)


def most_likely_first(found: Suspicion, shows_annotations: bool, rows: Int64Array) -> Int64Array:
    """Rows by falling suspicion; ties keep their order."""
    value, tie = (
        (found.annotations, found.annotation_tie) if shows_annotations else (found.predictions, found.prediction_tie)
    )  # fmt: skip
    return rows[np.lexsort((-tie[rows], -value[rows]))]


def confidence(score: Float64Array) -> Float64Array:
    """Scores as probabilities: as they are, or by the logistic function where they are none."""
    if not len(score) or (score.min() >= 0 and score.max() <= 1):
        return score
    return np.asarray((1 + np.tanh(score / 2)) / 2)


def of_boxes(evaluation: Evaluation) -> Suspicion:
    """An annotation: the best evidence against it (swapped, badly placed) less the best for it. A wrong prediction: the more of
    being overlooked, its confidence less what is annotated there already, and of what it says against an annotation."""
    predicted, annotated = evaluation.predictions, evaluation.annotations
    score = confidence(np.asarray(predicted.score))
    agreed, swapped, beside = (np.zeros(len(annotated)) for _ in range(3))
    same_overlap, other_overlap = np.zeros(len(predicted)), np.zeros(len(predicted))
    is_beside = np.zeros(len(predicted), bool)
    for rows, owners, overlap in pairs_of_images(evaluation):
        pair = said_of(evaluation, rows, owners, overlap)
        np.maximum.at(agreed, owners[pair.agrees], score[rows[pair.agrees]])
        np.maximum.at(swapped, owners[pair.swaps], score[rows[pair.swaps]])
        np.maximum.at(beside, owners[pair.beside], (score[rows] * (1 - overlap))[pair.beside])
        is_beside[rows[pair.beside]] = True
        np.maximum.at(same_overlap, rows[pair.same], overlap[pair.same])
        np.maximum.at(other_overlap, rows[~pair.same], overlap[~pair.same])
    trust = trust_in_places(score[evaluation.state == MATCHED], score[is_beside])
    accused = np.full(len(predicted), -np.inf)
    for rows, owners, overlap in pairs_of_images(evaluation):
        pair = said_of(evaluation, rows, owners, overlap)
        for says, weight in ((pair.swaps, score[rows]), (pair.beside, trust * score[rows] * (1 - overlap))):
            np.maximum.at(accused, rows[says], (weight - agreed[owners])[says])
    mistaken = np.maximum(swapped, trust * beside) - agreed
    overlooked = score * (1 - same_overlap) * (1 - other_overlap)
    of_predictions = np.where(evaluation.state == WRONG, np.maximum(overlooked, accused), -np.inf)
    matched = evaluation.state == MATCHED
    of_predictions[matched] = mistaken[evaluation.partner[matched]]
    return Suspicion(of_predictions, mistaken, score, np.zeros(len(annotated)))


@dataclass(frozen=True, eq=False)
class Said:
    """What the predictions of pairs say of their annotations: the same concept at all; the same in its place; another concept in its
    place; the same beside it."""

    same: BoolArray
    agrees: BoolArray
    swaps: BoolArray
    beside: BoolArray


def said_of(evaluation: Evaluation, rows: Int64Array, owners: Int64Array, overlap: Float64Array) -> Said:
    same = evaluation.predictions.concept[rows] == evaluation.annotations.concept[owners]
    close, state = overlap >= evaluation.iou_threshold, evaluation.state[rows]
    beside = same & ~close & (overlap >= BADLY_PLACED) & (state == WRONG)
    return Said(same, same & close, ~same & close & (state != MATCHED), beside)


def trust_in_places(matched: Float64Array, beside: Float64Array) -> float:
    """How much a box beside an annotation says: of confident boxes at or beside one, the share that match. A model that places boxes
    badly by itself is no witness against the annotators."""
    right, off = float((matched**4).sum()), float((beside**4).sum())
    return right / (right + off) if right + off else 1.0


def pairs_of_images(evaluation: Evaluation) -> Iterator[tuple[Int64Array, Int64Array, Float64Array]]:
    """Predictions and annotations (no regions) of an image whose boxes touch, whatever their concepts, and their IoU; in batches."""
    predicted, annotated, derived = evaluation.predictions, evaluation.annotations, evaluation.row_index
    if predicted.box is None or annotated.box is None:
        return
    counted = np.flatnonzero(annotated.positive & ~annotated.ignore & (evaluation.coverage[annotated.image] != NOT_RUN))
    order, start = counting_sort(annotated.image[counted], len(evaluation.images))
    counted = counted[order]
    number = np.diff(derived.prediction_image_start) * np.diff(start)
    before = np.concatenate([[0], np.cumsum(number)])
    image = 0
    while image < len(number):
        end = max(image + 1, int(np.searchsorted(before, before[image] + PAIRS_AT_ONCE, side="right")) - 1)
        first, last = derived.prediction_image_start[[image, end]]
        rows = np.asarray(derived.prediction_of_image[first:last], np.int64)
        own = np.asarray(predicted.image[rows], np.int64)
        count = start[own + 1] - start[own]
        pairs = np.repeat(rows, count)
        within = np.arange(len(pairs)) - np.repeat(np.cumsum(count) - count, count)
        owners = counted[np.repeat(start[own], count) + within]
        overlap = pairwise_iou(predicted.box[pairs], annotated.box[owners], np.zeros(len(pairs), bool))
        touch = overlap > 0
        yield pairs[touch], owners[touch], overlap[touch]
        image = end


def of_images(evaluation: Evaluation) -> Suspicion:
    """Less the score of the annotated concept; ties by how much another concept's exceeds it."""
    predicted, annotated = evaluation.predictions, evaluation.annotations
    score = confidence(np.asarray(predicted.score))
    images = len(evaluation.images)
    given, other = np.zeros(images), np.zeros(images)
    answer = np.full(images, -1)
    answer[annotated.image] = annotated.concept
    agrees = predicted.concept == answer[predicted.image]
    given[predicted.image[agrees]] = score[agrees]
    np.maximum.at(other, predicted.image[~agrees], score[~agrees])
    value, tie = np.where(answer >= 0, -given, -np.inf), other - given
    chosen = np.where(evaluation.state == NOT_HIGHEST, -np.inf, value[predicted.image])
    return Suspicion(chosen, value[annotated.image], tie[predicted.image], tie[annotated.image])


def of_tags(evaluation: Evaluation) -> Suspicion:
    """How far the confidence in what is stated lies under the mean of that concept and statement."""
    predicted, annotated, concepts = evaluation.predictions, evaluation.annotations, len(evaluation.concepts)
    score = confidence(np.asarray(predicted.score))
    positive, counts = evaluation.state == MATCHED, (evaluation.state == MATCHED) | (evaluation.state == WRONG)
    own = np.where(positive, score, 1 - score)
    group = predicted.concept * 2 + positive
    number = np.bincount(group[counts], minlength=2 * concepts)
    mean = np.bincount(group[counts], own[counts], minlength=2 * concepts) / np.maximum(number, 1)
    of_predictions = np.where(counts, mean[group] - own, -np.inf)
    answered = own_row(evaluation.own, of_predictions)
    unseen = mean[annotated.concept * 2 + 1]
    of_annotations = np.where(evaluation.own >= 0, answered, unseen)
    return Suspicion(of_predictions, of_annotations, np.zeros(len(predicted)), np.zeros(len(annotated)))


def own_row(own: Int32Array, values: Float64Array) -> Float64Array:
    return values[own] if len(values) else np.zeros(len(own))
