"""Shared helpers of the routes: query parameters, look-ups and JSON responses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np
from fastapi import Depends, HTTPException, Query, Request, Response
from fastapi import Path as InPath

from pellucid.core.tables import Float64Array, Split
from pellucid.project import Version, Workspace
from pellucid.project.reviews import Reviews
from pellucid.results.results import Results
from pellucid.storage.mapped_columns import release_pages

ResourceName = Annotated[str, InPath(max_length=200)]
ConceptQuery = Annotated[
    int | None,
    Query(ge=0, le=10_000_000, description="Index in the version's concepts; omit for all"),
]
ThresholdsQuery = Annotated[
    list[str] | None,
    Query(description="User-defined thresholds, each `concept:value`", max_length=10_000),
]
FiltersQuery = Annotated[
    list[str] | None, Query(description="Filters, such as `cause:background`", max_length=20)
]
OverlayQuery = Annotated[
    str | None, Query(max_length=200, description="Another version, whose predictions are included")
]
SplitQuery = Annotated[Split, Query()]
CorrectedQuery = Annotated[
    bool, Query(description="Use the corrected annotations instead of the original ones")
]

IouQuery = Annotated[
    float | None,
    Query(gt=0, le=1, description="Match again at this IoU; omit for the version's own"),
]

NOT_FOUND_RESPONSE: dict[int | str, dict[str, Any]] = {
    404: {"description": "No such view, version, concept or image"}
}


def json_response(document: Any) -> Response:
    release_pages()
    return Response(
        msgspec.json.encode(document),
        media_type="application/json",
        headers={"Cache-Control": "no-cache"},
    )


def get_workspace(request: Request) -> Workspace:
    """The workspace that the application serves."""
    workspace: Workspace = request.app.state.workspace
    return workspace


async def wait_for_turn(request: Request) -> AsyncIterator[None]:
    """Wait outside the worker threads, so that pages, crops and decisions always find one. Raises
    HTTPException 499 if the client has gone meanwhile."""
    if await request.is_disconnected():
        raise HTTPException(499, "The client closed the connection.")
    yield


LONG_ANSWERS, MEDIUM_ANSWERS = 3, 12
"""Answers that take seconds, and tenths of seconds, computed at the same time."""
LONG_ANSWER = Depends(wait_for_turn, scope="function", max_concurrency=LONG_ANSWERS)
MEDIUM_ANSWER = Depends(wait_for_turn, scope="function", max_concurrency=MEDIUM_ANSWERS)

WorkspaceDependency = Annotated[Workspace, Depends(get_workspace)]


@dataclass(frozen=True)
class RequestedVersion:
    """The version that a request is about, in the requested state."""

    version: Version
    results: Results


def find_version(
    workspace: WorkspaceDependency,
    view: ResourceName,
    version: ResourceName,
    corrected: CorrectedQuery = False,
    iou: IouQuery = None,
) -> RequestedVersion:
    """Raises ViewNotFoundError, VersionNotFoundError."""
    requested = workspace.view(view).version(version)
    return RequestedVersion(requested, requested.results(corrected, iou=iou))


VersionContext = Annotated[RequestedVersion, Depends(find_version)]


def find_trained_version(
    workspace: WorkspaceDependency, view: ResourceName, version: ResourceName
) -> RequestedVersion:
    """The version as trained, where corrections make no difference or are asked for otherwise."""
    return find_version(workspace, view, version)


TrainedVersionContext = Annotated[RequestedVersion, Depends(find_trained_version)]


def find_reviews(workspace: WorkspaceDependency, view: ResourceName) -> Reviews:
    return workspace.view(view).reviews


def require_owner(request: Request) -> None:
    """Raises HTTPException 403 unless the client is an owner."""
    if request.state.role != "owner":
        raise HTTPException(
            403,
            "Only an owner may rename, map or remove views and versions, and leave out or move "
            "images.",
        )


ReviewsDependency = Annotated[Reviews, Depends(find_reviews)]


def validate_concept(results: Results, concept: int | None) -> int | None:
    if concept is not None and concept >= len(results.evaluation.concepts):
        raise HTTPException(
            404, f"Invalid concept {concept}. Expected 0 to {len(results.evaluation.concepts) - 1}."
        )
    return concept


def effective_thresholds(results: Results, overrides: list[str] | None) -> Float64Array:
    """The optimal thresholds, replaced by the user's where given."""
    thresholds = results.evaluation.optimal_thresholds.copy()
    for override in overrides or ():
        concept_text, _, threshold_text = override.partition(":")
        try:
            concept_index, threshold = int(concept_text), float(threshold_text)
        except ValueError as error:
            raise HTTPException(
                422, f"Invalid threshold at={override}. Expected concept:value, for example 3:0.5."
            ) from error
        if not 0 <= concept_index < len(thresholds) or not np.isfinite(threshold):
            raise HTTPException(
                422,
                f"Invalid threshold at={override}. Expected a concept from 0 to "
                f"{len(thresholds) - 1} and a finite value.",
            )
        thresholds[concept_index] = threshold
    return thresholds
