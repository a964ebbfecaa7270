"""The tables of decisions and leases, in SQLite or PostgreSQL.

Rows of decisions are only appended. Their ids rise in the order in which they are committed: whoever has read up to an id has missed
none. Rows of one batch come together or not at all, and a batch that is sent twice is kept once.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from pellucid.errors import ReviewStoreUnavailableError
from pellucid.understand.decisions import Decision, Mark

T = TypeVar("T")

SCHEMA = 1
"""The number of this layout of tables."""

COLUMNS = (
    "id", "at", "who", "batch", "action", "image", "content", "stamp", "concept", "side", "box", "before", "after", "reason", "version",
    "reverts", "nth", "corrected",
)  # fmt: skip
APPENDED = ("workspace", "view", "place", *COLUMNS[1:])


class Engine(Protocol):
    """What differs between databases. number: the type of an id column · sign: of a value · problems: what its driver raises."""

    @property
    def number(self) -> str: ...
    @property
    def sign(self) -> str: ...
    @property
    def problems(self) -> tuple[type[Exception], ...]: ...
    @property
    def name(self) -> str: ...
    @property
    def exists(self) -> bool: ...
    def connect(self) -> Any: ...
    def begin(self, cursor: Any, writes: bool) -> None: ...
    def has_schema(self, cursor: Any) -> int | None: ...
    def keep_schema(self, cursor: Any, number: int) -> None: ...


@dataclass(frozen=True)
class Lease:
    """An item that somebody has before them. until: seconds since 1970."""

    item: str
    session: str
    who: str
    until: float


class Store:
    """Thread-safe; one connection, opened when first needed, and again where it was lost."""

    def __init__(self, engine: Engine, workspace: str) -> None:
        self.engine = engine
        self.workspace = workspace
        self._connection: Any = None
        self._lock = threading.Lock()

    @property
    def exists(self) -> bool:
        """Whether anything can have been kept yet."""
        return self._connection is not None or self.engine.exists

    def __del__(self) -> None:
        if hasattr(self, "_connection"):
            self._drop()

    def read(self, view: str, after: int = 0) -> list[Decision]:
        """The rows of a view with ids over `after`, oldest first."""
        if not self.exists:
            return []
        query = f"SELECT {', '.join(quoted(COLUMNS))} FROM pellucid_decisions WHERE workspace = ? AND view = ? AND id > ? ORDER BY id"
        return self._run(lambda cursor: [decision(row) for row in self._all(cursor, query, (self.workspace, view, after))], writes=False)

    def append(self, view: str, rows: Sequence[Decision], after: int | None = None) -> list[int] | None:
        """Keep the rows of one batch, which are on disk when this returns; their ids. A batch that a person sent before is not kept again.

        after: keep them only if no row of the view follows that one; else None is returned.
        """
        if not rows:
            return []

        def work(cursor: Any) -> list[int] | None:
            there = self._all(cursor, OF_BATCH, (self.workspace, view, rows[0].who, rows[0].batch))
            if there:
                return [int(row[0]) for row in there]
            if after is not None and self._all(cursor, LATER, (self.workspace, view, after)):
                return None
            holes = ", ".join("?" * len(APPENDED))
            insert = f"INSERT INTO pellucid_decisions ({', '.join(quoted(APPENDED))}) VALUES ({holes}) RETURNING id"
            return [
                int(self._all(cursor, insert, (self.workspace, view, place, *values_of(row)))[0][0]) for place, row in enumerate(rows)
            ]  # fmt: skip

        return self._run(work, writes=True)

    def lease(self, view: str, session: str, who: str, items: Iterable[str], seconds: float, most: int) -> list[str]:
        """Take up to `most` of the items that nobody has, in their order, for so long; those taken."""

        def work(cursor: Any) -> list[str]:
            now = time.time()
            held = {row[0] for row in self._all(cursor, HELD, (self.workspace, view, now))}
            taken: list[str] = []
            for item in items:
                if len(taken) >= most:
                    break
                if item not in held:
                    taken.append(item)
                    self._do(cursor, TAKE, (self.workspace, view, item, session, who, now + seconds))
            return taken

        return self._run(work, writes=True)

    def renew(self, session: str, seconds: float) -> None:
        """Keep what the session has for so long from now."""
        if not self.exists:
            return
        query = "UPDATE pellucid_leases SET until = ? WHERE workspace = ? AND session = ? AND until > ?"
        now = time.time()
        self._run(lambda cursor: self._do(cursor, query, (now + seconds, self.workspace, session, now)), writes=True)

    def give_back(self, session: str, items: Sequence[str] | None = None) -> None:
        """End the leases of these items, or all of the session's; those that have run out go too."""
        if not self.exists:
            return

        def work(cursor: Any) -> None:
            self._do(cursor, "DELETE FROM pellucid_leases WHERE workspace = ? AND until <= ?", (self.workspace, time.time()))
            if items is None:
                self._do(cursor, "DELETE FROM pellucid_leases WHERE workspace = ? AND session = ?", (self.workspace, session))
            for item in items or ():
                self._do(cursor, "DELETE FROM pellucid_leases WHERE workspace = ? AND session = ? AND item = ?",
                         (self.workspace, session, item))  # fmt: skip

        self._run(work, writes=True)

    def leases(self, view: str) -> list[Lease]:
        if not self.exists:
            return []
        query = "SELECT item, session, who, until FROM pellucid_leases WHERE workspace = ? AND view = ? AND until > ?"
        rows = self._run(lambda cursor: self._all(cursor, query, (self.workspace, view, time.time())), writes=False)
        return [Lease(str(item), str(session), str(who), float(until)) for item, session, who, until in rows]

    def _all(self, cursor: Any, query: str, values: Sequence[Any]) -> list[Any]:
        self._do(cursor, query, values)
        return list(cursor.fetchall())

    def _do(self, cursor: Any, query: str, values: Sequence[Any] = ()) -> None:
        cursor.execute(query.replace("?", self.engine.sign), tuple(values))

    def _run(self, work: Callable[[Any], T], writes: bool) -> T:
        """In one transaction. A connection that was lost meanwhile is opened again, once: every piece of work may be done twice."""
        with self._lock:
            again = self._connection is not None
            try:
                return self._attempt(work, writes)
            except self.engine.problems as error:
                self._drop()
                if not again:
                    raise ReviewStoreUnavailableError(self.engine.name, str(error)) from error
            try:
                return self._attempt(work, writes)
            except self.engine.problems as error:
                self._drop()
                raise ReviewStoreUnavailableError(self.engine.name, str(error)) from error

    def _attempt(self, work: Callable[[Any], T], writes: bool) -> T:
        if self._connection is None:
            self._connection = self.engine.connect()
            with self._transaction(writes=False) as cursor:
                found = self.engine.has_schema(cursor)
            if found is None:
                with self._transaction(writes=True) as cursor:
                    self._make_tables(cursor)
            elif found > SCHEMA:
                why = f"its tables have layout {found}, this Pellucid reads up to {SCHEMA}: upgrade it"
                raise ReviewStoreUnavailableError(self.engine.name, why)
        with self._transaction(writes) as cursor:
            return work(cursor)

    @contextmanager
    def _transaction(self, writes: bool) -> Iterator[Any]:
        cursor = self._connection.cursor()
        try:
            self.engine.begin(cursor, writes)
            yield cursor
            self._connection.commit()
        except BaseException:
            self._connection.rollback()
            raise
        finally:
            cursor.close()

    def _make_tables(self, cursor: Any) -> None:
        if self.engine.has_schema(cursor) is None:  # another process may have been first
            for statement in TABLES:
                self._do(cursor, statement.replace("NUMBER", self.engine.number))
            self.engine.keep_schema(cursor, SCHEMA)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except self.engine.problems:
                return


