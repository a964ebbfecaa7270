"""Routes of the overview of a view's versions, and of renaming, mapping and
removing."""

from __future__ import annotations

from fastapi import APIRouter, Depends, HTTPException, Response

from pellucid.project.overview import ViewOverview, describe_view
from pellucid.server.dependencies import (
    NOT_FOUND_RESPONSE,
    ResourceName,
    SplitQuery,
    WorkspaceDependency,
    json_response,
    require_owner,
)
from pellucid.server.schemas.versions_schema import (
    MappedDocument,
    MapRequest,
    RemoveRequest,
    RenameRequest,
)

router = APIRouter()


@router.get(
    "/api/v1/views/{view}/overview", response_model=ViewOverview, responses=NOT_FOUND_RESPONSE
)
def get_overview(
    workspace: WorkspaceDependency, view: ResourceName, split: SplitQuery = "validation"
) -> Response:
    """The versions of a view, oldest first, with their main figures on a split."""
    return json_response(describe_view(workspace.view(view), split))


@router.post(
    "/api/v1/views/{view}/versions/{version}/rename",
    status_code=204,
    responses=NOT_FOUND_RESPONSE,
    dependencies=[Depends(require_owner)],
)
def rename_version(
    workspace: WorkspaceDependency, view: ResourceName, version: ResourceName, body: RenameRequest
) -> Response:
    """Rename a version. Only for owners."""
    workspace.view(view).rename_version(version, body.name)
    return Response(status_code=204)


@router.post(
    "/api/v1/views/{view}/versions/{version}/remove",
    status_code=204,
    responses=NOT_FOUND_RESPONSE,
    dependencies=[Depends(require_owner)],
)
def remove_version(
    workspace: WorkspaceDependency, view: ResourceName, version: ResourceName, body: RemoveRequest
) -> Response:
    """Remove a version; review decisions are kept. Only for owners, who repeat its name."""
    if body.name != version:
        raise HTTPException(400, f"Repeat the name of the version, {version}, to remove it.")
    workspace.view(view).remove_version(version)
    return Response(status_code=204)


@router.post(
    "/api/v1/views/{view}/versions/{version}/map",
    response_model=MappedDocument,
    responses=NOT_FOUND_RESPONSE,
    dependencies=[Depends(require_owner)],
)
def map_version(
    workspace: WorkspaceDependency, view: ResourceName, version: ResourceName, body: MapRequest
) -> Response:
    """Count predictions of concepts that the annotations lack as annotated ones. Only for
    owners."""
    count = workspace.view(view).version(version).map_concepts(body.renamed)
    return json_response(MappedDocument(count))


@router.post(
    "/api/v1/views/{view}/rename",
    status_code=204,
    responses=NOT_FOUND_RESPONSE,
    dependencies=[Depends(require_owner)],
)
def rename_view(
    workspace: WorkspaceDependency, view: ResourceName, body: RenameRequest
) -> Response:
    """Rename a view with its versions and review decisions. Only for owners."""
    workspace.rename_view(view, body.name)
    return Response(status_code=204)


@router.post(
    "/api/v1/views/{view}/remove",
    status_code=204,
    responses=NOT_FOUND_RESPONSE,
    dependencies=[Depends(require_owner)],
)
def remove_view(
    workspace: WorkspaceDependency, view: ResourceName, body: RemoveRequest
) -> Response:
    """Remove a view with its versions; the imported files and review decisions are kept. Only for
    owners, who repeat its name."""
    if body.name != view:
        raise HTTPException(400, f"Repeat the name of the view, {view}, to remove it.")
    workspace.remove_view(view)
    return Response(status_code=204)
