"""Findings of a version: everything that is wrong with it, in one ranked list."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from pellucid.analysis.findings import Finding, Gain, rank_findings
from pellucid.analysis.label_findings import label_findings
from pellucid.analysis.model_findings import (
    can_compare_splits,
    cause_findings,
    confusion_findings,
    describe_split,
    has_confusions,
    overfitting_findings,
    rarely_found_findings,
)
from pellucid.browse.query import ListQuery
from pellucid.browse.selection import Tab
from pellucid.core.display import Displayed
from pellucid.core.errors import summarize_names
from pellucid.core.tables import NOT_RUN, SPLITS, BoolArray, Float64Array, Images, Int64Array, Split
from pellucid.evaluation.evaluation import TRAINING, VALIDATION, Evaluation
from pellucid.evaluation.thresholds import apply_user_threshold
from pellucid.formats.dataset import Note
from pellucid.ingest.checks import duplicate_image_notes
from pellucid.ingest.prediction_notes import MIN_SCORE_FLOOR
from pellucid.results.slices import ErrorSlice
from pellucid.results.version_comparison import ConceptChange, VersionComparison

MIN_GAIN = 3
"""Fewest errors that moving a threshold, or a slice, must be worth."""
LARGEST_SLICE = 0.75
"""Share of the items above which a slice is no finding: the few others are the exception."""
MAX_SLICES = 24
"""Slices that are examined, those with most errors in excess."""
MIN_FLOOR_PREDICTIONS = 100
ROUND_NUMBER_TOLERANCE = 0.05
"""How far the lowest score may lie above a whole percent that it was cut off at, in percent."""
MAX_LEAK_IMAGES = 20_000
"""Identical files in training and another split are looked for in data sets of up to this size."""


class ExaminedResults(Protocol):
    """What is read of the results of a version."""

    @property
    def evaluation(self) -> Evaluation: ...
    @property
    def thresholds(self) -> Float64Array: ...
    @property
    def selected_images(self) -> BoolArray | None: ...
    def query_rows(self, query: ListQuery) -> Int64Array: ...


@dataclass(frozen=True)
class Findings(Displayed):
    """The findings of a version, and what was looked for in vain.

    Attributes:
        findings: best first
        not_found: what was looked for and not found, one sentence each
    """

    version: str
    split: Split
    baseline: str | None
    findings: list[Finding]
    not_found: list[str]

    @property
    def document(self) -> list[dict[str, Any]]:
        return [finding_document(finding) for finding in self.findings]


def finding_document(finding: Finding) -> dict[str, Any]:
    gain = {name: value for name, value in asdict(finding.gain).items() if name != "errors"}
    query = finding.query
    return {
        "kind": finding.kind,
        "group": finding.group,
        "sentence": finding.sentence,
        "evidence": finding.evidence,
        "gain": {"errors": finding.gain.errors, **gain},
        "count": finding.count,
        "concept": finding.concept,
        "query": None if query is None else {**asdict(query), "filters": list(query.filters)},
        "action": finding.action,
    }


def collect_findings(
    version: str,
    results: ExaminedResults,
    split: Split,
    slices: list[ErrorSlice],
    comparison: VersionComparison | None,
    leaks: list[Note] | None,
) -> Findings:
    """version: its name · slices: of the split · comparison: with the baseline, if chosen ·
    leaks: see find_leaks."""
    evaluation, thresholds = results.evaluation, results.thresholds
    index = SPLITS.index(split)
    detectors: list[tuple[list[Finding], str]] = [
        (
            label_findings(evaluation, index, thresholds),
            "No label errors that the scores alone tell: where there are enough predictions, the "
            "share that matches keeps rising with the score. The gallery's order by likely label "
            "errors shows where to look"
            if evaluation.has_scores
            else "",
        ),
        (
            threshold_findings(evaluation, thresholds),
            f"No threshold to move: none makes {MIN_GAIN} errors more than the best on validation"
            if evaluation.has_scores
            else "",
        ),
        (
            import_findings(results, index, leaks or []),
            import_text(split, leaks, results.selected_images is not None),
        ),
        (
            slice_findings(results, slices, split),
            "No slice of the items with significantly more errors than elsewhere",
        ),
        (
            rarely_found_findings(evaluation, index, thresholds),
            "No concept that is found far more rarely than the others",
        ),
        (
            confusion_findings(evaluation, index, thresholds),
            "No pair of confused concepts" if has_confusions(evaluation) else "",
        ),
        (
            cause_findings(evaluation, index, thresholds),
            "No duplicates, bad localisation or other concept behind most errors"
            if evaluation.kind == "detection"
            else "",
        ),
        (
            overfitting_findings(evaluation, index, thresholds),
            overfitting_text(evaluation, split, thresholds),
        ),
    ]
    if comparison is not None:
        nothing = f"No significant change since {comparison.a}"
        detectors.append((baseline_findings(results, comparison, split), nothing))
    findings = [finding for found, _ in detectors for finding in found]
    was_run = (evaluation.images.split == index) & (evaluation.coverage != NOT_RUN)
    not_found = [text for found, text in detectors if not found and text and was_run.any()]
    baseline = None if comparison is None else comparison.a
    return Findings(version, split, baseline, rank_findings(findings), not_found)


def threshold_findings(evaluation: Evaluation, thresholds: Float64Array) -> list[Finding]:
    """Chosen thresholds that make more errors on validation than the optimal ones."""
    findings = []
    for concept in evaluation.annotated_concepts:
        optimal, chosen = evaluation.thresholds[concept], float(thresholds[concept])
        if chosen == optimal.value:
            continue
        predictions = evaluation.concept_predictions(VALIDATION, concept)
        current = apply_user_threshold(optimal, predictions, chosen)
        gain = current.errors - optimal.errors
        if gain < MIN_GAIN:
            continue
        name = evaluation.concepts[concept]
        low, high = sorted((optimal.value, chosen))
        tab: Tab = "extra" if chosen > optimal.value else "missing"
        key = "answered" if chosen > optimal.value else "score"
        findings.append(
            Finding(
                "threshold",
                "now",
                f"The threshold of '{name}', {chosen:.3g}, makes {gain:,} more errors than the "
                f"optimal one, {optimal.value:.3g}",
                f"at {optimal.value:.3g}: {optimal.fp - current.fp:+,} false positives, "
                f"{optimal.fn - current.fn:+,} false negatives on validation",
                Gain(gain),
                optimal.tp - current.tp if tab == "extra" else current.fp - optimal.fp,
                name,
                ListQuery(tab, "validation", name, filters=(f"{key}:{low!r}..{high!r}",)),
                "Use the optimal threshold",
            )
        )
    return findings


def import_findings(results: ExaminedResults, split: int, leaks: list[Note]) -> list[Finding]:
    """Images not run, identical files in training and another split, limits of the export."""
    images, evaluation = results.evaluation.images, results.evaluation
    findings = []
    is_missing = (images.split == split) & (evaluation.coverage == NOT_RUN)
    missing = int(is_missing.sum())
    if missing and results.selected_images is None:
        total = int((images.split == split).sum())
        findings.append(
            import_finding(
                f"The model was not run on {missing:,} of {total:,} images of {SPLITS[split]}",
                "they take part in no figure",
                missing,
                "Import their predictions",
            )
        )
    reason = "figures on images that the model was trained on are too good"
    findings += [
        import_finding(
            leak.message,
            reason,
            leak.count,
            "Leave out or move the copies (under Similar: duplicates)",
        )
        for leak in leaks
    ]
    if cut_off := floor_concepts(evaluation):
        findings.append(
            import_finding(
                f"The scores of {summarize_names(cut_off)} were cut off at the export",
                "the threshold with the fewest errors is the lowest score: a lower one may be "
                "better",
                len(cut_off),
                "Export again with a lower minimum score",
            )
        )
    return findings


def floor_concepts(evaluation: Evaluation) -> list[str]:
    """Concepts whose optimal threshold is the lowest score of all predictions, if that is a round
    number of percent such as an export is limited to."""
    scores = evaluation.predictions.score
    floor = float(np.min(scores, initial=np.inf))
    if len(scores) < MIN_FLOOR_PREDICTIONS or not MIN_SCORE_FLOOR <= floor < 1:
        return []
    if (100 * floor + 1e-9) % 1 > ROUND_NUMBER_TOLERANCE:
        return []
    return [
        evaluation.concepts[concept]
        for concept in evaluation.annotated_concepts
        if evaluation.thresholds[concept].value <= floor
        and evaluation.thresholds[concept].source == "validation"
    ]


def import_finding(sentence: str, evidence: str, count: int, action: str) -> Finding:
    return Finding("import", "now", sentence, evidence, Gain(None), count, None, None, action)


def find_leaks(images: Images, folders: list[str]) -> list[Note] | None:
    """Training images with an identical file in another split; None where they were not looked
    for: without training images or files, and in very large sets."""
    is_here = images.root >= 0
    has_both = (is_here & (images.split == TRAINING)).any() and (
        is_here & (images.split != TRAINING)
    ).any()
    if not has_both or len(images) > MAX_LEAK_IMAGES:
        return None
    return duplicate_image_notes(images, folders, include_near=False)


def import_text(split: Split, leaks: list[Note] | None, are_selected: bool) -> str:
    """The sentence where the import has no problems.

    Args:
        are_selected: some images only are looked at, so that gaps are not
    """
    if are_selected:
        return "" if leaks is None else "No identical files in training and elsewhere"
    gaps = f"No gaps: the model was run on every image of {split}"
    if leaks is None:
        return f"{gaps}; identical files in training and elsewhere were not looked for"
    return f"{gaps}; no identical files in training and elsewhere"


def slice_findings(
    results: ExaminedResults, slices: list[ErrorSlice], split: Split
) -> list[Finding]:
    """Slices with significantly more errors, those with most errors in excess first. Left out are
    those that hold nearly all of the items, where the rest is the exception, and those whose errors
    are mostly those of a slice before them."""
    worse = [
        (round(found.errors - found.items * found.elsewhere), found)
        for found in slices
        if found.rate > found.elsewhere and found.items <= LARGEST_SLICE * found.population_items
    ]
    worse.sort(key=lambda pair: -pair[0])
    explained: dict[str, set[int]] = {"extra": set(), "missing": set()}
    findings = []
    for excess, found in worse[:MAX_SLICES]:
        query = slice_query(found, split)
        errors = set(results.query_rows(query).tolist())
        is_new = len(errors - explained[found.error]) > len(errors) / 2
        if excess >= MIN_GAIN and is_new:
            explained[found.error] |= errors
            findings.append(describe_slice(found, excess, query, len(errors)))
    return findings


def slice_query(found: ErrorSlice, split: Split) -> ListQuery:
    tab: Tab = "extra" if found.error == "extra" else "missing"
    return ListQuery(tab, split, found.concept, filters=found.only)


def describe_slice(error_slice: ErrorSlice, excess: int, query: ListQuery, count: int) -> Finding:
    """excess: errors beyond the rate elsewhere, at the optimal thresholds, where slices are
    searched · count: items of the query, at the chosen ones."""
    return Finding(
        "slice",
        "training",
        error_slice.headline,
        f"{error_slice.errors:,} errors among {error_slice.items:,} items at the optimal "
        f"thresholds, of {error_slice.population_errors:,} in all (p = "
        f"{error_slice.p_adjusted:.2g}, adjusted)",
        Gain(excess, at_most=True, assumption="if it were as good as elsewhere"),
        count,
        error_slice.concept,
        query,
        "Look at the slice",
    )


def overfitting_text(evaluation: Evaluation, split: Split, thresholds: Float64Array) -> str:
    """The sentence where no overfitting was found."""
    if SPLITS.index(split) == TRAINING:
        return ""
    is_training = evaluation.images.split == TRAINING
    if not (is_training & (evaluation.coverage != NOT_RUN)).any():
        return "Overfitting was not looked for: the model was not run on training images"
    if not can_compare_splits(evaluation, SPLITS.index(split), thresholds):
        return "Overfitting was not tested: there are too few predictions and annotations"
    splits = ", ".join(
        describe_split(evaluation, name, thresholds) for name in (SPLITS[TRAINING], split)
    )
    return f"No overfitting: F1 {splits}"


def baseline_findings(
    results: ExaminedResults, comparison: VersionComparison, split: Split
) -> list[Finding]:
    """Significant changes since the baseline, overall and by concept."""
    changes = [comparison.overall, *comparison.worst_first]
    return [
        describe_baseline_change(results, comparison, change, split)
        for change in changes
        if change.regression or (change is comparison.overall and change.verdict != "no difference")
    ]


def describe_baseline_change(
    results: ExaminedResults, comparison: VersionComparison, change: ConceptChange, split: Split
) -> Finding:
    """Its items: the new false negatives, or the new false positives if there are more."""
    is_worse = change.errors.increase > 0
    versus = f"versus:{comparison.a}"
    new_negatives = ListQuery("extra", split, change.concept, filters=(f"{versus}=broken",))
    new_positives = ListQuery("missing", split, change.concept, filters=(f"{versus}=alarm_new",))
    counts = [len(results.query_rows(query)) for query in (new_negatives, new_positives)]
    count, are_negatives = max(counts), counts[0] >= counts[1]
    query = new_negatives if are_negatives else new_positives
    errors = "false negatives" if are_negatives else "false positives"
    subject = f"'{change.concept}'" if change.concept else comparison.b
    verb = "makes fewer errors" if not is_worse else "makes more errors"
    if change.verdict == "trade-off":
        verb = "trades false negatives for false positives"
        if change.fn.increase > 0:
            verb = "trades false positives for false negatives"
    return Finding(
        "regression" if is_worse else "improvement",
        "baseline",
        f"{subject} {verb} than {comparison.a}: {change.errors.a:,} → {change.errors.b:,}"
        if change.verdict != "trade-off"
        else f"{subject} {verb} since {comparison.a}: {change.errors.a:,} → {change.errors.b:,} "
        "errors",
        f"false negatives {change.fn.a:,} → {change.fn.b:,}, {counts[0]:,} of them new; false "
        f"positives {change.fp.a:,} → {change.fp.b:,}, {counts[1]:,} of them new "
        f"(p = {change.p_errors:.2g})",
        Gain(change.errors.increase if is_worse else None, at_most=True),
        count,
        change.concept,
        query if count else None,
        f"Look at new {errors}" if count else "Compare the versions",
    )
