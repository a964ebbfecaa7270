"""A workspace in an object store, as a folder of this machine that holds of it what was asked for.

Manifests are followed: they are small and say what else there is. Tables are fetched when they are first read, columns in parts
(`ranged`). What is written is written here first, as everywhere, and then put into the store: tables, and last the manifests that name
them, each in one piece, so that whoever reads sees the state before or the one after.
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
from pellucid.core.urls import reject_credentials
from pellucid.storage.column_file import Stored
from pellucid.storage.errors import ConcurrentModificationError, NotAWorkspaceError
from pellucid.storage.files import mirrors, replace_file
from pellucid.storage.mapped_columns import read_mapped, write_mapped
from pellucid.storage.names import EMBEDDINGS_FILE as EMBEDDINGS
from pellucid.storage.object_store import send, store_of
from pellucid.storage.remote_columns import Room, ranged_columns, with_records

MANIFESTS = ("workspace.json", "view.json", "version.json")
"""In the order in which they are put into a store."""
WORK = "evaluating"
"""The folder of a version in which an evaluation keeps what is not yet put together."""
TABLES = (".parquet", ".mapped")
FRESH = 2.0
"""Seconds for which what was followed is taken for what is there."""
BOUND = 8 << 30
"""Bytes of whole tables that this machine keeps of a workspace."""

Token = tuple[str | None, Any]


class Mirror:
    """url: of the workspace. Thread-safe. Raises SecretInUrlError, UnsupportedStoreError, StoreUnavailableError."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._store, self._root = store_of(url)
        self.folder = folder_of(url)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._room = Room(self.folder / ".columns")
        self._lock = threading.RLock()
        self._tokens: dict[str, Token] = {}
        self._sizes: dict[str, int] = {}
        self._followed = -FRESH
        self._following = threading.Lock()
        mirrors[self.folder] = self
        self.follow(at_once=True)

    def location(self, path: Path) -> str:
        """Where a file of the folder lies in the store."""
        return f"{self.url}/{path.relative_to(self.folder).as_posix()}"

    def follow(self, at_once: bool = False) -> None:
        """See what others wrote, at once or, where what is known is not fresh, while the reader goes on with that."""
        if at_once:
            with self._following:
                self._follow()
        elif time.monotonic() - self._followed > FRESH and self._following.acquire(blocking=False):
            threading.Thread(target=self._follow_behind, daemon=True).start()

    def _follow_behind(self) -> None:
        try:
            with suppress(PellucidError):  # the reader has what was there; the next look may find the store again
                self._follow()
        finally:
            self._followed = time.monotonic()
            self._following.release()

    def _follow(self) -> None:
        listed = self._listed()
        followed = {name: info for name, info in listed.items() if is_followed(name)}
        changed = [name for name, info in followed.items() if not self._is_fresh(name, token_of(info))]
        texts = self._read(changed)
        with self._lock:
            for name in sorted(changed, key=depth, reverse=True):
                if not (self.folder / name).is_file() or (self.folder / name).read_bytes() != texts[name]:
                    self._forget_tables(name)
                    replace_file(self.folder / name, texts[name])
                self._tokens[name] = token_of(followed[name])
            for file in [file for name in (*MANIFESTS, EMBEDDINGS) for file in self.folder.rglob(name)]:
                name = file.relative_to(self.folder).as_posix()
                if name not in followed:
                    self._forget_tables(name)
                    file.unlink(missing_ok=True)
            self._tokens = {name: self._tokens[name] for name in followed}
            self._sizes = {name: int(info.get("size") or 0) for name, info in listed.items()}
            self._followed = time.monotonic()

    def _forget_tables(self, manifest: str) -> None:
        """Of a manifest that others changed: what lies under the same names in the store may be something else by now."""
        for file in (self.folder / manifest).parent.glob("*"):
            if file.suffix in TABLES:
                file.unlink(missing_ok=True)

    def _is_fresh(self, name: str, token: Token) -> bool:
        return token[0] is not None and self._tokens.get(name) == token and (self.folder / name).is_file()

    def _listed(self) -> dict[str, dict[str, Any]]:
        """All files of the workspace by their path in it."""
        try:
            self._store.invalidate_cache()
            if self.url.startswith("http"):
                return {name: {} for name in self._linked("")}
            found = self._store.find(self._root, detail=True)
        except FileNotFoundError:
            return {}
        except Exception as error:  # each store has its own
            raise StoreUnavailableError(self.url, sentence(error)) from error
        root = f"{self._root.rstrip('/')}/"
        return {path.removeprefix(root): info for path, info in found.items() if path.startswith(root)}

    def _linked(self, folder: str) -> list[str]:
        """The files below a folder of an HTTP server, which lists a folder as links and says nothing else of what is in it."""
        start = f"{self._root}/{folder}"
        names = [link.removeprefix(start) for link in self._store.ls(start, detail=False) if link.startswith(start)]
        below = [f"{folder}{name}" for name in names if name and "/" not in name.rstrip("/") and "?" not in name]
        return [file for name in below for file in (self._linked(name) if name.endswith("/") else [name])]

    def _read(self, names: list[str]) -> dict[str, bytes]:
        """Whole files, side by side; a name is taken as it stands, where `cat` would look for patterns in it."""
        paths = [f"{self._root}/{name}" for name in names]
        try:
            texts = self._store.cat_ranges(paths, [None] * len(paths), [None] * len(paths), on_error="raise") if paths else []
        except Exception as error:  # each store has its own
            raise StoreUnavailableError(self.url, sentence(error)) from error
        return {name: bytes(text) for name, text in zip(names, texts, strict=True)}

    @property
    def has_other_files(self) -> bool:
        return any(not name.startswith(("views/", ".")) for name in self._sizes)

    def fetch(self, path: Path) -> None:
        """Have a table here as a whole, if the store has it."""
        name = path.relative_to(self.folder).as_posix()
        if path.is_file() or name not in self._sizes:
            return
        with self._lock:
            if path.is_file():
                return
            half = path.with_name(f"{path.name}.tmp")
            half.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._store.get_file(f"{self._root}/{name}", str(half))
            except FileNotFoundError:
                return
            except Exception as error:
                raise StoreUnavailableError(self.url, sentence(error)) from error
            half.replace(path)
            self._make_room(path)

    def _make_room(self, wanted: Path) -> None:
        """Let go of the tables that were fetched longest ago, where all together are more than the bound."""
        files = [(file.stat().st_mtime, file.stat().st_size, file) for file in self._tables() if file != wanted]
        held = wanted.stat().st_size + sum(size for _, size, _ in files)
        for _, size, file in sorted(files):
            if held <= BOUND:
                break
            file.unlink(missing_ok=True)
            held -= size

    def _tables(self) -> list[Path]:
        return [file for file in (self.folder / "views").rglob("*") if file.suffix in TABLES]

    def columns(self, path: Path) -> dict[str, Any] | None:
        """The mapped columns of a version, fetched as they are asked for; None where the store has none."""
        if path.is_file():
            return read_mapped(path)
        if path.relative_to(self.folder).as_posix() not in self._sizes:
            return None
        try:
            return ranged_columns(Stored(self.location(path)), self._room)
        except FileMissingError:
            return None

    def push(self) -> None:
        """Put into the store what was written here. Raises ConcurrentModificationError, StoreUnavailableError; the store and this folder are then as they
        were."""
        try:
            self._push()
        finally:
            with suppress(StoreUnavailableError):
                self.follow(at_once=True)

    def _push(self) -> None:
        with self._lock:
            listed = self._listed()
            changed = [name for name in MANIFESTS for name in self._changed(name, listed)]
            overtaken = [name for name in changed if (token_of(listed[name]) if name in listed else None) != self._tokens.get(name)]
            try:
                if overtaken:
                    raise ConcurrentModificationError(self.location(self.folder / overtaken[0]))
                self._put(changed, listed)
            except PellucidError:
                self._take_back(changed)
                raise

    def _put(self, changed: list[str], listed: dict[str, Any]) -> None:
        """Tables, then the manifests that name them, and then what no manifest has named for long is removed."""
        try:
            for name in changed:
                self._put_tables(name, listed)
            for name in changed:
                send(self.folder / name, f"{self.url}/{name}")
            for name in changed:
                self._clear(name, listed)
        except PellucidError:
            raise
        except Exception as error:  # each store has its own
            raise StoreUnavailableError(self.url, sentence(error)) from error

    def _changed(self, kind: str, listed: dict[str, Any]) -> list[str]:
        """The manifests of a kind, and the embeddings beside them, that are not in the store as they are here."""
        files = [*self.folder.rglob(kind), *(self.folder.rglob(EMBEDDINGS) if kind == "view.json" else ())]
        names = [file.relative_to(self.folder).as_posix() for file in files]
        there = self._read([name for name in names if name in listed])
        return [name for name in names if there.get(name) != (self.folder / name).read_bytes()]

    def _take_back(self, names: list[str]) -> None:
        for name in names:
            self._forget_tables(name)
            (self.folder / name).unlink(missing_ok=True)
            self._tokens.pop(name, None)

    def _put_tables(self, manifest: str, listed: dict[str, Any]) -> None:
        """The tables that a manifest names, and the columns made of them; others that lie here were fetched."""
        generation = self._generation(manifest)
        for file in sorted((self.folder / manifest).parent.iterdir()) if generation is not None else ():
            name = file.relative_to(self.folder).as_posix()
            if file.suffix not in TABLES or (name in listed and generation_of(name) != generation):
                continue
            if file.suffix == ".parquet":
                send(file, f"{self.url}/{name}")
                continue
            columns = read_mapped(file)
            if columns is not None:
                half = file.with_name(f"{file.name}.tmp")
                try:
                    write_mapped(half, with_records(columns))
                    send(half, f"{self.url}/{name}")
                finally:
                    half.unlink(missing_ok=True)

    def _generation(self, manifest: str) -> int | None:
        """The number in the names of its tables; None where it has none."""
        if not manifest.endswith(("view.json", "version.json")):
            return None
        return int(msgspec.json.decode((self.folder / manifest).read_bytes()).get("generation", 0))

    def _clear(self, manifest: str, listed: dict[str, Any]) -> None:
        """Remove tables from the store that are older than those before: whoever reads those is let finish."""
        generation = self._generation(manifest)
        if generation is None:
            return
        folder = manifest.rpartition("/")[0]
        old = [
            name
            for name in listed
            if name.rpartition("/")[0] == folder and name.endswith(TABLES) and (number := generation_of(name)) is not None
            and number < generation - 1
        ]  # fmt: skip
        for name in old:
            with suppress(FileNotFoundError):
                self._store.rm_file(f"{self._root}/{name}")


