"""AP gain of fixing each type of error, after TIDE (Bolya et al., 2020: "TIDE: A General
Toolbox for Identifying Object Detection Errors"), with its definitions and constants: over all
predictions, at one IoU, for any thresholds.

Types: `cls` wrong concept, correct location · `loc` correct concept, IoU from 0.1 to the IoU
threshold · `both` wrong concept and location · `dupe` duplicate of a matched box · `bkg`
background · `miss` a missed annotation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pellucid.core.tables import NOT_RUN, BoolArray, Float64Array, Int8Array, Int64Array
from pellucid.evaluation.coco_metrics import image_id_ranks, rank_in_group
from pellucid.evaluation.error_causes import BADLY_PLACED, image_pairs, pair_ious
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.match_result import IGNORED, MATCHED

TideErrorType = Literal["cls", "loc", "both", "dupe", "bkg", "miss"]
TIDE_ERROR_TYPES: tuple[TideErrorType, ...] = ("cls", "loc", "both", "dupe", "bkg", "miss")
CLS, LOC, BOTH, DUPE, BKG, MISS = range(len(TIDE_ERROR_TYPES))
MAX_DETECTIONS_PER_IMAGE = 100
"""Per image, over all concepts, by descending score."""
RECALL_GRID = np.array([percent / 100 for percent in range(101)])


@dataclass(frozen=True)
class TideReport:
    """ap: mean over concepts at the version's IoU, 0 to 1 · ap_gains: per type, the increase of
    AP if all its errors were fixed · error_counts: per type · false_positive_gain,
    false_negative_gain: gain without any of these."""

    ap: float
    ap_gains: dict[TideErrorType, float]
    error_counts: dict[TideErrorType, int]
    false_positive_gain: float
    false_negative_gain: float


@dataclass(frozen=True, eq=False)
class UnmatchedPredictions:
    """Unmatched predictions. error_types: indices into TIDE_ERROR_TYPES · target_rows: the
    annotation that would be matched if the error were fixed, else -1."""

    prediction_rows: Int64Array
    error_types: Int8Array
    target_rows: Int64Array


def tide_report(evaluation: Evaluation, split: int) -> TideReport | None:
    """None without annotations and counted predictions."""
    prediction_rows = top_predictions(evaluation, split)
    run_starts = evaluation.matchable_starts[split]
    annotation_rows = np.asarray(
        evaluation.matchable_annotations[run_starts[0] : run_starts[-1]], np.int64
    )
    if not len(annotation_rows) and not len(prediction_rows):
        return None
    predictions, concept_count = evaluation.predictions, len(evaluation.concepts)
    is_tp = evaluation.state[prediction_rows] == MATCHED
    is_found = np.zeros(len(evaluation.annotations), bool)
    is_found[evaluation.partner[prediction_rows[is_tp]]] = True
    unmatched = classify_errors(evaluation, prediction_rows[~is_tp], is_found)
    is_missed = ~is_found
    is_missed[unmatched.target_rows[unmatched.target_rows >= 0]] = False
    missed_rows = annotation_rows[is_missed[annotation_rows]]
    annotation_counts = np.bincount(
        evaluation.annotations.concept[annotation_rows], minlength=concept_count
    )
    position_by_row = np.full(len(predictions), -1, np.int64)
    position_by_row[prediction_rows] = np.arange(len(prediction_rows))
    is_counted = evaluation.state[prediction_rows] != IGNORED
    scores, prediction_concepts = (
        predictions.score[prediction_rows],
        np.asarray(predictions.concept[prediction_rows], np.int64),
    )
    base_ap = mean_average_precision(
        prediction_concepts[is_counted],
        scores[is_counted],
        is_tp[is_counted],
        np.arange(len(prediction_rows))[is_counted],
        annotation_counts,
    )
    errors_first = is_tp.astype(np.int64) * len(prediction_rows) + np.arange(
        len(prediction_rows)
    )  # for equal scores, TIDE ranks the errors first here

    ap_gains: dict[TideErrorType, float] = {}
    for error_type, type_name in enumerate(TIDE_ERROR_TYPES):
        if error_type == MISS:
            reachable_counts = annotation_counts - np.bincount(
                evaluation.annotations.concept[missed_rows], minlength=concept_count
            )
            ap_gains[type_name] = (
                mean_average_precision(
                    prediction_concepts[is_counted],
                    scores[is_counted],
                    is_tp[is_counted],
                    errors_first[is_counted],
                    reachable_counts,
                )
                - base_ap
            )
            continue
        has_type = unmatched.error_types == error_type
        fixed_indices = select_fixed(evaluation, unmatched, has_type)
        is_kept, is_fixed_tp, fixed_concepts = (
            is_counted.copy(),
            is_tp.copy(),
            prediction_concepts.copy(),
        )
        is_kept[position_by_row[unmatched.prediction_rows[has_type]]] = False
        fixed_positions = position_by_row[unmatched.prediction_rows[fixed_indices]]
        is_kept[fixed_positions] = is_fixed_tp[fixed_positions] = True
        fixed_concepts[fixed_positions] = evaluation.annotations.concept[
            unmatched.target_rows[fixed_indices]
        ]
        ap_gains[type_name] = (
            mean_average_precision(
                fixed_concepts[is_kept],
                scores[is_kept],
                is_fixed_tp[is_kept],
                errors_first[is_kept],
                annotation_counts,
            )
            - base_ap
        )
    error_counts = {
        error_name: int((unmatched.error_types == type_index).sum())
        for type_index, error_name in enumerate(TIDE_ERROR_TYPES)
        if type_index != MISS
    }
    found_counts = annotation_counts - np.bincount(
        evaluation.annotations.concept[annotation_rows[~is_found[annotation_rows]]],
        minlength=concept_count,
    )
    false_positive_gain = (
        mean_average_precision(
            prediction_concepts[is_counted],
            is_tp[is_counted].astype(float),
            is_tp[is_counted],
            errors_first[is_counted],
            annotation_counts,
        )
        - base_ap
    )
    false_negative_gain = (
        mean_average_precision(
            prediction_concepts[is_counted],
            scores[is_counted],
            is_tp[is_counted],
            errors_first[is_counted],
            found_counts,
        )
        - base_ap
    )
    return TideReport(
        base_ap,
        {error_name: max(ap_gain, 0.0) for error_name, ap_gain in ap_gains.items()},
        {**error_counts, "miss": len(missed_rows)},
        false_positive_gain,
        false_negative_gain,
    )


def top_predictions(evaluation: Evaluation, split: int) -> Int64Array:
    """Rows of each image's highest-scoring predictions, by image, then by descending score."""
    predictions = evaluation.predictions
    begin, end = evaluation.all_predictions.split_span(split)
    prediction_rows = np.arange(begin, end)
    prediction_rows = prediction_rows[evaluation.coverage[predictions.image[begin:end]] != NOT_RUN]
    image_rank = image_id_ranks(evaluation.images)[predictions.image[prediction_rows]]
    prediction_rows = prediction_rows[
        np.lexsort(
            (predictions.order[prediction_rows], -predictions.score[prediction_rows], image_rank)
        )
    ]
    return np.asarray(
        prediction_rows[
            rank_in_group(np.asarray(predictions.image[prediction_rows], np.int64))
            < MAX_DETECTIONS_PER_IMAGE
        ]
    )


