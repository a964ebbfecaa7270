"""Routes of images that look alike, and of leaving out or moving one of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Response

from pellucid.core.tables import SPLITS
from pellucid.project.duplicate_images import DuplicateImage
from pellucid.server.dependencies import (
    LONG_ANSWER,
    NOT_FOUND_RESPONSE,
    ResourceName,
    TrainedVersionContext,
    WorkspaceDependency,
    json_response,
    require_owner,
)
from pellucid.server.schemas.duplicates_schema import (
    DuplicateDecision,
    DuplicatesDocument,
    PairDocument,
    PicturedImage,
)
from pellucid.server.version_images import VersionImages

router = APIRouter()

MAX_PAIRS_PER_PAGE = 100


@router.get(
    "/api/v1/views/{view}/versions/{version}/duplicates",
    response_model=DuplicatesDocument,
    responses=NOT_FOUND_RESPONSE,
    dependencies=[LONG_ANSWER],
)
def get_duplicates(
    context: TrainedVersionContext,
    workspace: WorkspaceDependency,
    view: ResourceName,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAIRS_PER_PAGE)] = 50,
) -> Response:
    """Images of all splits that are copies or look alike, those of different splits first. They are
    searched for in the background."""
    search = context.version.duplicate_search
    found = search.get_or_start()
    if found is None:
        return json_response(DuplicatesDocument([], 0, False, 0, *search.progress, False))
    described = workspace.view(view).describe_duplicates(found.pairs, search.images)
    version_images = VersionImages(context.version, context.results)

    def with_picture(image: DuplicateImage, row: int) -> PicturedImage:
        stamp = version_images.stamp(row)
        return PicturedImage(
            **asdict(image),
            picture=version_images.image_url(row, stamp),
            width=version_images.size(row, stamp)[0],
            height=version_images.size(row, stamp)[1],
            frozen_split=SPLITS[search.images.split[row]],
        )

    documents = [
        PairDocument(
            with_picture(pair.first, rows.first),
            with_picture(pair.second, rows.second),
            pair.identical,
            pair.distance,
            pair.leak,
        )
        for rows, pair in described[offset : offset + limit]
    ]
    leaks = sum(pair.leak for _, pair in described)
    return json_response(
        DuplicatesDocument(
            documents, len(described), found.is_truncated, leaks, *search.progress, True
        )
    )


@router.post(
    "/api/v1/views/{view}/duplicates",
    status_code=204,
    responses=NOT_FOUND_RESPONSE,
    dependencies=[Depends(require_owner)],
)
def decide_on_duplicate(
    workspace: WorkspaceDependency, view: ResourceName, body: DuplicateDecision
) -> Response:
    """Leave an image out of new versions, take it in again, or move it to another split. Only for
    owners."""
    opened = workspace.view(view)
    if body.action != "move":
        opened.exclude([body.image], body.action == "exclude")
    elif body.split is None:
        raise HTTPException(422, "Specify the split to move the image to.")
    else:
        opened.move([body.image], body.split)
    return Response(status_code=204)
