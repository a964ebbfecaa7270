"""The formats Pellucid reads, one module each, recognised by what is in them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pellucid.addresses import is_remote
from pellucid.columns import Kind
from pellucid.errors import FileEmpty, FileUnreadable, FormatNameUnknown, FormatUnknown, KindConflict, SeveralFiles, few
from pellucid.formats import (
    celeba,
    coco,
    coco_results,
    createml,
    cvat,
    darknet,
    datumaro,
    deepomatic,
    dota,
    fiftyone,
    hugging_face,
    image_folder,
    kitti,
    label_studio,
    labelme,
    memory,
    mmdetection,
    open_images,
    picture_list,
    table,
    table_written,
    voc,
    vott,
    wider_face,
    yolo,
    yolo_written,
)  # fmt: skip
from pellucid.formats.brought import brought
from pellucid.formats.cells import cells_of_memory
from pellucid.formats.look import AnnotationFormat, Asked, Look, PredictionFormat, look
from pellucid.formats.outgoing import Writer
from pellucid.formats.pictures import is_picture
from pellucid.formats.refused import refuse
from pellucid.formats.source import AnnotationSource, PredictionSource

READERS: tuple[AnnotationFormat, ...] = (
    fiftyone.FORMAT, coco.FORMAT, datumaro.FORMAT, vott.FORMAT, createml.FORMAT, label_studio.FORMAT, deepomatic.FORMAT, labelme.FORMAT,
    cvat.FORMAT, voc.FORMAT, yolo.FORMAT, darknet.FORMAT, hugging_face.FORMAT, open_images.FORMAT, kitti.FORMAT, dota.FORMAT,
    wider_face.FORMAT, celeba.FORMAT, picture_list.FORMAT, image_folder.FORMAT, table.FORMAT_OF_ANNOTATIONS,
)  # fmt: skip
"""In the order in which they are asked whether a source is theirs: those whose marks are rarest come first."""
PREDICTION_READERS: tuple[PredictionFormat, ...] = (
    label_studio.PREDICTION_FORMAT, deepomatic.PREDICTION_FORMAT, fiftyone.PREDICTION_FORMAT, coco_results.PREDICTION_FORMAT,
    mmdetection.PREDICTION_FORMAT, yolo.PREDICTION_FORMAT, table.FORMAT_OF_PREDICTIONS,
)  # fmt: skip
WRITERS: dict[str, Writer] = {
    "coco": coco.write, "yolo": yolo_written.write, "voc": voc.write, "cvat": cvat.write, "label-studio": label_studio.write,
    "fiftyone": fiftyone.write, "csv": table_written.write_csv, "parquet": table_written.write_parquet,
}  # fmt: skip
"""Of annotations, by `--format`."""
PREDICTION_WRITERS: dict[str, Writer] = {
    "coco": coco_results.write, "yolo": yolo_written.write_predictions, "label-studio": label_studio.write, "fiftyone": fiftyone.write,
    "csv": table_written.write_csv, "parquet": table_written.write_parquet,
}  # fmt: skip
ANNOTATION_FORMATS = tuple(reader.name for reader in READERS)
PREDICTION_FORMATS = tuple(reader.name for reader in PREDICTION_READERS)


def read_annotations(
    source: Any, format: str | None, kind: Kind | None, pictures: str | None, first_pixel: int | None = None
) -> AnnotationSource:  # fmt: skip
    """Images and annotations from a path, or from columns in memory.

    format: one of ANNOTATION_FORMATS, or None to recognise it. pictures: the folder image paths are relative to. first_pixel: see Asked.
    """
    local = None if pictures is None or "://" in pictures else pictures
    asked = Asked(kind, local, first_pixel)
    with readable(source):
        if not isinstance(source, str | Path):
            found = annotations_of_memory(source, asked)
        else:
            with brought(source) as path:
                found = annotations_of_file(path, format, asked)
            if is_remote(str(source)):
                found = replace(found, path=str(source), folder=there(found.folder, path, str(source)))
    if not len(found.images):
        raise FileEmpty(found.path, "at least one image")
    return found


def there(folder: str | None, path: Path, source: str) -> str | None:
    """In the store: where the pictures lie that were found in what was brought from it."""
    if folder is None or not Path(folder).is_relative_to(path):
        return None
    return f"{source.rstrip('/')}/{Path(folder).relative_to(path).as_posix()}".removesuffix("/.")


def annotations_of_memory(source: Any, asked: Asked) -> AnnotationSource:
    cells = cells_of_memory(memory.annotation_columns(source))
    if not table.is_annotations(cells):
        raise FormatUnknown(cells.path, "annotations", f"columns {few(cells.columns, 8)}", ANNOTATION_FORMATS)
    return table.read_annotations(cells, asked.kind, asked.pictures)


def annotations_of_file(source: str | Path, format: str | None, asked: Asked) -> AnnotationSource:
    seen = look(source)
    name = chosen(format, ANNOTATION_FORMATS)
    if name is None:
        refuse(seen, early=True)
    reader = next((one for one in READERS if (one.name == name if name else one.is_it(seen))), None)
    if reader is None and seen.is_dir and format is None:
        return annotations_in(seen, asked)
    if reader is None:
        refuse(seen)
        raise FormatUnknown(seen.path, "annotations", described(seen), ANNOTATION_FORMATS)
    if format and not reader.is_it(seen):
        raise FormatUnknown(seen.path, format, described(seen), ANNOTATION_FORMATS)
    return reader.read(seen, asked)


def annotations_in(folder: Look, asked: Asked) -> AnnotationSource:
    """The one file at the top of a folder that a reader knows; pictures lie beside it or below."""
    files = [Look(folder.path / name, folder.head_of(name)) for name in folder.names if "/" not in name and not is_picture(name)]
    known = [(file, reader) for file in files if file.head.strip() for reader in READERS if reader.is_it(file)]
    if len({file.path for file, _ in known}) > 1:
        raise SeveralFiles(folder.path, few(sorted({file.path.name for file, _ in known})))
    if known:
        file, reader = known[0]
        return reader.read(file, asked)
    refuse(folder)
    raise FormatUnknown(folder.path, "annotations", described(folder), ANNOTATION_FORMATS)


def read_predictions(source: Any, format: str | None, kind: Kind, concepts: Collection[str]) -> PredictionSource:
    """Predictions from a path, or from columns in memory. format: one of PREDICTION_FORMATS, or None.

    concepts: names that the view knows, by which columns of scores are told from others.
    """
    asked = Asked(kind, concepts=tuple(concepts))
    with readable(source):
        if not isinstance(source, str | Path):
            found = predictions_of_memory(source, asked)
        else:
            with brought(source) as path:
                found = predictions_of_file(path, format, asked)
            found = replace(found, path=str(source)) if is_remote(str(source)) else found
    if kind == "detection" and found.box is None:
        raise KindConflict(found.path, "this", kind, "scores without boxes")
    if kind != "detection" and found.box is not None:
        raise KindConflict(found.path, "this", kind, "boxes")
    return found


def predictions_of_memory(source: Any, asked: Asked) -> PredictionSource:
    cells = cells_of_memory(memory.prediction_columns(source))
    if not table.is_predictions(cells):
        raise FormatUnknown(cells.path, "predictions", f"columns {few(cells.columns, 8)}", PREDICTION_FORMATS)
    return table.read_predictions(cells, asked.kind or "detection", asked.concepts)


def predictions_of_file(source: str | Path, format: str | None, asked: Asked) -> PredictionSource:
    seen = look(source)
    reader = next(
        (one for one in PREDICTION_READERS if (one.name == chosen(format, PREDICTION_FORMATS) if format else one.is_it(seen))), None
    )
    if reader is None or (format and not reader.is_it(seen)):
        if not format:
            refuse(seen)
        raise FormatUnknown(seen.path, format or "predictions", described(seen), PREDICTION_FORMATS)
    return reader.read(seen, asked)


def is_predicted(source: str | Path) -> bool:
    """Whether a source holds predictions rather than annotations."""
    with readable(source), brought(source) as path:
        seen = look(path)
        if any(reader.is_it(seen) for reader in PREDICTION_READERS[:-1]):
            return not any(reader.is_it(seen) for reader in READERS if reader.name != label_studio.NAME)
        return table.has_scores(seen)


@contextmanager
def readable(source: Any) -> Iterator[None]:
    """What the system says of a file that cannot be read, as our own error."""
    try:
        yield
    except OSError as error:
        raise FileUnreadable(error.filename or source, (error.strerror or str(error)).lower()) from error


def chosen(format: str | None, known: tuple[str, ...]) -> str | None:
    if format is not None and format not in known:
        raise FormatNameUnknown(format, known)
    return format


def described(seen: Look) -> str:
    head = seen.head
    if seen.is_dir:
        return "a folder without data.yaml, label files or folders of pictures"
    if head[:1] in "{[":
        return f"JSON that begins {' '.join(head[:60].split())}"
    if head.startswith("<"):
        return "XML or HTML"
    if "\0" in head or "\ufffd" in head[:200]:
        return "a binary file"
    return f"a file that begins '{' '.join(head[:60].split())}'"


__all__ = [
    "ANNOTATION_FORMATS",
    "PREDICTION_FORMATS",
    "PREDICTION_WRITERS",
    "WRITERS",
    "is_predicted",
    "read_annotations",
    "read_predictions",
]
