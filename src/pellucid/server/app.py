"""The FastAPI application: main API routes, middleware and the static page."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Annotated, Any

import anyio
from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles

from pellucid._version import __version__
from pellucid.browse.query import Order, ReviewFilter
from pellucid.browse.selection import Tab
from pellucid.core.errors import PellucidError, StoreUnavailableError
from pellucid.core.tables import SPLITS
from pellucid.evaluation.counts import SCORE_BAR_BINS
from pellucid.images.crop_cache import CropCache
from pellucid.project import Version, Workspace
from pellucid.project.errors import VersionNotFoundError, ViewNotFoundError
from pellucid.results.results import Results
from pellucid.review.errors import (
    HistoryRowNotFoundError,
    ItemNotFoundError,
    ReviewStoreUnavailableError,
)
from pellucid.review.events import DecisionLog
from pellucid.server.auth import AuthPolicy, Role, authenticate, redirect_with_cookie
from pellucid.server.dependencies import (
    NOT_FOUND_RESPONSE,
    ThresholdsQuery,
    ConceptQuery,
    CorrectedQuery,
    SplitQuery,
    FiltersQuery,
    OverlayQuery,
    ResourceName,
    json_response,
    validate_concept,
    find_version,
    effective_thresholds,
)
from pellucid.server.image_responses import image_response
from pellucid.server.monitoring import RequestMetrics
from pellucid.server.overlay import PredictionOverlay
from pellucid.server.routes.comparison_routes import comparison_routes
from pellucid.server.routes.figures_routes import figure_routes
from pellucid.server.routes.review_routes import review_routes
from pellucid.server.routes.slices_routes import slice_routes
from pellucid.server.schemas.gallery_schema import (
    FiguresDocument,
    HealthDocument,
    HistogramDocument,
    ImageDocument,
    PageDocument,
    VersionDocument,
    VersionSummary,
    ViewDocument,
    WorkspaceDocument,
)
from pellucid.server.serializers import (
    VersionImages,
    figures_document,
    histogram_document,
    image_document,
    page_document,
    version_document,
)
from pellucid.storage.errors import InvalidNameError, WorkspaceMissingError

STATIC_FOLDER = Path(__file__).parents[1] / "static"
CROP_THREADS = 4
"""Crops made concurrently, so that other requests still get threads."""

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; object-src 'none'; img-src 'self' data: blob:; "
    "style-src 'self' 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def create_app(
    workspace: Workspace,
    cache: CropCache | None = None,
    auth_policy: AuthPolicy | None = None,
    request_metrics: RequestMetrics | None = None,
) -> FastAPI:
    """The application for one workspace. auth_policy: auth policy; by default loopback only, with
    the owner role."""
    app = FastAPI(title="Pellucid", version=__version__, docs_url=None, redoc_url=None)
    crop_cache = cache or CropCache()
    crop_limiter = anyio.CapacityLimiter(CROP_THREADS)
    add_request_middleware(app, auth_policy or AuthPolicy(), request_metrics or RequestMetrics())
    add_error_handlers(app)

    @app.get("/api/workspace", response_model=WorkspaceDocument)
    def read_workspace(request: Request) -> Response:
        """List views and versions, and the client's role."""
        return json_response(workspace_document(workspace, request.state.role))

    @app.get(
        "/api/views/{view}/versions/{version}",
        response_model=VersionDocument,
        responses=NOT_FOUND_RESPONSE,
    )
    def read_version(view: ResourceName, version: ResourceName) -> Response:
        """A version's concepts, splits, coverage and import notes."""
        evaluated_version, results = find_version(workspace, view, version)
        return json_response(version_document(evaluated_version, results))

    @app.get(
        "/api/views/{view}/versions/{version}/figures",
        response_model=FiguresDocument,
        responses=NOT_FOUND_RESPONSE,
    )
    def read_figures(
        view: ResourceName,
        version: ResourceName,
        split: SplitQuery = "validation",
        at: ThresholdsQuery = None,
        corrected: CorrectedQuery = False,
    ) -> Response:
        """The threshold and the counts of each concept."""
        evaluated_version, _ = find_version(workspace, view, version)
        results, decision_log = version_state(evaluated_version, corrected)
        return json_response(
            figures_document(
                results, SPLITS.index(split), effective_thresholds(results, at), decision_log
            )
        )

    @app.get(
        "/api/views/{view}/versions/{version}/histogram",
        response_model=HistogramDocument,
        responses=NOT_FOUND_RESPONSE,
    )
    def read_histogram(
        view: ResourceName,
        version: ResourceName,
        split: SplitQuery = "validation",
        concept: ConceptQuery = None,
        bins: Annotated[int, Query(ge=1, le=500)] = SCORE_BAR_BINS,
        corrected: CorrectedQuery = False,
    ) -> Response:
        """The score histogram of the tab All."""
        evaluated_version, _ = find_version(workspace, view, version)
        results, _ = version_state(evaluated_version, corrected)
        return json_response(
            histogram_document(
                results, SPLITS.index(split), validate_concept(results, concept), bins
            )
        )

    @app.get(
        "/api/views/{view}/versions/{version}/page",
        response_model=PageDocument,
        responses=NOT_FOUND_RESPONSE,
    )
    def read_page(
        view: ResourceName,
        version: ResourceName,
        tab: Tab = "all",
        split: SplitQuery = "validation",
        concept: ConceptQuery = None,
        at: ThresholdsQuery = None,
        reverse: bool = False,
        offset: Annotated[int, Query(ge=0, le=1 << 40)] = 0,
        limit: Annotated[int, Query(ge=0, le=1_000)] = 100,
        order: Order = "score",
        review: ReviewFilter = "all",
        corrected: CorrectedQuery = False,
        only: FiltersQuery = None,
        versus: OverlayQuery = None,
    ) -> Response:
        """One page of a tab's items. review: keep only items without, or with, a review
        decision."""
        evaluated_version, _ = find_version(workspace, view, version)
        results, decision_log = version_state(evaluated_version, corrected)
        split_index, concept_index = SPLITS.index(split), validate_concept(results, concept)
        selection = results.selection(
            tab, split_index, concept_index, effective_thresholds(results, at), reverse
        )
        shown = results.list_view(
            selection,
            order,
            review,
            decision_log,
            results.filtered_rows(selection, tuple(only or ())),
        )
        has_single_threshold = concept is not None and order == "score" and not only
        return json_response(
            page_document(
                evaluated_version,
                results,
                shown,
                has_single_threshold,
                offset,
                limit,
                decision_log,
                load_overlay(evaluated_version, results, versus),
            )
        )

    @app.get(
        "/api/views/{view}/versions/{version}/images/{image}",
        response_model=ImageDocument,
        responses=NOT_FOUND_RESPONSE,
    )
    def read_image(
        view: ResourceName,
        version: ResourceName,
        image: Annotated[int, InPath(ge=0, le=1 << 40)],
        at: ThresholdsQuery = None,
        corrected: CorrectedQuery = False,
        versus: OverlayQuery = None,
    ) -> Response:
        """One image with its predictions and annotations."""
        evaluated_version, _ = find_version(workspace, view, version)
        results, _ = version_state(evaluated_version, corrected)
        if image >= len(results.evaluation.images):
            raise HTTPException(
                404,
                f"No image {image}: '{version}' has {len(results.evaluation.images)} images, "
                "numbered from 0.",
            )
        return json_response(
            image_document(
                evaluated_version,
                results,
                image,
                effective_thresholds(results, at),
                load_overlay(evaluated_version, results, versus),
            )
        )

    @app.get(
        "/pictures/{view}/{version}/{image}/{stamp}",
        responses=IMAGE_RESPONSES,
        response_class=Response,
    )
    async def read_picture(
        view: ResourceName,
        version: ResourceName,
        image: Annotated[int, InPath(ge=0, le=1 << 40)],
        stamp: Annotated[str, InPath(max_length=64)],
        size: Annotated[int, Query(ge=16, le=4096)] = 320,
        frame: Annotated[
            str | None,
            Query(
                pattern=r"^-?\d{1,9}(,-?\d{1,9}){3}$", description="left,top,width,height in pixels"
            ),
        ] = None,
    ) -> Response:
        """The image, or the part in `frame`, as JPEG. If it cannot be read: an SVG placeholder
        with the reason."""

        def make_response() -> Response:
            evaluated_version, results = find_version(workspace, view, version)
            if image >= len(results.evaluation.images):
                raise HTTPException(
                    404,
                    f"No image {image}: '{version}' has {len(results.evaluation.images)} images, "
                    "numbered from 0.",
                )
            return image_response(
                crop_cache, VersionImages(evaluated_version, results), image, stamp, frame, size
            )

        return await anyio.to_thread.run_sync(make_response, limiter=crop_limiter)

    for router in (
        figure_routes(workspace),
        slice_routes(workspace),
        comparison_routes(workspace),
        review_routes(workspace, auth_policy.who_header if auth_policy else None),
    ):
        app.include_router(router)
    if STATIC_FOLDER.is_dir():
        app.mount("/", StaticFiles(directory=STATIC_FOLDER, html=True), name="page")
    return app


