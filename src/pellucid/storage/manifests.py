"""The JSON manifests of a workspace."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from pellucid.core.tables import Geometry
from pellucid.core.urls import is_remote
from pellucid.formats.dataset import Inference, Note
from pellucid.storage.table_checksums import hash_file

LAYOUT_FORMAT = 1
"""Version number of the folder layout; see ARCHITECTURE.md."""


class NoteRecord(msgspec.Struct, frozen=True):
    """A stored note of an import."""

    kind: str
    message: str
    count: int
    severity: Literal["info", "warning"]


class InferenceRecord(msgspec.Struct, frozen=True):
    """A stored inference of an import."""

    question: str
    answer: str
    evidence: str
    alternatives: list[str] = []
    forced: bool = False


class SourceRecord(msgspec.Struct, frozen=True):
    """The source of imported rows and how it was interpreted."""

    path: str
    format: str
    when: str
    rows: int
    sha256: str | None = None
    notes: list[NoteRecord] = []
    readings: list[InferenceRecord] = []


class Concept(msgspec.Struct, frozen=True):
    """A concept of a view.

    Attributes:
        name: as displayed
        ids: its ids in the source files
    """

    name: str
    ids: list[str] = []


class RemovedView(msgspec.Struct):
    """A view that was removed, whose decisions remain.

    Attributes:
        review_key: as in ViewManifest; here also where it is the view's name
    """

    kind: Literal["classification", "tagging", "detection"]
    review_key: str


class WorkspaceManifest(msgspec.Struct):
    """The manifest of a workspace.

    Attributes:
        id: identifies the workspace in a review database, independent of its folder
        removed_views: by their last names
    """

    format: int
    made_by: str
    id: str = ""
    removed_views: dict[str, RemovedView] = {}


class ViewManifest(msgspec.Struct):
    """The manifest of a view.

    Attributes:
        folders: image folders; the `root` of an image is an index into them
        left_out: concepts whose annotations were not imported, as chosen by the user
        review_key: the name under which decisions are stored, where it is not the view's, which may
            have been renamed
        checksums: SHA-256 of its files by name
        excluded: paths of images that are left out of new versions
        moved: the split of each image that was moved by hand
    """

    kind: Literal["classification", "tagging", "detection"]
    concepts: list[Concept] = []
    concepts_listed: bool = False
    folders: list[str] = []
    sources: list[SourceRecord] = []
    generation: int = 0
    images: str | None = None
    annotations: str | None = None
    left_out: list[Concept] = []
    review_key: str = ""
    checksums: dict[str, str] = {}
    excluded: list[str] = []
    moved: dict[str, Literal["training", "validation", "test"]] = {}

    @property
    def table_names(self) -> tuple[str, ...]:
        """The names of its files."""
        return tuple(name for name in (self.images, self.annotations) if name is not None)


class CorrectionBaseline(msgspec.Struct, frozen=True):
    """The annotations of a version before corrections.

    Attributes:
        originals: file name of the table of all annotations
        images: positions of the corrected images
        stated: their original annotation states
    """

    originals: str
    images: list[int]
    stated: list[int]


class VersionManifest(msgspec.Struct):
    """A frozen version; predictions and derived files are None until predictions are added.

    Attributes:
        corrected_to: the last decision applied to its annotations
        correction_baseline: the originals, if any were corrected (key `mended` in the file)
        unannotated: names of the concepts that only predictions name, which are ignored (detection,
            tagging)
        checksums: SHA-256 of its files by name
        geometry: what is compared, None without boxes
        has_scores: of the predictions
        number: rises with each version of the view, whatever the clock says; 0 in older ones
    """

    kind: Literal["classification", "tagging", "detection"]
    started: str
    made_by: str
    iou: float
    concepts: list[Concept]
    folders: list[str]
    images: str
    annotations: str
    annotation_sources: list[SourceRecord]
    generation: int = 0
    predictions: str | None = None
    staircase: str | None = None
    prediction_sources: list[SourceRecord] = []
    counts: dict[str, int] = {}
    corrected_to: int = 0
    correction_baseline: CorrectionBaseline | None = msgspec.field(name="mended", default=None)
    unannotated: list[str] = []
    checksums: dict[str, str] = {}
    geometry: Geometry | None = None
    has_scores: bool = True
    number: int = 0

    @property
    def table_names(self) -> tuple[str, ...]:
        """The names of its files."""
        originals = self.correction_baseline.originals if self.correction_baseline else None
        names = (self.images, self.annotations, self.predictions, self.staircase, originals)
        return tuple(name for name in names if name is not None)

    @property
    def unannotated_indexes(self) -> tuple[int, ...]:
        """Indexes of the unannotated concepts, ascending."""
        unannotated = set(self.unannotated)
        return tuple(i for i, concept in enumerate(self.concepts) if concept.name in unannotated)


def utc_timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def note_records(notes: list[Note]) -> list[NoteRecord]:
    return [NoteRecord(note.kind, note.message, note.count, note.severity) for note in notes]


def build_source_record(
    source: Any,
    path: str,
    format: str,
    row_count: int,
    notes: list[Note],
    inferences: list[Inference],
) -> SourceRecord:
    """The record of an import, with the hash of a local file to recognise it again."""
    source_file = (
        Path(source) if isinstance(source, str | Path) and not is_remote(str(source)) else None
    )
    digest = hash_file(source_file) if source_file and source_file.is_file() else None
    return SourceRecord(
        str(source_file.resolve()) if source_file else path,
        format,
        utc_timestamp(),
        row_count,
        digest,
        note_records(notes),
        [InferenceRecord(**vars(inference)) for inference in inferences],
    )