TABLES = (
    "CREATE TABLE IF NOT EXISTS pellucid_decisions (id NUMBER, workspace TEXT NOT NULL, view TEXT NOT NULL, batch TEXT NOT NULL, "
    'place INTEGER NOT NULL, "at" TEXT NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL, image TEXT NOT NULL, content TEXT NOT NULL, '
    "stamp TEXT NOT NULL, concept TEXT NOT NULL, side TEXT NOT NULL, box TEXT NOT NULL, \"before\" TEXT NOT NULL, \"after\" TEXT NOT NULL, "
    "reason TEXT NOT NULL, version TEXT NOT NULL, reverts BIGINT, nth INTEGER NOT NULL, corrected INTEGER NOT NULL, "
    "UNIQUE (workspace, view, who, batch, place))",
    "CREATE INDEX IF NOT EXISTS pellucid_decisions_of_view ON pellucid_decisions (workspace, view, id)",
    "CREATE TABLE IF NOT EXISTS pellucid_leases (workspace TEXT NOT NULL, view TEXT NOT NULL, item TEXT NOT NULL, session TEXT NOT NULL, "
    "who TEXT NOT NULL, until DOUBLE PRECISION NOT NULL, PRIMARY KEY (workspace, view, item))",
)  # fmt: skip

OF_BATCH = "SELECT id FROM pellucid_decisions WHERE workspace = ? AND view = ? AND who = ? AND batch = ? ORDER BY id"
LATER = "SELECT id FROM pellucid_decisions WHERE workspace = ? AND view = ? AND id > ? LIMIT 1"
HELD = "SELECT item FROM pellucid_leases WHERE workspace = ? AND view = ? AND until > ?"
TAKE = (
    "INSERT INTO pellucid_leases (workspace, view, item, session, who, until) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (workspace, view, item) DO UPDATE SET session = excluded.session, who = excluded.who, until = excluded.until"
)


def quoted(names: Iterable[str]) -> list[str]:
    return [f'"{name}"' for name in names]


def values_of(row: Decision) -> tuple[Any, ...]:
    return (
        row.when, row.who, row.batch, row.action, row.image, row.content, row.stamp, row.concept, row.side,
        json.dumps(row.box), marks_text(row.before), marks_text(row.after), row.reason, row.version, row.reverts, row.nth,
        int(row.corrected),
    )  # fmt: skip


def marks_text(marks: Iterable[Mark]) -> str:
    return json.dumps([[mark.concept, mark.box, mark.value] for mark in marks])


def marks(text: str) -> tuple[Mark, ...]:
    return tuple(Mark(concept, None if box is None else tuple(box), value) for concept, box, value in json.loads(text))


def decision(row: Sequence[Any]) -> Decision:
    number, at, who, batch, action, image, content, stamp, concept, side, box, before, after, reason, version, reverts, nth, corrected = row
    place = json.loads(box)
    return Decision(
        int(number), at, who, batch, action, image, content, stamp, concept, side, None if place is None else tuple(place), marks(before),
        marks(after), reason, version, None if reverts is None else int(reverts), int(nth), bool(corrected),
    )  # fmt: skip