def add_request_middleware(
    app: FastAPI, auth_policy: AuthPolicy, request_metrics: RequestMetrics
) -> None:
    """Add middleware that authenticates, sets security headers and records metrics; add /health
    and /metrics."""

    @app.middleware("http")
    async def process_request(request: Request, call_next: Any) -> Response:
        start_time = time.perf_counter()
        identity = authenticate(auth_policy, request)
        if isinstance(identity, Response):
            response = identity
        elif identity.cookie_token is not None and request.method == "GET":
            response = redirect_with_cookie(request, identity.cookie_token)
        else:
            request.state.role = identity.role
            try:
                response = await call_next(request)
            except Exception:  # logged here, then recorded and sent with the same headers
                logging.getLogger("uvicorn.error").exception("Unhandled error in a request")
                response = JSONResponse(
                    {"detail": "Internal server error. See the server log."}, 500
                )
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        user = "" if isinstance(identity, Response) else identity.user
        request_metrics.record_request(
            request.method,
            route_template(request),
            response.status_code,
            time.perf_counter() - start_time,
            user,
        )
        return response

    @app.get("/health", response_model=HealthDocument)
    def read_health() -> Response:
        """Health check."""
        return json_response(HealthDocument("ok", __version__))

    @app.get("/metrics", response_class=PlainTextResponse)
    def read_metrics() -> PlainTextResponse:
        """Request counts, latencies and memory use in Prometheus text format."""
        return PlainTextResponse(request_metrics.render())


