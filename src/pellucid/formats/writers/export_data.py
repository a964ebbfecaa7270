"""Data to export: columns with their concepts and images, and notes on what a format does not
support."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pellucid.core.errors import format_count
from pellucid.core.tables import NO_SCORE, SPLITS, Annotations, Images, Kind, Predictions
from pellucid.formats.dataset import Note
from pellucid.formats.errors import ExportError
from pellucid.formats.writers.object_outlines import count_keypoints, count_outlines
from pellucid.images.sizes import display_sizes

SHORT_SPLIT_NAMES = {"training": "train", "validation": "val", "test": "test"}
"""The names of the splits in most formats."""


@dataclass(frozen=True, eq=False)
class ExportData:
    """What writers of formats write.

    Attributes:
        annotations and predictions: refer to `images` and `concepts`; either may be None
        image_locations: of each image, '' if unknown
        model: the name of the version that made the predictions
    """

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
        """The predictions if there are any, otherwise the annotations."""
        exported = self.annotations if self.predictions is None else self.predictions
        assert exported is not None
        return exported

    def split_name(self, image_index: int) -> str:
        return str(SPLITS[self.images.split[image_index]])

    def rows_by_image(
        self, annotations: Annotations | Predictions
    ) -> Iterator[tuple[int, list[int]]]:
        """Yield each image index with the rows of the table that belong to it."""
        order = np.argsort(annotations.image, kind="stable")
        offsets = np.searchsorted(annotations.image[order], np.arange(len(self.images) + 1))
        for image_index in range(len(self.images)):
            yield image_index, order[offsets[image_index] : offsets[image_index + 1]].tolist()

    def exportable_annotations(self, format: str) -> Annotations:
        """Annotations without ignored regions and negative labels; a note reports the ones left
        out."""
        assert self.annotations is not None
        annotations = self.annotations
        self.note_dropped_rows(format, "ignored regions", int(annotations.ignore.sum()))
        self.note_dropped_rows(format, "negative labels", int((~annotations.positive).sum()))
        return annotations.take(annotations.positive & ~annotations.ignore)

    def note_dropped_splits(self, format: str) -> None:
        """Add a note if there are several splits."""
        if len(set(self.images.split.tolist())) > 1:
            self.notes.append(
                Note(
                    "splits_left_out", f"splits are not exported: {format} does not support them", 1
                )
            )

    def note_dropped_rows(self, format: str, feature: str, row_count: int) -> None:
        if row_count:
            message = (
                f"{format_count(row_count, 'row')} left out: {format} does not support {feature} "
                "(csv and parquet do)"
            )
            self.notes.append(Note("left_out", message, row_count))

    def note_dropped_keypoints(self, format: str) -> None:
        """Add a note if objects with keypoints are written without."""
        for table in (self.annotations, self.predictions):
            count = 0 if table is None else count_keypoints(table)
            if count:
                message = (
                    f"keypoints of {format_count(count, 'object')} left out: {format} files are "
                    "written without (coco and yolo hold them)"
                )
                self.notes.append(Note("keypoints_left_out", message, count))

    def note_dropped_outlines(self, format: str) -> None:
        """Add a note if objects with outlines or keypoints are written as boxes."""
        self.note_dropped_keypoints(format)
        for table in (self.annotations, self.predictions):
            count = 0 if table is None else count_outlines(table)
            if count:
                message = (
                    f"{format_count(count, 'outline')} left out: {format} files hold boxes (coco, "
                    "yolo, dota, cvat, label-studio and labelme hold outlines)"
                )
                self.notes.append(Note("outlines_left_out", message, count))


Writer = Callable[[ExportData, Path], None]


def find_sizes(export_data: ExportData) -> list[tuple[int, int]]:
    """Width and height of each image, read from its file where the annotations do not state it; 0
    where unknown."""
    images = export_data.images
    sizes = list(zip(images.width.tolist(), images.height.tolist(), strict=True))
    unsized = [row for row, size in enumerate(sizes) if min(size) <= 0]
    found = display_sizes([export_data.image_locations[row] for row in unsized])
    for row, size in zip(unsized, found, strict=True):
        sizes[row] = size or sizes[row]
    return sizes


def with_found_sizes(export_data: ExportData) -> ExportData:
    """The same with the sizes of `find_sizes`; a note counts the images of unknown size."""
    width, height = np.array(find_sizes(export_data), np.int32).reshape(-1, 2).T
    unknown = int((np.minimum(width, height) <= 0).sum())
    if unknown and export_data.exported_table.box is not None:
        message = (
            f"size of {format_count(unknown, 'image')} unknown, written as 0: add the annotations "
            "again with --images DIR"
        )
        export_data.notes.append(Note("size_unknown", message, unknown))
    return replace(export_data, images=export_data.images.replace(width=width, height=height))


def require_image_sizes(export_data: ExportData, format: str) -> list[tuple[int, int]]:
    """As `find_sizes`, for formats with relative coordinates. Raises ExportError if a size is
    unknown."""
    sizes = find_sizes(export_data)
    for path, size in zip(export_data.images.path, sizes, strict=True):
        if min(size) <= 0:
            raise ExportError(
                format,
                f"the size of image '{path}' is unknown; relative coordinates require it. Add the "
                "annotations again with --images DIR",
            )
    return sizes


def score_of(predictions: Predictions, row: int) -> float | None:
    """The score of a prediction; None if it was imported without one."""
    score = float(predictions.score[row])
    return None if score == NO_SCORE else score
