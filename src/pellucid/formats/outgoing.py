"""What is written out: columns with their concepts and images, and what a format could not say of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.columns import SPLITS, Annotations, Images, Kind, Predictions
from pellucid.errors import ExportError, format_count
from pellucid.formats.source import Note

SHORT_SPLIT_NAMES = {"training": "train", "validation": "val", "test": "test"}
"""What most formats call the splits."""


@dataclass(frozen=True, eq=False)
class ExportData:
    """annotations and predictions: rows of `images` and `concepts`; either may be None · pictures: where each image lies, ''
    where unknown · model: the name of the version, if the predictions are one's."""

    kind: Kind
    concepts: list[str]
    concept_ids: list[str]
    images: Images
    annotations: Annotations | None
    predictions: Predictions | None
    image_locations: list[str]
    model: str = ""
    notes: list[Note] = field(default_factory=list)

    @property
    def exported_table(self) -> Annotations | Predictions:
        """What is written where a format holds one of the two."""
        exported = self.annotations if self.predictions is None else self.predictions
        assert exported is not None
        return exported

    def split_name(self, image_index: int) -> str:
        return str(SPLITS[self.images.split[image_index]])

    def rows_by_image(self, annotations: Annotations | Predictions) -> Iterator[tuple[int, list[int]]]:
        """Each image's row, and the rows of the table that are of it."""
        order = np.argsort(annotations.image, kind="stable")
        offsets = np.searchsorted(annotations.image[order], np.arange(len(self.images) + 1))
        for image_index in range(len(self.images)):
            yield image_index, order[offsets[image_index] : offsets[image_index + 1]].tolist()

    def exportable_annotations(self, format: str) -> Annotations:
        """Those that a format without ignored regions and stated absences can hold; the others are told of."""
        assert self.annotations is not None
        annotations = self.annotations
        self.note_dropped_rows(format, "ignored regions", int(annotations.ignore.sum()))
        self.note_dropped_rows(format, "statements that a concept is absent", int((~annotations.positive).sum()))
        return annotations.take(annotations.positive & ~annotations.ignore)

    def note_dropped_splits(self, format: str) -> None:
        """Tell of splits that are not written."""
        if len(set(self.images.split.tolist())) > 1:
            self.notes.append(Note("splits_left_out", f"splits are not written: {format} has none here", 1))

    def note_dropped_rows(self, format: str, feature: str, row_count: int) -> None:
        if row_count:
            message = f"{format_count(row_count, 'row')} left out: {format} has no {feature} (csv and parquet have)"
            self.notes.append(Note("left_out", message, row_count))


Writer = Callable[[ExportData, Path], None]


def require_image_sizes(export_data: ExportData, format: str) -> list[tuple[int, int]]:
    """The size of every image, which a format of fractions needs; raises ExportImpossible."""
    image_sizes = list(zip(export_data.images.width.tolist(), export_data.images.height.tolist(), strict=True))
    unsized_paths = [str(path) for path, (width, height) in zip(export_data.images.path, image_sizes, strict=True) if width <= 0 or height <= 0]
    if unsized_paths:
        raise ExportError(format, f"the size of '{unsized_paths[0]}' is not known, of which its boxes are fractions")
    return image_sizes


def create_export_folder(path: Path) -> Path:
    """A new or empty folder to write into."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ExportError(str(path), "something is there already; name a new folder")
    path.mkdir(parents=True, exist_ok=True)
    return path


def prepare_export_file(path: Path) -> Path:
    """A file that is not there yet."""
    if path.exists():
        raise ExportError(str(path), "something is there already; name a new file")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def write_json(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
