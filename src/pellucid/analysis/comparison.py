"""Compare two versions on the images that both were evaluated on, each at its own thresholds.

The unit is an annotation: an image (classification), an image and concept (tagging), a box that
is not an ignore region (detection). Only units annotated alike in both versions are compared.
False positives, without annotation, are counted apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, lgamma, log

import numpy as np

from pellucid.analysis.false_positive_pairs import (
    drop_on_left_out,
    false_positive_rows,
    find_unpaired,
    left_out_rows,
)
from pellucid.analysis.shared_index import SharedIndex, build_shared_index, invert_shared_index
from pellucid.core.tables import EXHAUSTIVE, BoolArray, Float64Array, Int32Array, Int64Array
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.match_result import NOT_HIGHEST

BOTH_RIGHT, FIXED, BROKEN, STILL_WRONG = 0, 1, 2, 3


@dataclass(frozen=True, eq=False)
class ComparedUnits:
    """The compared units.

    Attributes:
        image, concept: indices in the first version
        positive: whether the concept is annotated; false where it is annotated as absent (tagging)
        annotation_row_*: in each version (detection), else -1
        outcome: BOTH_RIGHT, FIXED, BROKEN or STILL_WRONG
    """

    image: Int64Array
    concept: Int64Array
    positive: BoolArray
    annotation_row_a: Int64Array
    annotation_row_b: Int64Array
    outcome: Int32Array


@dataclass(frozen=True, eq=False)
class UniqueFalsePositives:
    """False positives at or above the threshold that only one version has.

    Attributes:
        prediction_rows: of that version
    """

    prediction_rows: Int64Array
    concepts: Int64Array


@dataclass(frozen=True, eq=False)
class ErrorList:
    """The false negatives or false positives of one version on what is compared.

    Attributes:
        image, concept: indices in the first version; concept is -1 if that version lacks it
    """

    image: Int64Array
    concept: Int64Array

    def images_of(self, concept: int | None) -> Int64Array:
        """The image of each error, of one concept or of all (None)."""
        return self.image if concept is None else self.image[self.concept == concept]


@dataclass(frozen=True, eq=False)
class Comparison:
    """How two versions differ on the annotations and images that both have.

    Attributes:
        removed: false positives only in the first version
        added: only in the second (concepts as indices in the first version)
        shared_concepts: indices in the first version
        mismatch_count: differing annotations of shared images
        image_count: shared
        fn_a, ...: all errors of each version, for the verdict
    """

    units: ComparedUnits
    fn_a: ErrorList
    fn_b: ErrorList
    fp_a: ErrorList
    fp_b: ErrorList
    removed: UniqueFalsePositives
    added: UniqueFalsePositives
    shared_concepts: Int64Array
    image_count: int
    mismatch_count: int


def compare_evaluations(
    a: Evaluation, b: Evaluation, split: int, thresholds_a: Float64Array, thresholds_b: Float64Array
) -> Comparison:
    """a, b: versions of the same view. thresholds: one per concept of each."""
    shared = build_shared_index(a, b, split)
    comparers = {
        "detection": compare_boxes,
        "tagging": compare_tags,
        "classification": compare_images,
    }
    units, mismatch_count = comparers[a.kind](a, b, shared, thresholds_a, thresholds_b)
    inverse = invert_shared_index(shared, b)
    false_positives_a, false_positives_b = (
        false_positive_rows(version, thresholds)
        for version, thresholds in ((a, thresholds_a), (b, thresholds_b))
    )
    removed_rows = find_unpaired(a, false_positives_a, b, false_positives_b, shared)
    added_rows = find_unpaired(b, false_positives_b, a, false_positives_a, inverse)
    if a.kind == "detection" and mismatch_count:
        left_out_a = left_out_rows(a, shared, units.annotation_row_a)
        left_out_b = left_out_rows(b, inverse, units.annotation_row_b)
        false_positives_a = drop_on_left_out(a, false_positives_a, b, left_out_b, shared)
        false_positives_b = drop_on_left_out(b, false_positives_b, a, left_out_a, inverse)
    shared_concepts = np.flatnonzero(shared.concept_in_b >= 0)
    identity = SharedIndex(
        np.where(shared.image_in_b >= 0, np.arange(len(a.images)), -1),
        np.where(shared.concept_in_b >= 0, np.arange(len(a.concepts)), -1),
    )
    return Comparison(
        units,
        false_negatives(units, (FIXED, STILL_WRONG)),
        false_negatives(units, (BROKEN, STILL_WRONG)),
        false_positives(a, false_positives_a, units, identity, len(a.concepts)),
        false_positives(b, false_positives_b, units, inverse, len(a.concepts)),
        UniqueFalsePositives(
            removed_rows, np.asarray(a.predictions.concept[removed_rows], np.int64)
        ),
        UniqueFalsePositives(added_rows, inverse.concept_in_b[b.predictions.concept[added_rows]]),
        shared_concepts,
        int((shared.image_in_b >= 0).sum()),
        mismatch_count,
    )


def false_negatives(units: ComparedUnits, wrong_outcomes: tuple[int, int]) -> ErrorList:
    """wrong_outcomes: of units that the version has wrong."""
    is_missed = np.isin(units.outcome, wrong_outcomes) & units.positive
    return ErrorList(units.image[is_missed], units.concept[is_missed])


def false_positives(
    version: Evaluation,
    prediction_rows: Int64Array,
    units: ComparedUnits,
    to_first: SharedIndex,
    concept_count: int,
) -> ErrorList:
    """The false positives on what is compared: shared images and concepts (detection), images
    annotated alike (classification), pairs annotated alike (tagging).

    Args:
        to_first: indices in the first version, which has concept_count concepts
    """
    image = to_first.image_in_b[version.predictions.image[prediction_rows]]
    concept = to_first.concept_in_b[version.predictions.concept[prediction_rows]]
    if version.kind == "classification":
        is_compared = np.isin(image, units.image)
    else:
        is_compared = (image >= 0) & (concept >= 0)
        if version.kind == "tagging":
            pairs = units.image * concept_count + units.concept
            is_compared &= np.isin(image * concept_count + concept, pairs)
    return ErrorList(image[is_compared], concept[is_compared])


def unit_outcomes(right_a: BoolArray, right_b: BoolArray) -> Int32Array:
    """What became of each unit from version a to version b: `FIXED`, `BROKEN`, `BOTH_RIGHT` or
    `STILL_WRONG`."""
    return np.where(
        right_a, np.where(right_b, BOTH_RIGHT, BROKEN), np.where(right_b, FIXED, STILL_WRONG)
    ).astype(np.int32)


UnitsAndMismatches = tuple[ComparedUnits, int]


def compare_boxes(
    a: Evaluation,
    b: Evaluation,
    shared: SharedIndex,
    thresholds_a: Float64Array,
    thresholds_b: Float64Array,
) -> UnitsAndMismatches:
    """Boxes annotated in both versions: same image, concept, coordinates; duplicates pair in
    order."""
    keys_a, rows_a = find_shared_boxes(a, shared.image_in_b >= 0, shared.concept_in_b >= 0, None)
    inverse = invert_shared_index(shared, b)
    keys_b, rows_b = find_shared_boxes(
        b, inverse.image_in_b >= 0, inverse.concept_in_b >= 0, inverse
    )
    row_b_by_key = dict(zip(keys_b, rows_b, strict=True))
    row_pairs = [
        (row_a, row_b_by_key[key])
        for key, row_a in zip(keys_a, rows_a, strict=True)
        if key in row_b_by_key
    ]
    annotation_rows_a, annotation_rows_b = (
        np.array([row_pair[side] for row_pair in row_pairs], np.int64) for side in (0, 1)
    )
    right_a = (
        a.matched_score[annotation_rows_a] >= thresholds_a[a.annotations.concept[annotation_rows_a]]
    )
    right_b = (
        b.matched_score[annotation_rows_b] >= thresholds_b[b.annotations.concept[annotation_rows_b]]
    )
    image, concept = (
        np.asarray(annotation_column[annotation_rows_a], np.int64)
        for annotation_column in (a.annotations.image, a.annotations.concept)
    )
    return ComparedUnits(
        image,
        concept,
        np.ones(len(image), bool),
        annotation_rows_a,
        annotation_rows_b,
        unit_outcomes(right_a, right_b),
    ), len(keys_a) + len(keys_b) - 2 * len(row_pairs)


def find_shared_boxes(
    evaluation: Evaluation,
    is_shared_image: BoolArray,
    is_shared_concept: BoolArray,
    inverse: SharedIndex | None,
) -> tuple[list[tuple[object, ...]], list[int]]:
    """Keys that identify annotated boxes in both versions, and their rows; images and concepts
    are indices in the first version."""
    annotations = evaluation.annotations
    is_counted = (
        annotations.positive
        & ~annotations.ignore
        & is_shared_image[annotations.image]
        & is_shared_concept[annotations.concept]
    )
    annotation_rows = np.flatnonzero(is_counted)
    assert annotations.box is not None
    image, concept = (
        np.asarray(annotations.image[annotation_rows], np.int64),
        np.asarray(annotations.concept[annotation_rows], np.int64),
    )
    if inverse is not None:
        image, concept = inverse.image_in_b[image], inverse.concept_in_b[concept]
    key_counts: dict[tuple[object, ...], int] = {}
    keys: list[tuple[object, ...]] = []
    for key in zip(
        image.tolist(), concept.tolist(), *annotations.box[annotation_rows].T.tolist(), strict=True
    ):
        occurrence = key_counts.get(key, 0)
        key_counts[key] = occurrence + 1
        keys.append((*key, occurrence))
    return keys, annotation_rows.tolist()


def compare_images(
    a: Evaluation,
    b: Evaluation,
    shared: SharedIndex,
    thresholds_a: Float64Array,
    thresholds_b: Float64Array,
) -> UnitsAndMismatches:
    """Images annotated with the same concept in both versions."""
    labels_a, labels_b = (image_labels(version) for version in (a, b))
    image_rows_a = np.flatnonzero((shared.image_in_b >= 0) & (labels_a >= 0))
    image_rows_b = shared.image_in_b[image_rows_a]
    is_same = shared.concept_in_b[labels_a[image_rows_a]] == labels_b[image_rows_b]
    annotated_count_b = int((labels_b[shared.image_in_b[shared.image_in_b >= 0]] >= 0).sum())
    mismatch_count = max(len(image_rows_a), annotated_count_b) - int(is_same.sum())
    image_rows_a, image_rows_b = image_rows_a[is_same], image_rows_b[is_same]
    right_a, right_b = (
        image_predictions(version, thresholds)[image_rows] == labels[image_rows]
        for version, thresholds, labels, image_rows in (
            (a, thresholds_a, labels_a, image_rows_a),
            (b, thresholds_b, labels_b, image_rows_b),
        )
    )
    no_rows = np.full(len(image_rows_a), -1, np.int64)
    return ComparedUnits(
        image_rows_a,
        labels_a[image_rows_a],
        np.ones(len(image_rows_a), bool),
        no_rows,
        no_rows,
        unit_outcomes(right_a, right_b),
    ), mismatch_count


def image_labels(evaluation: Evaluation) -> Int64Array:
    """The annotated concept of each image, -1 without one."""
    label_by_image = np.full(len(evaluation.images), -1, np.int64)
    label_by_image[evaluation.annotations.image] = evaluation.annotations.concept
    return label_by_image


def image_predictions(evaluation: Evaluation, thresholds: Float64Array) -> Int64Array:
    """The predicted concept of each image, -2 if none."""
    predictions = evaluation.predictions
    is_counted = (evaluation.state != NOT_HIGHEST) & (
        predictions.score >= thresholds[predictions.concept]
    )
    concept_by_image = np.full(len(evaluation.images), -2, np.int64)
    concept_by_image[predictions.image[is_counted]] = predictions.concept[is_counted]
    return concept_by_image


def compare_tags(
    a: Evaluation,
    b: Evaluation,
    shared: SharedIndex,
    thresholds_a: Float64Array,
    thresholds_b: Float64Array,
) -> UnitsAndMismatches:
    """Image and concept pairs with the same label (present or absent) in both versions."""
    shared_images, shared_concepts = (
        np.flatnonzero(shared.image_in_b >= 0),
        np.flatnonzero(shared.concept_in_b >= 0),
    )
    labels_a = tag_labels(a)[np.ix_(shared_images, shared_concepts)]
    labels_b = tag_labels(b)[
        np.ix_(shared.image_in_b[shared_images], shared.concept_in_b[shared_concepts])
    ]
    is_comparable = (labels_a == labels_b) & (labels_a >= 0)
    image, concept = np.nonzero(is_comparable)
    image_rows, concept_indices = shared_images[image], shared_concepts[concept]
    right_a = tag_predictions(a, thresholds_a)[image_rows, concept_indices] == (
        labels_a[is_comparable] == 1
    )
    right_b = tag_predictions(b, thresholds_b)[
        shared.image_in_b[image_rows], shared.concept_in_b[concept_indices]
    ] == (labels_b[is_comparable] == 1)
    no_rows = np.full(len(image_rows), -1, np.int64)
    return ComparedUnits(
        image_rows,
        concept_indices,
        labels_a[is_comparable] == 1,
        no_rows,
        no_rows,
        unit_outcomes(right_a, right_b),
    ), int((labels_a != labels_b).sum())


def tag_labels(evaluation: Evaluation) -> Int32Array:
    """(images, concepts): 1 present, 0 absent, -1 unknown."""
    annotations = evaluation.annotations
    default_labels = np.where(evaluation.images.stated == EXHAUSTIVE, 0, -1).astype(np.int8)
    labels = np.repeat(default_labels[:, None], len(evaluation.concepts), axis=1)
    labels[annotations.image, annotations.concept] = np.where(
        annotations.ignore, -1, annotations.positive
    )
    return np.asarray(labels, np.int32)


def tag_predictions(evaluation: Evaluation, thresholds: Float64Array) -> BoolArray:
    """Whether a tag is predicted, bool (images, concepts).

    Args:
        thresholds: of each concept
    """
    predictions = evaluation.predictions
    is_above = predictions.score >= thresholds[predictions.concept]
    is_predicted = np.zeros((len(evaluation.images), len(evaluation.concepts)), bool)
    is_predicted[predictions.image[is_above], predictions.concept[is_above]] = True
    return is_predicted


def mcnemar_p_value(fixed: int, broken: int) -> float:
    """Two-sided p-value of the exact McNemar test (McNemar, 1947; a sign test); 1 if nothing
    changed."""
    changed_count, smaller_count = fixed + broken, min(fixed, broken)
    if not changed_count:
        return 1.0
    log_scale = lgamma(changed_count + 1) - changed_count * log(2)
    tail_probability = sum(
        exp(log_scale - lgamma(k + 1) - lgamma(changed_count - k + 1))
        for k in range(smaller_count + 1)
    )
    return min(1.0, 2 * tail_probability)


def unit_annotation_rows(
    comparison: Comparison, first_version: Evaluation, version: Evaluation, is_second: bool
) -> Int64Array:
    """Per unit, the annotation row in `version`, -1 where the unit is an absent concept.

    Args:
        is_second: `version` is the second version, whose images and concepts have other indices
    """
    if version.kind == "detection":
        return comparison.units.annotation_row_b if is_second else comparison.units.annotation_row_a
    image, concept = comparison.units.image, comparison.units.concept
    if is_second:
        row_by_path = {
            path: image_row for image_row, path in enumerate(version.images.path.tolist())
        }
        image = np.array(
            [row_by_path[path] for path in first_version.images.path[image].tolist()], np.int64
        ).reshape(-1)
        index_by_concept = {
            concept_name: concept_index
            for concept_index, concept_name in enumerate(version.concepts)
        }
        concept = np.array(
            [
                index_by_concept[first_version.concepts[concept_index]]
                for concept_index in concept.tolist()
            ],
            np.int64,
        ).reshape(-1)
    annotations, concept_count = version.annotations, len(version.concepts)
    positive_rows = np.flatnonzero(annotations.positive & ~annotations.ignore)
    row_by_key = dict(
        zip(
            (
                np.asarray(annotations.image[positive_rows], np.int64) * concept_count
                + annotations.concept[positive_rows]
            ).tolist(),
            positive_rows.tolist(),
            strict=True,
        )
    )
    return np.array(
        [row_by_key.get(key, -1) for key in (image * concept_count + concept).tolist()], np.int64
    ).reshape(-1)