def classify_errors(
    evaluation: Evaluation, prediction_rows: Int64Array, is_found: BoolArray
) -> UnmatchedPredictions:
    """The error type of every unmatched prediction. is_found: per annotation, whether a
    prediction matches it."""
    error_types, target_rows = (
        np.full(len(prediction_rows), BKG, np.int8),
        np.full(len(prediction_rows), -1, np.int64),
    )
    annotations, row_index, iou_threshold = (
        evaluation.annotations,
        evaluation.row_index,
        evaluation.iou_threshold,
    )
    for item_positions, pair_items, pair_annotations in image_pairs(
        evaluation.predictions.image[prediction_rows],
        row_index.annotation_image_start,
        row_index.annotation_of_image,
    ):
        is_matchable = (
            annotations.positive[pair_annotations] & ~annotations.ignore[pair_annotations]
        )
        pair_items, pair_annotations = pair_items[is_matchable], pair_annotations[is_matchable]
        ious = pair_ious(evaluation, prediction_rows[item_positions[pair_items]], pair_annotations)
        is_same_concept = (
            annotations.concept[pair_annotations]
            == evaluation.predictions.concept[prediction_rows[item_positions[pair_items]]]
        )
        same_iou, same_row = group_maxima(
            ious * is_same_concept, pair_items, pair_annotations, len(item_positions)
        )
        other_iou, other_row = group_maxima(
            ious * ~is_same_concept, pair_items, pair_annotations, len(item_positions)
        )
        found_iou, _ = group_maxima(
            ious * is_same_concept * is_found[pair_annotations],
            pair_items,
            pair_annotations,
            len(item_positions),
        )
        best_iou, _ = group_maxima(ious, pair_items, pair_annotations, len(item_positions))
        is_misplaced = (same_iou >= BADLY_PLACED) & (same_iou <= iou_threshold)
        is_misclassified = ~is_misplaced & (other_iou >= iou_threshold)
        is_duplicate = ~is_misplaced & ~is_misclassified & (found_iou >= iou_threshold)
        error_types[item_positions] = np.select(
            [is_misplaced, is_misclassified, is_duplicate, best_iou <= BADLY_PLACED],
            [LOC, CLS, DUPE, BKG],
            BOTH,
        )
        target_rows[item_positions] = np.select(
            [is_misplaced, is_misclassified], [same_row, other_row], -1
        )
    targeted = np.flatnonzero(target_rows >= 0)
    target_rows[targeted[is_found[target_rows[targeted]]]] = -1
    return UnmatchedPredictions(prediction_rows, error_types, target_rows)


