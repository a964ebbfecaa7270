"""A workspace: a folder of views, or its copy in an object store."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from pellucid._version import __version__
from pellucid.core.errors import InvalidChoiceError
from pellucid.core.tables import KINDS, Kind, Split
from pellucid.core.urls import is_remote
from pellucid.formats.annotation_sources import parse_annotations
from pellucid.formats.dataset import Note
from pellucid.formats.errors import KindConflictError
from pellucid.formats.probe import create_read_options
from pellucid.ingest.concept_selection import create_selection
from pellucid.project.errors import ViewExistsError, ViewNotFoundError
from pellucid.project.reviews import RemovedReviews, Reviews
from pellucid.project.running_server import RunningServer
from pellucid.project.view import View
from pellucid.review.errors import UnknownWorkspaceIdError
from pellucid.review.events import Decision
from pellucid.review.storage.connection import Database
from pellucid.review.storage.postgres import PostgresDatabase
from pellucid.review.storage.sqlite import SqliteDatabase, UnconfiguredDatabase
from pellucid.review.storage.store import DecisionStore
from pellucid.storage.errors import NotAWorkspaceError, WorkspaceFormatError, WorkspaceMissingError
from pellucid.storage.file_names import VIEW_MANIFEST, WORKSPACE_MANIFEST
from pellucid.storage.files import (
    delete_folder,
    load_manifest,
    refresh_mirror,
    rename_folder,
    write_lock,
    write_manifest,
)
from pellucid.storage.manifests import LAYOUT_FORMAT, RemovedView, WorkspaceManifest
from pellucid.storage.names import list_names, validate_name
from pellucid.storage.remote_workspace import open_mirror

REVIEWS_VARIABLE = "PELLUCID_REVIEWS"
"""Environment variable with the URL of a PostgreSQL database for review decisions."""


class Workspace:
    """Opened by `pellucid.open(folder)`; created by the first write.

    Args:
        folder: a local path, or a URL of an object store (s3, gs, az, http), whose files are cached
            locally on demand
    """

    def __init__(self, folder: str | Path, reviews: str | None = None) -> None:
        self._mirror = open_mirror(str(folder)) if is_remote(str(folder)) else None
        self.folder = self._mirror.folder if self._mirror else Path(folder)
        self._views: dict[str, View] = {}
        self._validate()
        database_url = reviews or os.environ.get(REVIEWS_VARIABLE)
        local_engine = (
            UnconfiguredDatabase(self.location)
            if self._mirror
            else SqliteDatabase(self.folder / "reviews.sqlite")
        )
        self._decision_engine: Database = (
            PostgresDatabase(database_url) if database_url else local_engine
        )

    def __repr__(self) -> str:
        return f"<workspace {self.location}>"

    @property
    def location(self) -> str:
        """The folder, or the URL of one in an object store."""
        return self._mirror.url if self._mirror else str(self.folder)

    @property
    def name(self) -> str:
        """The name of the folder."""
        return (
            self.location.rstrip("/").rpartition("/")[2]
            if self._mirror
            else self.folder.resolve().name
        )

    def _validate(self) -> None:
        manifest = self.folder / WORKSPACE_MANIFEST
        if manifest.is_file():
            format_version = load_manifest(manifest, WorkspaceManifest).format
            if format_version > LAYOUT_FORMAT:
                raise WorkspaceFormatError(self.location, format_version, LAYOUT_FORMAT)
        elif self.folder.is_file():
            raise NotAWorkspaceError(self.location, "it is a file, not a folder")
        elif (
            not self._mirror
            and self.folder.is_dir()
            and any(is_unrelated_file(child) for child in self.folder.iterdir())
            and not manifest.is_file()
        ):
            raise NotAWorkspaceError(self.location, "the folder contains other files")

    @property
    def exists(self) -> bool:
        return (self.folder / WORKSPACE_MANIFEST).is_file()

    @property
    def views(self) -> list[str]:
        """Names of the views."""
        refresh_mirror(self.folder)
        return list_names(self.folder / "views", VIEW_MANIFEST)

    def view(self, name: str, kind: Kind | None = None) -> View:
        """Return the view; create it if it does not exist and `kind` is given."""
        view = self.view_or_draft(name, kind)
        if not (view.folder / VIEW_MANIFEST).is_file():
            with write_lock(self.folder):
                self.ensure_manifest()
                view.folder.mkdir(parents=True, exist_ok=True)
                if not (
                    view.folder / VIEW_MANIFEST
                ).is_file():  # another process may have created it meanwhile
                    write_manifest(view.folder / VIEW_MANIFEST, view.manifest)
        return self._views.setdefault(name, view)

    def view_or_draft(self, name: str, kind: Kind | None) -> View:
        """Return the view; if it does not exist, a draft that is created by the first `add`."""
        if kind is not None and kind not in KINDS:
            raise InvalidChoiceError("kind", kind, KINDS)
        is_saved = (self.folder / "views" / validate_name("view", name) / VIEW_MANIFEST).is_file()
        if not is_saved:
            self._views.pop(name, None)  # renamed or removed meanwhile
        if not is_saved and kind is None:
            if not self.exists:
                raise WorkspaceMissingError(self.location)
            raise ViewNotFoundError(self.location, name, self.views)
        view = (
            self._views.setdefault(name, View(self, name)) if is_saved else View(self, name, kind)
        )
        if kind is not None and view.kind != kind:
            raise KindConflictError(self.location, name, view.kind, f"{kind}, the requested kind")
        return view

    def add(
        self,
        name: str,
        source: Any,
        images: str | Path | None = None,
        split: Split | None = None,
        kind: Kind | None = None,
        format: str | None = None,
        first_pixel: int | None = None,
        boxes: str | None = None,
        columns: Mapping[str, str | Sequence[str]] | None = None,
        separator: str | None = None,
        rename: Mapping[str, str] | None = None,
        concepts: Sequence[str] | None = None,
        ignore_concepts: Sequence[str] | None = None,
    ) -> tuple[View, list[Note]]:
        """Add to a view; create it if it does not exist, of the given kind or the kind of the
        source. Other parameters: as in `View.add`."""
        if validate_name("view", name) in self.views:
            view = self.view(name, kind)
            return view, view.add(
                source,
                images=images,
                split=split,
                format=format,
                first_pixel=first_pixel,
                boxes=boxes,
                columns=columns,
                separator=separator,
                rename=rename,
                concepts=concepts,
                ignore_concepts=ignore_concepts,
            )
        image_folder = None if images is None else str(images)
        options = create_read_options(
            kind, image_folder, first_pixel, columns=columns, separator=separator
        )
        parsed = parse_annotations(source, format, options)
        view = self.view_or_draft(name, kind or parsed.kind)
        selection = create_selection(rename, concepts, ignore_concepts)
        return view, view.add_parsed(parsed, source, image_folder, split, boxes, selection)

    def rename_view(self, name: str, new_name: str) -> View:
        """Rename a view with its versions and review decisions. Raises ViewNotFoundError,
        ViewExistsError."""
        view = self.view(name)
        new_folder = self.folder / "views" / validate_name("view", new_name)
        with write_lock(self.folder):
            if new_folder.exists():
                raise ViewExistsError(self.location, new_name)
            manifest = view.manifest
            manifest.review_key = view.review_key
            write_manifest(view.manifest_path, manifest)
            rename_folder(view.folder, new_folder)
        self._views.pop(name, None)
        return self.view(new_name)

    def remove_view(self, name: str) -> None:
        """Remove a view with its versions; review decisions stay in their store, and apply again if
        a view of this name is created. Raises ViewNotFoundError."""
        view = self.view(name)
        with write_lock(self.folder):
            manifest = self._load_manifest()
            manifest.removed_views[name] = RemovedView(view.kind, view.review_key)
            write_manifest(self.folder / WORKSPACE_MANIFEST, manifest)
            delete_folder(view.folder, self.folder)
        self._views.pop(name, None)

    def _load_manifest(self) -> WorkspaceManifest:
        return load_manifest(self.folder / WORKSPACE_MANIFEST, WorkspaceManifest)

    def history(
        self,
        view: str,
        image: str | None = None,
        who: str | None = None,
        day: str | None = None,
    ) -> list[Decision]:
        """All decisions on a view, oldest first, also after it was removed. Filters: see
        `Reviews.history`.

        Raises:
            ViewNotFoundError: there is and was no such view.
        """
        is_there = view in self.views or not self.exists
        removed = None if is_there else self._load_manifest().removed_views.get(view)
        if removed is None:
            return self.view(view).reviews.history(image, who, day)
        source = RemovedReviews(view, removed.kind, removed.review_key)
        return Reviews(source, self.decision_store).history(image, who, day)

    def free_review_key(self, name: str) -> str:
        """The name under which a new view stores its decisions: its own, or that of a removed view
        of its name, unless another view uses it."""
        used = {self.view(other).review_key for other in self.views}
        removed = self._load_manifest().removed_views if self.exists else {}
        number, key = 2, removed[name].review_key if name in removed else name
        while key in used:
            key, number = f"{name} ({number})", number + 1
        return key

    def ensure_manifest(self) -> None:
        """Write the workspace manifest if it does not exist."""
        if not self.exists:
            write_manifest(
                self.folder / WORKSPACE_MANIFEST,
                WorkspaceManifest(LAYOUT_FORMAT, __version__, uuid.uuid4().hex),
            )

    @cached_property
    def decision_store(self) -> DecisionStore:
        """The store of the review decisions of all views. Raises UnknownWorkspaceIdError."""
        store = DecisionStore(self._decision_engine, self._ensure_id())
        if type(self._decision_engine) is SqliteDatabase:  # not shared with other workspaces
            counts = store.count_by_workspace()
            if counts and store.workspace not in counts:
                path = self._decision_engine.path
                raise UnknownWorkspaceIdError(path, counts, store.workspace, WORKSPACE_MANIFEST)
        return store

    @property
    def id(self) -> str:
        """What tells this workspace from others; '' for an old one in which nothing was decided."""
        return load_manifest(self.folder / WORKSPACE_MANIFEST, WorkspaceManifest).id

    def _ensure_id(self) -> str:
        """The id of this workspace in a database; added to old workspaces that have none."""
        path = self.folder / WORKSPACE_MANIFEST
        manifest = load_manifest(path, WorkspaceManifest)
        if not manifest.id:
            with write_lock(self.folder):
                manifest = load_manifest(path, WorkspaceManifest)
                if not manifest.id:
                    manifest.id = uuid.uuid4().hex
                    write_manifest(path, manifest)
        return manifest.id

    def serve(
        self,
        host: str = "127.0.0.1",
        port: int | None = None,
        browser: bool = True,
        ready: Callable[[str, str], None] | None = None,
        **access: Any,
    ) -> RunningServer | None:
        """Serve the gallery until interrupted. In a notebook, or wherever an event loop runs, serve
        in the background and return a server with `url` and `stop()`.

        Args:
            port: None for 7860 or a free one, 0 for any free one
            ready: called with each URL and the role of those who open it
            access: authentication and authorization: `role`, `who_header`, `proxies`, `owners`,
                `log` (see docs/security.md)
        """
        # By name, as the server builds on this package.
        serving = import_module("pellucid.server.serving")
        options = serving.AccessOptions(**access)
        server: RunningServer | None = serving.serve(self, host, port, browser, ready, options)
        return server


def is_unrelated_file(file: Path) -> bool:
    """Whether a file does not belong to a workspace under construction."""
    return file.name not in (".lock", "views") and not file.name.endswith(".tmp")
