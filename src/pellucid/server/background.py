"""A server that runs beside a notebook or another event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from html import escape

import uvicorn


class BackgroundServer:
    """A running server. Returned by `Workspace.serve` where an event loop runs already, as in a
    notebook; ends with the process, or by `stop`."""

    def __init__(self, url: str, server: uvicorn.Server, thread: threading.Thread) -> None:
        self.url = url
        self._server = server
        self._thread = thread
        self._cleanups: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"<gallery at {self.url}, {'running' if self.is_running else 'stopped'}>"

    def _repr_html_(self) -> str:
        link = f'<a href="{escape(self.url)}" target="_blank">{escape(self.url)}</a>'
        return f"Gallery: {link}" if self.is_running else "Gallery: stopped"

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def on_stop(self, cleanup: Callable[[], None]) -> None:
        """Call `cleanup` once the server has stopped."""
        self._cleanups.append(cleanup)

    def stop(self) -> None:
        """Stop the server; returns when it has stopped."""
        self._server.should_exit = True
        self._thread.join()
        while self._cleanups:
            self._cleanups.pop()()


def in_event_loop() -> bool:
    """Whether an event loop runs in this thread, so that serving must not block it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
