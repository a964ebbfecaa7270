"""Comparison of two versions, as JSON, Markdown and JUnit reports."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np

from pellucid.analysis.comparison import (
    BOTH_RIGHT,
    BROKEN,
    FIXED,
    STILL_WRONG,
    Comparison,
    compare_evaluations,
    mcnemar_p_value,
    unit_annotation_rows,
)
from pellucid.core.tables import NOT_RUN, SPLITS, Split
from pellucid.evaluation.evaluation import Evaluation
from pellucid.results.similarity import Appearance
from pellucid.results.slices import ErrorSlice, match_conditions

SIGNIFICANCE_LEVEL = 0.05
"""Significance level of differences, used by `--fail-on-regression`. Over concepts it is the false
discovery rate (Benjamini and Hochberg, 1995): of eighty concepts, four would be significant by
chance alone."""


@dataclass(frozen=True)
class ConceptChange:
    """Changes of the annotations of a concept (None: of all). compared: their number ·
    false_alarms: false positives of only one version · p_value: of the exact McNemar test that as
    many are fixed as broken."""

    concept: str | None
    compared: int
    fixed: int
    broken: int
    still_wrong: int
    both_right: int
    false_alarms_gone: int
    false_alarms_new: int
    p_value: float
    regression: bool = False
    """Whether significantly more are broken than fixed, or more false positives new than gone."""


@dataclass(frozen=True)
class VersionComparison:
    """a, b: version names · images: number of images evaluated by both · overall, concepts:
    changes · warnings: what limits the comparison."""

    a: str
    b: str
    split: Split
    images: int
    overall: ConceptChange
    concepts: list[ConceptChange]
    warnings: list[str]

    @property
    def regressions(self) -> list[ConceptChange]:
        """The changes, overall or of a concept, in which the second version is significantly
        worse."""
        return [change for change in (self.overall, *self.concepts) if change.regression]

    @property
    def document(self) -> dict[str, Any]:
        overall = {
            field_name: field_value
            for field_name, field_value in asdict(self.overall).items()
            if field_name not in ("concept", "regression")
        }
        return {
            "a": self.a,
            "b": self.b,
            "split": self.split,
            "images": self.images,
            **overall,
            "concepts": [asdict(change) for change in self.concepts],
            "regression": bool(self.regressions),
            "warnings": self.warnings,
        }


def describe_change(change: ConceptChange) -> str:
    """The significant changes, as the end of a sentence."""
    detection_changed = change.p_value < SIGNIFICANCE_LEVEL and change.fixed != change.broken
    false_alarms_changed = (
        mcnemar_p_value(change.false_alarms_gone, change.false_alarms_new) < SIGNIFICANCE_LEVEL
        and change.false_alarms_gone != change.false_alarms_new
    )
    phrases = []
    if detection_changed:
        phrases.append(
            "fixes more than it breaks"
            if change.fixed > change.broken
            else "breaks more than it fixes"
        )
    if false_alarms_changed:
        phrases.append(
            "has fewer false positives"
            if change.false_alarms_gone > change.false_alarms_new
            else "has more false positives"
        )
    mixed = (
        detection_changed
        and false_alarms_changed
        and (change.fixed > change.broken) != (change.false_alarms_gone > change.false_alarms_new)
    )
    return (
        (" but " if mixed else " and ").join(phrases) + " (significant)"
        if phrases
        else "no significant difference"
    )


def worsening_p_values(change: ConceptChange) -> tuple[float, float]:
    """P-values of a worsening, of annotations and of false positives; 1 if it is not worse."""
    alarms_p_value = mcnemar_p_value(change.false_alarms_gone, change.false_alarms_new)
    return (change.p_value if change.broken > change.fixed else 1.0), (
        alarms_p_value if change.false_alarms_new > change.false_alarms_gone else 1.0
    )


def mark_regressions(changes: list[ConceptChange]) -> list[ConceptChange]:
    """Mark the changes that are regressions, by the Benjamini-Hochberg step-up procedure."""
    p_values = sorted(p_value for change in changes for p_value in worsening_p_values(change))
    rejected = [
        p_value
        for rank, p_value in enumerate(p_values, 1)
        if p_value <= SIGNIFICANCE_LEVEL * rank / len(p_values)
    ]
    limit = max(rejected, default=-1.0)
    return [
        replace(change, regression=min(worsening_p_values(change)) <= limit) for change in changes
    ]


class ComparedResults(Protocol):
    """What is read of the results of each version."""

    @property
    def evaluation(self) -> Evaluation: ...
    def appearance(self, split: int) -> Appearance: ...
    def error_slices(self, split: int, appearance: Appearance | None) -> list[ErrorSlice]: ...


def compare_versions(
    name_a: str, a: ComparedResults, name_b: str, b: ComparedResults, split: Split
) -> VersionComparison:
    split_index = SPLITS.index(split)
    comparison = compare_evaluations(
        a.evaluation,
        b.evaluation,
        split_index,
        a.evaluation.optimal_thresholds,
        b.evaluation.optimal_thresholds,
    )
    concepts = [
        concept_change(comparison, concept_index, a.evaluation.concepts[concept_index])
        for concept_index in comparison.shared_concepts.tolist()
    ]
    overall = mark_regressions([concept_change(comparison, None, None)])[0]
    return VersionComparison(
        name_a,
        name_b,
        split,
        comparison.image_count,
        overall,
        mark_regressions(concepts),
        comparison_warnings(comparison, a, b, split_index),
    )


def concept_change(
    comparison: Comparison, concept_index: int | None, concept_name: str | None
) -> ConceptChange:
    outcomes = (
        comparison.units.outcome
        if concept_index is None
        else comparison.units.outcome[comparison.units.concept == concept_index]
    )
    outcome_counts = {
        kind: int((outcomes == kind).sum()) for kind in (FIXED, BROKEN, STILL_WRONG, BOTH_RIGHT)
    }
    gone_count, new_count = (
        int(
            len(alarms.prediction_rows)
            if concept_index is None
            else (alarms.concepts == concept_index).sum()
        )
        for alarms in (comparison.removed, comparison.added)
    )
    return ConceptChange(
        concept_name,
        len(outcomes),
        outcome_counts[FIXED],
        outcome_counts[BROKEN],
        outcome_counts[STILL_WRONG],
        outcome_counts[BOTH_RIGHT],
        gone_count,
        new_count,
        mcnemar_p_value(outcome_counts[FIXED], outcome_counts[BROKEN]),
    )


def comparison_warnings(
    comparison: Comparison, a: ComparedResults, b: ComparedResults, split: int
) -> list[str]:
    messages = []
    for results, ordinal in ((a, "first"), (b, "second")):
        evaluation = results.evaluation
        was_run = (evaluation.images.split == split) & (evaluation.coverage != NOT_RUN)
        if image_count := int(was_run.sum()) - comparison.image_count:
            messages.append(
                f"{image_count:,} images of the {ordinal} version are not in the other version: "
                "left out"
            )
        if image_count := int((evaluation.images.split == split).sum() - was_run.sum()):
            messages.append(f"the {ordinal} version was not run on {image_count:,} of its images")
    if comparison.mismatch_count:
        messages.append(
            f"{comparison.mismatch_count:,} annotations differ between the two versions: left out"
        )
    if unshared_concepts := sorted(set(a.evaluation.concepts) ^ set(b.evaluation.concepts)):
        messages.append(
            f"concepts that are in only one version are left out: {', '.join(unshared_concepts)}"
        )
    if a.evaluation.iou_threshold != b.evaluation.iou_threshold:
        messages.append(
            f"the versions use different IoU thresholds: {a.evaluation.iou_threshold:g} and "
            f"{b.evaluation.iou_threshold:g}"
        )
    return messages


@dataclass(frozen=True)
class SliceChange:
    """Changes of the annotations of an error slice of one version (`of`). items: compared ·
    errors_a, errors_b: missed by each · only: filters that select the slice, of the concept (None:
    of all)."""

    sentence: str
    of: str
    items: int
    errors_a: int
    errors_b: int
    fixed: int
    broken: int
    p_value: float
    concept: str | None
    only: list[str]


def compare_slices(
    name_a: str, a: ComparedResults, name_b: str, b: ComparedResults, split: Split
) -> list[SliceChange]:
    """Changes of both versions on each error slice of either, by errors explained. Reads the
    images."""
    split_index = SPLITS.index(split)
    comparison = compare_evaluations(
        a.evaluation,
        b.evaluation,
        split_index,
        a.evaluation.optimal_thresholds,
        b.evaluation.optimal_thresholds,
    )
    change_by_sentence: dict[str, SliceChange] = {}
    for is_second, (version_name, results) in enumerate(((name_a, a), (name_b, b))):
        annotation_rows = unit_annotation_rows(
            comparison, a.evaluation, results.evaluation, bool(is_second)
        )
        present = np.flatnonzero(annotation_rows >= 0)
        outcomes, annotation_rows, appearance = (
            comparison.units.outcome[present],
            annotation_rows[present],
            results.appearance(split_index),
        )
        item_concepts = results.evaluation.annotations.concept[annotation_rows]
        for error_slice in results.error_slices(split_index, appearance):
            if (
                error_slice.error != "extra"
                or error_slice.explained <= 0
                or any(condition.name == "group" for condition in error_slice.conditions)
            ):
                continue  # group numbers differ between versions
            in_slice = match_conditions(
                results.evaluation, annotation_rows, True, appearance, error_slice.conditions
            )
            if error_slice.concept is not None:
                in_slice &= item_concepts == results.evaluation.concepts.index(error_slice.concept)
            outcome_counts = {
                kind: int((outcomes[in_slice] == kind).sum())
                for kind in (FIXED, BROKEN, STILL_WRONG)
            }
            sentence = f"{error_slice.concept or 'all concepts'}: {error_slice.description}"
            change_by_sentence.setdefault(
                sentence,
                SliceChange(
                    sentence,
                    version_name,
                    int(in_slice.sum()),
                    outcome_counts[FIXED] + outcome_counts[STILL_WRONG],
                    outcome_counts[BROKEN] + outcome_counts[STILL_WRONG],
                    outcome_counts[FIXED],
                    outcome_counts[BROKEN],
                    mcnemar_p_value(outcome_counts[FIXED], outcome_counts[BROKEN]),
                    error_slice.concept,
                    list(error_slice.only),
                ),
            )
    return list(change_by_sentence.values())


CHANGE_COUNTS = (
    "compared",
    "fixed",
    "broken",
    "still_wrong",
    "both_right",
    "false_alarms_gone",
    "false_alarms_new",
)


def format_markdown(comparison: VersionComparison) -> str:
    """Markdown for a pull-request comment: a summary sentence and a table of changes, worst
    first."""
    overall = comparison.overall
    summary = (
        f"**{comparison.b}** compared with **{comparison.a}** on {comparison.split}: "
        f"{describe_change(overall)}; {overall.fixed:,} fixed, {overall.broken:,} broken "
        f"(p = {overall.p_value:.2g}), {overall.false_alarms_gone:,} false positives gone, "
        f"{overall.false_alarms_new:,} new; "
        f"{comparison.images:,} images."
    )
    worst_first = sorted(
        comparison.concepts,
        key=lambda change: (
            change.fixed - change.broken + change.false_alarms_gone - change.false_alarms_new,
            change.concept,
        ),
    )
    headings = ["concept", *(count_name.replace("_", " ") for count_name in CHANGE_COUNTS), "p", ""]
    table_rows = [
        headings,
        ["---"] * len(headings),
        *(table_cells(change) for change in (overall, *worst_first)),
    ]
    markdown_table = "\n".join(f"| {' | '.join(table_row)} |" for table_row in table_rows)
    return (
        "\n\n".join(
            [summary, markdown_table, *(f"Note: {warning}." for warning in comparison.warnings)]
        )
        + "\n"
    )


def table_cells(change: ConceptChange) -> list[str]:
    concept_name = (change.concept or "all").replace("|", "\\|")
    return [
        concept_name,
        *(f"{getattr(change, count_name):,}" for count_name in CHANGE_COUNTS),
        f"{change.p_value:.2g}",
        "worse" if change.regression else "",
    ]


def format_junit(comparison: VersionComparison) -> str:
    """JUnit XML: one test case per concept and one overall; a regression is a failure."""
    cases = [comparison.overall, *comparison.concepts]
    title = f"{comparison.b} compared with {comparison.a} on {comparison.split}"
    suite = Element(
        "testsuite", name=title, tests=str(len(cases)), failures=str(len(comparison.regressions))
    )
    for change in cases:
        case = SubElement(
            suite, "testcase", classname="pellucid.compare", name=change.concept or "all concepts"
        )
        if change.regression:
            message = (
                f"{change.broken} broken, {change.fixed} fixed; false positives: "
                f"{change.false_alarms_new} new, {change.false_alarms_gone} gone"
            )
            SubElement(case, "failure", message=message).text = message
    return tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
