"""The addresses of the server, and the page they feed."""

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
from pellucid.server.auth import Doors, Role, admit, with_cookie
from pellucid.server.dependencies import (
    NOT_FOUND,
    At,
    Concept,
    Corrected,
    InSplit,
    Only,
    Versus,
    ViewName,
    answer,
    known,
    look_up,
    thresholds_at,
)
from pellucid.server.image_responses import picture_response
from pellucid.server.monitoring import Health
from pellucid.server.overlay import OtherVersion
from pellucid.server.routes.comparison_routes import comparison_routes
from pellucid.server.routes.figures_routes import figure_routes
from pellucid.server.routes.review_routes import review_routes
from pellucid.server.routes.slices_routes import weakness_routes
from pellucid.server.schemas.gallery_schema import (
    FiguresDocument,
    HealthDocument,
    HistogramDocument,
    ImageDocument,
    PageDocument,
    VersionDocument,
    VersionName,
    ViewDocument,
    WorkspaceDocument,
)  # fmt: skip
from pellucid.server.serializers import (
    Pictures,
    figures_document,
    histogram_document,
    image_document,
    page_document,
    version_document,
)  # fmt: skip
from pellucid.storage.errors import InvalidNameError, WorkspaceMissingError

STATIC = Path(__file__).parents[1] / "static"
CUTTERS = 4
"""Crops cut at a time: the rest of the server keeps its threads."""

