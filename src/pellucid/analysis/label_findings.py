"""Findings about annotations: predictions that are errors although the model is almost always right
where it is so confident."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.analysis.false_discovery import significant
from pellucid.analysis.findings import Finding, Gain
from pellucid.analysis.lapse_rate import LapseFit, fit_lapse_rate
from pellucid.browse.label_errors import normalize_scores
from pellucid.browse.query import ListQuery
from pellucid.browse.selection import Tab, TabSelection
from pellucid.core.tables import SPLITS, Annotations, Float64Array, Int64Array
from pellucid.evaluation.counts import count_outcomes
from pellucid.evaluation.error_causes import BACKGROUND, false_positive_causes
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.incremental import replace_annotations

LIKELY = 0.5
"""Probability at which an error counts as one of the annotations."""
LABEL_LEVEL = 0.001
"""Stricter than for other findings: calibration curves are not exactly logistic."""
MIN_ITEMS = 3
"""Fewest likely annotation errors of a concept that make a finding."""


@dataclass(frozen=True, eq=False)
class LikelyErrors:
    """False positives of one concept that are likely annotation errors.

    Attributes:
        rows: of predictions, highest score first
        matches: predictions at their scores or above that match
    """

    concept: int
    rows: Int64Array
    matches: int
    fit: LapseFit


def label_findings(evaluation: Evaluation, split: int, thresholds: Float64Array) -> list[Finding]:
    """One finding for each concept with annotations that are likely missing (classification:
    wrong); none without scores."""
    if not evaluation.has_scores:
        return []
    candidates = [
        likely
        for concept in evaluation.annotated_concepts
        if (likely := likely_errors(evaluation, split, concept, thresholds)) is not None
    ]
    is_significant = significant([likely.fit.p_value for likely in candidates], LABEL_LEVEL)
    claimed = [
        likely
        for likely, passes in zip(candidates, is_significant, strict=True)
        if passes and len(likely.rows) >= MIN_ITEMS
    ]
    gains = count_gains(evaluation, split, thresholds, claimed)
    return [
        describe_labels(evaluation, split, likely, gain)
        for likely, gain in zip(claimed, gains, strict=True)
    ]


def likely_errors(
    evaluation: Evaluation, split: int, concept: int, thresholds: Float64Array
) -> LikelyErrors | None:
    """None if the concept has too few predictions to say anything. The fit is over all scores; of
    the false positives at or above the threshold, those beside or on an annotation are left out.
    """
    everywhere = np.full(len(thresholds), -np.inf)
    matched, wrong = (
        concept_rows(evaluation, tab, split, concept, everywhere) for tab in ("matched", "missing")
    )
    is_counted = evaluation.predictions.score[wrong] >= thresholds[concept]
    if evaluation.kind == "detection":
        causes = false_positive_causes(evaluation, wrong[is_counted], thresholds)
        is_elsewhere = causes == BACKGROUND
        wrong = np.concatenate([wrong[is_counted][is_elsewhere], wrong[~is_counted]])
        is_counted = np.arange(len(wrong)) < int(is_elsewhere.sum())
    rows = np.concatenate([matched, wrong])
    scores = normalize_scores(np.asarray(evaluation.predictions.score[rows]))
    is_match = np.arange(len(rows)) < len(matched)
    fit = fit_lapse_rate(scores, is_match)
    if fit is None:
        return None
    is_likely = fit.lapse_probability(scores) >= LIKELY
    is_likely[~is_match] &= is_counted
    is_likely &= ~is_match
    lowest = scores[is_likely].min(initial=np.inf)
    match_count = int((is_match & (scores >= lowest)).sum())
    return LikelyErrors(concept, rows[is_likely], match_count, fit)


def concept_rows(
    evaluation: Evaluation, tab: Tab, split: int, concept: int, thresholds: Float64Array
) -> Int64Array:
    """The rows of the items of a concept in a tab."""
    return TabSelection(evaluation, tab, split, concept, thresholds).all_rows()


def count_gains(
    evaluation: Evaluation, split: int, thresholds: Float64Array, claimed: list[LikelyErrors]
) -> list[int]:
    """The errors that each finding removes when the annotations are as the model says, by
    evaluating again. Findings of classification share errors, so each is applied alone."""
    if not claimed:
        return []
    before = count_errors(evaluation, split, thresholds)
    if evaluation.kind == "classification":
        after = [
            count_errors(correct_labels(evaluation, likely.rows), split, thresholds)
            for likely in claimed
        ]
        return [int((before - errors).sum()) for errors in after]
    rows = np.concatenate([likely.rows for likely in claimed])
    change = before - count_errors(correct_labels(evaluation, rows), split, thresholds)
    return [int(change[likely.concept]) for likely in claimed]


def count_errors(evaluation: Evaluation, split: int, thresholds: Float64Array) -> Int64Array:
    """False positives and false negatives by concept, int64 (concepts,)."""
    counts = count_outcomes(evaluation, split, thresholds)
    return np.asarray(counts.fp + counts.fn)


def correct_labels(evaluation: Evaluation, prediction_rows: Int64Array) -> Evaluation:
    """The evaluation with these predictions as annotations: added in detection and tagging, in
    place of the image's label in classification."""
    predictions, annotations = evaluation.predictions, evaluation.annotations
    images = np.asarray(predictions.image[prediction_rows], np.int32)
    concepts = np.asarray(predictions.concept[prediction_rows], np.int32)
    is_changed = np.zeros(len(evaluation.images), bool)
    is_changed[images] = True
    is_kept = is_changed[annotations.image]
    if evaluation.kind == "classification":
        is_kept[:] = False
    elif evaluation.kind == "tagging":
        keys = annotations.image.astype(np.int64) * len(evaluation.concepts) + annotations.concept
        is_kept &= ~np.isin(keys, images.astype(np.int64) * len(evaluation.concepts) + concepts)
    boxes = None if predictions.box is None else np.asarray(predictions.box[prediction_rows])
    added = Annotations(
        images,
        concepts,
        boxes,
        np.zeros(len(images), bool),
        np.ones(len(images), bool),
        None if boxes is None or annotations.area is None else boxes[:, 2] * boxes[:, 3],
        mask=None if predictions.mask is None else predictions.mask[prediction_rows],
        corners=None if predictions.corners is None else predictions.corners[prediction_rows],
        keypoints=None if predictions.keypoints is None else predictions.keypoints[prediction_rows],
    )
    kept = annotations.take(np.flatnonzero(is_kept))
    return replace_annotations(evaluation, images.astype(np.int64), kept.concat(added))


