"""What is written out: columns with their concepts and images, and what a format could not say of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.columns import SPLITS, Annotations, Images, Kind, Predictions
from pellucid.errors import ExportImpossible, counted
from pellucid.formats.source import Note

SHORT = {"training": "train", "validation": "val", "test": "test"}
"""What most formats call the splits."""


@dataclass(frozen=True, eq=False)
class Outgoing:
    """annotations and predictions: rows of `images` and `concepts`; either may be None · pictures: where each image lies, ''
    where unknown · model: the name of the version, if the predictions are one's."""

    kind: Kind
    concepts: list[str]
    concept_ids: list[str]
    images: Images
    annotations: Annotations | None
    predictions: Predictions | None
    pictures: list[str]
    model: str = ""
    notes: list[Note] = field(default_factory=list)

    @property
    def rows(self) -> Annotations | Predictions:
        """What is written where a format holds one of the two."""
        found = self.annotations if self.predictions is None else self.predictions
        assert found is not None
        return found

    def split(self, row: int) -> str:
        return str(SPLITS[self.images.split[row]])

    def of_image(self, table: Annotations | Predictions) -> Iterator[tuple[int, list[int]]]:
        """Each image's row, and the rows of the table that are of it."""
        order = np.argsort(table.image, kind="stable")
        edges = np.searchsorted(table.image[order], np.arange(len(self.images) + 1))
        for image in range(len(self.images)):
            yield image, order[edges[image] : edges[image + 1]].tolist()

    def plain_annotations(self, format: str) -> Annotations:
        """Those that a format without ignored regions and stated absences can hold; the others are told of."""
        assert self.annotations is not None
        table = self.annotations
        self.cannot(format, "ignored regions", int(table.ignore.sum()))
        self.cannot(format, "statements that a concept is absent", int((~table.positive).sum()))
        return table.take(table.positive & ~table.ignore)

    def one_split(self, format: str) -> None:
        """Tell of splits that are not written."""
        if len(set(self.images.split.tolist())) > 1:
            self.notes.append(Note("splits_left_out", f"splits are not written: {format} has none here", 1))

    def cannot(self, format: str, what: str, number: int) -> None:
        if number:
            text = f"{counted(number, 'row')} left out: {format} has no {what} (csv and parquet have)"
            self.notes.append(Note("left_out", text, number))


Writer = Callable[[Outgoing, Path], None]


def sizes(outgoing: Outgoing, format: str) -> list[tuple[int, int]]:
    """The size of every image, which a format of fractions needs; raises ExportImpossible."""
    found = list(zip(outgoing.images.width.tolist(), outgoing.images.height.tolist(), strict=True))
    unknown = [str(path) for path, (width, height) in zip(outgoing.images.path, found, strict=True) if width <= 0 or height <= 0]
    if unknown:
        raise ExportImpossible(format, f"the size of '{unknown[0]}' is not known, of which its boxes are fractions")
    return found


def folder_for(path: Path) -> Path:
    """A new or empty folder to write into."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ExportImpossible(str(path), "something is there already; name a new folder")
    path.mkdir(parents=True, exist_ok=True)
    return path


def file_for(path: Path) -> Path:
    """A file that is not there yet."""
    if path.exists():
        raise ExportImpossible(str(path), "something is there already; name a new file")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def write_json(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
