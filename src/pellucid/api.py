"""Top-level functions: open a workspace, or show two files."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from pellucid.browse.selection import Tab
from pellucid.core.errors import PellucidError
from pellucid.core.tables import Geometry, Kind, Split
from pellucid.formats.dataset import Note
from pellucid.formats.prediction_sources import contains_predictions
from pellucid.formats.source_errors import options_of_predictions
from pellucid.ingest import coco_eval as straight
from pellucid.ingest.errors import SwappedSourcesError
from pellucid.project import Version, View, Workspace
from pellucid.project.running_server import RunningServer
from pellucid.storage.errors import InvalidNameError
from pellucid.storage.names import validate_name


def open(folder: str | Path, reviews: str | None = None) -> Workspace:
    """Open the workspace in the folder; it is created by the first write if it does not exist.

    Args:
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
    annotation_boxes: str | None = None,
    boxes: str | None = None,
    image_ids: str | None = None,
    category_ids: str | None = None,
    scores: str | None = None,
    geometry: str | None = None,
    rename: Mapping[str, str] | None = None,
    concepts: Sequence[str] | None = None,
    ignore_concepts: Sequence[str] | None = None,
    no_scores: bool = False,
) -> RunningServer | None:
    """Show annotations and predictions in a gallery in the browser, until interrupted. Nothing is
    saved. In a notebook, or wherever an event loop runs, it is shown in the background, and a
    server with `url` and `stop()` is returned.

    Args:
        source: annotations, as in `Workspace.add`, like images, split, kind, first_pixel, columns
            and separator.
        predictions: as in `Version.add_predictions`, like boxes, image_ids, category_ids, scores,
            geometry, rename, concepts, ignore_concepts and no_scores.
        iou: minimum IoU of a match.
        host: the address that the server listens on.
        port: None for the first free one from 7860 on.
        browser: whether to open the gallery in the browser.
        prediction_columns: columns of the predictions by role (`columns` of
            `Version.add_predictions`).
        annotation_boxes: box format of the annotations (`boxes` of `Workspace.add`).

    Raises:
        PellucidError: one of the two cannot be read or interpreted.
    """
    folder = tempfile.TemporaryDirectory(prefix="pellucid-")
    server = None
    try:
        workspace = open(Path(folder.name) / "workspace")
        _, notes = import_sources(
            workspace,
            source,
            predictions,
            iou,
            {
                "images": images,
                "split": split,
                "kind": kind,
                "first_pixel": first_pixel,
                "boxes": annotation_boxes,
                "columns": columns,
                "separator": separator,
            },
            {
                "boxes": boxes,
                "image_ids": image_ids,
                "category_ids": category_ids,
                "scores": scores,
                "geometry": geometry,
                "columns": prediction_columns,
                "rename": rename,
                "concepts": concepts,
                "ignore_concepts": ignore_concepts,
                "no_scores": no_scores,
            },
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
    annotations: Any,
    predictions: Any,
    images: str | Path | None = None,
    geometry: Geometry | None = None,
) -> dict[str, float | None]:
    """COCO's twelve metrics (AP, AP50, ... ARl) of predictions against annotations, equal to
    pycocotools; creates no workspace.

    Raises PellucidError.

    Args:
        annotations, predictions, images, geometry: as in `View.add` and `Version.add_predictions`:
            masks are compared where both sides have them, unless geometry is `box`. The model is
            assumed to have run on all annotated images. A metric is None where COCO reports -1.
    """
    return straight.evaluate_coco(
        annotations, predictions, None if images is None else str(images), geometry
    )[0]


class AddOptions(TypedDict, total=False):
    """Options of `Workspace.add`."""

    images: str | Path | None
    split: Split | None
    kind: Kind | None
    format: str | None
    first_pixel: int | None
    boxes: str | None
    columns: Mapping[str, str | Sequence[str]] | None
    separator: str | None


class PredictionOptions(TypedDict, total=False):
    """Options of `Version.add_predictions`."""

    boxes: str | None
    image_ids: str | None
    category_ids: str | None
    scores: str | None
    geometry: str | None
    columns: Mapping[str, str | Sequence[str]] | None
    rename: Mapping[str, str] | None
    concepts: Sequence[str] | None
    ignore_concepts: Sequence[str] | None
    no_scores: bool


def import_sources(
    workspace: Workspace,
    source: Any,
    predictions: Any,
    iou: float,
    adding: AddOptions,
    predicting: PredictionOptions,
) -> tuple[View, list[Note]]:
    """Create a view and a version from two sources; returns the view and the notes of the import.

    Raises:
        SwappedSourcesError: the first source holds predictions, and the second does not.
    """
    try:
        view, notes = workspace.add(default_name(source, "gallery"), source, **adding)
        version = view.version_or_draft(default_name(predictions, "predictions"), iou)
        with options_of_predictions():
            notes = [*notes, *version.add_predictions(predictions, **predicting)]
    except PellucidError as error:
        if are_swapped(source, predictions):
            raise SwappedSourcesError(source, predictions) from error
        raise
    return view, notes


def are_swapped(source: Any, predictions: Any) -> bool:
    """Whether two files look like predictions and annotations instead."""
    return (
        all(isinstance(path, str | Path) and Path(path).exists() for path in (source, predictions))
        and contains_predictions(source)
        and not contains_predictions(predictions)
    )


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
