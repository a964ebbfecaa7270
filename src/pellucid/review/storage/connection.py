"""One connection to the database of decisions, opened on first use and reopened if it is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from pellucid.review.errors import ReviewStoreUnavailableError

T = TypeVar("T")

TURN_TIMEOUT = 10.0
"""Seconds to wait for the transactions of other threads."""


class Database(Protocol):
    """Database-specific parts. id_column_type: SQL type · placeholder: of a query parameter ·
    driver_errors: what the driver raises."""

    @property
    def id_column_type(self) -> str: ...
    @property
    def placeholder(self) -> str: ...
    @property
    def driver_errors(self) -> tuple[type[Exception], ...]: ...
    @property
    def display_name(self) -> str: ...
    @property
    def exists(self) -> bool: ...
    def connect(self) -> Any: ...
    def begin(self, cursor: Any, writable: bool) -> None: ...
    def load_schema_version(self, cursor: Any) -> int | None: ...
    def write_schema_version(self, cursor: Any, version: int) -> None: ...
    def find_problem(self, cursor: Any) -> str | None: ...


class DatabaseConnection:
    """Thread-safe: transactions of one connection run one after the other.

    Args:
        prepare: called with a function that begins a transaction, after every connect
    """

    def __init__(
        self,
        database: Database,
        prepare: Callable[[Callable[[bool], Any]], None],
    ) -> None:
        self._database = database
        self._prepare = prepare
        self._connection: Any = None
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def run(self, operation: Callable[[Any], T], writable: bool) -> T:
        """Run an operation, given a cursor, in one transaction. A lost connection is reopened
        once, so every operation must be safe to run twice.

        Raises:
            ReviewStoreUnavailableError
        """
        if not self._lock.acquire(timeout=TURN_TIMEOUT):
            raise ReviewStoreUnavailableError(self._database.display_name, "busy")
        try:
            return self._run_in_turn(operation, writable)
        finally:
            self._lock.release()

    def _run_in_turn(self, operation: Callable[[Any], T], writable: bool) -> T:
        for can_retry in (self.is_open, False):
            try:
                return self._attempt(operation, writable)
            except self._database.driver_errors as error:
                self.close()
                if not can_retry:
                    raise ReviewStoreUnavailableError(
                        self._database.display_name, str(error)
                    ) from error
        raise AssertionError("unreachable")

    def _attempt(self, operation: Callable[[Any], T], writable: bool) -> T:
        if self._connection is None:
            self._connection = self._database.connect()
            self._prepare(self._transaction)
        with self._transaction(writable) as cursor:
            return operation(cursor)

    @contextmanager
    def _transaction(self, writable: bool) -> Iterator[Any]:
        cursor = self._connection.cursor()
        try:
            self._database.begin(cursor, writable)
            yield cursor
            self._connection.commit()
        except BaseException:
            self._connection.rollback()
            raise
        finally:
            cursor.close()

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except self._database.driver_errors:
                return
