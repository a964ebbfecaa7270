"""What the small JSON files of a workspace say."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from pellucid.core.urls import is_remote
from pellucid.formats.dataset import Inference, Note

FORMAT = 1
"""The number of the folder layout; see ARCHITECTURE.md."""


class Said(msgspec.Struct, frozen=True):
    """A note of an import, kept."""

    kind: str
    message: str
    count: int
    severity: Literal["info", "warning"]


class Read(msgspec.Struct, frozen=True):
    """A judgement of an import, kept."""

    question: str
    answer: str
    evidence: str
    alternatives: list[str] = []
    forced: bool = False


class Source(msgspec.Struct, frozen=True):
    """Where rows came from, and how they were read."""

    path: str
    format: str
    when: str
    rows: int
    sha256: str | None = None
    notes: list[Said] = []
    readings: list[Read] = []


class Concept(msgspec.Struct, frozen=True):
    """name: as shown · ids: what the sources call it."""

    name: str
    ids: list[str] = []


class WorkspaceManifest(msgspec.Struct):
    """id: by which a database of decisions knows the workspace, wherever its folder lies."""

    format: int
    made_by: str
    id: str = ""


class ViewManifest(msgspec.Struct):
    """folders: where pictures lie; an image's `root` is an index into them."""

    kind: Literal["classification", "tagging", "detection"]
    concepts: list[Concept] = []
    concepts_listed: bool = False
    folders: list[str] = []
    sources: list[Source] = []
    generation: int = 0
    images: str | None = None
    annotations: str | None = None


class BeforeMending(msgspec.Struct, frozen=True):
    """What the annotations of a version were before people mended them. originals: the table of all · images: positions of those
    that were mended · stated: what was known of these."""

    originals: str
    images: list[int]
    stated: list[int]


class VersionManifest(msgspec.Struct):
    """A frozen version; predictions and what is derived from them are None until the model was run. corrected_to: the last
    decision that its annotations take into account · mended: where that was any."""

    kind: Literal["classification", "tagging", "detection"]
    started: str
    made_by: str
    iou: float
    concepts: list[Concept]
    folders: list[str]
    images: str
    annotations: str
    annotation_sources: list[Source]
    generation: int = 0
    predictions: str | None = None
    staircase: str | None = None
    prediction_sources: list[Source] = []
    counts: dict[str, int] = {}
    corrected_to: int = 0
    mended: BeforeMending | None = None


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def kept(notes: list[Note]) -> list[Said]:
    return [Said(note.kind, note.message, note.count, note.severity) for note in notes]


def source_record(given: Any, path: str, format: str, rows: int, notes: list[Note], judgements: list[Inference]) -> Source:
    """The record of an import; a file is known again by its hash."""
    file = Path(given) if isinstance(given, str | Path) and not is_remote(str(given)) else None
    digest = None
    if file is not None and file.is_file():
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return Source(
        str(file.resolve()) if file else path, format, now(), rows, digest, kept(notes), [Read(**vars(one)) for one in judgements]
    )
