"""What `Workspace.serve` returns where it does not block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class RunningServer(Protocol):
    """A server that runs in the background; a notebook shows it as a link."""

    @property
    def url(self) -> str:
        """The address of the gallery, with the access token if there is one."""

    @property
    def is_running(self) -> bool: ...

    def on_stop(self, cleanup: Callable[[], None]) -> None:
        """Call `cleanup` once the server has stopped."""

    def stop(self) -> None:
        """Stop the server; returns when it has stopped."""
