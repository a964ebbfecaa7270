"""Out of a workspace: annotations, predictions, a tab, the thresholds, in the formats that other tools read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pellucid.columns import SPLITS, UNANNOTATED, Annotations, Images, Integers, Predictions, Split, texts
from pellucid.errors import ExportError, InvalidChoiceError, format_count
from pellucid.formats import PREDICTION_WRITERS, WRITERS
from pellucid.formats.coco import numeric_ids
from pellucid.formats.outgoing import ExportData, prepare_export_file, write_json
from pellucid.formats.source import Note
from pellucid.formats.table_written import mask_missing, write_columns
from pellucid.release import __version__
from pellucid.understand.gallery import Tab
from pellucid.workspace.corrections import write_corrections, write_history, write_report, write_tasks
from pellucid.workspace.gallery import Gallery
from pellucid.workspace.loaded import Order
from pellucid.workspace.manifests import Concept
from pellucid.workspace.mended import Current
from pellucid.workspace.reviewed import Which
from pellucid.workspace.version import Version
from pellucid.workspace.view import View

What = Literal["annotations", "corrections", "tasks", "history", "report", "predictions", "gallery", "thresholds"]
WHATS: tuple[What, ...] = ("annotations", "corrections", "tasks", "history", "report", "predictions", "gallery", "thresholds")


@dataclass(frozen=True)
class Chosen:
    """Which part: a split, or all; of a gallery also the tab, the concept, the threshold, the order and what of it was reviewed ·
    corrected: with people's corrections."""

    split: Split | None = None
    tab: Tab = "missing"
    concept: str | None = None
    threshold: float | None = None
    order: Order = "score"
    review: Which = "all"
    corrected: bool = False


def export(
    view: View, what: str, format: str, path: str | Path, version: Version | None = None, chosen: Chosen | None = None
) -> list[Note]:
    """Write it; returns what the format could not hold. Raises ExportImpossible, with nothing written."""
    chosen = chosen or Chosen()
    path = Path(path)
    if what not in WHATS:
        raise InvalidChoiceError("--what", what, WHATS)
    if what == "annotations":
        return written(WRITERS, format, annotations_of(view, version, chosen.split, chosen.corrected), path)
    if what in REVIEWED:
        return of_review(view, what, format, path, chosen.split)
    if version is None:
        raise ExportError(what, "it is of a version; name one with --version")
    if what == "thresholds":
        return thresholds(version, format, path)
    if what == "predictions":
        return written(PREDICTION_WRITERS, format, predictions_of(version, chosen.split), path)
    return gallery_of(version, format, path, chosen)


REVIEWED = ("corrections", "tasks", "history", "report")


def of_review(view: View, what: str, format: str, path: Path, split: Split | None) -> list[Note]:
    if what in ("history", "report"):
        return (write_history if what == "history" else write_report)(view, format, path)
    corrected = annotations_of(view, None, None, True)
    return (write_corrections if what == "corrections" else write_tasks)(view, corrected, format, path, split)


def written(writers: Any, format: str, outgoing: ExportData, path: Path) -> list[Note]:
    if format not in writers:
        raise InvalidChoiceError("--format", format, list(writers))
    writers[format](outgoing, path)
    return outgoing.notes


def annotations_of(view: View, version: Version | None, split: Split | None, corrected: bool) -> ExportData:
    """The view's annotations as they are now, or as a version froze them; corrected: as people have mended them."""
    if version is None:
        if corrected:
            current, folders = view.current()
            known = {concept.name: concept for concept in view.manifest.concepts}
            concepts = [known.get(name, Concept(name)) for name in current.concepts]
            made = outgoing(view, concepts, current.images, current.annotations, None, folders, split)
            made.notes.extend(notes_of(current))
            return made
        images, annotations, folders = view.annotated
        return outgoing(view, view.manifest.concepts, images, annotations, None, folders, split)
    loaded = version.loaded.with_corrections(view.reviews.ledger) if corrected else version.loaded
    evaluation = loaded.evaluation
    return outgoing(view, loaded.manifest.concepts, evaluation.images, evaluation.annotations, None, loaded.folders, split)


def notes_of(current: Current) -> list[Note]:
    """Corrections that could not be made."""
    notes = []
    if number := len(current.unfit):
        notes.append(Note("unfit", f"{format_count(number, 'correction')} left out: the annotation is no longer there to be changed", number))
    if number := len(current.absent):
        notes.append(Note("absent", f"{format_count(number, 'correction')} left out: the picture is not in the view, or was replaced", number))
    return notes


