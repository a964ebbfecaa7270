"""One in-memory DuckDB of the process, which reads and writes tables.

A database of its own for each table costs about 15 ms to start, ten times the reading of a small
table. Cursors do not see each other's temporary tables and views.
"""

from __future__ import annotations

import os
import threading
from typing import Any


class ProcessDatabase:
    """The database, opened on first use, and anew after a fork: a fork copies no threads, which the
    database waits for when it is closed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: Any = None

    def open_cursor(self) -> Any:
        import duckdb

        with self._lock:
            if self._connection is None:
                self._connection = duckdb.connect()
            return self._connection.cursor()

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None


def query_errors() -> tuple[type[Exception], ...]:
    """What a query on a file may raise. DuckDB cuts the text of its errors, also within a
    character, which Python then cannot decode."""
    import duckdb

    return duckdb.Error, UnicodeDecodeError


_database = ProcessDatabase()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_database.close)


def open_cursor() -> Any:
    """A connection to the database, to be closed by the caller. Create only temporary tables and
    views, and change no settings."""
    return _database.open_cursor()