def is_followed(name: str) -> bool:
    inside = name.split("/")[4:]  # of views/VIEW/versions/VERSION
    return name.rpartition("/")[2] in (*MANIFESTS, EMBEDDINGS) and inside[:1] != [WORK]


def depth(name: str) -> int:
    """Versions are taken over before the views and the workspace that name them."""
    return name.count("/")


def generation_of(name: str) -> int | None:
    number = name.rpartition("/")[2].split(".")[1]
    return int(number) if number.isdecimal() else None


def token_of(info: dict[str, Any]) -> Token:
    """What changes when a file of a store does; its mark is None where the store says nothing of the kind."""
    marks = (str(info[key]) for key in ("ETag", "etag", "mtime", "LastModified", "last_modified") if info.get(key))
    return next(marks, None), info.get("size")


def sentence(error: Exception) -> str:
    """What a store says, in a line and without what it was asked with."""
    return str(error).split("\n", maxsplit=1)[0].partition("?")[0][:200] or type(error).__name__


def folder_of(url: str) -> Path:
    """Where this machine keeps what it has of the workspace."""
    return (user_cache_path("pellucid") / "workspaces" / hashlib.sha256(url.encode()).hexdigest()[:24]).resolve()


def opened(url: str) -> Mirror:
    """The mirror of a workspace, one for all in this process that have it open; raises NotAWorkspaceError where other files lie there."""
    url = url.rstrip("/")
    reject_credentials(url)
    known = mirrors.get(folder_of(url))
    if isinstance(known, Mirror):
        known.follow(at_once=True)
        return known
    made = Mirror(url)
    if not (made.folder / "workspace.json").is_file() and made.has_other_files:
        raise NotAWorkspaceError(url, "it holds other files")
    return made
