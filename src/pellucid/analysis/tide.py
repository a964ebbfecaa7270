"""AP gain of fixing each type of error, after TIDE (Bolya et al., 2020: "TIDE: A General
Toolbox for Identifying Object Detection Errors"), with its definitions and constants: over all
predictions, at one IoU, for any thresholds.

Types: `cls` wrong concept, correct location · `loc` correct concept, IoU from 0.1 to the IoU
threshold · `both` wrong concept and location · `dupe` duplicate of a matched box · `bkg`
background · `miss` a missed annotation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pellucid.core.tables import NOT_RUN, BoolArray, Float64Array, Int8Array, Int64Array
from pellucid.evaluation.coco_metrics import image_id_ranks, rank_in_group
from pellucid.evaluation.error_causes import MIN_LOCALIZATION_IOU, image_pairs, pair_ious
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
    """Errors by type and the AP that fixing each type would gain.

    Attributes:
        ap: mean over concepts at the version's IoU, 0 to 1
        ap_gains: per type, the increase of AP if all its errors were fixed
        error_counts: per type
        false_positive_gain, false_negative_gain: gain without any of these
    """

    ap: float
    ap_gains: dict[TideErrorType, float]
    error_counts: dict[TideErrorType, int]
    false_positive_gain: float
    false_negative_gain: float


@dataclass(frozen=True, eq=False)
class UnmatchedPredictions:
    """Unmatched predictions.

    Attributes:
        error_types: indices into TIDE_ERROR_TYPES
        target_rows: the annotation that would be matched if the error were fixed, else -1
    """

    prediction_rows: Int64Array
    error_types: Int8Array
    target_rows: Int64Array


@dataclass(frozen=True, eq=False)
class RankedPredictions:
    """Predictions as the AP counts them.

    Attributes:
        is_kept: whether they take part
        tie_order: breaks equal scores
    """

    concepts: Int64Array
    scores: Float64Array
    is_tp: BoolArray
    is_kept: BoolArray
    tie_order: Int64Array

    def mean_ap(self, annotation_counts: Int64Array) -> float:
        """annotation_counts: per concept, the annotations to be found."""
        kept = self.is_kept
        return mean_average_precision(
            self.concepts[kept],
            self.scores[kept],
            self.is_tp[kept],
            self.tie_order[kept],
            annotation_counts,
        )


def tide_report(evaluation: Evaluation, split: int) -> TideReport | None:
    """None without annotations and counted predictions."""
    prediction_rows = top_predictions(evaluation, split)
    run_starts = evaluation.matchable_starts[split]
    annotation_rows = np.asarray(
        evaluation.matchable_annotations[run_starts[0] : run_starts[-1]], np.int64
    )
    if not len(annotation_rows) and not len(prediction_rows):
        return None
    ranked = rank_predictions(evaluation, prediction_rows)
    is_found = np.zeros(len(evaluation.annotations), bool)
    is_found[evaluation.partner[prediction_rows[ranked.is_tp]]] = True
    unmatched = classify_errors(evaluation, prediction_rows[~ranked.is_tp], is_found)
    is_missed = ~is_found
    is_missed[unmatched.target_rows[unmatched.target_rows >= 0]] = False
    missed_rows = annotation_rows[is_missed[annotation_rows]]

    def count_by_concept(rows: Int64Array) -> Int64Array:
        concepts = evaluation.annotations.concept[rows]
        return np.bincount(concepts, minlength=len(evaluation.concepts))

    annotation_counts = count_by_concept(annotation_rows)
    base_ap = ranked.mean_ap(annotation_counts)
    # For equal scores, TIDE ranks the errors first in all APs but the base.
    errors_first = ranked.is_tp.astype(np.int64) * len(prediction_rows) + ranked.tie_order
    ranked = replace(ranked, tie_order=errors_first)
    fixed_aps = {
        error_type: fix_errors(evaluation, ranked, prediction_rows, unmatched, index).mean_ap(
            annotation_counts
        )
        for index, error_type in enumerate(TIDE_ERROR_TYPES)
        if index != MISS
    }
    fixed_aps["miss"] = ranked.mean_ap(annotation_counts - count_by_concept(missed_rows))
    type_counts = np.bincount(unmatched.error_types, minlength=MISS).tolist()
    without_fp = replace(ranked, scores=ranked.is_tp.astype(float))
    found_rows = annotation_rows[is_found[annotation_rows]]
    return TideReport(
        base_ap,
        {error_type: max(ap - base_ap, 0.0) for error_type, ap in fixed_aps.items()},
        {
            **dict(zip(TIDE_ERROR_TYPES[:MISS], type_counts, strict=True)),
            "miss": len(missed_rows),
        },
        without_fp.mean_ap(annotation_counts) - base_ap,
        ranked.mean_ap(count_by_concept(found_rows)) - base_ap,
    )


def rank_predictions(evaluation: Evaluation, prediction_rows: Int64Array) -> RankedPredictions:
    """These rows as matched, in their order; ignored predictions are left out."""
    state = evaluation.state[prediction_rows]
    return RankedPredictions(
        np.asarray(evaluation.predictions.concept[prediction_rows], np.int64),
        evaluation.predictions.score[prediction_rows],
        state == MATCHED,
        state != IGNORED,
        np.arange(len(prediction_rows)),
    )


def fix_errors(
    evaluation: Evaluation,
    ranked: RankedPredictions,
    prediction_rows: Int64Array,
    unmatched: UnmatchedPredictions,
    error_type: int,
) -> RankedPredictions:
    """The predictions with all errors of one type fixed: moved to their annotation, or removed
    if they have none."""
    position_by_row = np.full(len(evaluation.predictions), -1, np.int64)
    position_by_row[prediction_rows] = np.arange(len(prediction_rows))
    has_type = unmatched.error_types == error_type
    fixed_indices = select_fixed(evaluation, unmatched, has_type)
    is_kept, is_tp, concepts = ranked.is_kept.copy(), ranked.is_tp.copy(), ranked.concepts.copy()
    is_kept[position_by_row[unmatched.prediction_rows[has_type]]] = False
    fixed_positions = position_by_row[unmatched.prediction_rows[fixed_indices]]
    is_kept[fixed_positions] = is_tp[fixed_positions] = True
    fixed_targets = unmatched.target_rows[fixed_indices]
    concepts[fixed_positions] = evaluation.annotations.concept[fixed_targets]
    return replace(ranked, concepts=concepts, is_tp=is_tp, is_kept=is_kept)


def top_predictions(evaluation: Evaluation, split: int) -> Int64Array:
    """Rows of each image's highest-scoring predictions of annotated concepts, by image, then by
    descending score."""
    predictions = evaluation.predictions
    begin, end = evaluation.all_predictions.split_span(split)
    prediction_rows = np.arange(begin, end)
    prediction_rows = prediction_rows[evaluation.coverage[predictions.image[begin:end]] != NOT_RUN]
    if evaluation.unannotated_concepts:
        concepts = predictions.concept[prediction_rows]
        prediction_rows = prediction_rows[~np.isin(concepts, evaluation.unannotated_concepts)]
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
    """The error type of every unmatched prediction.

    Args:
        is_found: per annotation, whether a prediction matches it
    """
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
        is_misplaced = (same_iou >= MIN_LOCALIZATION_IOU) & (same_iou <= iou_threshold)
        is_misclassified = ~is_misplaced & (other_iou >= iou_threshold)
        is_duplicate = ~is_misplaced & ~is_misclassified & (found_iou >= iou_threshold)
        error_types[item_positions] = np.select(
            [is_misplaced, is_misclassified, is_duplicate, best_iou <= MIN_LOCALIZATION_IOU],
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

    Args:
        group_index: ascending
    """
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
    """Mean AP (101 recalls) over the concepts with predictions or annotations.

    Args:
        tie_order: breaks equal scores
    """
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
    """The average precision of a concept at 101 recalls, as COCO interpolates it.

    Args:
        is_tp: of each prediction, highest score first
    """
    if not annotation_count or not len(is_tp):
        return 0.0
    tp_counts = np.cumsum(is_tp)
    precision = np.maximum.accumulate((tp_counts / np.arange(1, len(is_tp) + 1))[::-1])[::-1]
    recall_positions = np.searchsorted(tp_counts / annotation_count, RECALL_GRID)
    return float(
        precision[recall_positions[recall_positions < len(precision)]].sum() / len(RECALL_GRID)
    )
