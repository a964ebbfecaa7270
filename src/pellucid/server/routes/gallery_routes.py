"""Routes of the gallery: the workspace, a version, its counts, its lists and its images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi import Path as PathParameter

from pellucid._version import __version__
from pellucid.browse.image_ranking import ImageOrder
from pellucid.browse.query import Order, ReviewFilter
from pellucid.browse.selection import Tab
from pellucid.core.tables import SPLITS
from pellucid.evaluation.counts import SCORE_BAR_BINS
from pellucid.images.crop_cache import CropCache
from pellucid.project import Workspace
from pellucid.results.property_ranges import PropertyRanges, property_ranges
from pellucid.server.auth import Role
from pellucid.server.dependencies import (
    MEDIUM_ANSWER,
    NOT_FOUND_RESPONSE,
    ConceptQuery,
    FiltersQuery,
    OverlayQuery,
    RequestedVersion,
    SplitQuery,
    ThresholdsQuery,
    TrainedVersionContext,
    VersionContext,
    WorkspaceDependency,
    effective_thresholds,
    json_response,
    validate_concept,
)
from pellucid.server.image_document import image_document, with_decisions
from pellucid.server.image_list import images_document
from pellucid.server.image_responses import image_response
from pellucid.server.overlay import PredictionOverlay
from pellucid.server.page_document import page_document
from pellucid.server.schemas.gallery_schema import (
    FiguresDocument,
    HistogramDocument,
    ImageDocument,
    ImagesDocument,
    PageDocument,
    VersionDocument,
    VersionSummary,
    ViewDocument,
    WorkspaceDocument,
)
from pellucid.server.version_documents import figures_document, histogram_document, version_document
from pellucid.server.version_images import VersionImages
from pellucid.storage.manifests import VersionManifest

router = APIRouter()

ImageIndex = Annotated[int, PathParameter(ge=0, le=1 << 40)]
IMAGE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {}, "image/svg+xml": {}}},
    **NOT_FOUND_RESPONSE,
}


@router.get("/api/v1/workspace", response_model=WorkspaceDocument)
def get_workspace_summary(request: Request, workspace: WorkspaceDependency) -> Response:
    """List views and versions, and the client's role."""
    return json_response(workspace_document(workspace, request.state.role))


@router.get(
    "/api/v1/views/{view}/versions/{version}",
    response_model=VersionDocument,
    responses=NOT_FOUND_RESPONSE,
)
def get_version(context: TrainedVersionContext) -> Response:
    """A version's concepts, splits, coverage and import notes."""
    return json_response(version_document(context.version, context.results))


@router.get(
    "/api/v1/views/{view}/versions/{version}/figures",
    response_model=FiguresDocument,
    responses=NOT_FOUND_RESPONSE,
)
def get_figures(
    context: VersionContext, split: SplitQuery = "validation", at: ThresholdsQuery = None
) -> Response:
    """The threshold and the counts of each concept."""
    thresholds = effective_thresholds(context.results, at)
    log = context.version.decision_log
    return json_response(figures_document(context.results, SPLITS.index(split), thresholds, log))


@router.get(
    "/api/v1/views/{view}/versions/{version}/histogram",
    response_model=HistogramDocument,
    responses=NOT_FOUND_RESPONSE,
)
def get_histogram(
    context: VersionContext,
    split: SplitQuery = "validation",
    concept: ConceptQuery = None,
    bins: Annotated[int, Query(ge=1, le=500)] = SCORE_BAR_BINS,
) -> Response:
    """The score histogram of the tab All."""
    concept = validate_concept(context.results, concept)
    return json_response(histogram_document(context.results, SPLITS.index(split), concept, bins))


@dataclass(frozen=True)
class RequestedList:
    """A tab as the page asks for it; concepts and thresholds by index."""

    tab: Tab = "all"
    split: SplitQuery = "validation"
    concept: ConceptQuery = None
    at: ThresholdsQuery = None
    reverse: bool = False
    order: Order = "score"
    review: ReviewFilter = "all"
    since: Annotated[int | None, Query(ge=0, le=1 << 60)] = None
    only: FiltersQuery = None

    @property
    def has_threshold_position(self) -> bool:
        """Whether all items at or above their thresholds come before the others."""
        is_one_concept = self.concept is not None and self.order == "score" and not self.only
        return is_one_concept or self.order == "margin"


@router.get(
    "/api/v1/views/{view}/versions/{version}/page",
    response_model=PageDocument,
    responses=NOT_FOUND_RESPONSE,
)
def get_page(
    context: VersionContext,
    requested: Annotated[RequestedList, Depends()],
    offset: Annotated[int, Query(ge=0, le=1 << 40)] = 0,
    limit: Annotated[int, Query(ge=0, le=1_000)] = 100,
    versus: OverlayQuery = None,
) -> Response:
    """One page of a tab's items. review: keep only items without, or with, a review decision.
    since: the id of a decision; in a list of new items those decided on after it keep their
    places."""
    version, results = context.version, context.results
    log = version.decision_log
    selection = results.selection(
        requested.tab,
        SPLITS.index(requested.split),
        validate_concept(results, requested.concept),
        effective_thresholds(results, requested.at),
        requested.reverse,
    )
    rows = results.filtered_rows(selection, tuple(requested.only or ()))
    shown = results.list_view(
        selection, requested.order, requested.review, log, rows, requested.since
    )
    overlay = load_overlay(context, versus)
    has_position = requested.has_threshold_position
    return json_response(
        page_document(version, results, shown, has_position, offset, limit, log, overlay)
    )


