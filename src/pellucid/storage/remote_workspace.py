"""A workspace in an object store, mirrored on demand in a local folder.

Manifests are small and kept in sync; they list all other files. Tables are fetched when first
read, columns in parts (`remote_columns`). Changes are written locally first and then uploaded:
first the tables, last the manifests that refer to them, each atomically, so that readers see either
the old or the new state.
"""

from __future__ import annotations

import hashlib
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from platformdirs import user_cache_path

from pellucid.core.errors import FileMissingError, PellucidError, StoreUnavailableError
from pellucid.core.files import atomic_write
from pellucid.core.urls import reject_credentials
from pellucid.storage.column_file import ColumnFile
from pellucid.storage.errors import ConcurrentModificationError, NotAWorkspaceError
from pellucid.storage.file_names import (
    EMBEDDINGS_FILE,
    VERSION_MANIFEST,
    VIEW_MANIFEST,
    WORKSPACE_MANIFEST,
)
from pellucid.storage.files import mirrors, replace_file
from pellucid.storage.mapped_columns import load_mapped, write_mapped
from pellucid.storage.object_store import open_store, send
from pellucid.storage.remote_columns import BlockCache, add_record_columns, remote_columns

MANIFESTS = (WORKSPACE_MANIFEST, VIEW_MANIFEST, VERSION_MANIFEST)
"""In upload order."""
EVALUATION_FOLDER = "evaluating"
"""The subfolder of a version for intermediate results of a distributed evaluation."""
TABLE_SUFFIXES = (".parquet", ".mapped")
REFRESH_INTERVAL = 2.0
"""Seconds before the manifests are refreshed again."""
MAX_TABLE_SIZE = 8 << 30
"""Largest local cache of a workspace's Parquet and mapped files, in bytes."""

FileToken = tuple[str | None, Any]


