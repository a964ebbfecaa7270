"""The tables of decisions and leases, in SQLite or PostgreSQL.

Rows of decisions are only appended. Ids ascend in commit order, so a reader that has seen an id
has seen all earlier ones. A batch is written atomically, and a batch that is sent twice is stored
once.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pellucid.core.sql_quoting import quote_identifier
from pellucid.review.errors import ReviewStoreUnavailableError
from pellucid.review.events import LABEL_VALUES, Box, Decision, Label
from pellucid.review.storage.connection import Database, DatabaseConnection

T = TypeVar("T")

SCHEMA_VERSION = 1
"""Version of the table schema."""

DECISION_COLUMNS = (
    "id",
    "at",
    "who",
    "batch",
    "action",
    "image",
    "content",
    "stamp",
    "concept",
    "side",
    "box",
    "before",
    "after",
    "reason",
    "version",
    "reverts",
    "nth",
    "corrected",
)
INSERT_COLUMNS = ("workspace", "view", "place", *DECISION_COLUMNS[1:])


@dataclass(frozen=True)
class Lease:
    """An item reserved by a review session.

    Attributes:
        until: expiry, in seconds since 1970
    """

    item: str
    session: str
    who: str
    until: float


class DecisionStore:
    """Thread-safe. Readers have a connection of their own, so they never wait for a writer."""

    def __init__(self, database: Database, workspace: str) -> None:
        self.database = database
        self.workspace = workspace
        self._reader = DatabaseConnection(database, self._ensure_tables)
        self._writer = DatabaseConnection(database, self._ensure_tables)

    @property
    def exists(self) -> bool:
        """Whether the database exists, so that it may hold decisions."""
        return self._reader.is_open or self._writer.is_open or self.database.exists

    def __del__(self) -> None:
        if hasattr(self, "_writer"):
            self._reader.close()
            self._writer.close()

    def find_problem(self) -> str | None:
        """What the database's own check of its integrity finds; None if nothing, or if the
        database has no such check. Raises ReviewStoreUnavailableError."""
        if not self.exists:
            return None
        return self._run_transaction(self.database.find_problem, writable=False)

    def count_by_workspace(self) -> dict[str, int]:
        """The number of decisions by the id of their workspace; another id than this one's is that
        of another workspace in the same database, or this one's before its manifest changed."""
        if not self.exists:
            return {}
        query = "SELECT workspace, count(*) FROM pellucid_decisions GROUP BY workspace"
        records = self._run_transaction(
            lambda cursor: self._fetch_all(cursor, query, ()), writable=False
        )
        return {str(workspace): int(count) for workspace, count in records}

    def read(self, view: str, after_id: int = 0) -> list[Decision]:
        """The decisions of a view with ids greater than `after_id`, oldest first."""
        if not self.exists:
            return []
        query = (
            f"SELECT {', '.join(map(quote_identifier, DECISION_COLUMNS))} FROM pellucid_decisions "
            "WHERE workspace = ? AND view = ? AND id > ? ORDER BY id"
        )
        return self._run_transaction(
            lambda cursor: [
                decode_decision(record)
                for record in self._fetch_all(cursor, query, (self.workspace, view, after_id))
            ],
            writable=False,
        )

    def append(
        self, view: str, decisions: Sequence[Decision], after_id: int | None = None
    ) -> list[int] | None:
        """Store the decisions of one batch durably and return their ids. A batch that this reviewer
        sent before is not stored again.

        Args:
            after_id: store them only if the view has no later decision; otherwise return None
        """
        if not decisions:
            return []

        def insert_batch(cursor: Any) -> list[int] | None:
            existing_ids = self._fetch_all(
                cursor, SELECT_BATCH, (self.workspace, view, decisions[0].who, decisions[0].batch)
            )
            if existing_ids:
                return [int(record[0]) for record in existing_ids]
            if after_id is not None and self._fetch_all(
                cursor, SELECT_NEWER, (self.workspace, view, after_id)
            ):
                return None
            placeholders = ", ".join("?" * len(INSERT_COLUMNS))
            columns = ", ".join(map(quote_identifier, INSERT_COLUMNS))
            statement = (
                f"INSERT INTO pellucid_decisions ({columns}) VALUES ({placeholders}) RETURNING id"
            )
            return [
                int(
                    self._fetch_all(
                        cursor,
                        statement,
                        (self.workspace, view, position, *decision_params(decision)),
                    )[0][0]
                )
                for position, decision in enumerate(decisions)
            ]

        return self._run_transaction(insert_batch, writable=True)

    def lease(
        self, view: str, session: str, who: str, items: Iterable[str], seconds: float, limit: int
    ) -> list[str]:
        """Lease up to `limit` of the items that are free, in their order, for `seconds`. Returns
        the leased items."""

        def take_leases(cursor: Any) -> list[str]:
            current_time = time.time()
            leased_items = {
                record[0]
                for record in self._fetch_all(
                    cursor, SELECT_LEASED, (self.workspace, view, *lease_range(current_time))
                )
            }
            acquired: list[str] = []
            for item in items:
                if len(acquired) >= limit:
                    break
                if item not in leased_items:
                    acquired.append(item)
                    self._execute(
                        cursor,
                        UPSERT_LEASE,
                        (self.workspace, view, item, session, who, current_time + seconds),
                    )
            return acquired

        return self._run_transaction(take_leases, writable=True)

    def renew(self, session: str, seconds: float) -> None:
        """Extend the session's leases to `seconds` from now."""
        if not self.exists:
            return
        query = (
            "UPDATE pellucid_leases SET until = ? WHERE workspace = ? AND session = ? "
            "AND until > ? AND until <= ?"
        )
        current_time = time.time()
        self._run_transaction(
            lambda cursor: self._execute(
                cursor,
                query,
                (current_time + seconds, self.workspace, session, *lease_range(current_time)),
            ),
            writable=True,
        )

    def release(self, session: str, items: Sequence[str] | None = None) -> None:
        """Release the session's leases on these items, or all of its leases. Also deletes expired
        leases."""
        if not self.exists:
            return

        def delete_leases(cursor: Any) -> None:
            self._execute(
                cursor,
                "DELETE FROM pellucid_leases WHERE workspace = ? "
                "AND NOT (until > ? AND until <= ?)",
                (self.workspace, *lease_range(time.time())),
            )
            if items is None:
                self._execute(
                    cursor,
                    "DELETE FROM pellucid_leases WHERE workspace = ? AND session = ?",
                    (self.workspace, session),
                )
            for item in items or ():
                self._execute(
                    cursor,
                    "DELETE FROM pellucid_leases WHERE workspace = ? AND session = ? AND item = ?",
                    (self.workspace, session, item),
                )

        self._run_transaction(delete_leases, writable=True)

    def leases(self, view: str) -> list[Lease]:
        if not self.exists:
            return []
        query = (
            "SELECT item, session, who, until FROM pellucid_leases WHERE workspace = ? AND view = "
            "? AND until > ? AND until <= ?"
        )
        limits = (self.workspace, view, *lease_range(time.time()))
        records = self._run_transaction(
            lambda cursor: self._fetch_all(cursor, query, limits), writable=False
        )
        return [
            Lease(str(item), str(session), str(who), float(until))
            for item, session, who, until in records
        ]

    def _fetch_all(self, cursor: Any, query: str, params: Sequence[Any]) -> list[Any]:
        self._execute(cursor, query, params)
        return list(cursor.fetchall())

    def _execute(self, cursor: Any, query: str, params: Sequence[Any] = ()) -> None:
        cursor.execute(query.replace("?", self.database.placeholder), tuple(params))

    def _run_transaction(self, operation: Callable[[Any], T], writable: bool) -> T:
        connection = self._writer if writable else self._reader
        return connection.run(operation, writable)

    def _ensure_tables(self, transaction: Callable[[bool], Any]) -> None:
        """Create the tables in a new database."""
        with transaction(False) as cursor:
            version = self.database.load_schema_version(cursor)
        if version is None:
            with transaction(True) as cursor:
                self._create_tables(cursor)
        elif version > SCHEMA_VERSION:
            reason = (
                f"its schema version is {version}, but this Pellucid supports up to "
                f"{SCHEMA_VERSION}: upgrade Pellucid"
            )
            raise ReviewStoreUnavailableError(self.database.display_name, reason)

    def _create_tables(self, cursor: Any) -> None:
        if (
            self.database.load_schema_version(cursor) is None
        ):  # another process may have created them
            for statement in CREATE_STATEMENTS:
                self._execute(cursor, statement.replace("NUMBER", self.database.id_column_type))
            self.database.write_schema_version(cursor, SCHEMA_VERSION)