@router.get(
    "/api/v1/views/{view}/versions/{version}/properties",
    response_model=PropertyRanges,
    responses=NOT_FOUND_RESPONSE,
    dependencies=[MEDIUM_ANSWER],
)
def get_properties(
    context: VersionContext,
    tab: Tab = "all",
    split: SplitQuery = "validation",
    concept: ConceptQuery = None,
    at: ThresholdsQuery = None,
) -> Response:
    """What the items of a tab can be filtered by: properties and their values."""
    results = context.results
    selection = results.selection(
        tab,
        SPLITS.index(split),
        validate_concept(results, concept),
        effective_thresholds(results, at),
        False,
    )
    rows, are_annotations = selection.all_rows(), selection.shows_annotations
    return json_response(property_ranges(results.evaluation, rows, are_annotations))


@router.get(
    "/api/v1/views/{view}/versions/{version}/images",
    response_model=ImagesDocument,
    responses=NOT_FOUND_RESPONSE,
)
def get_images(
    context: VersionContext,
    split: SplitQuery = "validation",
    concept: ConceptQuery = None,
    at: ThresholdsQuery = None,
    order: ImageOrder = "errors",
    only: FiltersQuery = None,
    offset: Annotated[int, Query(ge=0, le=1 << 40)] = 0,
    limit: Annotated[int, Query(ge=0, le=200)] = 40,
) -> Response:
    """Whole images, most errors first.

    Args:
        only: those with an item that satisfies all filters, and of their items those that do
    """
    results = context.results
    return json_response(
        images_document(
            context.version,
            results,
            SPLITS.index(split),
            validate_concept(results, concept),
            effective_thresholds(results, at),
            order,
            offset,
            limit,
            tuple(only or ()),
        )
    )


@router.get(
    "/api/v1/views/{view}/versions/{version}/images/{image}",
    response_model=ImageDocument,
    responses=NOT_FOUND_RESPONSE,
)
def get_image(
    context: VersionContext,
    image: ImageIndex,
    at: ThresholdsQuery = None,
    versus: OverlayQuery = None,
) -> Response:
    """One image with its predictions and annotations."""
    results = context.results
    check_image(context, image)
    thresholds = effective_thresholds(results, at)
    overlay = load_overlay(context, versus)
    document = image_document(context.version, results, image, thresholds, overlay)
    return json_response(with_decisions(document, context.version.view.decision_log))


@router.get(
    "/pictures/{view}/{version}/{image}/{stamp}",
    responses=IMAGE_RESPONSES,
    response_class=Response,
)
async def get_picture(
    request: Request,
    workspace: WorkspaceDependency,
    view: Annotated[str, PathParameter(max_length=200)],
    version: Annotated[str, PathParameter(max_length=200)],
    image: ImageIndex,
    stamp: Annotated[str, PathParameter(max_length=64)],
    size: Annotated[int, Query(ge=16, le=4096)] = 320,
    frame: Annotated[
        str | None,
        Query(pattern=r"^-?\d{1,9}(,-?\d{1,9}){3}$", description="left,top,width,height in pixels"),
    ] = None,
) -> Response:
    """The image, or the part in `frame`, as JPEG. If it cannot be read: an SVG with the reason."""
    cache: CropCache = request.app.state.crop_cache

    def make_response() -> Response:
        requested = workspace.view(view).version(version)
        context = RequestedVersion(requested, requested.results())
        check_image(context, image)
        images = VersionImages(requested, context.results)
        return image_response(cache, images, image, stamp, frame, size)

    return await anyio.to_thread.run_sync(make_response, limiter=request.app.state.crop_limiter)


def check_image(context: RequestedVersion, image: int) -> None:
    count = len(context.results.evaluation.images)
    if image >= count:
        message = f"No image {image}: '{context.version.name}' has {count} images, from 0."
        raise HTTPException(404, message)


def load_overlay(context: RequestedVersion, other_name: str | None) -> PredictionOverlay | None:
    """The predictions of another version, with corrections where the requested one has them."""
    if other_name is None:
        return None
    return PredictionOverlay(context.results.other_version(other_name))


def workspace_document(workspace: Workspace, role: Role) -> WorkspaceDocument:
    views = [view_document(workspace, name) for name in workspace.views]
    return WorkspaceDocument(workspace.name, workspace.id, __version__, views, role)


def view_document(workspace: Workspace, name: str) -> ViewDocument:
    view = workspace.view(name)
    return ViewDocument(
        name,
        view.kind,
        [
            version_summary(version, view.version(version).latest_manifest)
            for version in view.versions
        ],
    )


def version_summary(name: str, manifest: VersionManifest) -> VersionSummary:
    counts = (manifest.counts.get(table, 0) for table in ("images", "covered", "predictions"))
    return VersionSummary(name, manifest.started, *counts)