def group_maxima(
    pair_values: Float64Array, group_index: Int64Array, pair_rows: Int64Array, group_count: int
) -> tuple[Float64Array, Int64Array]:
    """Per group, the maximum and its row (the first of equals); 0 and -1 for an empty group.
    group_index: ascending."""
    maxima, maximum_rows = np.zeros(group_count), np.full(group_count, -1, np.int64)
    if len(pair_values):
        sort_order = np.lexsort((np.arange(len(pair_values)), -pair_values, group_index))
        is_first = np.append(True, group_index[sort_order][1:] != group_index[sort_order][:-1])
        maxima[group_index[sort_order][is_first]] = pair_values[sort_order][is_first]
        maximum_rows[group_index[sort_order][is_first]] = pair_rows[sort_order][is_first]
    return maxima, maximum_rows


def select_fixed(
    evaluation: Evaluation, unmatched: UnmatchedPredictions, has_type: BoolArray
) -> Int64Array:
    """Indices of the selected errors whose fix finds an annotation; per annotation, the highest
    score wins, then the first."""
    targeted = np.flatnonzero(unmatched.target_rows >= 0)
    score_order = targeted[
        np.lexsort(
            (
                targeted,
                -evaluation.predictions.score[unmatched.prediction_rows[targeted]],
                unmatched.target_rows[targeted],
            )
        )
    ]
    is_first = (
        np.append(
            True, unmatched.target_rows[score_order][1:] != unmatched.target_rows[score_order][:-1]
        )
        if len(score_order)
        else np.zeros(0, bool)
    )
    winners = score_order[is_first]
    return np.asarray(winners[has_type[winners]])


def mean_average_precision(
    concepts: Int64Array,
    scores: Float64Array,
    is_tp: BoolArray,
    tie_order: Int64Array,
    annotation_counts: Int64Array,
) -> float:
    """Mean AP (101 recalls) over the concepts with predictions or annotations. tie_order:
    breaks equal scores."""
    prediction_counts = np.bincount(concepts, minlength=len(annotation_counts))
    present_concepts = np.flatnonzero((prediction_counts > 0) | (annotation_counts > 0))
    ranking = np.lexsort((tie_order, -scores, concepts))
    is_tp = is_tp[ranking]
    concept_ends = np.cumsum(prediction_counts)
    concept_aps = [
        concept_average_precision(
            is_tp[
                concept_ends[concept_index] - prediction_counts[concept_index] : concept_ends[
                    concept_index
                ]
            ],
            int(annotation_counts[concept_index]),
        )
        for concept_index in present_concepts.tolist()
    ]
    return float(np.sum(concept_aps) / len(concept_aps)) if concept_aps else 0.0


def concept_average_precision(is_tp: BoolArray, annotation_count: int) -> float:
    if not annotation_count or not len(is_tp):
        return 0.0
    tp_counts = np.cumsum(is_tp)
    precision = np.maximum.accumulate((tp_counts / np.arange(1, len(is_tp) + 1))[::-1])[::-1]
    recall_positions = np.searchsorted(tp_counts / annotation_count, RECALL_GRID)
    return float(
        precision[recall_positions[recall_positions < len(precision)]].sum() / len(RECALL_GRID)
    )
