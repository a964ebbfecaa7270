"""Whether a candidate may replace the baseline: what a gate in continuous integration fails on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.analysis.gate_criteria import (
    COUNT_CRITERIA,
    Criterion,
    Tolerances,
    validate_tolerances,
)
from pellucid.analysis.shared_index import build_shared_index
from pellucid.analysis.verdict import SIGNIFICANCE_LEVEL, CountChange
from pellucid.core.tables import SPLITS, Split
from pellucid.evaluation.counts import precision, recall
from pellucid.evaluation.metrics import ConceptMetrics, Metrics, mean_defined
from pellucid.results.errors import UndefinedFigureError
from pellucid.results.results import Results
from pellucid.results.version_comparison import ConceptChange, VersionComparison

ROUNDING = 1e-9
"""A drop by exactly the tolerance passes: in floats, 0.8 - 0.75 is more than 0.05."""


@dataclass(frozen=True)
class GateFailure:
    """What got worse.

    Attributes:
        concept: None for all together
        before, after: of the baseline and of the candidate
    """

    criterion: Criterion
    concept: str | None
    before: float
    after: float
    message: str


@dataclass(frozen=True)
class FigureChange:
    """A figure of the baseline and of the candidate; None where it is undefined."""

    name: str
    a: float | None
    b: float | None


def shared_metrics(a: Results, b: Results, split: Split) -> tuple[Metrics, Metrics]:
    """The metrics of both versions on the images that both were evaluated on."""
    shared = build_shared_index(a.evaluation, b.evaluation, SPLITS.index(split))
    is_shared_b = np.zeros(len(b.evaluation.images), bool)
    is_shared_b[shared.image_in_b[shared.image_in_b >= 0]] = True
    is_shared_a = shared.image_in_b >= 0
    return (
        a.on_selected_images(is_shared_a).metrics(split),
        b.on_selected_images(is_shared_b).metrics(split),
    )


def headline_changes(metrics_a: Metrics, metrics_b: Metrics) -> list[FigureChange]:
    """The two figures that head the kind's others, then precision, recall and F1 of the total
    counts.

    Args:
        metrics_a, metrics_b: see shared_metrics
    """
    pairs = zip(metrics_a.overall.headline, metrics_b.overall.headline, strict=True)
    totals: tuple[tuple[str, Criterion], ...] = (
        ("precision", "precision"),
        ("recall", "recall"),
        ("micro F1", "f1"),
    )
    return [
        *(FigureChange(name, before, after) for (name, before), (_, after) in pairs),
        *(
            FigureChange(
                name, overall_figure(metrics_a, criterion), overall_figure(metrics_b, criterion)
            )
            for name, criterion in totals
        ),
    ]


def check_gate(
    comparison: VersionComparison,
    metrics_a: Metrics,
    metrics_b: Metrics,
    tolerances: Tolerances,
) -> list[GateFailure]:
    """What the candidate fails on, overall and per concept, by the criteria of `tolerances`.

    errors, fn, fp: a significant rise (sign-flip test at 5 %; over concepts, at a false discovery
    rate of 5 %) by more than the tolerated number of errors. ap, precision, recall, f1: a drop by
    more than the tolerated fraction. metrics_a, metrics_b: see shared_metrics.

    Raises:
        ToleranceError: a gate on a fraction could never fail.
        UndefinedFigureError: the baseline does not have the figure of a criterion.
    """
    validate_tolerances(tolerances)
    failures: list[GateFailure] = []
    for criterion, tolerance in tolerances.items():
        if criterion in COUNT_CRITERIA:
            failures += count_failures(comparison, criterion, tolerance)
        else:
            if overall_figure(metrics_a, criterion) is None:
                raise UndefinedFigureError(criterion, comparison.a)
            failures += figure_failures(metrics_a, metrics_b, criterion, tolerance)
    return failures


def count_failures(
    comparison: VersionComparison, criterion: Criterion, tolerance: float
) -> Iterator[GateFailure]:
    for changes in ([comparison.overall], comparison.concepts):
        limit = rejection_limit([rise_p_value(change, criterion) for change in changes])
        for change in changes:
            counts, p_value = count_of(change, criterion), rise_p_value(change, criterion)
            if p_value <= limit and counts.increase > tolerance:
                name = {"errors": "errors", "fn": "false negatives", "fp": "false positives"}
                message = (
                    f"{change.concept or 'all concepts'}: {name[criterion]} {counts.a:,} → "
                    f"{counts.b:,} (p = {p_value:.2g})"
                )
                yield GateFailure(criterion, change.concept, counts.a, counts.b, message)


def rejection_limit(p_values: Sequence[float]) -> float:
    """The largest p-value that the Benjamini-Hochberg procedure (1995) rejects; -1 if none."""
    ranked = enumerate(sorted(p_values), 1)
    share = SIGNIFICANCE_LEVEL / max(1, len(p_values))
    return max((p_value for rank, p_value in ranked if p_value < share * rank), default=-1.0)


def count_of(change: ConceptChange, criterion: Criterion) -> CountChange:
    counts: CountChange = getattr(change, criterion)
    return counts


def rise_p_value(change: ConceptChange, criterion: Criterion) -> float:
    p_value: float = getattr(change, f"p_{criterion}")
    return p_value if count_of(change, criterion).increase > 0 else 1.0


def figure_failures(
    metrics_a: Metrics, metrics_b: Metrics, criterion: Criterion, tolerance: float
) -> Iterator[GateFailure]:
    before_by_concept = {concept.concept: concept for concept in metrics_a.concepts}
    pairs: list[tuple[str | None, float | None, float | None]] = [
        (None, overall_figure(metrics_a, criterion), overall_figure(metrics_b, criterion))
    ]
    pairs += [
        (
            after.concept,
            concept_figure(before_by_concept[after.concept], criterion),
            concept_figure(after, criterion),
        )
        for after in metrics_b.concepts
        if after.concept in before_by_concept
    ]
    for concept, before, after_value in pairs:
        if before is None:
            continue
        after_figure = 0.0 if after_value is None else after_value
        if before - after_figure > tolerance + ROUNDING:
            message = (
                f"{concept or 'all concepts'}: {criterion} {before:.4f} → "
                f"{'undefined' if after_value is None else format(after_value, '.4f')}"
            )
            yield GateFailure(criterion, concept, before, after_figure, message)


def concept_figure(metrics: ConceptMetrics, criterion: Criterion) -> float | None:
    figure: float | None = getattr(metrics, criterion)
    return figure


def overall_figure(metrics: Metrics, criterion: Criterion) -> float | None:
    """ap: COCO's AP (detection), else the mean AP · precision, recall, f1: of the total counts."""
    concepts, overall = metrics.concepts, metrics.overall
    if criterion == "ap":
        if overall.coco is not None:
            return overall.coco["AP"]
        return mean_defined([concept.ap for concept in concepts])
    tp, fp, fn = (sum(getattr(c, name) for c in concepts) for name in ("tp", "fp", "fn"))
    if criterion == "precision":
        return precision(tp, fp)
    return recall(tp, fn) if criterion == "recall" else overall.micro_f1
