"""Start the server, say where it is, open the browser."""

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

from pellucid.browse.selection import TABS, Selection
from pellucid.core.errors import PellucidError
from pellucid.evaluation.evaluation import VALIDATION
from pellucid.project import Workspace
from pellucid.server.app import make_app
from pellucid.server.auth import LOOPBACK, Doors, Role, new_token
from pellucid.server.errors import InvalidTokensError, PortUnavailableError
from pellucid.server.monitoring import Health
from pellucid.server.serializers import figures_document, page_document

USUAL_PORT = 7860


@dataclass(frozen=True)
class Access:
    """Who may use a server on a network. role: of those with the first token, or named by a proxy · who_header, proxies, owners: see
    doors.Doors · hostnames: by which a proxy calls the server · log: a line of JSON for each request, on standard error."""

    role: Role = "reviewer"
    who_header: str | None = None
    proxies: tuple[str, ...] = LOOPBACK
    owners: tuple[str, ...] = ()
    hostnames: tuple[str, ...] = ()
    log: bool = False


TOKENS = ("PELLUCID_OWNER_TOKEN", "PELLUCID_TOKEN")
SHORTEST_TOKEN = 16


def doors_of(host: str, access: Access) -> Doors:
    """On this machine no ceremony; on a network a token, or a proxy that says who somebody is."""
    if access.who_header is not None:
        hosts = (*LOOPBACK, host, *access.hostnames)
        return Doors(hosts, {}, access.role, access.who_header, access.proxies, access.owners)
    if host in LOOPBACK:
        return Doors(role="owner")
    own, theirs = (os.environ.get(name) or new_token() for name in TOKENS)
    if own == theirs or min(len(own), len(theirs)) < SHORTEST_TOKEN:
        raise InvalidTokensError(TOKENS, SHORTEST_TOKEN)
    return Doors(None, {own: "owner", theirs: access.role})


def serve(
    workspace: Workspace, host: str, port: int | None, browser: bool, ready: Callable[[str], None] | None, access: Access | None = None
) -> None:
    """Serve until interrupted. The address is announced once requests are answered; on a network with the token in it, one a role."""
    listener = listen(host, port)
    give_memory_back()
    with suppress(PellucidError):  # a damaged version is told of when it is asked for
        warm(workspace)
    access = access or Access()
    doors = doors_of(host, access)
    app = make_app(workspace, doors=doors, health=Health(access.log))
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listener.getsockname()[1]}/"

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            doorways = [f"{address}?token={token}" for token in doors.tokens] or [address]
            for doorway in doorways:
                (ready or print)(doorway)
            if browser:
                threading.Thread(target=webbrowser.open, args=[doorways[0]], daemon=True).start()

    server = Announcing(uvicorn.Config(app, log_level="warning", access_log=False, proxy_headers=False))
    with stopped_politely():
        server.run(sockets=[listener])


LARGE = 1 << 20
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8


def give_memory_back() -> None:
    """On Linux, have large arrays given back to the system as soon as they are done with. Left to itself, glibc keeps those up to 32 MB in
    a pool a thread: a server that works out columns for many readers then comes to hold ten times what it needs."""
    with suppress(OSError, AttributeError):
        system = ctypes.CDLL(None)
        system.mallopt(M_MMAP_THRESHOLD, LARGE)
        system.mallopt(M_ARENA_MAX, 2)


@contextmanager
def stopped_politely() -> Iterator[None]:
    """An interrupt or a request to end is how a server stops: what stands around it is still tidied up."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler) if main else None
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)


def warm(workspace: Workspace) -> None:
    """Load the version that the page shows first, so that it is there when the browser asks."""
    for name in workspace.views:
        view = workspace.view(name)
        for version in reversed(view.versions):
            if view.version(version).latest_manifest.predictions:
                loaded = view.version(version).results()
                thresholds, ledger = loaded.evaluation.optimal_thresholds, view.reviews.log
                figures_document(loaded, VALIDATION, thresholds, ledger)
                for tab in TABS:
                    page_document(
                        view.version(version), loaded, Selection(loaded.evaluation, tab, VALIDATION, None, thresholds), False, 0, 1, ledger
                    )
                return


def listen(host: str, port: int | None) -> socket.socket:
    """A bound socket: the port asked for, or the usual one, or any if that is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in [port] if port is not None else [USUAL_PORT, 0]:
        try:
            listener = socket.create_server((host, candidate), family=family)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else every answer of two packets waits 40 ms for the first
            return listener
        except OSError as error:
            if port is not None or candidate == 0:
                raise PortUnavailableError(host, candidate, (error.strerror or str(error)).lower()) from error
    raise AssertionError("the last candidate returns or raises")
