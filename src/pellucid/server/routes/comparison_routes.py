"""Routes that compare two versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Query, Response

from pellucid.browse.selection import Tab
from pellucid.core.tables import SPLITS, Split
from pellucid.evaluation.counts import count_outcomes
from pellucid.results.figures import OperatingPoint, operating_point
from pellucid.results.results import Results
from pellucid.results.version_comparison import compare_slices, compare_versions, describe_change
from pellucid.server.dependencies import (
    LONG_ANSWER,
    MEDIUM_ANSWER,
    NOT_FOUND_RESPONSE,
    CorrectedQuery,
    IouQuery,
    ResourceName,
    SplitQuery,
    WorkspaceDependency,
    json_response,
)
from pellucid.server.schemas.analysis_schema import (
    ChosenThreshold,
    ComparisonDocument,
    GalleryLink,
    SliceChangesDocument,
)

router = APIRouter()

PointQuery = Annotated[
    str,
    Query(
        max_length=100,
        description="Thresholds of both versions: `errors` (each at its fewest), another objective "
        "(`f1`, `precision:0.9`, `recall:0.9`, `cost:1,2`), or `score:X` for one of all concepts",
    ),
]
ImageFiltersQuery = Annotated[
    tuple[str, ...],
    Query(max_length=20, description="Filters of images: `where:weather=rain`, `file:night/`"),
]


def find_results_pair(
    workspace: WorkspaceDependency,
    view: ResourceName,
    version: ResourceName,
    other: ResourceName,
    split: SplitQuery = "validation",
    corrected: CorrectedQuery = False,
    iou: IouQuery = None,
) -> tuple[Results, Results]:
    """Both versions, in the same state; each must have images in the split."""
    opened = workspace.view(view)
    first, second = (opened.version(name).results(corrected, iou=iou) for name in (version, other))
    for results in (first, second):
        results.split_index(split)
    return first, second


ResultsPair = Annotated[tuple[Results, Results], Depends(find_results_pair)]


@router.get(
    "/api/v1/views/{view}/versions/{version}/compare/{other}",
    response_model=ComparisonDocument,
    responses=NOT_FOUND_RESPONSE,
    dependencies=[MEDIUM_ANSWER],
)
def get_comparison(
    pair: ResultsPair,
    split: SplitQuery = "validation",
    point: PointQuery = "errors",
    only: ImageFiltersQuery = (),
) -> Response:
    """Compare this version with a later one on the images evaluated by both."""
    first, second = (results.at_point(point).on_images(only) for results in pair)
    return json_response(comparison_document(first, second, split, point, only))


@router.get(
    "/api/v1/views/{view}/versions/{version}/compare/{other}/slices",
    response_model=SliceChangesDocument,
    responses=NOT_FOUND_RESPONSE,
    dependencies=[LONG_ANSWER],
)
def get_slice_changes(
    pair: ResultsPair,
    split: SplitQuery = "validation",
    point: PointQuery = "errors",
) -> Response:
    """Compare both versions on the slices where either has more errors."""
    split_index = SPLITS.index(split)
    waiting = [which for which in pair if which.image_stats_cache.get_or_start(split_index) is None]
    progress = [which.image_stats_cache.progress(split_index) for which in pair]
    analyzed_count, total_count = (sum(counts) for counts in zip(*progress, strict=True))
    if waiting:
        return json_response(SliceChangesDocument([], analyzed_count, total_count, False))
    first, second = (results.at_point(point) for results in pair)
    changes = compare_slices(first.links.name, first, second.links.name, second, split)
    return json_response(SliceChangesDocument(changes, analyzed_count, total_count, True))


CHANGE_GALLERIES: tuple[tuple[str, bool, Tab], ...] = (
    ("fixed", False, "extra"),
    ("broken", True, "extra"),
    ("still_wrong", True, "extra"),
    ("both_right", True, "matched"),
    ("alarm_gone", False, "missing"),
    ("alarm_new", True, "missing"),
)
"""The kind of change, whether the later version shows it, and the tab."""


def comparison_document(
    a: Results, b: Results, split: Split, point: str, only: Sequence[str]
) -> ComparisonDocument:
    comparison = compare_versions(a.links.name, a, b.links.name, b, split)
    split_index = SPLITS.index(split)
    suffix = "" if point == "errors" else f"@{point}"
    links = []
    for change_name, in_later_version, tab in CHANGE_GALLERIES:
        shown_version, reference = (b, a) if in_later_version else (a, b)
        linked_name = shown_version.links.name
        filter_clause = f"versus:{reference.links.name}={change_name}{suffix}"
        rows = shown_version.filtered_rows(
            shown_version.selection(tab, split_index, None, shown_version.thresholds, False),
            (filter_clause, *only),
        )
        assert rows is not None
        item_columns = shown_version.evaluation.item_table(tab == "extra")
        concept_counts = np.bincount(
            item_columns.concept[rows], minlength=len(shown_version.evaluation.concepts)
        ).tolist()
        links.append(GalleryLink(change_name, linked_name, tab, filter_clause, len(rows), None))
        links += [
            GalleryLink(
                change_name,
                linked_name,
                tab,
                filter_clause,
                concept_counts[concept_index],
                shown_version.evaluation.concepts[concept_index],
            )
            for concept_index in np.flatnonzero(concept_counts)
        ]
    before, after = (split_operating_point(results, split_index) for results in (a, b))
    return ComparisonDocument(
        comparison.a,
        comparison.b,
        split,
        comparison.images,
        comparison.overall,
        comparison.concepts,
        comparison.warnings,
        links,
        before,
        after,
        describe_change(comparison.overall),
        [*chosen_thresholds(a), *chosen_thresholds(b)],
    )


def chosen_thresholds(results: Results) -> list[ChosenThreshold]:
    """The thresholds that are not those with the fewest errors."""
    optimal = results.evaluation.optimal_thresholds
    return [
        ChosenThreshold(
            results.links.name, results.evaluation.concepts[index], float(results.thresholds[index])
        )
        for index in np.flatnonzero(results.thresholds != optimal)
    ]


def split_operating_point(results: Results, split_index: int) -> OperatingPoint:
    counts = count_outcomes(results.evaluation, split_index, results.thresholds)
    return operating_point(int(counts.tp.sum()), int(counts.fp.sum()), int(counts.fn.sum()))