def route_template(request: Request) -> str:
    """The route's path template, which contains no names of views or versions."""
    route = request.scope.get("route")
    return str(getattr(route, "path", "")) or ("page" if request.method == "GET" else "none")


def add_error_handlers(app: FastAPI) -> None:
    """Register handlers that turn errors into JSON responses with a message."""

    @app.exception_handler(PellucidError)
    async def handle_pellucid_error(request: Request, error: PellucidError) -> JSONResponse:
        status = (
            404
            if isinstance(
                error,
                ViewNotFoundError
                | VersionNotFoundError
                | InvalidNameError
                | WorkspaceMissingError
                | HistoryRowNotFoundError,
            )
            else 422
        )
        status = (
            409
            if isinstance(error, ItemNotFoundError)
            else 503
            if isinstance(error, ReviewStoreUnavailableError | StoreUnavailableError)
            else status
        )
        return JSONResponse({"detail": str(error)}, status)

    @app.exception_handler(RequestValidationError)
    async def handle_validation_error(
        request: Request, error: RequestValidationError
    ) -> JSONResponse:
        """The input is left out: it may not be representable in JSON."""
        return JSONResponse(
            {
                "detail": [
                    {error_key: error_details[error_key] for error_key in ("loc", "msg", "type")}
                    for error_details in error.errors()
                ]
            },
            422,
        )


IMAGE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {}, "image/svg+xml": {}}},
    **NOT_FOUND_RESPONSE,
}


def version_state(version: Version, corrected: bool) -> tuple[Results, DecisionLog]:
    """The original or corrected results of a version, and the decision log."""
    ledger = version.decision_log
    return (version.results().with_corrections(ledger) if corrected else version.results()), ledger


def load_overlay(
    version: Version, results: Results, other_name: str | None
) -> PredictionOverlay | None:
    """The predictions of another version, with or without corrections like `results`."""
    return (
        None
        if other_name is None
        else PredictionOverlay(version.other_results(other_name, results.corrected))
    )


def workspace_document(workspace: Workspace, role: Role) -> WorkspaceDocument:
    view_documents = []
    for view_name in workspace.views:
        view = workspace.view(view_name)
        version_summaries = []
        for version_name in view.versions:
            manifest = view.version(version_name).latest_manifest
            counts = manifest.counts
            version_summaries.append(
                VersionSummary(
                    version_name,
                    manifest.started,
                    counts.get("images", 0),
                    counts.get("covered", 0),
                    counts.get("predictions", 0),
                )
            )
        view_documents.append(ViewDocument(view_name, view.kind, version_summaries))
    return WorkspaceDocument(workspace.name, __version__, view_documents, role)
