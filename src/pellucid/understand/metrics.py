"""Figures of a version on one split, at its thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.columns import NOT_RUN, SPLITS, Floats, Split
from pellucid.understand.counts import Counts, count, f1, precision, ratio, recall
from pellucid.understand.evaluation import Evaluation


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


@dataclass(frozen=True)
class Overall:
    """errors: all kinds · macro_f1, micro_f1: over concepts where F1 is defined, over all decisions ·
    accuracy, argmax_accuracy: annotated images that are right, at the thresholds and without (classification)."""

    errors: int
    micro_f1: float | None
    macro_f1: float | None
    accuracy: float | None = None
    argmax_accuracy: float | None = None


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
    concepts = [
        ConceptFigures(name, float(threshold), tp, fp, fn, precision(tp, fp), recall(tp, fn), f1(tp, fp, fn))
        for name, threshold, tp, fp, fn in zip(
            evaluation.concepts, thresholds, counts.tp.tolist(), counts.fp.tolist(), counts.fn.tolist(), strict=True
        )
    ]
    return Metrics(split, int(inside.sum()), covered, overall(evaluation, place, counts, concepts), concepts)


def overall(evaluation: Evaluation, split: int, counts: Counts, concepts: list[ConceptFigures]) -> Overall:
    tp, fp, fn = int(counts.tp.sum()), int(counts.fp.sum()), int(counts.fn.sum())
    defined = [figures.f1 for figures in concepts if figures.f1 is not None]
    macro = float(np.mean(defined)) if defined else None
    if evaluation.kind != "classification":
        return Overall(fp + fn, f1(tp, fp, fn), macro)
    annotated = int(evaluation.annotation_counts(split).sum())
    right = int(evaluation.matched.start[split, -1] - evaluation.matched.start[split, 0])
    return Overall(fp + fn, f1(tp, fp, fn), macro, ratio(tp, annotated), ratio(right, annotated))
