"""What a view knows of its workspace and a version of its view, so that neither imports what
contains it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pellucid.core.tables import Annotations, Images, Kind
from pellucid.project.reviews import Reviews
from pellucid.results.results import Results
from pellucid.review.events import DecisionLog
from pellucid.review.storage.store import DecisionStore
from pellucid.storage.manifests import Concept, VersionManifest, ViewManifest


class ParentWorkspace(Protocol):
    """The workspace of a view."""

    folder: Path

    @property
    def location(self) -> str: ...
    @property
    def decision_store(self) -> DecisionStore: ...
    def ensure_manifest(self) -> None: ...
    def free_review_key(self, name: str) -> str: ...


class ParentView(Protocol):
    """The view of a version."""

    name: str
    folder: Path

    @property
    def workspace(self) -> ParentWorkspace: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def manifest(self) -> ViewManifest: ...
    @property
    def left_out_concepts(self) -> list[Concept]: ...
    @property
    def manifest_path(self) -> Path: ...
    @property
    def annotation_tables(self) -> tuple[Images, Annotations, list[str]]: ...
    @property
    def reviews(self) -> Reviews: ...
    @property
    def decision_log(self) -> DecisionLog: ...
    def image_folder_indexes(self) -> tuple[dict[str, int], list[str]]: ...
    def build_snapshot(
        self, iou: float
    ) -> tuple[VersionManifest, Images, Annotations, Annotations]: ...
    def save_originals(
        self, folder: Path, manifest: VersionManifest, originals: Annotations
    ) -> None: ...
    def version_results(self, name: str, corrected: bool) -> Results: ...
    def version_stamp(self, name: str) -> object: ...
