"""Review decisions in a SQLite file of the workspace: the default, suited to about two dozen
reviewers on one server."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from pellucid.review.errors import ReviewDatabaseRequiredError

BUSY_TIMEOUT = 5.0
"""Seconds to wait for a lock that another process holds; the request then fails and is retried."""


class SqliteDatabase:
    id_column_type = "INTEGER PRIMARY KEY AUTOINCREMENT"
    placeholder = "?"
    driver_errors = (sqlite3.Error,)

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def display_name(self) -> str:
        return str(self.path)

    @property
    def exists(self) -> bool:
        return self.path.is_file()

    def connect(self) -> Any:
        """Uses a write-ahead log, synced at every commit: acknowledged writes survive a crash."""
        if self.exists and not (
            os.access(self.path.parent, os.W_OK) and os.access(self.path, os.W_OK)
        ):
            wal_path = self.path.with_name(f"{self.path.name}-wal")
            immutable = (
                not wal_path.exists() or not wal_path.stat().st_size
            )  # `immutable` ignores the log
            uri = f"{self.path.absolute().as_uri()}?{'immutable=1' if immutable else 'mode=ro'}"
            return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        connection = sqlite3.connect(
            self.path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        switch_to_log(connection)
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def begin(self, cursor: Any, writable: bool) -> None:
        cursor.execute("BEGIN IMMEDIATE" if writable else "BEGIN")

    def find_problem(self, cursor: Any) -> str | None:
        result = str(cursor.execute("PRAGMA integrity_check(1)").fetchone()[0])
        return None if result == "ok" else " ".join(result.split())

    def load_schema_version(self, cursor: Any) -> int | None:
        version = int(cursor.execute("PRAGMA user_version").fetchone()[0])
        return version or None

    def write_schema_version(self, cursor: Any, version: int) -> None:
        cursor.execute(f"PRAGMA user_version = {version}")


def switch_to_log(connection: sqlite3.Connection) -> None:
    """Write ahead from now on. SQLite does not wait for its lock here, unlike elsewhere, and
    another process may be switching the same new file."""
    last_attempt = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() > last_attempt:
                raise
            time.sleep(0.01)


class UnconfiguredDatabase(SqliteDatabase):
    """For a workspace in an object store without a configured database: it has no decisions, and
    none can be saved."""

    def __init__(self, location: str) -> None:
        super().__init__(Path())
        self.location = location

    @property
    def display_name(self) -> str:
        return self.location

    @property
    def exists(self) -> bool:
        return False

    def connect(self) -> Any:
        raise ReviewDatabaseRequiredError(self.location)
