"""Figures of a version on one split, at its thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.columns import NOT_RUN, SPLITS, UNANNOTATED, Flags, Floats, Split
from pellucid.understand.average_precision import CocoFigures, coco_figures, ranks
from pellucid.understand.counts import Counts, count, f1, precision, ratio, recall
from pellucid.understand.evaluation import Evaluation
from pellucid.understand.outcomes import IGNORED, MATCHED


@dataclass(frozen=True)
class ConceptFigures:
    """One concept at its threshold. A figure that is undefined is None."""

    concept: str
    threshold: float
    tp: int
    fp: int
    fn: int
    precision: float | None
    recall: float | None
    f1: float | None
    ap: float | None


@dataclass(frozen=True)
class Overall:
    """errors: all kinds · macro_f1, micro_f1: over concepts where F1 is defined, over all decisions ·
    accuracy, argmax_accuracy, top5_accuracy: annotated images that are right, at the thresholds, without them, and
    among the five highest scores (classification) · map: mean AP (tagging) · coco: the twelve COCO figures (detection)."""

    errors: int
    micro_f1: float | None
    macro_f1: float | None
    accuracy: float | None = None
    argmax_accuracy: float | None = None
    top5_accuracy: float | None = None
    map: float | None = None
    coco: dict[str, float | None] | None = None


@dataclass(frozen=True)
class Metrics:
    """images: frozen in the split · covered: those the model was run on."""

    split: Split
    images: int
    covered: int
    overall: Overall
    concepts: list[ConceptFigures]


def metrics(evaluation: Evaluation, split: Split, thresholds: Floats) -> Metrics:
    """Figures per concept and overall; thresholds: one a concept."""
    place = SPLITS.index(split)
    counts = count(evaluation, place, thresholds)
    inside = evaluation.images.split == place
    covered = int((inside & (evaluation.coverage != NOT_RUN)).sum())
    coco = coco_figures(evaluation, place) if evaluation.kind == "detection" else None
    ap = coco.ap if coco else ranking_precisions(evaluation, place)
    concepts = [
        ConceptFigures(name, float(threshold), tp, fp, fn, precision(tp, fp), recall(tp, fn), f1(tp, fp, fn), defined(value))
        for name, threshold, tp, fp, fn, value in zip(
            evaluation.concepts, thresholds, counts.tp.tolist(), counts.fp.tolist(), counts.fn.tolist(), ap, strict=True
        )
    ]
    return Metrics(split, int(inside.sum()), covered, overall(evaluation, place, counts, concepts, coco), concepts)


def defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def ranking_precisions(evaluation: Evaluation, split: int) -> Floats:
    """AP of each concept over images, by its score, as scikit-learn's `average_precision_score`; NaN without a positive.

    The sum, over distinct scores falling, of the gain in recall times the precision there.
    """
    result = np.full(len(evaluation.concepts), np.nan)
    for concept, positives in enumerate(evaluation.annotation_counts(split).tolist()):
        begin, end = evaluation.all_predictions.span(split, concept)
        if positives:
            right, known = agreement(evaluation, begin, end)
            score = evaluation.predictions.score[begin:end][known]
            last = np.append(np.flatnonzero(score[1:] != score[:-1]), len(score) - 1) if len(score) else np.zeros(0, int)
            true = np.cumsum(right[known])[last]
            result[concept] = (np.diff(true, prepend=0) / positives * (true / (last + 1))).sum()
    return result


def agreement(evaluation: Evaluation, begin: int, end: int) -> tuple[Flags, Flags]:
    """Whether each scored image is annotated with the concept, and whether that is known."""
    rows = np.arange(begin, end)
    if evaluation.kind == "tagging":
        state = evaluation.state[rows]
        return state == MATCHED, state != IGNORED
    own = np.zeros(len(evaluation.predictions), bool)
    own[evaluation.own[evaluation.own >= 0]] = True
    return own[rows], evaluation.images.stated[evaluation.predictions.image[rows]] != UNANNOTATED


def top_five(evaluation: Evaluation, split: int) -> int:
    """Annotated images whose concept is among their five highest scores (ties: listed first)."""
    table = evaluation.predictions
    order = np.lexsort((table.concept, -table.score, table.image))
    place = np.empty(len(order), np.int64)
    place[order] = ranks(table.image[order].astype(np.int64))
    rows = evaluation.counted_annotations
    rows = rows[evaluation.images.split[evaluation.annotations.image[rows]] == split]
    own = evaluation.own[rows]
    return int((place[own[own >= 0]] < 5).sum())


def overall(evaluation: Evaluation, split: int, counts: Counts, concepts: list[ConceptFigures], coco: CocoFigures | None) -> Overall:
    tp, fp, fn = int(counts.tp.sum()), int(counts.fp.sum()), int(counts.fn.sum())
    macro = mean_of([figures.f1 for figures in concepts])
    if evaluation.kind == "detection":
        return Overall(fp + fn, f1(tp, fp, fn), macro, coco=coco.figures if coco else None)
    if evaluation.kind == "tagging":
        return Overall(fp + fn, f1(tp, fp, fn), macro, map=mean_of([figures.ap for figures in concepts]))
    annotated = int(evaluation.annotation_counts(split).sum())
    right = int(evaluation.matched.lengths(split).sum())
    return Overall(
        fp + fn, f1(tp, fp, fn), macro, ratio(tp, annotated), ratio(right, annotated), ratio(top_five(evaluation, split), annotated)
    )


def mean_of(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
