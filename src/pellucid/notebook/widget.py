"""Interactive gallery widget for Jupyter and VS Code, built on anywidget
(https://anywidget.dev)."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

from pellucid.browse.selection import TABS
from pellucid.core.errors import MissingDependencyError
from pellucid.notebook.html_repr import gallery_html, item_picture
from pellucid.project.version import Version
from pellucid.results.gallery import Gallery

PAGE_SIZE = 30
WIDGET_SCRIPT = Path(__file__).with_name("widget.js")


def gallery_widget(
    version: Version, split: Any = "validation", tab: Any = "missing", concept: str | None = None
) -> Any:
    """Return the widget. Raises MissingDependencyError if anywidget is not installed (`pip install
    pellucid[notebook]`)."""
    try:
        import anywidget
        import traitlets
    except ImportError as error:
        raise MissingDependencyError("anywidget", "The gallery widget", "notebook") from error

    class GalleryWidget(anywidget.AnyWidget):
        """State that is synchronized with the browser: the list, and its current page with crops.
        User input arrives as messages."""

        _esm = WIDGET_SCRIPT.read_text(encoding="utf-8")
        title = traitlets.Unicode().tag(sync=True)
        static_copy: Any = traitlets.Unicode().tag(sync=True)
        concepts: Any = traitlets.List().tag(sync=True)
        tabs: Any = traitlets.List(list(TABS)).tag(sync=True)
        tab: Any = traitlets.Unicode().tag(sync=True)
        concept = traitlets.Unicode().tag(sync=True)
        offset = traitlets.Int(0).tag(sync=True)
        total = traitlets.Int(0).tag(sync=True)
        page = traitlets.Int(PAGE_SIZE).tag(sync=True)
        items: Any = traitlets.List().tag(sync=True)

        def handle_message(self, _: Any, content: dict[str, Any], __: Any) -> None:
            """Handle the user's choice of a tab, concept or page."""
            self.tab = content.get("tab", self.tab)
            self.concept = content.get("concept", self.concept)
            self.offset = max(0, int(content.get("offset", 0)))
            self.refresh()

        def refresh(self) -> None:
            gallery = version.gallery(self.tab, concept=self.concept or None, split=split)
            with self.hold_sync():
                self.total = len(gallery)
                self.items = page_items(gallery, self.offset)

        def static_html(self) -> str:
            """The current page, in an element of the class that the running widget hides."""
            gallery = version.gallery(self.tab, concept=self.concept or None, split=split)
            note = "A static copy. Run the cell again for the interactive gallery."
            return (
                f'<div class="{self.static_copy}">{gallery_html(gallery)}'
                f'<p style="font:12px system-ui,sans-serif">{note}</p></div>'
            )

        def _ipython_display_(self) -> None:
            """Two outputs: a static page, and the widget, which hides it. A notebook without the
            kernel would show an error in place of a widget, even where its output has HTML too."""
            from IPython.display import display

            bundle = self._repr_mimebundle_()
            display({"text/html": self.static_html(), "text/plain": title}, raw=True)
            if bundle is not None:
                data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
                display(data, metadata=metadata, raw=True)

    title = f"{version.view.name} {version.name}, {split}"
    widget = GalleryWidget(
        title=title,
        static_copy=f"pellucid-static-{uuid4().hex}",
        concepts=list(version.evaluation.concepts),
        tab=tab,
        concept=concept or "",
    )
    widget.refresh()
    widget.on_msg(widget.handle_message)
    return widget


def page_items(gallery: Gallery, offset: int) -> list[dict[str, Any]]:
    """A page of items, each with its crop as a data URL and the crop's region in the image."""
    documents = []
    for item in gallery.page(offset, PAGE_SIZE):
        source, region = item_picture(gallery.image_locator, item)
        documents.append(
            {**asdict(item), "picture": source, "frame": list(region) if region else None}
        )
    return documents
