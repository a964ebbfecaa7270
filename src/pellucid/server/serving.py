"""Start the server, announce its URL and open the browser."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from pellucid.browse.selection import TABS, TabSelection
from pellucid.core.errors import PellucidError
from pellucid.evaluation.evaluation import VALIDATION
from pellucid.project import Workspace
from pellucid.server.app import create_app
from pellucid.server.auth import LOOPBACK_HOSTS, AuthPolicy, Role, generate_token
from pellucid.server.background import BackgroundServer, in_event_loop
from pellucid.server.errors import InvalidTokensError, PortUnavailableError
from pellucid.server.guarded_connections import GuardedProtocol
from pellucid.server.monitoring import RequestMetrics
from pellucid.server.page_document import page_document
from pellucid.server.version_documents import figures_document

DEFAULT_PORT = 7860


@dataclass(frozen=True)
class AccessOptions:
    """Access options of a server.

    Attributes:
        role: for the second token, or for users named by a proxy
        who_header, proxies, owners: see auth.AuthPolicy
        hostnames: Host names the proxy uses for this server
        log: write a JSON line per request to standard error
    """

    role: Role = "reviewer"
    who_header: str | None = None
    proxies: tuple[str, ...] = LOOPBACK_HOSTS
    owners: tuple[str, ...] = ()
    hostnames: tuple[str, ...] = ()
    log: bool = False


TOKEN_VARIABLES = ("PELLUCID_OWNER_TOKEN", "PELLUCID_TOKEN")
MIN_TOKEN_LENGTH = 16
EVERY_ADDRESS = ("0.0.0.0", "::")


def auth_policy(host: str, access: AccessOptions) -> AuthPolicy:
    """The policy for an address: no authentication on loopback; on a network, tokens or an
    authenticating proxy."""
    if access.who_header is not None:
        hosts = (*LOOPBACK_HOSTS, host, *access.hostnames)
        return AuthPolicy(hosts, {}, access.role, access.who_header, access.proxies, access.owners)
    if host in LOOPBACK_HOSTS:
        return AuthPolicy(role="owner")
    owner_token, shared_token = (
        os.environ.get(variable_name) or generate_token() for variable_name in TOKEN_VARIABLES
    )
    if owner_token == shared_token or min(len(owner_token), len(shared_token)) < MIN_TOKEN_LENGTH:
        raise InvalidTokensError(TOKEN_VARIABLES, MIN_TOKEN_LENGTH)
    return AuthPolicy(None, {owner_token: "owner", shared_token: access.role})


def serve(
    workspace: Workspace,
    host: str,
    port: int | None,
    open_browser: bool,
    on_ready: Callable[[str, Role], None] | None,
    access: AccessOptions | None = None,
) -> BackgroundServer | None:
    """Serve until interrupted; where an event loop runs already (in a notebook), serve in a thread
    and return at once. The URL is announced once the server is ready, with the role of those who
    open it; on a network, one URL with a token for each role."""
    listener = listen(host, port)
    configure_allocator()
    with suppress(PellucidError):  # a damaged version is reported when it is requested
        preload_first_version(workspace)
    access = access or AccessOptions()
    policy = auth_policy(host, access)
    app = create_app(workspace, auth_policy=policy, request_metrics=RequestMetrics(access.log))
    base_url = f"http://{reachable_host(host)}:{listener.getsockname()[1]}/"
    roles = {f"{base_url}?token={token}": role for token, role in policy.tokens.items()}
    roles = roles or {base_url: policy.role}
    url = next(iter(roles))
    is_ready = threading.Event()

    class AnnouncingServer(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            for address, role in roles.items():
                on_ready(address, role) if on_ready else print(address)
            if open_browser:
                threading.Thread(target=webbrowser.open, args=[url], daemon=True).start()
            is_ready.set()

    server = AnnouncingServer(server_config(app))
    if in_event_loop():
        thread = threading.Thread(target=server.run, args=[[listener]], daemon=True)
        thread.start()
        is_ready.wait()
        return BackgroundServer(url, server, thread)
    with graceful_shutdown():
        server.run(sockets=[listener])
    return None


def reachable_host(host: str) -> str:
    """The host name for others' browsers: this machine's name where the server listens on every
    address."""
    if host in EVERY_ADDRESS:
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def server_config(app: FastAPI) -> uvicorn.Config:
    """The settings of the server for an application."""
    return uvicorn.Config(
        app,
        http=GuardedProtocol,
        ws="none",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
    )


MMAP_THRESHOLD_BYTES = 1 << 20
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8


def configure_allocator() -> None:
    """On Linux, return large arrays to the system as soon as they are freed. By default glibc
    keeps those up to 32 MB in a pool per thread: a server computing columns for many clients then
    uses ten times the memory it needs."""
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
        libc.mallopt(M_ARENA_MAX, 2)


@contextmanager
def graceful_shutdown() -> Iterator[None]:
    """Treat SIGINT and SIGTERM as a normal shutdown, so that cleanup still runs."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    previous_handler = (
        signal.signal(signal.SIGTERM, signal.default_int_handler) if in_main_thread else None
    )
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        if in_main_thread:
            signal.signal(signal.SIGTERM, previous_handler)


def preload_first_version(workspace: Workspace) -> None:
    """Preload the version that the page shows first."""
    for view_name in workspace.views:
        view = workspace.view(view_name)
        for version_name in reversed(view.versions):
            if view.version(version_name).latest_manifest.predictions:
                loaded = view.version(version_name).results()
                thresholds, decision_log = loaded.evaluation.optimal_thresholds, view.reviews.log
                figures_document(loaded, VALIDATION, thresholds, decision_log)
                for tab in TABS:
                    page_document(
                        view.version(version_name),
                        loaded,
                        TabSelection(loaded.evaluation, tab, VALIDATION, None, thresholds),
                        False,
                        0,
                        1,
                        decision_log,
                    )
                return


def listen(host: str, port: int | None) -> socket.socket:
    """A listening socket on the given port; by default 7860, or a free port if that is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate_port in [port] if port is not None else [DEFAULT_PORT, 0]:
        try:
            listener = socket.create_server((host, candidate_port), family=family)
            listener.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
            )  # avoids 40 ms delays of two-packet responses
            return listener
        except OSError as error:
            if port is not None or candidate_port == 0:
                raise PortUnavailableError(
                    host, candidate_port, (error.strerror or str(error)).lower()
                ) from error
    raise AssertionError("the last candidate returns or raises")