def describe_labels(evaluation: Evaluation, split: int, likely: LikelyErrors, gain: int) -> Finding:
    """The finding about likely errors of a concept's annotations.

    Args:
        gain: errors that would disappear if all were corrected
    """
    concept, count = evaluation.concepts[likely.concept], len(likely.rows)
    lowest = float(evaluation.predictions.score[likely.rows].min())
    is_relabelled = evaluation.kind == "classification"
    filters: tuple[str, ...] = (f"score:{lowest!r}..",)
    if evaluation.kind == "detection":
        filters = ("cause:background", *filters)
    problem = "wrong" if is_relabelled else "missing"
    noun = "label" if count == 1 else "labels"
    left_out = " (without those beside an annotation)" if evaluation.kind == "detection" else ""
    return Finding(
        "wrong_labels" if is_relabelled else "missing_labels",
        "now",
        f"{count:,} {noun} of '{concept}' {'is' if count == 1 else 'are'} likely {problem}: "
        f"false positives scored {lowest:.3g} or higher",
        f"{likely.matches:,} of {likely.matches + count:,} predictions at these scores match"
        f"{left_out}; the share that matches levels off below 1 (p = {likely.fit.p_value:.2g})",
        Gain(gain, assumption=f"if these labels are {problem}"),
        count,
        concept,
        ListQuery("missing", SPLITS[split], concept, "mistakes", filters=filters),
        "Review labels",
    )