class WorkspaceMirror:
    """url: of the workspace. Thread-safe. Raises SecretInUrlError, UnsupportedStoreError,
    StoreUnavailableError."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._store, self._root = open_store(url)
        self.folder = local_folder(url)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._block_cache = BlockCache(self.folder / ".columns")
        self._lock = threading.RLock()
        self._tokens: dict[str, FileToken] = {}
        self._sizes: dict[str, int] = {}
        self._refreshed_at = -REFRESH_INTERVAL
        self._refresh_lock = threading.Lock()
        mirrors[self.folder] = self
        self.refresh(blocking=True)

    def store_url(self, path: Path) -> str:
        """The URL of a file of the folder in the store."""
        return f"{self.url}/{path.relative_to(self.folder).as_posix()}"

    def refresh(self, blocking: bool = False) -> None:
        """Fetch changed manifests: synchronously (blocking), or in the background if the last
        refresh is too old."""
        if blocking:
            with self._refresh_lock:
                self._refresh()
        elif (
            time.monotonic() - self._refreshed_at > REFRESH_INTERVAL
            and self._refresh_lock.acquire(blocking=False)
        ):
            threading.Thread(target=self._refresh_in_background, daemon=True).start()

    def _refresh_in_background(self) -> None:
        try:
            with suppress(PellucidError):  # keep the cached state and retry at the next refresh
                self._refresh()
        finally:
            self._refreshed_at = time.monotonic()
            self._refresh_lock.release()

    def _refresh(self) -> None:
        remote_files = self._list_files()
        tracked_files = {key: info for key, info in remote_files.items() if is_tracked(key)}
        changed_keys = [
            key for key, info in tracked_files.items() if not self._is_fresh(key, file_token(info))
        ]
        contents = self._load_files(changed_keys)
        with self._lock:
            for key in sorted(changed_keys, key=key_depth, reverse=True):
                if (
                    not (self.folder / key).is_file()
                    or (self.folder / key).read_bytes() != contents[key]
                ):
                    self._delete_local_tables(key)
                    replace_file(self.folder / key, contents[key])
                self._tokens[key] = file_token(tracked_files[key])
            for file in [
                file
                for file_name in (*MANIFESTS, EMBEDDINGS_FILE)
                for file in self.folder.rglob(file_name)
            ]:
                key = file.relative_to(self.folder).as_posix()
                if key not in tracked_files:
                    self._delete_local_tables(key)
                    file.unlink(missing_ok=True)
            self._tokens = {key: self._tokens[key] for key in tracked_files}
            self._sizes = {key: int(info.get("size") or 0) for key, info in remote_files.items()}
            self._refreshed_at = time.monotonic()

    def _delete_local_tables(self, manifest_key: str) -> None:
        """Delete the local tables of a changed manifest, as remote files with the same names
        may have changed."""
        for local_file in (self.folder / manifest_key).parent.glob("*"):
            if local_file.suffix in TABLE_SUFFIXES:
                local_file.unlink(missing_ok=True)

    def _is_fresh(self, key: str, token: FileToken) -> bool:
        return (
            token[0] is not None
            and self._tokens.get(key) == token
            and (self.folder / key).is_file()
        )

    def _list_files(self) -> dict[str, dict[str, Any]]:
        """Metadata of all remote files of the workspace, by relative path."""
        try:
            self._store.invalidate_cache()
            if self.url.startswith("http"):
                return {key: {} for key in self._list_http_files("")}
            entries = self._store.find(self._root, detail=True)
        except FileNotFoundError:
            return {}
        except Exception as error:  # exceptions depend on the store
            raise StoreUnavailableError(self.url, store_error_message(error)) from error
        root = f"{self._root.rstrip('/')}/"
        return {
            path.removeprefix(root): info for path, info in entries.items() if path.startswith(root)
        }

    def _list_http_files(self, folder: str) -> list[str]:
        """The files in a folder of an HTTP server, which lists links without metadata."""
        folder_url = f"{self._root}/{folder}"
        child_names = [
            link.removeprefix(folder_url)
            for link in self._store.ls(folder_url, detail=False)
            if link.startswith(folder_url)
        ]
        child_keys = [
            f"{folder}{child_name}"
            for child_name in child_names
            if child_name and "/" not in child_name.rstrip("/") and "?" not in child_name
        ]
        return [
            file_key
            for child_key in child_keys
            for file_key in (
                self._list_http_files(child_key) if child_key.endswith("/") else [child_key]
            )
        ]

    def _load_files(self, keys: list[str]) -> dict[str, bytes]:
        """Read files concurrently; names are literal, whereas `cat` would expand wildcards."""
        paths = [f"{self._root}/{key}" for key in keys]
        try:
            contents = (
                self._store.cat_ranges(
                    paths, [None] * len(paths), [None] * len(paths), on_error="raise"
                )
                if paths
                else []
            )
        except Exception as error:  # exceptions depend on the store
            raise StoreUnavailableError(self.url, store_error_message(error)) from error
        return {key: bytes(content) for key, content in zip(keys, contents, strict=True)}

    @property
    def has_other_files(self) -> bool:
        return any(not key.startswith(("views/", ".")) for key in self._sizes)

    def fetch(self, path: Path) -> None:
        """Download a table, if it exists in the store."""
        key = path.relative_to(self.folder).as_posix()
        if path.is_file() or key not in self._sizes:
            return
        with self._lock:
            if path.is_file():
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with atomic_write(path, locked=False) as temp_path:
                    self._store.get_file(f"{self._root}/{key}", str(temp_path))
            except FileNotFoundError:
                return
            except Exception as error:
                raise StoreUnavailableError(self.url, store_error_message(error)) from error
            self._evict_tables(path)

    def _evict_tables(self, new_table: Path) -> None:
        """Delete the tables fetched longest ago while the total size exceeds MAX_TABLE_SIZE."""
        other_tables = [
            (file.stat().st_mtime, file.stat().st_size, file)
            for file in self._local_tables()
            if file != new_table
        ]
        total_size = new_table.stat().st_size + sum(size for _, size, _ in other_tables)
        for _, size, file in sorted(other_tables):
            if total_size <= MAX_TABLE_SIZE:
                break
            file.unlink(missing_ok=True)
            total_size -= size

    def _local_tables(self) -> list[Path]:
        return [
            file for file in (self.folder / "views").rglob("*") if file.suffix in TABLE_SUFFIXES
        ]

    def load_columns(self, path: Path) -> dict[str, Any] | None:
        """The mapped columns of a version, fetched on demand; None if the store has none."""
        if path.is_file():
            return load_mapped(path)
        if path.relative_to(self.folder).as_posix() not in self._sizes:
            return None
        try:
            return remote_columns(ColumnFile(self.store_url(path)), self._block_cache)
        except FileMissingError:
            return None

    def push(self) -> None:
        """Upload local changes. Raises ConcurrentModificationError, StoreUnavailableError; then
        the store is unchanged and local changes are discarded."""
        try:
            self._push()
        finally:
            with suppress(StoreUnavailableError):
                self.refresh(blocking=True)

    def _push(self) -> None:
        with self._lock:
            remote_files = self._list_files()
            changed_keys = [
                manifest_name
                for manifest_name in MANIFESTS
                for manifest_name in self._find_changed(manifest_name, remote_files)
            ]
            conflicting_keys = [
                key
                for key in changed_keys
                if (file_token(remote_files[key]) if key in remote_files else None)
                != self._tokens.get(key)
            ]
            try:
                if conflicting_keys:
                    raise ConcurrentModificationError(
                        self.store_url(self.folder / conflicting_keys[0])
                    )
                self._upload(changed_keys, remote_files)
            except PellucidError:
                self._discard_local(changed_keys)
                raise

    def _upload(self, changed_keys: list[str], remote_files: dict[str, Any]) -> None:
        """Upload the tables, then their manifests, then delete outdated tables from the store."""
        try:
            for key in changed_keys:
                self._upload_tables(key, remote_files)
            for key in changed_keys:
                send(self.folder / key, f"{self.url}/{key}")
            for key in changed_keys:
                self._remove_old_tables(key, remote_files)
        except PellucidError:
            raise
        except Exception as error:  # exceptions depend on the store
            raise StoreUnavailableError(self.url, store_error_message(error)) from error

    def _find_changed(self, manifest_name: str, remote_files: dict[str, Any]) -> list[str]:
        """Manifests with this file name, and embeddings of views, that differ from the store."""
        files = [
            *self.folder.rglob(manifest_name),
            *(self.folder.rglob(EMBEDDINGS_FILE) if manifest_name == VIEW_MANIFEST else ()),
        ]
        keys = [file.relative_to(self.folder).as_posix() for file in files]
        remote_contents = self._load_files([key for key in keys if key in remote_files])
        return [key for key in keys if remote_contents.get(key) != (self.folder / key).read_bytes()]

    def _discard_local(self, keys: list[str]) -> None:
        for key in keys:
            self._delete_local_tables(key)
            (self.folder / key).unlink(missing_ok=True)
            self._tokens.pop(key, None)

    def _upload_tables(self, manifest_key: str, remote_files: dict[str, Any]) -> None:
        """Upload the tables of a manifest and their mapped columns; other local tables were
        fetched from the store."""
        generation = self._generation(manifest_key)
        for file in (
            sorted((self.folder / manifest_key).parent.iterdir()) if generation is not None else ()
        ):
            key = file.relative_to(self.folder).as_posix()
            if file.suffix not in TABLE_SUFFIXES or (
                key in remote_files and parse_generation(key) != generation
            ):
                continue
            if file.suffix == ".parquet":
                send(file, f"{self.url}/{key}")
                continue
            columns = load_mapped(file)
            if columns is not None:
                temp_path = file.with_name(f"{file.name}.tmp")
                try:
                    write_mapped(temp_path, add_record_columns(columns))
                    send(temp_path, f"{self.url}/{key}")
                finally:
                    temp_path.unlink(missing_ok=True)

    def _generation(self, manifest_key: str) -> int | None:
        """The generation in the names of its tables; None for manifests without tables."""
        if not manifest_key.endswith((VIEW_MANIFEST, VERSION_MANIFEST)):
            return None
        return int(
            msgspec.json.decode((self.folder / manifest_key).read_bytes()).get("generation", 0)
        )

    def _remove_old_tables(self, manifest_key: str, remote_files: dict[str, Any]) -> None:
        """Remove tables older than the previous generation, which may still be in use by
        readers."""
        generation = self._generation(manifest_key)
        if generation is None:
            return
        folder = manifest_key.rpartition("/")[0]
        old_keys = [
            key
            for key in remote_files
            if key.rpartition("/")[0] == folder
            and key.endswith(TABLE_SUFFIXES)
            and (table_generation := parse_generation(key)) is not None
            and table_generation < generation - 1
        ]
        for key in old_keys:
            with suppress(FileNotFoundError):
                self._store.rm_file(f"{self._root}/{key}")


def is_tracked(key: str) -> bool:
    version_path = key.split("/")[4:]  # below views/VIEW/versions/VERSION
    return key.rpartition("/")[2] in (*MANIFESTS, EMBEDDINGS_FILE) and version_path[:1] != [
        EVALUATION_FOLDER
    ]


def key_depth(key: str) -> int:
    """Sort key: versions are updated before the views and the workspace that contain them."""
    return key.count("/")


def parse_generation(key: str) -> int | None:
    generation_text = key.rpartition("/")[2].split(".")[1]
    return int(generation_text) if generation_text.isdecimal() else None


def file_token(info: dict[str, Any]) -> FileToken:
    """A token that changes with the file: (ETag or time, size). The first is None if the store
    gives neither."""
    version_marks = (
        str(info[key])
        for key in ("ETag", "etag", "mtime", "LastModified", "last_modified")
        if info.get(key)
    )
    return next(version_marks, None), info.get("size")


def store_error_message(error: Exception) -> str:
    """The first line of a store's error message, without the query string."""
    return str(error).split("\n", maxsplit=1)[0].partition("?")[0][:200] or type(error).__name__


def local_folder(url: str) -> Path:
    """The local cache folder of a remote workspace."""
    return (
        user_cache_path("pellucid") / "workspaces" / hashlib.sha256(url.encode()).hexdigest()[:24]
    ).resolve()


def open_mirror(url: str) -> WorkspaceMirror:
    """The mirror of a workspace, shared within the process. Raises NotAWorkspaceError if the
    URL contains other files."""
    url = url.rstrip("/")
    reject_credentials(url)
    existing = mirrors.get(local_folder(url))
    if isinstance(existing, WorkspaceMirror):
        existing.refresh(blocking=True)
        return existing
    new_mirror = WorkspaceMirror(url)
    if not (new_mirror.folder / WORKSPACE_MANIFEST).is_file() and new_mirror.has_other_files:
        raise NotAWorkspaceError(url, "it contains other files")
    return new_mirror
