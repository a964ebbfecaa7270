"""How objects display themselves in notebooks. The `notebook` package registers an HTML
renderer for each type, so that results need not know how they are drawn."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch

_loaders: list[Callable[[], object]] = []


def add_renderers(load: Callable[[], object]) -> None:
    """Register what imports the renderers; called when something is displayed for the first
    time."""
    _loaders[:] = [load]


@singledispatch
def render_html(displayed: object) -> str | None:
    """HTML for a notebook; None where no renderer is registered, so that the plain text is
    shown."""
    if not _loaders:
        return None
    _loaders.pop()()
    return render_html(displayed)