CREATE_STATEMENTS = (
    "CREATE TABLE IF NOT EXISTS pellucid_decisions (id NUMBER, workspace TEXT NOT NULL, view TEXT "
    "NOT NULL, batch TEXT NOT NULL, "
    'place INTEGER NOT NULL, "at" TEXT NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL, image '
    "TEXT NOT NULL, content TEXT NOT NULL, "
    'stamp TEXT NOT NULL, concept TEXT NOT NULL, side TEXT NOT NULL, box TEXT NOT NULL, "before" '
    'TEXT NOT NULL, "after" TEXT NOT NULL, '
    "reason TEXT NOT NULL, version TEXT NOT NULL, reverts BIGINT, nth INTEGER NOT NULL, corrected "
    "INTEGER NOT NULL, "
    "UNIQUE (workspace, view, who, batch, place))",
    "CREATE INDEX IF NOT EXISTS pellucid_decisions_of_view ON pellucid_decisions (workspace, "
    "view, id)",
    "CREATE TABLE IF NOT EXISTS pellucid_leases (workspace TEXT NOT NULL, view TEXT NOT NULL, "
    "item TEXT NOT NULL, session TEXT NOT NULL, "
    "who TEXT NOT NULL, until DOUBLE PRECISION NOT NULL, PRIMARY KEY (workspace, view, item))",
)

