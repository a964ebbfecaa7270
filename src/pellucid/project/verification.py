"""Check the files of a workspace for damage."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pellucid.core.errors import PellucidError
from pellucid.project.known_findings import KNOWN_FINDINGS, load_known_findings
from pellucid.project.workspace import Workspace
from pellucid.results.embeddings import load_embeddings
from pellucid.results.text_search import load_text_model
from pellucid.review.errors import ReviewStoreUnavailableError, UnknownWorkspaceIdError
from pellucid.storage.errors import ManifestError, NotAWorkspaceError, WorkspaceMissingError
from pellucid.storage.file_names import (
    EMBEDDINGS_FILE,
    TEXT_MODEL_FILE,
    UNFINISHED_FILE,
    VERSION_MANIFEST,
    VIEW_MANIFEST,
    WORKSPACE_MANIFEST,
)
from pellucid.storage.files import find_mirror, load_manifest, load_table, refresh_mirror
from pellucid.storage.manifests import VersionManifest, ViewManifest, WorkspaceManifest
from pellucid.storage.mapped_columns import load_mapped
from pellucid.storage.parquet import column_file_name
from pellucid.storage.table_checksums import hash_file

ManifestT = TypeVar("ManifestT", ViewManifest, VersionManifest)

FileState = Literal["intact", "readable", "rebuilt", "unfinished", "missing", "damaged"]
"""readable: written before checksums were stored · rebuilt: damaged or missing, and built again
from the tables when the version is opened next · unfinished: of an import that was interrupted."""


@dataclass(frozen=True)
class FileCheck:
    """The state of a file of a workspace.

    Attributes:
        path: relative to the workspace
        problem: '' if there is none
    """

    path: str
    state: FileState
    problem: str = ""

    @property
    def is_lost(self) -> bool:
        """Whether data is lost that Pellucid cannot build again."""
        return self.state in ("missing", "damaged")


def verify_workspace(location: str | Path) -> list[FileCheck]:
    """Read every file of the workspace and compare it with its checksum.

    Raises:
        WorkspaceMissingError: there is no workspace, not even a damaged one.
    """
    try:
        workspace: Workspace | None = Workspace(location)
    except (ManifestError, NotAWorkspaceError):
        workspace = None  # its manifest is damaged or missing
    folder = workspace.folder if workspace else Path(location)
    refresh_mirror(folder)
    if not (folder / WORKSPACE_MANIFEST).exists() and not any(folder.glob("views/*/*.json")):
        raise WorkspaceMissingError(location)
    checks = [check_workspace_manifest(folder)]
    for view_folder in sorted(path for path in folder.glob("views/*") if path.is_dir()):
        checks += check_view(folder, view_folder)
        for version_folder in sorted(view_folder.glob("versions/*")):
            if version_folder.is_dir():
                checks += check_version(folder, version_folder)
    if workspace is not None and workspace.exists:
        checks += check_decisions(workspace)
    return checks


def check_workspace_manifest(folder: Path) -> FileCheck:
    if not (folder / WORKSPACE_MANIFEST).is_file():
        problem = "missing: it holds the id under which the review decisions are stored"
        return FileCheck(WORKSPACE_MANIFEST, "missing", problem)
    return check_reading(
        folder,
        folder / WORKSPACE_MANIFEST,
        lambda path: load_manifest(path, WorkspaceManifest),
    )


def check_view(folder: Path, view_folder: Path) -> Iterator[FileCheck]:
    yield from check_manifest(folder, view_folder / VIEW_MANIFEST, ViewManifest)
    embeddings = view_folder / EMBEDDINGS_FILE
    if embeddings.is_file():
        yield check_reading(folder, embeddings, lambda path: load_embeddings(path.parent))
    text_model = view_folder / TEXT_MODEL_FILE
    if text_model.is_file():
        yield check_reading(folder, text_model, load_text_model)


def check_version(folder: Path, version_folder: Path) -> Iterator[FileCheck]:
    manifest = yield from check_manifest(folder, version_folder / VERSION_MANIFEST, VersionManifest)
    if manifest and manifest.predictions is not None and find_mirror(folder) is None:
        yield check_columns(folder, version_folder / column_file_name(manifest.generation))
    known_findings = version_folder / KNOWN_FINDINGS
    if known_findings.is_file():
        yield check_reading(folder, known_findings, lambda path: load_known_findings(path.parent))


def check_manifest(
    folder: Path, path: Path, manifest_type: type[ManifestT]
) -> Generator[FileCheck, None, ManifestT | None]:
    """A manifest and the tables that it names. Returns the manifest; None if it is damaged."""
    if not path.is_file() and (path.parent / UNFINISHED_FILE).is_file():
        name = relative_path(folder, path.parent)
        problem = "of an interrupted import; repeat it or remove the folder"
        yield FileCheck(name, "unfinished", problem)
        return None
    if not path.is_file():
        problem = "missing: what its folder holds is not shown"
        yield FileCheck(relative_path(folder, path), "missing", problem)
        return None
    check = check_reading(folder, path, lambda path: load_manifest(path, manifest_type))
    yield check
    if check.problem:
        return None
    manifest = load_manifest(path, manifest_type)
    for name in manifest.table_names:
        yield check_table(folder, path.parent / name, manifest.checksums.get(name))
    return manifest


def check_table(folder: Path, path: Path, checksum: str | None) -> FileCheck:
    if mirror := find_mirror(path):
        mirror.fetch(path)
    name = relative_path(folder, path)
    if not path.is_file():
        return FileCheck(name, "missing", "missing, although its manifest names it")
    if checksum is not None:
        try:
            is_equal = hash_file(path) == checksum
        except OSError as error:
            return FileCheck(name, "damaged", f"cannot be read ({error.strerror})")
        problem = "" if is_equal else "differs from its checksum"
        return FileCheck(name, "intact" if is_equal else "damaged", problem)
    check = check_reading(folder, path, load_table)
    return check if check.problem else FileCheck(name, "readable")


def check_columns(folder: Path, path: Path) -> FileCheck:
    """The mapped columns of a version, which are derived from its tables."""
    name = relative_path(folder, path)
    if not path.is_file():
        return FileCheck(name, "rebuilt", "missing; derived from the tables")
    is_readable = load_mapped(path) is not None
    return FileCheck(
        name,
        "intact" if is_readable else "rebuilt",
        "" if is_readable else "differs from its checksums; derived from the tables",
    )


def check_reading(folder: Path, path: Path, read: Callable[[Path], object]) -> FileCheck:
    """Whether the file can be read at all."""
    try:
        read(path)
    except PellucidError as error:
        problem = str(error).removeprefix(f"{path}: ")
    except (OSError, ValueError, KeyError) as error:
        problem = f"cannot be read ({type(error).__name__}: {error})"
    else:
        return FileCheck(relative_path(folder, path), "intact")
    return FileCheck(relative_path(folder, path), "damaged", problem)


def check_decisions(workspace: Workspace) -> Iterator[FileCheck]:
    """The database of the review decisions."""
    try:
        store = workspace.decision_store
        problem = store.find_problem()
    except (ReviewStoreUnavailableError, UnknownWorkspaceIdError) as error:
        yield FileCheck("reviews", "damaged", str(error))
        return
    except PellucidError:  # of the workspace manifest, which has its own check
        return
    if store.exists:
        name = store.database.display_name.removeprefix(f"{workspace.folder}/")
        yield FileCheck(name, "damaged" if problem else "intact", problem or "")


def relative_path(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()
