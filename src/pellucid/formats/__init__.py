"""The formats Pellucid reads, one module each, recognised by what is in them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pellucid.columns import Kind
from pellucid.errors import FileEmpty, FileMissing, FileUnreadable, FormatNameUnknown, FormatUnknown, KindConflict, few
from pellucid.formats import coco, coco_results, image_folder, table, yolo
from pellucid.formats.cells import Cells, cells_of_file, cells_of_memory
from pellucid.formats.source import AnnotationSource, PredictionSource

ANNOTATION_FORMATS = (coco.ANNOTATIONS, yolo.ANNOTATIONS, image_folder.ANNOTATIONS, table.ANNOTATIONS)
PREDICTION_FORMATS = (coco_results.PREDICTIONS, yolo.PREDICTIONS, table.PREDICTIONS)

HEAD = 65_536
"""Bytes read to recognise a file."""


def read_annotations(source: Any, format: str | None, kind: Kind | None, pictures: str | None) -> AnnotationSource:
    """Images and annotations from a path, or from columns in memory.

    format: one of ANNOTATION_FORMATS, or None to recognise it. pictures: the folder image paths are relative to.
    """
    with readable(source):
        found = recognised_annotations(source, format, kind, pictures)
    if not len(found.images):
        raise FileEmpty(found.path, "at least one image")
    return found


def recognised_annotations(source: Any, format: str | None, kind: Kind | None, pictures: str | None) -> AnnotationSource:
    local = None if pictures is None or "://" in pictures else pictures
    if not isinstance(source, str | Path):
        cells = cells_of_memory(source)
        if not table.is_annotations(cells):
            raise FormatUnknown(cells.path, "annotations", f"columns {few(cells.columns, 8)}", ANNOTATION_FORMATS)
        return table.read_annotations(cells, kind, local)
    path, head = look(source)
    name = chosen(format, ANNOTATION_FORMATS)
    folders = {yolo.ANNOTATIONS, image_folder.ANNOTATIONS} if path.is_dir() else {coco.ANNOTATIONS, yolo.ANNOTATIONS, table.ANNOTATIONS}
    if name is not None and name not in folders:
        raise FormatUnknown(path, name, described(path, head), ANNOTATION_FORMATS)
    if name == coco.ANNOTATIONS or (name is None and coco.is_annotations(path, head)):
        return coco.read_annotations(path, local)
    if name == yolo.ANNOTATIONS or (name is None and yolo.is_annotations(path, head)):
        return yolo.read_annotations(path, Path(local) if local else None)
    if name == image_folder.ANNOTATIONS or (name is None and image_folder.is_annotations(path, head)):
        return image_folder.read_annotations(path)
    if name == table.ANNOTATIONS or is_text_table(path, head):
        cells = cells_of_file(path)
        if table.is_annotations(cells):
            return table.read_annotations(cells, kind, local)
    raise FormatUnknown(path, "annotations", described(path, head), ANNOTATION_FORMATS)


def read_predictions(source: Any, format: str | None, kind: Kind, concepts: Collection[str]) -> PredictionSource:
    """Predictions from a path, or from columns in memory. format: one of PREDICTION_FORMATS, or None.

    concepts: names that the view knows, by which columns of scores are told from others.
    """
    with readable(source):
        found = recognised_predictions(source, format, kind, concepts)
    if kind == "detection" and found.box is None:
        raise KindConflict(found.path, "this", kind, "scores without boxes")
    if kind != "detection" and found.box is not None:
        raise KindConflict(found.path, "this", kind, "boxes")
    return found


def recognised_predictions(source: Any, format: str | None, kind: Kind, concepts: Collection[str]) -> PredictionSource:
    if not isinstance(source, str | Path):
        cells = cells_of_memory(source)
        if not table.is_predictions(cells):
            raise FormatUnknown(cells.path, "predictions", f"columns {few(cells.columns, 8)}", PREDICTION_FORMATS)
        return table.read_predictions(cells, kind, concepts)
    path, head = look(source)
    name = chosen(format, PREDICTION_FORMATS)
    if name is not None and path.is_dir() != (name == yolo.PREDICTIONS):
        raise FormatUnknown(path, name, described(path, head), PREDICTION_FORMATS)
    if name == coco_results.PREDICTIONS or (name is None and coco_results.is_predictions(path, head)):
        return coco_results.read_predictions(path)
    if name == yolo.PREDICTIONS or (name is None and yolo.is_predictions(path, head)):
        return yolo.read_predictions(path)
    if name == table.PREDICTIONS or is_text_table(path, head):
        cells = cells_of_file(path)
        if table.is_predictions(cells):
            return table.read_predictions(cells, kind, concepts)
    raise FormatUnknown(path, "predictions", described(path, head), PREDICTION_FORMATS)


@contextmanager
def readable(source: Any) -> Iterator[None]:
    """What the system says of a file that cannot be read, as our own error."""
    try:
        yield
    except OSError as error:
        raise FileUnreadable(error.filename or source, (error.strerror or str(error)).lower()) from error


def look(source: str | Path) -> tuple[Path, str]:
    """The path, and the beginning of its text ('' for a folder)."""
    path = Path(source)
    if not path.exists():
        raise FileMissing(path)
    if path.is_dir():
        next(path.iterdir(), None)  # says at once that it may not be read
        return path, ""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head.strip():
        raise FileEmpty(path, "data")
    return path, head.decode("utf-8-sig", "replace").lstrip()


def chosen(format: str | None, known: tuple[str, ...]) -> str | None:
    if format is not None and format not in known:
        raise FormatNameUnknown(format, known)
    return format


def is_text_table(path: Path, head: str) -> bool:
    """Parquet, or text whose first line has a delimiter and which is neither JSON nor XML."""
    if path.is_dir() or head[:1] in "{[<":
        return False
    first = head.split("\n", maxsplit=1)[0]
    return head.startswith("PAR1") or ("\0" not in head and any(mark in first for mark in ",;\t|"))


def described(path: Path, head: str) -> str:
    if path.is_dir():
        return "a folder without data.yaml, label files or folders of pictures"
    if head[:1] in "{[":
        return f"JSON that begins {' '.join(head[:60].split())}"
    if head.startswith("<"):
        return "XML or HTML"
    if "\0" in head or "\ufffd" in head[:200]:
        return "a binary file"
    return f"a file that begins '{' '.join(head[:60].split())}'"


__all__ = ["ANNOTATION_FORMATS", "PREDICTION_FORMATS", "Cells", "read_annotations", "read_predictions"]
