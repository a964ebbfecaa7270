"""Findings about the model: what it does not find, confuses, or does worse than in training."""

from __future__ import annotations

import numpy as np

from pellucid.analysis.confusion import build_confusion_matrix
from pellucid.analysis.false_discovery import significant
from pellucid.analysis.findings import SIGNIFICANCE_LEVEL, Finding, Gain
from pellucid.browse.query import ListQuery
from pellucid.browse.selection import Tab, TabSelection
from pellucid.core.tables import SPLITS, Float64Array, Int64Array, Split
from pellucid.evaluation.counts import OutcomeCounts, count_outcomes, f1
from pellucid.evaluation.error_causes import CAUSES, false_negative_causes, false_positive_causes
from pellucid.evaluation.evaluation import TRAINING, Evaluation

RARELY_FOUND_RECALL = 0.1
MIN_ANNOTATIONS = 10
"""Fewest annotations of a concept that is called rarely found."""
MIN_CONFUSIONS = 5
MIN_CONFUSION_RATIO = 1.5
"""Of the confusions of a pair to those that the frequency of the predicted concept explains."""
MIN_CAUSE_ERRORS = 20
MIN_DECISIONS = 30
"""Fewest TP + FP + FN of a split to be compared with another."""
MIN_SCORE_GAP = 0.05
"""Smallest difference of F1 that is called overfitting."""
CAUSE_FINDINGS: dict[tuple[Tab, str], tuple[str, str]] = {
    ("missing", "duplicate"): (
        "of the false positives are duplicates of a true positive",
        "Check the non-maximum suppression",
    ),
    ("missing", "badly_placed"): (
        "of the false positives lie beside an annotation of their concept, below the IoU threshold",
        "Check the localisation",
    ),
    ("missing", "other_concept"): (
        "of the false positives lie on an annotation of another concept",
        "See the confusion matrix",
    ),
    ("extra", "badly_placed"): (
        "of the false negatives have a prediction of their concept beside them, below the IoU "
        "threshold",
        "Check the localisation",
    ),
    ("extra", "taken"): (
        "of the false negatives share their best prediction with a neighbour",
        "Check the non-maximum suppression",
    ),
    ("extra", "other_concept"): (
        "of the false negatives are predicted as another concept",
        "See the confusion matrix",
    ),
}
"""The sentence where a cause dominates a tab, and what to do. The plain causes, such as
background, say nothing about the reason and are left out."""


def rarely_found_findings(
    evaluation: Evaluation, split: int, thresholds: Float64Array
) -> list[Finding]:
    """Concepts with a recall of at most 10 %, significantly below that of all concepts (exact
    binomial test)."""
    from scipy.stats import binom

    counts = count_outcomes(evaluation, split, thresholds)
    annotations = counts.tp + counts.fn
    total = int(annotations.sum())
    if not total:
        return []
    overall = float(counts.tp.sum() / total)
    tested = np.flatnonzero(annotations >= MIN_ANNOTATIONS)
    p_values = binom.cdf(counts.tp[tested], annotations[tested], overall).tolist()
    passes = significant(p_values, SIGNIFICANCE_LEVEL)
    return [
        describe_rarely_found(evaluation, split, int(concept), counts, overall, thresholds)
        for concept, is_significant in zip(tested, passes, strict=True)
        if is_significant and counts.tp[concept] <= RARELY_FOUND_RECALL * annotations[concept]
    ]


def describe_rarely_found(
    evaluation: Evaluation,
    split: int,
    concept: int,
    counts: OutcomeCounts,
    overall: float,
    thresholds: Float64Array,
) -> Finding:
    """The finding about a concept that the model never or almost never finds.

    Args:
        counts: of each concept
        overall: the recall of all concepts
        thresholds: of each concept
    """
    tp, fn = int(counts.tp[concept]), int(counts.fn[concept])
    name, how_often = evaluation.concepts[concept], "almost never" if tp else "never"
    evidence = f"the recall of all concepts is {100 * overall:.0f} %"
    if below := int(evaluation.matched.lengths(split)[concept]) - tp:
        evidence += (
            f"; {below:,} {'is' if below == 1 else 'are'} predicted below the threshold of "
            f"{thresholds[concept]:.3g}, where false positives would be more"
        )
    return Finding(
        "rarely_found",
        "training",
        f"'{name}' is {how_often} found: {tp:,} of {tp + fn:,} annotations",
        evidence,
        Gain(fn, at_most=True),
        fn,
        name,
        ListQuery("extra", SPLITS[split], name),
        "Look at the false negatives",
    )