POLICY = (
    "default-src 'self'; script-src 'self'; object-src 'none'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def make_app(workspace: Workspace, cache: CropCache | None = None, doors: Doors | None = None, health: Health | None = None) -> FastAPI:
    """The server of one workspace. doors: who may come in; by default those on this machine, who may do anything."""
    app = FastAPI(title="Pellucid", version=__version__, docs_url=None, redoc_url=None)
    crops = cache or CropCache()
    cutters = anyio.CapacityLimiter(CUTTERS)
    guard(app, doors or Doors(), health or Health())
    tell_refusals(app)

    @app.get("/api/workspace", response_model=WorkspaceDocument)
    def read_workspace(request: Request) -> Response:
        """The views and versions there are, and what the reader may do."""
        return answer(workspace_document(workspace, request.state.role))

    @app.get("/api/views/{view}/versions/{version}", response_model=VersionDocument, responses=NOT_FOUND)
    def read_version(view: ViewName, version: ViewName) -> Response:
        """A version's concepts, splits, coverage and what its imports found."""
        found, loaded = look_up(workspace, view, version)
        return answer(version_document(found, loaded))

    @app.get("/api/views/{view}/versions/{version}/figures", response_model=FiguresDocument, responses=NOT_FOUND)
    def read_figures(
        view: ViewName, version: ViewName, split: InSplit = "validation", at: At = None, corrected: Corrected = False
    ) -> Response:
        """Every concept's threshold and counts."""
        found, _ = look_up(workspace, view, version)
        loaded, ledger = state_of(found, corrected)
        return answer(figures_document(loaded, SPLITS.index(split), thresholds_at(loaded, at), ledger))

    @app.get("/api/views/{view}/versions/{version}/histogram", response_model=HistogramDocument, responses=NOT_FOUND)
    def read_histogram(
        view: ViewName, version: ViewName, split: InSplit = "validation", concept: Concept = None,
        bins: Annotated[int, Query(ge=1, le=500)] = SCORE_BAR_BINS, corrected: Corrected = False,
    ) -> Response:  # fmt: skip
        """The scores of the tab All."""
        found, _ = look_up(workspace, view, version)
        loaded, _ = state_of(found, corrected)
        return answer(histogram_document(loaded, SPLITS.index(split), known(loaded, concept), bins))

    @app.get("/api/views/{view}/versions/{version}/page", response_model=PageDocument, responses=NOT_FOUND)
    def read_page(
        view: ViewName, version: ViewName, tab: Tab = "all", split: InSplit = "validation", concept: Concept = None,
        at: At = None, reverse: bool = False, offset: Annotated[int, Query(ge=0, le=1 << 40)] = 0,
        limit: Annotated[int, Query(ge=0, le=1_000)] = 100, order: Order = "score", review: ReviewFilter = "all", corrected: Corrected = False,
        only: Only = None, versus: Versus = None,
    ) -> Response:  # fmt: skip
        """A page of a tab, in an order; review: what nobody decided on yet, or what somebody did."""
        found, _ = look_up(workspace, view, version)
        loaded, ledger = state_of(found, corrected)
        place, chosen = SPLITS.index(split), known(loaded, concept)
        selection = loaded.selection(tab, place, chosen, thresholds_at(loaded, at), reverse)
        shown = loaded.list_view(selection, order, review, ledger, loaded.filtered_rows(selection, tuple(only or ())))
        single = concept is not None and order == "score" and not only
        return answer(page_document(found, loaded, shown, single, offset, limit, ledger, other_version(found, loaded, versus)))

    @app.get("/api/views/{view}/versions/{version}/images/{image}", response_model=ImageDocument, responses=NOT_FOUND)
    def read_image(
        view: ViewName, version: ViewName, image: Annotated[int, InPath(ge=0, le=1 << 40)], at: At = None, corrected: Corrected = False,
        versus: Versus = None,
    ) -> Response:  # fmt: skip
        """One picture with all that was predicted and annotated on it."""
        found, _ = look_up(workspace, view, version)
        loaded, _ = state_of(found, corrected)
        if image >= len(loaded.evaluation.images):
            raise HTTPException(404, f"version '{version}' has {len(loaded.evaluation.images)} images, numbered from 0")
        return answer(image_document(found, loaded, image, thresholds_at(loaded, at), other_version(found, loaded, versus)))

    @app.get("/pictures/{view}/{version}/{image}/{stamp}", responses=PICTURE, response_class=Response)
    async def read_picture(
        view: ViewName, version: ViewName, image: Annotated[int, InPath(ge=0, le=1 << 40)], stamp: Annotated[str, InPath(max_length=64)],
        size: Annotated[int, Query(ge=16, le=4096)] = 320,
        frame: Annotated[str | None, Query(pattern=r"^-?\d{1,9}(,-?\d{1,9}){3}$", description="left,top,width,height in pixels")] = None,
    ) -> Response:  # fmt: skip
        """A picture, or the part of it in `frame`, as JPEG; a tile that says why where it cannot be shown."""

        def cut() -> Response:
            found, loaded = look_up(workspace, view, version)
            if image >= len(loaded.evaluation.images):
                raise HTTPException(404, f"version '{version}' has {len(loaded.evaluation.images)} images, numbered from 0")
            return picture_response(crops, Pictures(found, loaded), image, stamp, frame, size)

        return await anyio.to_thread.run_sync(cut, limiter=cutters)

    for routes in (
        figure_routes(workspace),
        weakness_routes(workspace),
        comparison_routes(workspace),
        review_routes(workspace, doors.who_header if doors else None),
    ):
        app.include_router(routes)
    if STATIC.is_dir():
        app.mount("/", StaticFiles(directory=STATIC, html=True), name="page")
    return app


def guard(app: FastAPI, doors: Doors, health: Health) -> None:
    """Ask everybody at the door, say in every answer what browsers may do with it, and count."""

    @app.middleware("http")
    async def guarded(request: Request, call_next: Any) -> Response:
        begun = time.perf_counter()
        found = admit(doors, request)
        if isinstance(found, Response):
            response = found
        elif found.fresh is not None and request.method == "GET":
            response = with_cookie(request, found.fresh)
        else:
            request.state.role = found.role
            try:
                response = await call_next(request)
            except Exception:  # told where the server runs; counted, and answered like the rest
                logging.getLogger("uvicorn.error").exception("a request failed")
                response = JSONResponse({"detail": "The server failed at this: see where it runs."}, 500)
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        who = "" if isinstance(found, Response) else found.who
        health.note(request.method, form_of(request), response.status_code, time.perf_counter() - begun, who)
        return response

    @app.get("/health", response_model=HealthDocument)
    def read_health() -> Response:
        """That the server answers."""
        return answer(HealthDocument("ok", __version__))

    @app.get("/metrics", response_class=PlainTextResponse)
    def read_metrics() -> PlainTextResponse:
        """Requests, their times and the memory held, in Prometheus' text."""
        return PlainTextResponse(health.text())


def form_of(request: Request) -> str:
    """What was asked for, without names: the form of the address."""
    route = request.scope.get("route")
    return str(getattr(route, "path", "")) or ("page" if request.method == "GET" else "none")


def tell_refusals(app: FastAPI) -> None:
    """Answer errors with a sentence for the person who must act."""

    @app.exception_handler(PellucidError)
    async def refused(request: Request, error: PellucidError) -> JSONResponse:
        status = 404 if isinstance(error, ViewNotFoundError | VersionNotFoundError | InvalidNameError | WorkspaceMissingError | HistoryRowNotFoundError) else 422
        status = 409 if isinstance(error, ItemNotFoundError) else 503 if isinstance(error, ReviewStoreUnavailableError | StoreUnavailableError) else status
        return JSONResponse({"detail": str(error)}, status)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        """What was given is not repeated: it may be nothing that JSON can say."""
        return JSONResponse({"detail": [{name: one[name] for name in ("loc", "msg", "type")} for one in error.errors()]}, 422)


PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}, "image/svg+xml": {}}}, **NOT_FOUND}


def state_of(version: Version, corrected: bool) -> tuple[Results, DecisionLog]:
    """A version as trained or with corrections, and the decisions up to now."""
    ledger = version.decision_log
    return (version.results().with_corrections(ledger) if corrected else version.results()), ledger


def other_version(version: Version, loaded: Results, name: str | None) -> OtherVersion | None:
    """The version whose predictions are told beside, in the same state as this one."""
    return None if name is None else OtherVersion(version.other_results(name, loaded.corrected))


def workspace_document(workspace: Workspace, role: Role) -> WorkspaceDocument:
    views = []
    for name in workspace.views:
        view = workspace.view(name)
        versions = []
        for version in view.versions:
            manifest = view.version(version).latest_manifest
            counts = manifest.counts
            versions.append(
                VersionName(version, manifest.started, counts.get("images", 0), counts.get("covered", 0), counts.get("predictions", 0))
            )
        views.append(ViewDocument(name, view.kind, versions))
    return WorkspaceDocument(workspace.name, __version__, views, role)
