"""Top-level functions: open a workspace, or show two files."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pellucid.browse.selection import Tab
from pellucid.core.tables import Kind, Split
from pellucid.formats.dataset import Note
from pellucid.ingest import coco_eval as straight
from pellucid.project import Version, View, Workspace
from pellucid.storage.errors import InvalidNameError
from pellucid.storage.names import validate_name


def open(folder: str | Path, reviews: str | None = None) -> Workspace:
    """Open the workspace in the folder; it is created by the first write if it does not exist.

    reviews: a `postgresql://...` URL to store review decisions in, instead of a file in the
    folder. Default: the environment variable PELLUCID_REVIEWS.
    """
    return Workspace(folder, reviews)


def show(
    source: Any,
    predictions: Any,
    images: str | Path | None = None,
    split: Split | None = None,
    kind: Kind | None = None,
    iou: float = 0.5,
    host: str = "127.0.0.1",
    port: int | None = None,
    browser: bool = True,
    first_pixel: int | None = None,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    separator: str | None = None,
    prediction_columns: Mapping[str, str | Sequence[str]] | None = None,
    **forced: Any,
) -> Any:
    """Show annotations and predictions in a gallery in the browser, until interrupted. Nothing is
    saved. In a notebook, or wherever an event loop runs, it is shown in the background, and a
    server with `url` and `stop()` is returned.

    source, predictions, images, split, kind, first_pixel, columns, separator: as in `View.add` and
    `Version.add_predictions`; prediction_columns: columns of the predictions; forced:
    interpretations of the predictions (`boxes`, `image_ids`, `category_ids`, `scores`).
    """
    folder = tempfile.TemporaryDirectory(prefix="pellucid-")
    server = None
    try:
        workspace = open(Path(folder.name) / "workspace")
        _, notes = import_sources(
            workspace,
            source,
            predictions,
            images,
            split,
            kind,
            iou,
            None,
            first_pixel,
            columns,
            separator,
            prediction_columns,
            **forced,
        )
        for note in notes:
            print(f"{note.severity}: {note.message}")
        server = workspace.serve(host, port, browser)
    finally:
        if server is None:
            folder.cleanup()
    if server is not None:
        server.on_stop(folder.cleanup)
    return server


def coco_figures(
    annotations: Any, predictions: Any, images: str | Path | None = None
) -> dict[str, float | None]:
    """COCO's twelve metrics (AP, AP50, ... ARl) of predictions against annotations, equal to
    pycocotools; creates no workspace.

    annotations, predictions, images: as in `View.add` and `Version.add_predictions`; the model is
    assumed to have run on all annotated images. A metric is None where COCO reports -1. Raises
    PellucidError.
    """
    return straight.evaluate_coco(
        annotations, predictions, None if images is None else str(images)
    )[0]


def import_sources(
    workspace: Workspace,
    source: Any,
    predictions: Any,
    images: str | Path | None,
    split: Split | None,
    kind: Kind | None,
    iou: float,
    annotation_format: str | None = None,
    first_pixel: int | None = None,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    separator: str | None = None,
    prediction_columns: Mapping[str, str | Sequence[str]] | None = None,
    **forced: Any,
) -> tuple[View, list[Note]]:
    """Create a view and a version from two sources; returns the view and the notes of the
    import."""
    view, notes = workspace.add(
        default_name(source, "gallery"),
        source,
        images,
        split,
        kind,
        annotation_format,
        first_pixel,
        columns=columns,
        separator=separator,
    )
    version = view.version_or_draft(default_name(predictions, "predictions"), iou)
    prediction_notes = version.add_predictions(predictions, columns=prediction_columns, **forced)
    return view, [*notes, *prediction_notes]


def default_name(source: Any, fallback: str) -> str:
    stem = Path(str(source)).resolve().stem if isinstance(source, str | Path) else fallback
    try:
        return validate_name("view", stem)
    except InvalidNameError:
        return fallback


def widget(
    version: Version, tab: Tab = "missing", concept: str | None = None, split: Split = "validation"
) -> Any:
    """The gallery of a version as a widget for notebooks (Jupyter, VS Code).

    Raises:
        MissingDependencyError: anywidget is not installed.
    """
    from pellucid.notebook.widget import gallery_widget

    version.results().split_index(split)
    return gallery_widget(version, split, tab, concept)
