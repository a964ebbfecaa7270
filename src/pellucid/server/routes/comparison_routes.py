"""Routes that compare two versions."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Response

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
    ComparisonDocument,
    GalleryLink,
    SliceChangesDocument,
)

router = APIRouter()


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
    pair = (
        opened.version(version).results(corrected, iou=iou),
        opened.version(other).results(corrected, iou=iou),
    )
    for results in pair:
        results.split_index(split)
    return pair


ResultsPair = Annotated[tuple[Results, Results], Depends(find_results_pair)]


@router.get(
    "/api/v1/views/{view}/versions/{version}/compare/{other}",
    response_model=ComparisonDocument,
    responses=NOT_FOUND_RESPONSE,
    dependencies=[MEDIUM_ANSWER],
)
def read_comparison(
    pair: ResultsPair,
    split: SplitQuery = "validation",
) -> Response:
    """Compare this version with a later one on the images evaluated by both."""
    return json_response(comparison_document(*pair, split))


@router.get(
    "/api/v1/views/{view}/versions/{version}/compare/{other}/slices",
    response_model=SliceChangesDocument,
    responses=NOT_FOUND_RESPONSE,
    dependencies=[LONG_ANSWER],
)
def read_slice_changes(
    pair: ResultsPair,
    split: SplitQuery = "validation",
) -> Response:
    """Compare both versions on the slices where either has more errors."""
    split_index = SPLITS.index(split)
    waiting = [which for which in pair if which.image_stats_cache.get_or_start(split_index) is None]
    progress = [which.image_stats_cache.progress(split_index) for which in pair]
    analyzed_count, total_count = (sum(counts) for counts in zip(*progress, strict=True))
    if waiting:
        return json_response(SliceChangesDocument([], analyzed_count, total_count, False))
    first, second = pair
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


def comparison_document(a: Results, b: Results, split: Split) -> ComparisonDocument:
    found = compare_versions(a.links.name, a, b.links.name, b, split)
    split_index = SPLITS.index(split)
    links = []
    for change_name, in_later_version, tab in CHANGE_GALLERIES:
        loaded, reference = (b, a) if in_later_version else (a, b)
        linked_name = loaded.links.name
        filter_clause = f"versus:{reference.links.name}={change_name}"
        rows = loaded.filtered_rows(
            loaded.selection(tab, split_index, None, loaded.evaluation.optimal_thresholds, False),
            (filter_clause,),
        )
        assert rows is not None
        item_columns = (
            loaded.evaluation.annotations if tab == "extra" else loaded.evaluation.predictions
        )
        concept_counts = np.bincount(
            item_columns.concept[rows], minlength=len(loaded.evaluation.concepts)
        ).tolist()
        links.append(GalleryLink(change_name, linked_name, tab, filter_clause, len(rows), None))
        links += [
            GalleryLink(
                change_name,
                linked_name,
                tab,
                filter_clause,
                concept_counts[concept_index],
                loaded.evaluation.concepts[concept_index],
            )
            for concept_index in np.flatnonzero(concept_counts)
        ]
    before, after = (split_operating_point(results, split_index) for results in (a, b))
    return ComparisonDocument(
        found.a,
        found.b,
        split,
        found.images,
        found.overall,
        found.concepts,
        found.warnings,
        links,
        before,
        after,
        describe_change(found.overall),
    )


def split_operating_point(results: Results, split_index: int) -> OperatingPoint:
    counts = count_outcomes(results.evaluation, split_index, results.evaluation.optimal_thresholds)
    return operating_point(int(counts.tp.sum()), int(counts.fp.sum()), int(counts.fn.sum()))