SELECT_BATCH = (
    "SELECT id FROM pellucid_decisions WHERE workspace = ? AND view = ? AND who = ? AND batch = ? "
    "ORDER BY id"
)
SELECT_NEWER = (
    "SELECT id FROM pellucid_decisions WHERE workspace = ? AND view = ? AND id > ? LIMIT 1"
)
SELECT_LEASED = (
    "SELECT item FROM pellucid_leases WHERE workspace = ? AND view = ? AND until > ? AND until <= ?"
)
MAX_LEASE_SECONDS = 600.0
"""A lease that ends later was written by a clock ahead, or the clock was set back: it is void."""


def lease_range(current_time: float) -> tuple[float, float]:
    """The ends that leases in force may have: after the first, not after the second."""
    return current_time, current_time + MAX_LEASE_SECONDS


UPSERT_LEASE = (
    "INSERT INTO pellucid_leases (workspace, view, item, session, who, until) VALUES (?, ?, ?, ?, "
    "?, ?) "
    "ON CONFLICT (workspace, view, item) DO UPDATE SET session = excluded.session, who = "
    "excluded.who, until = excluded.until"
)


def decision_params(decision: Decision) -> tuple[Any, ...]:
    return (
        decision.when,
        decision.who,
        decision.batch,
        decision.action,
        decision.image,
        decision.content,
        decision.stamp,
        decision.concept,
        decision.side,
        json.dumps(decision.box),
        encode_labels(decision.before),
        encode_labels(decision.after),
        decision.reason,
        decision.version,
        decision.reverts,
        decision.nth,
        int(decision.corrected),
    )


def encode_labels(labels: Iterable[Label]) -> str:
    return json.dumps(
        [
            [label.concept, label.box, label.value, *([label.outline] if label.outline else [])]
            for label in labels
        ]
    )


def decode_labels(encoded: str, item_box: Box | None) -> tuple[Label, ...]:
    """item_box: the same object stands for it in labels, which mostly have it."""
    labels = []
    for concept, numbers, state, *outline in json.loads(encoded):
        box = None if numbers is None else tuple(numbers)
        shared_box = item_box if box == item_box else box
        labels.append(
            Label(
                sys.intern(concept), shared_box, LABEL_VALUES[LABEL_VALUES.index(state)], *outline
            )
        )
    return tuple(labels)


def decode_decision(record: Sequence[Any]) -> Decision:
    (
        decision_id,
        at,
        who,
        batch,
        action,
        image,
        content,
        stamp,
        concept,
        side,
        box,
        before,
        after,
        reason,
        version,
        reverts,
        nth,
        corrected,
    ) = record
    box_values = json.loads(box)
    item_box = None if box_values is None else tuple(box_values)
    # The decisions of a view stay in memory, and most of their texts recur.
    return Decision(
        int(decision_id),
        at,
        sys.intern(who),
        batch,
        action,
        sys.intern(image),
        sys.intern(content),
        sys.intern(stamp),
        sys.intern(concept),
        side,
        item_box,
        decode_labels(before, item_box),
        decode_labels(after, item_box),
        reason,
        sys.intern(version),
        None if reverts is None else int(reverts),
        int(nth),
        bool(corrected),
    )