def confusion_findings(
    evaluation: Evaluation, split: int, thresholds: Float64Array
) -> list[Finding]:
    """Pairs of concepts that are confused more often than their frequencies explain (binomial
    test)."""
    from scipy.stats import binom

    size = len(evaluation.concepts)
    if not has_confusions(evaluation):
        return []
    matrix = build_confusion_matrix(evaluation, split, thresholds)
    annotated, predicted, numbers = matrix.cells(evaluation)
    is_pair = (annotated != predicted) & (annotated < size) & (predicted < size)
    annotated, predicted, numbers = annotated[is_pair], predicted[is_pair], numbers[is_pair]
    if not len(numbers):
        return []
    by_annotated = np.bincount(annotated, numbers, size)
    by_predicted = count_predicted(evaluation, split, thresholds)
    share = by_predicted[predicted] / np.maximum(by_predicted.sum() - by_predicted[annotated], 1)
    share = np.minimum(share, 1.0)
    p_values = binom.sf(numbers - 1, by_annotated[annotated], share)
    expected = share * by_annotated[annotated]
    is_tested = (numbers >= MIN_CONFUSIONS) & (numbers >= MIN_CONFUSION_RATIO * expected)
    passes = np.zeros(len(numbers), bool)
    passes[is_tested] = significant(p_values[is_tested].tolist(), SIGNIFICANCE_LEVEL)
    return [
        describe_confusion(evaluation, split, *cell)
        for cell in zip(
            annotated[passes].tolist(),
            predicted[passes].tolist(),
            numbers[passes].astype(int).tolist(),
            by_annotated[annotated[passes]].astype(int).tolist(),
            expected[passes].tolist(),
            strict=True,
        )
    ]


def has_confusions(evaluation: Evaluation) -> bool:
    """Whether pairs of concepts can be told from their frequencies: of two, one is always confused
    with the other."""
    return evaluation.kind != "tagging" and len(evaluation.concepts) > 2


def count_predicted(evaluation: Evaluation, split: int, thresholds: Float64Array) -> Int64Array:
    """Predictions at or above the thresholds by concept, int64 (concepts,)."""
    counts = count_outcomes(evaluation, split, thresholds)
    return np.asarray(counts.tp + counts.fp)


def describe_confusion(
    evaluation: Evaluation,
    split: int,
    annotated: int,
    predicted: int,
    number: int,
    total: int,
    expected: float,
) -> Finding:
    """total: confusions of the annotated concept with another · expected: of them, by how often
    the other concept is predicted."""
    first, second = evaluation.concepts[annotated], evaluation.concepts[predicted]
    return Finding(
        "confused",
        "training",
        f"'{first}' is predicted as '{second}' {number:,} times",
        f"{number:,} of {total:,} confusions of '{first}' with another concept; {expected:.1f} "
        f"would be expected from how often '{second}' is predicted",
        Gain(2 * number, at_most=True),
        number,
        first,
        ListQuery("extra", SPLITS[split], first, filters=(f"predicted:{second}",)),
        "Look at the confused items",
    )


