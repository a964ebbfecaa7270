"""The addresses of where a version is weak: slices of its items, and what looks alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from fastapi import APIRouter, Response

from pellucid.browse.selection import Tab
from pellucid.core.tables import NOT_RUN, SPLITS
from pellucid.project import Version, Workspace
from pellucid.results.results import Results
from pellucid.results.similarity import Appearance, MapPoints, find_similarity_groups, map_points
from pellucid.server.dependencies import (
    NOT_FOUND,
    Corrected,
    InSplit,
    ViewName,
    answer,
    state_at,
)
from pellucid.server.schemas.analysis_schema import (
    GroupDocument,
    MapDocument,
    PointDocument,
    SliceDocument,
    SlicesDocument,
)  # fmt: skip
from pellucid.server.serializers import Pictures, frame_of

ON_MAP = 2_000
"""Points that a map shows at most."""
EXAMPLES = 8


def weakness_routes(workspace: Workspace) -> APIRouter:
    routes = APIRouter()

    @routes.get("/api/views/{view}/versions/{version}/slices", response_model=SlicesDocument, responses=NOT_FOUND)
    def read_slices(view: ViewName, version: ViewName, split: InSplit = "validation", corrected: Corrected = False) -> Response:
        """Kinds of items with more (or fewer) errors than elsewhere, at the optimal thresholds. Reading pictures goes on behind it."""
        _, loaded = state_at(workspace, view, version, corrected)
        place = SPLITS.index(split)
        ready = loaded.image_stats_cache.get_or_start(place) is not None
        found = loaded.error_slices(place, loaded.appearance(place) if ready else None)
        names = {name: number for number, name in enumerate(loaded.evaluation.concepts)}
        tabs: dict[str, Tab] = {"extra": "extra", "missing": "missing"}
        shown = [
            SliceDocument(
                one.sentence, one.description, None if one.concept is None else names[one.concept], tabs[one.error], one.items,
                one.errors, one.rate, one.elsewhere, one.interval, one.p_adjusted, one.explained, one.population_errors, list(one.only),
            )
            for one in found
        ]  # fmt: skip
        return answer(SlicesDocument(shown, *loaded.image_stats_cache.progress(place), ready, sampled(loaded, place)))

    @routes.get("/api/views/{view}/versions/{version}/map", response_model=MapDocument, responses=NOT_FOUND)
    def read_map(view: ViewName, version: ViewName, split: InSplit = "validation", corrected: Corrected = False) -> Response:
        """What looks alike: items on a map, and in groups."""
        found, loaded = state_at(workspace, view, version, corrected)
        place = SPLITS.index(split)
        if loaded.image_stats_cache.get_or_start(place) is None:
            return answer(MapDocument([], [], "", 0, *loaded.image_stats_cache.progress(place), False, sampled(loaded, place)))
        return answer(map_document(found, loaded, place, loaded.appearance(place)))

    return routes


def sampled(loaded: Results, split: int) -> bool:
    """Whether there are more pictures than are looked at."""
    evaluation = loaded.evaluation
    there = int(((evaluation.images.split == split) & (evaluation.coverage != NOT_RUN) & (evaluation.images.root >= 0)).sum())
    return there > loaded.image_stats_cache.progress(split)[1] > 0


def map_document(version: Version, loaded: Results, split: int, seen: Appearance) -> MapDocument:
    evaluation, items = loaded.evaluation, seen.image_stats.items
    pictures = Pictures(version, loaded)
    lines = map_points(evaluation, split, seen.image_stats)
    shown = np.flatnonzero(~np.isnan(seen.map_positions[lines.line]).any(axis=1))
    total = len(shown)
    if total > ON_MAP:
        shown = np.sort(np.random.default_rng(0).choice(shown, ON_MAP, replace=False))
    points = [
        PointDocument(
            round(float(seen.map_positions[lines.line[one], 0]), 4), round(float(seen.map_positions[lines.line[one], 1]), 4), int(lines.row[one]),
            bool(lines.is_annotation[one]), int(lines.concept[one]), lines.outcome[one], int(seen.groups[lines.line[one]]) + 1,
        )
        for one in shown.tolist()
    ]  # fmt: skip
    names = {name: place for place, name in enumerate(evaluation.concepts)}
    told = [
        GroupDocument(
            one.number, one.matched, one.extra, one.missing, [(names[name], number) for name, number in one.concepts],
            examples(pictures, loaded, lines, seen, one.number - 1),
        )
        for one in find_similarity_groups(evaluation, split, seen)
    ]  # fmt: skip
    return MapDocument(points, told, seen.feature_source, total, len(items.images), len(items.images), True, sampled(loaded, split))


def examples(pictures: Pictures, loaded: Results, lines: MapPoints, seen: Appearance, group: int) -> list[str]:
    """Addresses of the crops nearest to a group's middle."""
    inside = np.flatnonzero(seen.groups[lines.line] == group)
    if not len(inside):
        return []
    features = seen.features[lines.line[inside]]
    near = inside[np.argsort(((features - features.mean(axis=0)) ** 2).sum(axis=1), kind="stable")[:EXAMPLES]]
    return [example(pictures, loaded, lines, one) for one in near.tolist()]


def example(pictures: Pictures, loaded: Results, lines: MapPoints, one: int) -> str:
    """The address of a crop, small."""
    image = int(lines.image[one])
    mark = pictures.stamp(image)
    table: Any = loaded.evaluation.annotations if lines.is_annotation[one] else loaded.evaluation.predictions
    framed = frame_of(pictures, image, mark, tuple(table.box[lines.row[one]].tolist())) if table.box is not None else None
    part = f"&frame={','.join(map(str, framed))}" if framed else ""
    return f"{pictures.picture(image, mark)}?size=192{part}"
