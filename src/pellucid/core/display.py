"""How objects display themselves in notebooks. The `notebook` package registers an HTML
renderer for each type, so that results need not know how they are drawn."""

from __future__ import annotations

from functools import singledispatch
from importlib import import_module
from typing import TypeVar

Item = TypeVar("Item")


@singledispatch
def render_html(displayed: object) -> str | None:
    """HTML for a notebook; None where no renderer is registered, so that the plain text is
    shown."""
    # By name, as the notebook package builds on this one; it registers its renderers here.
    import_module("pellucid.notebook")
    renderer = render_html.dispatch(type(displayed))
    return None if renderer is _default_renderer else renderer(displayed)


_default_renderer = render_html.dispatch(object)


class Displayed:
    """Mixin of results that have a table or drawing in notebooks."""

    def _repr_html_(self) -> str | None:
        return render_html(self)


class DisplayedList(list[Item]):
    """A list of results that is displayed as one table."""

    def _repr_html_(self) -> str | None:
        return render_html(self)
