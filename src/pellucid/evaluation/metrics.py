"""Metrics of a version on one split at given thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.core.display import Displayed
from pellucid.core.tables import NOT_RUN, SPLITS, UNANNOTATED, BoolArray, Float64Array, Split
from pellucid.evaluation.coco_metrics import CocoMetrics, compute_coco_metrics, rank_in_group
from pellucid.evaluation.counts import OutcomeCounts, count_outcomes, f1, precision, ratio, recall
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.match_result import IGNORED, MATCHED


@dataclass(frozen=True)
class ConceptMetrics:
    """Metrics of one concept at its threshold. Undefined metrics are None."""

    concept: str
    threshold: float
    tp: int
    fp: int
    fn: int
    precision: float | None
    recall: float | None
    f1: float | None
    ap: float | None
    ap50: float | None
    """At IoU 0.5; None but in detection."""


@dataclass(frozen=True)
class OverallMetrics:
    """Metrics over all concepts of a split.

    Attributes:
        errors: FP + FN, None if the model was run on no image
        macro_f1: mean over concepts where F1 is defined
        micro_f1: from the total counts
        accuracy, argmax_accuracy, top5_accuracy: share of annotated images that are correct at the
            thresholds, by highest score, and by the five highest scores (classification)
        map: mean AP (tagging)
        coco: the twelve COCO metrics (detection)
    """

    errors: int | None
    micro_f1: float | None
    macro_f1: float | None
    accuracy: float | None = None
    argmax_accuracy: float | None = None
    top5_accuracy: float | None = None
    map: float | None = None
    coco: dict[str, float | None] | None = None

    @property
    def headline(self) -> tuple[tuple[str, float | None], tuple[str, float | None]]:
        """Names and values of the two figures that head the others: AP and AP50 (detection), mAP
        and macro F1 (tagging), accuracy by highest score and macro F1 (classification)."""
        if self.coco is not None:
            return ("AP", self.coco["AP"]), ("AP50", self.coco["AP50"])
        is_tagging = self.argmax_accuracy is None
        first = ("mAP", self.map) if is_tagging else ("accuracy (argmax)", self.argmax_accuracy)
        return first, ("macro F1", self.macro_f1)


@dataclass(frozen=True)
class Metrics(Displayed):
    """Metrics of a split, overall and by concept.

    Attributes:
        images: number of images in the split
        covered: number of those the model was run on and that are selected
    """

    split: Split
    images: int
    covered: int
    overall: OverallMetrics
    concepts: list[ConceptMetrics]


def compute_metrics(evaluation: Evaluation, split: Split, thresholds: Float64Array) -> Metrics:
    """Metrics per annotated concept and overall; thresholds: one per concept."""
    split_index = SPLITS.index(split)
    counts = count_outcomes(evaluation, split_index, thresholds)
    is_in_split = evaluation.images.split == split_index
    covered_count = int((is_in_split & (evaluation.coverage != NOT_RUN)).sum())
    coco = compute_coco_metrics(evaluation, split_index) if evaluation.kind == "detection" else None
    ap = coco.ap if coco else ranking_precisions(evaluation, split_index)
    ap50 = coco.ap50 if coco else np.full(len(evaluation.concepts), np.nan)
    concepts = [
        ConceptMetrics(
            concept_name,
            float(threshold),
            tp,
            fp,
            fn,
            precision(tp, fp),
            recall(tp, fn),
            f1(tp, fp, fn),
            optional_float(concept_ap),
            optional_float(ap50[concept]),
        )
        for concept, (concept_name, threshold, tp, fp, fn, concept_ap) in enumerate(
            zip(
                evaluation.concepts,
                thresholds,
                counts.tp.tolist(),
                counts.fp.tolist(),
                counts.fn.tolist(),
                ap,
                strict=True,
            )
        )
        if concept not in evaluation.unannotated_concepts
    ]
    return Metrics(
        split,
        int(is_in_split.sum()),
        covered_count,
        overall_metrics(evaluation, split_index, counts, concepts, coco, covered_count > 0),
        concepts,
    )


def optional_float(metric: float) -> float | None:
    """The number; None for NaN."""
    return None if np.isnan(metric) else float(metric)


def ranking_precisions(evaluation: Evaluation, split: int) -> Float64Array:
    """AP of each concept over images, as scikit-learn's `average_precision_score`; NaN without
    positives or scores.

    The sum over distinct scores, descending, of the increase in recall times the precision.
    """
    average_precisions = np.full(len(evaluation.concepts), np.nan)
    if not evaluation.has_scores:
        return average_precisions
    for concept, positives in enumerate(evaluation.annotation_counts(split).tolist()):
        begin, end = evaluation.all_predictions.span(split, concept)
        if positives:
            is_match, is_known = annotation_labels(evaluation, begin, end)
            score = evaluation.predictions.score[begin:end][is_known]
            last_of_score = (
                np.append(np.flatnonzero(score[1:] != score[:-1]), len(score) - 1)
                if len(score)
                else np.zeros(0, int)
            )
            tp = np.cumsum(is_match[is_known])[last_of_score]
            average_precisions[concept] = (
                np.diff(tp, prepend=0) / positives * (tp / (last_of_score + 1))
            ).sum()
    return average_precisions


def annotation_labels(evaluation: Evaluation, begin: int, end: int) -> tuple[BoolArray, BoolArray]:
    """Whether each predicted image is annotated with the concept, and whether its label is
    known."""
    prediction_rows = np.arange(begin, end)
    if evaluation.kind == "tagging":
        state = evaluation.state[prediction_rows]
        return state == MATCHED, state != IGNORED
    is_annotated = np.zeros(len(evaluation.predictions), bool)
    is_annotated[evaluation.same_concept_prediction[evaluation.same_concept_prediction >= 0]] = True
    return is_annotated[prediction_rows], evaluation.images.stated[
        evaluation.predictions.image[prediction_rows]
    ] != UNANNOTATED


def top_five_hits(evaluation: Evaluation, split: int) -> int:
    """Number of annotated images whose concept is among their five highest scores (ties: lowest
    concept index)."""
    predictions = evaluation.predictions
    order = np.lexsort((predictions.concept, -predictions.score, predictions.image))
    score_rank = np.empty(len(order), np.int64)
    score_rank[order] = rank_in_group(predictions.image[order].astype(np.int64))
    annotation_rows = evaluation.matchable_annotations
    annotation_rows = annotation_rows[
        evaluation.images.split[evaluation.annotations.image[annotation_rows]] == split
    ]
    prediction_rows = evaluation.same_concept_prediction[annotation_rows]
    return int((score_rank[prediction_rows[prediction_rows >= 0]] < 5).sum())


def overall_metrics(
    evaluation: Evaluation,
    split: int,
    counts: OutcomeCounts,
    concepts: list[ConceptMetrics],
    coco: CocoMetrics | None,
    is_covered: bool,
) -> OverallMetrics:
    """is_covered: whether the model was run on any image."""
    tp, fp, fn = int(counts.tp.sum()), int(counts.fp.sum()), int(counts.fn.sum())
    errors = fp + fn if is_covered else None
    macro_f1 = mean_defined([concept_metrics.f1 for concept_metrics in concepts])
    if evaluation.kind == "detection":
        return OverallMetrics(errors, f1(tp, fp, fn), macro_f1, coco=coco.stats if coco else None)
    if evaluation.kind == "tagging":
        return OverallMetrics(
            errors,
            f1(tp, fp, fn),
            macro_f1,
            map=mean_defined([concept_metrics.ap for concept_metrics in concepts]),
        )
    annotation_count = int(evaluation.annotation_counts(split).sum())
    argmax_hits = int(evaluation.matched.lengths(split).sum())
    return OverallMetrics(
        errors,
        f1(tp, fp, fn),
        macro_f1,
        ratio(tp, annotation_count),
        ratio(argmax_hits, annotation_count),
        ratio(top_five_hits(evaluation, split), annotation_count)
        if evaluation.has_scores
        else None,
    )


def mean_defined(metric_values: list[float | None]) -> float | None:
    """The mean of the figures that are defined; None if there is none."""
    defined_values = [metric for metric in metric_values if metric is not None]
    return float(np.mean(defined_values)) if defined_values else None