def predictions_of(version: Version, split: Split | None) -> ExportData:
    """In the order of their input."""
    loaded = version.loaded
    evaluation = loaded.evaluation
    table = evaluation.predictions.take(np.argsort(evaluation.predictions.order, kind="stable"))
    made = outgoing(version.view, loaded.manifest.concepts, evaluation.images, None, table, loaded.folders, split)
    return ExportData(**{**vars(made), "model": version.name})


def outgoing(
    view: View, concepts: Sequence[Concept], images: Images, annotations: Annotations | None, predictions: Predictions | None,
    folders: Sequence[str], split: Split | None,
) -> ExportData:  # fmt: skip
    """The images of the split (or all), with their rows renumbered."""
    images = images.replaced(source_id=texts([str(number) for number in numeric_ids(images.source_id.tolist())]))
    wanted = np.ones(len(images), bool) if split is None else images.split == SPLITS.index(split)
    notes: list[Note] = []
    if annotations is not None:
        unknown = wanted & (images.stated == UNANNOTATED)
        wanted &= ~unknown
        if number := int(unknown.sum()):
            notes.append(Note("unannotated", f"{format_count(number, 'image')} of which nothing is known left out", number))
    place = np.cumsum(wanted) - 1
    kept = images.take(wanted)
    places = zip(kept.root.tolist(), kept.path, strict=True)
    pictures = [f"{folders[root].rstrip('/')}/{path}" if root >= 0 else "" for root, path in places]
    names = [concept.name for concept in concepts]
    ids = [concept.ids[0] if concept.ids else "" for concept in concepts]

    def renumbered(table: Any) -> Any:
        part = table.take(wanted[table.image])
        return part.replaced(image=place[part.image].astype(np.int32))

    return ExportData(
        view.kind, names, ids, kept, None if annotations is None else renumbered(annotations),
        None if predictions is None else renumbered(predictions), pictures, notes=notes,
    )  # fmt: skip


def gallery_of(version: Version, format: str, path: Path, chosen: Chosen) -> list[Note]:
    """A tab: as a table of its items, in its order; or its annotations or predictions alone, in a format for boxes and tags."""
    gallery = version.gallery(
        chosen.tab, chosen.concept, chosen.split or "validation", chosen.threshold, False, chosen.order, chosen.review, chosen.corrected
    )
    if format in ("csv", "parquet"):
        write_columns(item_columns(gallery), path, "csv, header" if format == "csv" else "parquet")
        return []
    if format == "json":
        write_json(prepare_export_file(path), [asdict(item) for item in gallery])
        return []
    loaded, evaluation = version.loaded, gallery.selection.evaluation
    rows: Integers = gallery.selection.page(0, len(gallery)).astype(np.int32)
    extra = chosen.tab == "extra"
    made = outgoing(
        version.view, loaded.manifest.concepts, evaluation.images, evaluation.annotations.take(rows) if extra else None,
        None if extra else evaluation.predictions.take(rows), loaded.folders, chosen.split or "validation",
    )  # fmt: skip
    return written(WRITERS if extra else PREDICTION_WRITERS, format, ExportData(**{**vars(made), "model": version.name}), path)


def item_columns(gallery: Gallery) -> dict[str, Any]:
    items = list(gallery)
    box = np.array([item.box or (np.nan,) * 4 for item in items], float).reshape(-1, 4)
    columns: dict[str, Any] = {
        "position": np.array([item.position for item in items], np.int64),
        **{name: np.array([getattr(item, name) for item in items], object) for name in ("image", "concept", "outcome")},
        "score": mask_missing(np.array([np.nan if item.score is None else item.score for item in items], float)),
        **{side: mask_missing(box[:, place]) for place, side in enumerate(("x", "y", "width", "height"))},
        "iou": mask_missing(np.array([np.nan if item.iou is None else item.iou for item in items], float)),
        "cause": np.array([item.cause or "" for item in items], object),
    }
    return columns


def thresholds(version: Version, format: str, path: Path) -> list[Note]:
    if format != "json":
        raise InvalidChoiceError("--format", format, ["json"])
    document = {
        "made_by": f"pellucid {__version__}", "view": version.view.name, "version": version.name, "kind": version.view.kind,
        "iou": version.quick_manifest.iou, "thresholds": {name: one.value for name, one in version.thresholds.items()},
    }  # fmt: skip
    write_json(prepare_export_file(path), document)
    return []