def cause_findings(evaluation: Evaluation, split: int, thresholds: Float64Array) -> list[Finding]:
    """Causes behind significantly more than half of the false positives or negatives of a
    detection version."""
    from scipy.stats import binom

    if evaluation.kind != "detection":
        return []
    findings = []
    tabs: tuple[Tab, ...] = ("missing", "extra")
    for tab in tabs:
        rows = TabSelection(evaluation, tab, split, None, thresholds).all_rows()
        find_causes = false_positive_causes if tab == "missing" else false_negative_causes
        numbers = np.bincount(find_causes(evaluation, rows, thresholds), minlength=len(CAUSES))
        number, cause = int(numbers.max(initial=0)), CAUSES[int(np.argmax(numbers))]
        p_value = float(binom.sf(number - 1, len(rows), 0.5))
        is_claimed = number >= MIN_CAUSE_ERRORS and p_value < SIGNIFICANCE_LEVEL
        if (tab, cause) in CAUSE_FINDINGS and is_claimed:
            text, action = CAUSE_FINDINGS[tab, cause]
            findings.append(
                Finding(
                    "cause",
                    "training",
                    f"{number:,} of {len(rows):,} {text.removeprefix('of the ')}",
                    f"more than half of them share this cause (p = {p_value:.2g})",
                    Gain(number, at_most=True),
                    number,
                    None,
                    ListQuery(tab, SPLITS[split], filters=(f"cause:{cause}",)),
                    action,
                )
            )
    return findings


def overfitting_findings(
    evaluation: Evaluation, split: int, thresholds: Float64Array
) -> list[Finding]:
    """Whether F1 is at least 0.05 lower than on training, with significantly more errors among the
    decisions (TP + FP + FN; two-proportion test)."""
    if split == TRAINING or not can_compare_splits(evaluation, split, thresholds):
        return []
    training, held_out = (
        count_decisions(evaluation, index, thresholds) for index in (TRAINING, split)
    )
    scores = f1(*training), f1(*held_out)
    if None in scores or gap_p_value(training, held_out) >= SIGNIFICANCE_LEVEL:
        return []
    training_f1, held_out_f1 = (score or 0.0 for score in scores)
    if training_f1 - held_out_f1 < MIN_SCORE_GAP:
        return []
    errors = sum(held_out[1:])
    expected = round(sum(held_out) * sum(training[1:]) / sum(training))
    return [
        Finding(
            "overfitting",
            "training",
            f"Overfitting: F1 is {training_f1:.2f} on training and {held_out_f1:.2f} on "
            f"{SPLITS[split]}",
            f"{errors:,} errors among {sum(held_out):,} decisions on {SPLITS[split]}, "
            f"{sum(training[1:]):,} among {sum(training):,} on training",
            Gain(errors - expected, at_most=True, assumption="if it were as good as on training"),
            errors,
            None,
            None,
            "Compare the splits",
        )
    ]


def can_compare_splits(evaluation: Evaluation, split: int, thresholds: Float64Array) -> bool:
    """Whether there are decisions enough to compare a split with training."""
    decisions = [sum(count_decisions(evaluation, index, thresholds)) for index in (TRAINING, split)]
    return min(decisions) >= MIN_DECISIONS


def count_decisions(
    evaluation: Evaluation, split: int, thresholds: Float64Array
) -> tuple[int, int, int]:
    """TP, FP and FN of all concepts."""
    counts = count_outcomes(evaluation, split, thresholds)
    return int(counts.tp.sum()), int(counts.fp.sum()), int(counts.fn.sum())


def gap_p_value(training: tuple[int, int, int], held_out: tuple[int, int, int]) -> float:
    """One-sided, that errors are as frequent among the decisions of both."""
    from scipy.stats import norm

    errors, decisions = (sum(training[1:]), sum(held_out[1:])), (sum(training), sum(held_out))
    pooled = sum(errors) / sum(decisions)
    deviation = np.sqrt(pooled * (1 - pooled) * (1 / decisions[0] + 1 / decisions[1]))
    if not deviation:
        return 1.0
    return float(norm.sf((errors[1] / decisions[1] - errors[0] / decisions[0]) / deviation))


def describe_split(evaluation: Evaluation, split: Split, thresholds: Float64Array) -> str:
    """F1 on a split, in words."""
    score = f1(*count_decisions(evaluation, SPLITS.index(split), thresholds))
    return f"{'undefined' if score is None else f'{score:.2f}'} on {split}"
