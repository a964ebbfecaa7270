"""Decisions in a file of the workspace: the default, good for a couple of dozen reviewers on one server."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from pellucid.errors import ReviewDatabaseRequiredError

PATIENCE = 30.0
"""Seconds to wait for another process that is writing."""


class SqliteFile:
    number = "INTEGER PRIMARY KEY AUTOINCREMENT"
    sign = "?"
    problems = (sqlite3.Error,)

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def exists(self) -> bool:
        return self.path.is_file()

    def connect(self) -> Any:
        """Writes go to a log beside the file, synced at every commit: what was acknowledged is there after a crash."""
        if self.exists and not (os.access(self.path.parent, os.W_OK) and os.access(self.path, os.W_OK)):
            log = self.path.with_name(f"{self.path.name}-wal")
            whole = not log.exists() or not log.stat().st_size  # else what is in the log would be passed over
            uri = f"{self.path.absolute().as_uri()}?{'immutable=1' if whole else 'mode=ro'}"
            return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        connection = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def begin(self, cursor: Any, writes: bool) -> None:
        cursor.execute("BEGIN IMMEDIATE" if writes else "BEGIN")

    def has_schema(self, cursor: Any) -> int | None:
        number = int(cursor.execute("PRAGMA user_version").fetchone()[0])
        return number or None

    def keep_schema(self, cursor: Any, number: int) -> None:
        cursor.execute(f"PRAGMA user_version = {number}")


class NoDatabase(SqliteFile):
    """Of a workspace in an object store for which no database was named: nothing was decided, and nothing can be."""

    def __init__(self, location: str) -> None:
        super().__init__(Path())
        self.location = location

    @property
    def name(self) -> str:
        return self.location

    @property
    def exists(self) -> bool:
        return False

    def connect(self) -> Any:
        raise ReviewDatabaseRequiredError(self.location)
