"""The FastAPI application: routes, authentication, security headers, errors and the static page."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles

from pellucid._version import __version__
from pellucid.core.errors import PellucidError
from pellucid.images.crop_cache import CropCache
from pellucid.project import Workspace
from pellucid.server.auth import AuthPolicy, authenticate, presents_token, redirect_with_cookie
from pellucid.server.dependencies import json_response
from pellucid.server.failed_attempts import FailedAttempts
from pellucid.server.monitoring import RequestMetrics
from pellucid.server.query_parameters import reject_unknown_parameters
from pellucid.server.routes import (
    comparison_routes,
    duplicates_routes,
    figures_routes,
    findings_routes,
    gallery_routes,
    review_routes,
    slices_routes,
    versions_routes,
)
from pellucid.server.schemas.gallery_schema import HealthDocument

STATIC_FOLDER = Path(__file__).parents[1] / "static"
CROP_THREADS = 4
"""Crops made concurrently, so that other requests still get threads."""

RETRY_SECONDS = "2"
"""When a client may ask again after 503."""

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; object-src 'none'; img-src 'self' data: blob:; "
        "style-src 'self' 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
ROUTERS = (
    versions_routes,
    gallery_routes,
    figures_routes,
    slices_routes,
    duplicates_routes,
    findings_routes,
    comparison_routes,
    review_routes,
)

CallNext = Callable[[Request], Awaitable[Response]]


def create_app(
    workspace: Workspace,
    cache: CropCache | None = None,
    auth_policy: AuthPolicy | None = None,
    request_metrics: RequestMetrics | None = None,
) -> FastAPI:
    """The application for one workspace. auth_policy: by default loopback only, as owner."""
    app = FastAPI(title="Pellucid", version=__version__, docs_url=None, redoc_url=None)
    policy = auth_policy or AuthPolicy()
    app.state.workspace = workspace
    app.state.failed_attempts = FailedAttempts()
    app.state.crop_cache = cache or CropCache()
    app.state.crop_limiter = anyio.CapacityLimiter(CROP_THREADS)
    app.state.who_header = policy.who_header
    add_request_middleware(app, policy, request_metrics or RequestMetrics())
    add_error_handlers(app)
    for module in ROUTERS:
        app.include_router(module.router, dependencies=[Depends(reject_unknown_parameters)])
    if STATIC_FOLDER.is_dir():
        app.mount("/", StaticFiles(directory=STATIC_FOLDER, html=True), name="page")
    return app


def add_request_middleware(
    app: FastAPI, auth_policy: AuthPolicy, request_metrics: RequestMetrics
) -> None:
    """Authenticate, set security headers and record metrics; add /health and /metrics, which need
    no worker thread."""

    @app.middleware("http")
    async def process_request(request: Request, call_next: CallNext) -> Response:
        start = time.perf_counter()
        response, user = await authenticated_response(auth_policy, request, call_next)
        response.headers.update(SECURITY_HEADERS)
        seconds = time.perf_counter() - start
        route = route_template(request)
        request_metrics.record_request(request.method, route, response.status_code, seconds, user)
        return response

    @app.get("/health", response_model=HealthDocument)
    async def get_health() -> Response:
        """Health check."""
        return json_response(HealthDocument("ok", __version__))

    @app.get("/metrics", response_class=PlainTextResponse)
    async def get_server_metrics() -> PlainTextResponse:
        """Request counts, latencies and memory use in Prometheus text format."""
        return PlainTextResponse(request_metrics.render())


async def authenticated_response(
    auth_policy: AuthPolicy, request: Request, call_next: CallNext
) -> tuple[Response, str]:
    """The response, and the name of the user ('' if rejected)."""
    identity = authenticate(auth_policy, request)
    if isinstance(identity, Response):
        if identity.status_code == 401 and presents_token(request):
            address = request.client.host if request.client else ""
            await anyio.sleep(request.app.state.failed_attempts.record(address))
        return identity, ""
    if identity.cookie_token is not None and request.method == "GET":
        return redirect_with_cookie(request, identity.cookie_token), identity.user
    request.state.role = identity.role
    request.state.user = identity.user
    try:
        return await call_next(request), identity.user
    except Exception:  # logged here, then recorded and sent with the same headers
        logging.getLogger("uvicorn.error").exception("Unhandled error in a request")
        detail = "Internal server error. See the server log."
        return JSONResponse({"detail": detail}, 500), identity.user


def route_template(request: Request) -> str:
    """The route's path template, which contains no names of views or versions."""
    route = request.scope.get("route")
    return str(getattr(route, "path", "")) or ("page" if request.method == "GET" else "none")


def add_error_handlers(app: FastAPI) -> None:
    """Turn errors into JSON responses with a message."""

    @app.exception_handler(PellucidError)
    async def handle_pellucid_error(_: Request, error: PellucidError) -> JSONResponse:
        headers = {"Retry-After": RETRY_SECONDS} if error.http_status == 503 else None
        return JSONResponse({"detail": str(error)}, error.http_status, headers)

    @app.exception_handler(RequestValidationError)
    async def handle_validation_error(_: Request, error: RequestValidationError) -> JSONResponse:
        """The input is left out: it may not be representable in JSON."""
        keys = ("loc", "msg", "type")
        problems = [{key: problem[key] for key in keys} for problem in error.errors()]
        return JSONResponse({"detail": problems}, 422)
