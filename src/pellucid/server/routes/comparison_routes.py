"""The addresses of two versions compared."""

from __future__ import annotations

import numpy as np
from fastapi import APIRouter, Response

from pellucid.browse.selection import Tab
from pellucid.core.tables import SPLITS, Split
from pellucid.evaluation.counts import count_outcomes
from pellucid.project import Version, Workspace
from pellucid.results.figures import OperatingPoint, operating_point
from pellucid.results.results import Results
from pellucid.results.version_comparison import compare_slices, compare_versions, describe_change
from pellucid.server.dependencies import NOT_FOUND, InSplit, ViewName, answer, look_up
from pellucid.server.schemas.analysis_schema import (
    ComparedDocument,
    GalleryLink,
    SliceChangesDocument,
)  # fmt: skip


def comparison_routes(workspace: Workspace) -> APIRouter:
    routes = APIRouter()

    @routes.get("/api/views/{view}/versions/{version}/compare/{other}", response_model=ComparedDocument, responses=NOT_FOUND)
    def read_compared(view: ViewName, version: ViewName, other: ViewName, split: InSplit = "validation") -> Response:
        """This version and a later one on the images both were run on."""
        return answer(compared_document(*pair(view, version, other, split), split))

    @routes.get("/api/views/{view}/versions/{version}/compare/{other}/slices", response_model=SliceChangesDocument, responses=NOT_FOUND)
    def read_slice_changes(view: ViewName, version: ViewName, other: ViewName, split: InSplit = "validation") -> Response:
        """The same, on the kinds of items where either is weak."""
        one, two = pair(view, version, other, split)
        place = SPLITS.index(split)
        waiting = [which for which in (one.results(), two.results()) if which.image_stats_cache.get_or_start(place) is None]
        progress = [which.image_stats_cache.progress(place) for which in (one.results(), two.results())]
        read, of = (sum(side) for side in zip(*progress, strict=True))
        if waiting:
            return answer(SliceChangesDocument([], read, of, False))
        return answer(SliceChangesDocument(compare_slices(one.name, one.results(), two.name, two.results(), split), read, of, True))

    def pair(view: str, version: str, other: str, split: Split) -> tuple[Version, Version]:
        one, two = look_up(workspace, view, version)[0], look_up(workspace, view, other)[0]
        one.results().split_index(split)
        two.results().split_index(split)
        return one, two

    return routes


GALLERIES: tuple[tuple[str, bool, Tab], ...] = (
    ("fixed", False, "extra"), ("broken", True, "extra"), ("still_wrong", True, "extra"), ("both_right", True, "matched"),
    ("alarm_gone", False, "missing"), ("alarm_new", True, "missing"),
)  # fmt: skip
"""What changed, whether it is looked at in the later version, and in which tab."""


def compared_document(a: Version, b: Version, split: Split) -> ComparedDocument:
    found = compare_versions(a.name, a.results(), b.name, b.results(), split)
    place = SPLITS.index(split)
    links = []
    for name, later, tab in GALLERIES:
        shown, other = (b, a) if later else (a, b)
        loaded = shown.results()
        only = f"versus:{other.name}={name}"
        rows = loaded.filtered_rows(loaded.selection(tab, place, None, loaded.evaluation.optimal_thresholds, False), (only,))
        assert rows is not None
        table = loaded.evaluation.annotations if tab == "extra" else loaded.evaluation.predictions
        number = np.bincount(table.concept[rows], minlength=len(loaded.evaluation.concepts)).tolist()
        links.append(GalleryLink(name, shown.name, tab, only, len(rows), None))
        links += [GalleryLink(name, shown.name, tab, only, number[one], loaded.evaluation.concepts[one]) for one in np.flatnonzero(number)]
    before, after = (figures_on(version.results(), place) for version in (a, b))
    return ComparedDocument(
        found.a, found.b, split, found.images, found.overall, found.concepts, found.warnings, links, before, after, describe_change(found.overall)
    )


def figures_on(loaded: Results, split: int) -> OperatingPoint:
    counts = count_outcomes(loaded.evaluation, split, loaded.evaluation.optimal_thresholds)
    return operating_point(int(counts.tp.sum()), int(counts.fp.sum()), int(counts.fn.sum()))
