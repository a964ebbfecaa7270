"""Filters of a tab: by cause, confusion matrix cell, slice, score range or change between versions.

Each filter is a `KEY:VALUE` text, for URLs and command lines:

`cause:background` · `score:0.2..0.4`, prediction score (in tab Extra, the image's own score) ·
`file:TEXT`, items of images with the text in their path, in any case · `answered:0.2..0.4`,
annotations by the score of their matched prediction · `right:yes`,
`right:no`, true or false positives; `counts:yes`, both · `predicted:CONCEPT`, false negatives by
the concept predicted instead; `annotated:CONCEPT`, false positives; empty CONCEPT: none ·
`where:PROPERTY=LOW..HIGH`, `where:PROPERTY=VALUE` · `items:p12,p40`, these rows of the
predictions, or with `a` of the annotations · `like:p12`, `like:a12`, items most similar to such a
row · `text:WORDS`, items most similar to a text, where the view has a text model ·
`versus:VERSION=CHANGE`, changes between two versions: fixed and alarm_gone with this one as the
older; broken, alarm_new, still_wrong and both_right with this one as the newer. `@POINT` behind
the change states the thresholds of the other version (see Results.at_point).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote

import numpy as np

from pellucid.analysis.comparison import (
    BOTH_RIGHT,
    BROKEN,
    FIXED,
    STILL_WRONG,
    Comparison,
    compare_evaluations,
    unit_annotation_rows,
)
from pellucid.analysis.confusion import find_confused_concepts
from pellucid.analysis.slice_features import Condition, decode_condition
from pellucid.browse.list_views import sort_selection_rows
from pellucid.browse.selection import TabSelection
from pellucid.core.tables import BoolArray, Float32Array, Float64Array, Images, Int64Array
from pellucid.evaluation.error_causes import CAUSES, false_negative_causes, false_positive_causes
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.match_result import MATCHED, WRONG
from pellucid.evaluation.unmatched import concept_scores
from pellucid.results.errors import FilterError
from pellucid.results.similarity import Appearance
from pellucid.results.slices import match_conditions, needs_pixels

SIMILAR_LIMIT = 60
"""Number of items that `like` selects."""
FILTER_KEYS = (
    "cause",
    "file",
    "score",
    "answered",
    "right",
    "counts",
    "predicted",
    "annotated",
    "where",
    "items",
    "like",
    "text",
    "versus",
)
RANKING_KEYS = ("like", "text")
"""These ask for a number of items, most similar first, and not for a property."""
CHANGE_OUTCOMES = {
    "fixed": FIXED,
    "broken": BROKEN,
    "still_wrong": STILL_WRONG,
    "both_right": BOTH_RIGHT,
}
FALSE_ALARM_CHANGES = ("alarm_gone", "alarm_new")
YES_OR_NO = ("yes", "no")


class ComparedVersion(Protocol):
    """The results of another version."""

    @property
    def evaluation(self) -> Evaluation: ...
    @property
    def thresholds(self) -> Float64Array: ...
    def at_point(self, point: str) -> ComparedVersion: ...


@dataclass(frozen=True)
class FilterContext:
    """What filters read besides the list itself."""

    appearance: Callable[[int], Appearance]
    """Image statistics and features of the items of a split; reads the images that were not read
        before."""
    other_version: Callable[[str], ComparedVersion]
    """Another version of the view, by name."""
    text_vector: Callable[[str], Float32Array] | None = None
    """The embedding of a text; None where the view has no text model."""


def apply_filters(
    context: FilterContext, selection: TabSelection, filters: Sequence[str]
) -> Int64Array:
    """Rows that satisfy all filters, in the tab's order (`like`, `text`: most similar first).
    Raises FilterError."""
    item_rows = selection.all_rows()
    clauses = [parse_clause(clause_text) for clause_text in filters]
    for key, argument in clauses:
        if key not in ("where", *RANKING_KEYS):
            item_rows = item_rows[clause_mask(context, selection, item_rows, key, argument)]
    if conditions := [parse_condition(argument) for key, argument in clauses if key == "where"]:
        appearance = (
            context.appearance(selection.split)
            if any(needs_pixels(c.name) for c in conditions)
            else None
        )
        item_rows = item_rows[
            match_conditions(
                selection.evaluation, item_rows, selection.shows_annotations, appearance, conditions
            )
        ]
    item_rows = sort_selection_rows(selection, item_rows)
    for key, argument in clauses:
        if key in RANKING_KEYS:
            rank = most_similar if key == "like" else most_like_text
            item_rows = rank(context, selection, item_rows, argument)
    return item_rows


def other_version_names(filters: Sequence[str]) -> list[str]:
    """Names of the other versions that the filters refer to."""
    return [
        argument.rpartition("=")[0]
        for key, argument in map(parse_clause, filters)
        if key == "versus"
    ]


def parse_clause(clause_text: str) -> tuple[str, str]:
    key, colon, argument = clause_text.partition(":")
    if key not in FILTER_KEYS or not colon:
        expected = f"KEY:VALUE with one of the keys {', '.join(FILTER_KEYS)}"
        if "=" in clause_text and not colon:
            expected += f"; a column of the images is filtered by where:{clause_text}"
        raise FilterError(clause_text, expected, key, FILTER_KEYS)
    return key, argument


def clause_mask(
    context: FilterContext, selection: TabSelection, item_rows: Int64Array, key: str, argument: str
) -> BoolArray:
    evaluation, are_annotations = selection.evaluation, selection.shows_annotations
    mask_of = {"cause": cause_mask, "file": file_mask, "items": item_mask}.get(key)
    if mask_of is not None:
        return mask_of(selection, item_rows, argument)
    if key == "score":
        score = (
            evaluation.predictions.score[item_rows]
            if not are_annotations
            else concept_scores(evaluation, item_rows)
        )
        return score_range_mask(score, argument, key)
    if key == "answered":
        return (
            score_range_mask(evaluation.matched_score[item_rows], argument, key)
            if are_annotations
            else np.zeros(len(item_rows), bool)
        )
    if key in ("right", "counts"):
        if argument not in (YES_OR_NO if key == "right" else YES_OR_NO[:1]):
            raise FilterError(f"{key}:{argument}", "right:yes, right:no or counts:yes")
        states = (
            evaluation.state[item_rows] if not are_annotations else np.full(len(item_rows), WRONG)
        )
        return np.asarray(
            states == (MATCHED if argument == "yes" else WRONG)
            if key == "right"
            else (states == MATCHED) | (states == WRONG)
        )
    if key in ("predicted", "annotated"):
        return confusion_mask(selection, item_rows, key, argument)
    return version_change_mask(context, selection, item_rows, argument)


def file_mask(selection: TabSelection, item_rows: Int64Array, text: str) -> BoolArray:
    """Mask of the items whose image has the text in its path, in any case."""
    evaluation = selection.evaluation
    table = evaluation.item_table(selection.shows_annotations)
    return np.asarray(match_path(evaluation.images, text)[table.image[item_rows]])


def match_path(images: Images, text: str) -> BoolArray:
    """Mask of the images with the text, in the spelling of URLs, in their path, in any case."""
    wanted = unquote(text).casefold()
    has_text = (wanted in path.casefold() for path in images.path.tolist())
    return np.fromiter(has_text, bool, len(images))


def item_mask(selection: TabSelection, item_rows: Int64Array, references: str) -> BoolArray:
    """Mask of the rows named `p12,p40`: of the predictions, or with `a` of the annotations."""
    names = references.split(",")
    if not all(name[:1] in ("a", "p") and is_row_number(name[1:]) for name in names):
        raise FilterError(f"items:{references}", "items:p12,p40 or items:a12,a40")
    table_key = "a" if selection.shows_annotations else "p"
    named_rows = [int(name[1:]) for name in names if name[0] == table_key]
    return np.isin(item_rows, np.array(named_rows, np.int64))


def is_row_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= 18


def score_range_mask(scores: Float64Array, range_text: str, key: str) -> BoolArray:
    """Mask of the scores in `LOW..HIGH`; the upper bound is exclusive, and either may be
    omitted."""
    low, dots, high = range_text.partition("..")
    try:
        bounds = float(low or "-inf"), float(high or "inf")
    except ValueError:
        dots = ""
    if not dots:
        raise FilterError(f"{key}:{range_text}", f"{key}:LOW..HIGH, such as {key}:0.2..0.4")
    return np.asarray((scores >= bounds[0]) & (scores < bounds[1]))


def cause_mask(selection: TabSelection, item_rows: Int64Array, cause: str) -> BoolArray:
    if cause not in CAUSES:
        expected = f"one of the causes {', '.join(CAUSES)}"
        raise FilterError(f"cause:{cause}", expected, cause, CAUSES)
    find_causes = {"extra": false_negative_causes, "missing": false_positive_causes}.get(
        selection.tab
    )
    if find_causes is None:
        return np.zeros(len(item_rows), bool)
    return np.asarray(
        find_causes(selection.evaluation, item_rows, selection.thresholds) == CAUSES.index(cause)
    )


def confusion_mask(
    selection: TabSelection, item_rows: Int64Array, key: str, concept_name: str
) -> BoolArray:
    """Mask of the items in a cell of the confusion matrix: confused with the concept, or with
    none."""
    evaluation = selection.evaluation
    if concept_name and concept_name not in evaluation.concepts:
        expected = "a concept of the version, or an empty value"
        raise FilterError(f"{key}:{concept_name}", expected, concept_name, evaluation.concepts)
    concept_index = (
        evaluation.concepts.index(concept_name) if concept_name else len(evaluation.concepts)
    )
    if selection.tab != ("extra" if key == "predicted" else "missing"):
        return np.zeros(len(item_rows), bool)
    extra_rows, missing_rows = (
        TabSelection(evaluation, tab, selection.split, None, selection.thresholds).all_rows()
        for tab in ("extra", "missing")
    )
    predicted_concepts, annotated_concepts = find_confused_concepts(
        evaluation, extra_rows, missing_rows
    )
    candidate_rows, paired_concepts = (
        (extra_rows, predicted_concepts)
        if key == "predicted"
        else (missing_rows, annotated_concepts)
    )
    return np.isin(item_rows, candidate_rows[paired_concepts == concept_index])


def parse_condition(condition_text: str) -> Condition:
    try:
        return decode_condition(condition_text)
    except ValueError as error:
        raise FilterError(
            f"where:{condition_text}", "where:PROPERTY=LOW..HIGH or where:PROPERTY=VALUE"
        ) from error


def most_similar(
    context: FilterContext, selection: TabSelection, item_rows: Int64Array, reference: str
) -> Int64Array:
    evaluation = selection.evaluation
    table_key, row_text = reference[:1], reference[1:]
    reference_table: Any = {"a": evaluation.annotations, "p": evaluation.predictions}.get(table_key)
    if (
        reference_table is None
        or not is_row_number(row_text)
        or int(row_text) >= len(reference_table)
    ):
        raise FilterError(
            f"like:{reference}",
            "like:p12 or like:a12, with a row of the predictions or annotations",
        )
    reference_row = np.array([int(row_text)])
    split = int(evaluation.images.split[reference_table.image[reference_row]][0])
    has_boxes = evaluation.kind == "detection"
    appearance = context.appearance(split)
    reference_line, _ = appearance.image_stats.find_lines(
        reference_row,
        np.asarray(reference_table.image[reference_row], np.int64),
        table_key == "a",
        has_boxes,
    )
    if reference_line[0] < 0 or split != selection.split:
        return item_rows[:0]
    item_table: Any = evaluation.item_table(selection.shows_annotations)
    item_lines, _ = appearance.image_stats.find_lines(
        item_rows,
        np.asarray(item_table.image[item_rows], np.int64),
        selection.shows_annotations,
        has_boxes,
    )
    return np.asarray(
        item_rows[appearance.nearest_lines(int(reference_line[0]), item_lines, SIMILAR_LIMIT)]
    )


def most_like_text(
    context: FilterContext, selection: TabSelection, item_rows: Int64Array, words: str
) -> Int64Array:
    text = unquote(words).strip()
    if context.text_vector is None or not text:
        expected = "text:WORDS, in a view with a text model (embeddings --model --text-model)"
        raise FilterError(f"text:{words}", expected)
    evaluation = selection.evaluation
    item_table: Any = evaluation.item_table(selection.shows_annotations)
    appearance = context.appearance(selection.split)
    item_lines, _ = appearance.image_stats.find_lines(
        item_rows,
        np.asarray(item_table.image[item_rows], np.int64),
        selection.shows_annotations,
        evaluation.kind == "detection",
    )
    vector = context.text_vector(text)
    return np.asarray(item_rows[appearance.lines_like_vector(vector, item_lines, SIMILAR_LIMIT)])


def version_change_mask(
    context: FilterContext, selection: TabSelection, item_rows: Int64Array, argument: str
) -> BoolArray:
    """Mask of the changes between this version and another; the change determines which of them is
    the older."""
    version_name, separator, wanted = argument.rpartition("=")
    change, _, point = wanted.partition("@")
    if not separator or change not in (*CHANGE_OUTCOMES, *FALSE_ALARM_CHANGES):
        raise FilterError(
            f"versus:{argument}",
            "versus:VERSION=CHANGE or versus:VERSION=CHANGE@POINT with one of "
            f"{', '.join((*CHANGE_OUTCOMES, *FALSE_ALARM_CHANGES))}",
            change,
            (*CHANGE_OUTCOMES, *FALSE_ALARM_CHANGES),
        )
    other = context.other_version(version_name).at_point(point or "errors")
    ours, theirs = (
        (selection.evaluation, selection.thresholds),
        (other.evaluation, other.thresholds),
    )
    newer = change not in ("fixed", "alarm_gone")
    older_first = (theirs, ours) if newer else (ours, theirs)
    comparison = compare_evaluations(
        older_first[0][0], older_first[1][0], selection.split, older_first[0][1], older_first[1][1]
    )
    if change in FALSE_ALARM_CHANGES:
        changed_alarms = comparison.added if change == "alarm_new" else comparison.removed
        return (
            np.isin(item_rows, changed_alarms.prediction_rows)
            if not selection.shows_annotations
            else np.zeros(len(item_rows), bool)
        )
    return np.isin(
        item_rows,
        outcome_rows(comparison, CHANGE_OUTCOMES[change], older_first[0][0], selection, newer),
    )


def outcome_rows(
    comparison: Comparison,
    outcome: int,
    older_evaluation: Evaluation,
    selection: TabSelection,
    newer: bool,
) -> Int64Array:
    """Rows of the units with an outcome: of annotations in the tab Extra, otherwise of
    predictions."""
    evaluation = selection.evaluation
    annotation_rows = unit_annotation_rows(comparison, older_evaluation, evaluation, newer)[
        comparison.units.outcome == outcome
    ]
    annotation_rows = annotation_rows[annotation_rows >= 0]
    return (
        annotation_rows
        if selection.shows_annotations
        else np.asarray(evaluation.matched_by[annotation_rows], np.int64)
    )
