"""Comparison of two versions: what changed, per concept and per slice."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

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
from pellucid.analysis.false_discovery import significant
from pellucid.analysis.verdict import SIGNIFICANCE_LEVEL, CountChange, Verdict, error_change
from pellucid.core.display import Displayed
from pellucid.core.tables import NOT_RUN, SPLITS, BoolArray, Float64Array, Split
from pellucid.evaluation.evaluation import Evaluation
from pellucid.results.errors import NothingComparedError
from pellucid.results.similarity import Appearance
from pellucid.results.slices import ErrorSlice, match_conditions


@dataclass(frozen=True)
class ConceptChange:
    """Changes of a concept (None: of all).

    Attributes:
        compared, fixed, broken, still_wrong, both_right: annotations
        false_alarms: false positives of only one version
        p_value: of the exact McNemar test that as many are fixed as broken
        errors (FP + FN), fn, fp: totals of both versions on the compared images
        p_errors, p_fn, p_fp: of the exact sign-flip test over images
        verdict: see ErrorChange
    """

    concept: str | None
    compared: int
    fixed: int
    broken: int
    still_wrong: int
    both_right: int
    false_alarms_gone: int
    false_alarms_new: int
    p_value: float
    errors: CountChange
    fn: CountChange
    fp: CountChange
    p_errors: float
    p_fn: float
    p_fp: float
    verdict: Verdict
    regression: bool = False
    """Whether the errors rise significantly; over concepts, at a false discovery rate of 5 %."""


@dataclass(frozen=True)
class VersionComparison(Displayed):
    """Two versions compared on a split.

    Attributes:
        a: the baseline
        b: the candidate
        images: number of images evaluated by both
        corrected: whether corrections are applied
        overall, concepts: changes
        warnings: what limits the comparison
    """

    a: str
    b: str
    split: Split
    images: int
    corrected: bool
    overall: ConceptChange
    concepts: list[ConceptChange]
    warnings: list[str]

    @property
    def regressions(self) -> list[ConceptChange]:
        """The changes, overall or of a concept, in which the second version makes significantly
        more errors."""
        return [change for change in (self.overall, *self.concepts) if change.regression]

    @property
    def worst_first(self) -> list[ConceptChange]:
        """The concepts by how many errors more the second version makes, then by name."""
        return sorted(self.concepts, key=lambda c: (-c.errors.increase, c.concept or ""))

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
            "corrected": self.corrected,
            **overall,
            "concepts": [asdict(change) for change in self.concepts],
            "regression": bool(self.regressions),
            "warnings": self.warnings,
        }


def describe_change(change: ConceptChange) -> str:
    """The verdict with its numbers: `better: 705 → 464 errors (p = 2e-12)`."""
    errors = f"{change.errors.a:,} → {change.errors.b:,} errors (p = {change.p_errors:.2g})"
    if change.verdict != "trade-off":
        return f"{change.verdict}: {errors}"
    return (
        f"trade-off: false negatives {change.fn.a:,} → {change.fn.b:,} (p = {change.p_fn:.2g}), "
        f"false positives {change.fp.a:,} → {change.fp.b:,} (p = {change.p_fp:.2g}); net {errors}"
    )


def mark_regressions(changes: list[ConceptChange]) -> list[ConceptChange]:
    """Mark the changes with significantly more errors, corrected for their number: of eighty
    concepts, four would be significant by chance alone."""
    passes = significant([worsening_p_value(change) for change in changes], SIGNIFICANCE_LEVEL)
    return [
        replace(change, regression=is_worse)
        for change, is_worse in zip(changes, passes, strict=True)
    ]


def worsening_p_value(change: ConceptChange) -> float:
    return change.p_errors if change.errors.increase > 0 else 1.0


class ComparedResults(Protocol):
    """What is read of the results of each version."""

    @property
    def evaluation(self) -> Evaluation: ...
    @property
    def thresholds(self) -> Float64Array: ...
    @property
    def corrected(self) -> bool: ...
    @property
    def selected_images(self) -> BoolArray | None: ...
    def appearance(self, split: int) -> Appearance: ...
    def error_slices(self, split: int, appearance: Appearance | None) -> list[ErrorSlice]: ...


def compare_versions(
    name_a: str, a: ComparedResults, name_b: str, b: ComparedResults, split: Split
) -> VersionComparison:
    """The change from the baseline a to the candidate b, each at its thresholds. Both as trained,
    or both with corrections.

    Raises:
        NothingComparedError: no image was evaluated in both.
        ValueError: one is as trained and the other with corrections.
    """
    if a.corrected != b.corrected:
        raise ValueError("compare both versions as trained, or both with corrections")
    split_index = SPLITS.index(split)
    comparison = compare_evaluations(
        a.evaluation,
        b.evaluation,
        split_index,
        a.thresholds,
        b.thresholds,
    )
    if not comparison.image_count:
        raise NothingComparedError(name_a, name_b, split)
    concepts = [
        concept_change(comparison, a, concept_index)
        for concept_index in comparison.shared_concepts.tolist()
    ]
    overall = mark_regressions([concept_change(comparison, a, None)])[0]
    return VersionComparison(
        name_a,
        name_b,
        split,
        comparison.image_count,
        a.corrected,
        overall,
        mark_regressions(concepts),
        comparison_warnings(comparison, a, b, split_index),
    )


@dataclass(frozen=True)
class BrokenUnit:
    """What the baseline has right and the candidate wrong: an annotation, an image or a tag."""

    image: str
    concept: str


def broken_units(a: ComparedResults, b: ComparedResults, split: Split) -> list[BrokenUnit]:
    """What `compare_versions` counts as broken, by image and concept."""
    units = compare_evaluations(
        a.evaluation, b.evaluation, SPLITS.index(split), a.thresholds, b.thresholds
    ).units
    rows = np.flatnonzero(units.outcome == BROKEN)
    pairs = zip(units.image[rows].tolist(), units.concept[rows].tolist(), strict=True)
    return [
        BrokenUnit(str(a.evaluation.images.path[image]), a.evaluation.concepts[concept])
        for image, concept in sorted(pairs)
    ]


def concept_change(
    comparison: Comparison, a: ComparedResults, concept_index: int | None
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
    lists = (comparison.fn_a, comparison.fn_b, comparison.fp_a, comparison.fp_b)
    change = error_change(
        len(a.evaluation.images), *(errors.images_of(concept_index) for errors in lists)
    )
    return ConceptChange(
        None if concept_index is None else a.evaluation.concepts[concept_index],
        len(outcomes),
        outcome_counts[FIXED],
        outcome_counts[BROKEN],
        outcome_counts[STILL_WRONG],
        outcome_counts[BOTH_RIGHT],
        gone_count,
        new_count,
        mcnemar_p_value(outcome_counts[FIXED], outcome_counts[BROKEN]),
        change.errors,
        change.fn,
        change.fp,
        change.p_errors,
        change.p_fn,
        change.p_fp,
        change.verdict,
    )


def comparison_warnings(
    comparison: Comparison, a: ComparedResults, b: ComparedResults, split: int
) -> list[str]:
    messages = []
    for results, ordinal in ((a, "first"), (b, "second")):
        evaluation = results.evaluation
        is_looked_at = evaluation.images.split == split
        if results.selected_images is not None:
            is_looked_at &= results.selected_images
        was_run = is_looked_at & (evaluation.coverage != NOT_RUN)
        if image_count := int(was_run.sum()) - comparison.image_count:
            messages.append(
                f"{image_count:,} images of the {ordinal} version are not in the other version: "
                "left out"
            )
        if image_count := int(is_looked_at.sum() - was_run.sum()):
            messages.append(f"the {ordinal} version was not run on {image_count:,} of its images")
    if comparison.mismatch_count:
        messages.append(
            f"{comparison.mismatch_count:,} annotations differ between the two versions: left out"
        )
    if unshared_concepts := sorted(annotated_names(a) ^ annotated_names(b)):
        messages.append(
            f"concepts that are in only one version are left out: {', '.join(unshared_concepts)}"
        )
    if a.evaluation.iou_threshold != b.evaluation.iou_threshold:
        messages.append(
            f"the versions use different IoU thresholds: {a.evaluation.iou_threshold:g} and "
            f"{b.evaluation.iou_threshold:g}"
        )
    return messages


def annotated_names(results: ComparedResults) -> set[str]:
    evaluation = results.evaluation
    return {evaluation.concepts[concept] for concept in evaluation.annotated_concepts}


@dataclass(frozen=True)
class SliceChange:
    """Changes of the annotations of an error slice of one version (`of`).

    Attributes:
        items: compared
        errors_a, errors_b: missed by each
        only: filters that select the slice, of the concept (None: of all)
    """

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
        a.thresholds,
        b.thresholds,
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
