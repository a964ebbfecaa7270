"""How objects display themselves in notebooks. The `notebook` package registers an HTML renderer
for each type, so that results need not know how they are drawn."""

from __future__ import annotations

from functools import singledispatch


@singledispatch
def render_html(displayed: object) -> str | None:
    """HTML for a notebook; None where no renderer is registered, so that the plain text is
    shown."""
    return None
