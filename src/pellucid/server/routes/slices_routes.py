"""Routes for error slices and the similarity map."""

from __future__ import annotations

from typing import Any

import numpy as np
from fastapi import APIRouter, Response

from pellucid.browse.selection import Tab
from pellucid.core.tables import NOT_RUN, SPLITS
from pellucid.project import Version
from pellucid.results.results import Results
from pellucid.results.similarity import Appearance, MapPoints, find_similarity_groups, map_points
from pellucid.server.dependencies import (
    LONG_ANSWER,
    NOT_FOUND_RESPONSE,
    SplitQuery,
    VersionContext,
    json_response,
)
from pellucid.server.schemas.analysis_schema import (
    GroupDocument,
    MapDocument,
    PointDocument,
    SliceDocument,
    SlicesDocument,
)
from pellucid.server.version_images import VersionImages, item_frame

MAX_MAP_POINTS = 2_000
"""Maximum number of points on a map."""
EXAMPLES_PER_GROUP = 8


router = APIRouter()


@router.get(
    "/api/v1/views/{view}/versions/{version}/slices",
    response_model=SlicesDocument,
    responses=NOT_FOUND_RESPONSE,
    dependencies=[LONG_ANSWER],
)
def get_slices(
    context: VersionContext,
    split: SplitQuery = "validation",
) -> Response:
    """Slices with more (or fewer) errors than elsewhere, at the optimal thresholds. Images are
    analyzed in the background."""
    results = context.results
    split_index = SPLITS.index(split)
    is_ready = results.image_stats_cache.get_or_start(split_index) is not None
    error_slices = results.error_slices(
        split_index, results.appearance(split_index) if is_ready else None
    )
    concept_indices = {
        concept_name: concept_index
        for concept_index, concept_name in enumerate(results.evaluation.concepts)
    }
    tab_by_error: dict[str, Tab] = {"extra": "extra", "missing": "missing"}
    slice_documents = [
        SliceDocument(
            error_slice.sentence,
            error_slice.description,
            None if error_slice.concept is None else concept_indices[error_slice.concept],
            tab_by_error[error_slice.error],
            error_slice.items,
            error_slice.errors,
            error_slice.rate,
            error_slice.elsewhere,
            error_slice.interval,
            error_slice.p_adjusted,
            error_slice.explained,
            error_slice.population_errors,
            list(error_slice.only),
        )
        for error_slice in error_slices
    ]
    return json_response(
        SlicesDocument(
            slice_documents,
            *results.image_stats_cache.progress(split_index),
            is_ready,
            is_sampled(results, split_index),
        )
    )


@router.get(
    "/api/v1/views/{view}/versions/{version}/map",
    response_model=MapDocument,
    responses=NOT_FOUND_RESPONSE,
    dependencies=[LONG_ANSWER],
)
def get_map(
    context: VersionContext,
    split: SplitQuery = "validation",
) -> Response:
    """Items on a similarity map, and in groups of similar items."""
    evaluated_version, results = context.version, context.results
    split_index = SPLITS.index(split)
    if results.image_stats_cache.get_or_start(split_index) is None:
        return json_response(
            MapDocument(
                [],
                [],
                "",
                0,
                *results.image_stats_cache.progress(split_index),
                False,
                is_sampled(results, split_index),
            )
        )
    return json_response(
        map_document(evaluated_version, results, split_index, results.appearance(split_index))
    )


def is_sampled(results: Results, split_index: int) -> bool:
    """Whether only a sample of the images is analyzed."""
    evaluation = results.evaluation
    readable_count = int(
        (
            (evaluation.images.split == split_index)
            & (evaluation.coverage != NOT_RUN)
            & (evaluation.images.root >= 0)
        ).sum()
    )
    return readable_count > results.image_stats_cache.progress(split_index)[1] > 0


def map_document(
    version: Version, results: Results, split_index: int, appearance: Appearance
) -> MapDocument:
    evaluation, items = results.evaluation, appearance.image_stats.items
    version_images = VersionImages(version, results)
    map_items = map_points(evaluation, split_index, appearance.image_stats)
    item_indices = np.flatnonzero(~np.isnan(appearance.map_positions[map_items.line]).any(axis=1))
    point_count = len(item_indices)
    if point_count > MAX_MAP_POINTS:
        item_indices = np.sort(
            np.random.default_rng(0).choice(item_indices, MAX_MAP_POINTS, replace=False)
        )
    points = [
        PointDocument(
            round(float(appearance.map_positions[map_items.line[item_index], 0]), 4),
            round(float(appearance.map_positions[map_items.line[item_index], 1]), 4),
            int(map_items.row[item_index]),
            bool(map_items.is_annotation[item_index]),
            int(map_items.concept[item_index]),
            map_items.outcome[item_index],
            int(appearance.groups[map_items.line[item_index]]) + 1,
            crop_url(version_images, results, map_items, item_index),
        )
        for item_index in item_indices.tolist()
    ]
    concept_indices = {
        concept_name: concept_index
        for concept_index, concept_name in enumerate(evaluation.concepts)
    }
    group_documents = [
        GroupDocument(
            similarity_group.number,
            similarity_group.matched,
            similarity_group.extra,
            similarity_group.missing,
            [
                (concept_indices[concept_name], item_count)
                for concept_name, item_count in similarity_group.concepts
            ],
            example_urls(
                version_images, results, map_items, appearance, similarity_group.number - 1
            ),
        )
        for similarity_group in find_similarity_groups(evaluation, split_index, appearance)
    ]
    return MapDocument(
        points,
        group_documents,
        appearance.feature_source,
        point_count,
        len(items.images),
        len(items.images),
        True,
        is_sampled(results, split_index),
    )


def example_urls(
    version_images: VersionImages,
    results: Results,
    map_items: MapPoints,
    appearance: Appearance,
    group_index: int,
) -> list[str]:
    """URLs of the crops closest to a group's centroid."""
    member_indices = np.flatnonzero(appearance.groups[map_items.line] == group_index)
    if not len(member_indices):
        return []
    features = appearance.features[map_items.line[member_indices]]
    nearest_indices = member_indices[
        np.argsort(((features - features.mean(axis=0)) ** 2).sum(axis=1), kind="stable")[
            :EXAMPLES_PER_GROUP
        ]
    ]
    return [
        crop_url(version_images, results, map_items, item_index)
        for item_index in nearest_indices.tolist()
    ]


def crop_url(
    version_images: VersionImages, results: Results, map_items: MapPoints, item_index: int
) -> str:
    """The URL of a small crop."""
    image = int(map_items.image[item_index])
    file_stamp = version_images.stamp(image)
    item_columns: Any = (
        results.evaluation.annotations
        if map_items.is_annotation[item_index]
        else results.evaluation.predictions
    )
    item_region = (
        item_frame(
            version_images,
            image,
            file_stamp,
            tuple(item_columns.box[map_items.row[item_index]].tolist()),
        )
        if item_columns.box is not None
        else None
    )
    frame_query = f"&frame={','.join(map(str, item_region))}" if item_region else ""
    return f"{version_images.image_url(image, file_stamp)}?size=192{frame_query}"
