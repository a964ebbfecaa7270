"""Rows are kept in the order of their ids, whole batches or none, once; leases are one
session's alone."""

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from pellucid.review.errors import InvalidReviewUrlError, ReviewStoreUnavailableError
from pellucid.review.events import Decision, Label
from pellucid.review.storage.postgres import PostgresDatabase
from pellucid.review.storage.sqlite import SqliteDatabase
from pellucid.review.storage.store import DecisionStore


def decision(batch, **facts):
    return Decision(
        0, "2026-11-23T10:00:00.000+00:00", "Ann", batch, facts.pop("action", "confirm"), **facts
    )


def test_row_round_trips(engine, name):
    kept = decision(
        "b",
        action="change",
        image="é/ü 1.jpg",
        content="sha256:ab:3",
        stamp="1f",
        concept="d'ent",
        side="annotated",
        box=(0.1, 1e-7, 3.0, 4.5),
        before=(Label("d'ent", (0.1, 1e-7, 3.0, 4.5)),),
        after=(Label("rust", None, "unknown"),),
        reason='so "it" is; DROP TABLE',
        version="v\\1",
        nth=2,
    )
    store = DecisionStore(engine(), name)
    (row,) = store.append("view", [kept])
    (found,) = DecisionStore(engine(), name).read("view")
    assert found == replace(kept, id=row)
    assert DecisionStore(engine(), name).read("other view") == []
    assert DecisionStore(engine(), "other").read("view") == []


def test_repeated_batch_is_stored_once(engine, name):
    store = DecisionStore(engine(), name)
    first = store.append("view", [decision("b"), decision("b")])
    assert store.append("view", [decision("b"), decision("b")]) == first
    assert [row.id for row in store.read("view")] == first


def test_empty_store_creates_no_file(tmp_path):
    store = DecisionStore(SqliteDatabase(tmp_path / "reviews.sqlite"), "w")
    assert (store.read("view"), store.leases("view")) == ([], [])
    assert not (tmp_path / "reviews.sqlite").exists()


def test_readers_miss_no_row_during_concurrent_writes(engine, name):
    """Whoever has read up to an id never finds a lower one afterwards."""
    seen, done = [], threading.Event()

    def read():
        store = DecisionStore(engine(), name)
        while not done.is_set() or store.read("view", seen[-1].id if seen else 0):
            seen.extend(store.read("view", seen[-1].id if seen else 0))

    def write(who):
        store = DecisionStore(engine(), name)
        return [
            row
            for number in range(25)
            for row in store.append(
                "view", [decision(f"{who}-{number}"), decision(f"{who}-{number}")]
            )
        ]

    DecisionStore(engine(), name).append("view", [decision("first")])
    reader = threading.Thread(target=read)
    reader.start()
    with ThreadPoolExecutor(6) as pool:
        written = [row for rows in pool.map(write, range(6)) for row in rows]
    done.set()
    reader.join()
    ids = [row.id for row in seen]
    assert ids == sorted(set(ids))
    assert sorted(ids)[1:] == sorted(written)
    batches = [row.batch for row in seen]
    assert all(batches[place] == batches[place + 1] for place in range(1, len(batches), 2)), (
        "a batch lies together"
    )


def test_item_is_leased_to_one_session(engine, name):
    items = [f"item-{number}" for number in range(120)]

    def take(session):
        store = DecisionStore(engine(), name)
        return [
            item
            for _ in range(6)
            for item in store.lease("view", f"s{session}", "Ann", items, 60, 3)
        ]

    with ThreadPoolExecutor(6) as pool:
        taken = [item for several in pool.map(take, range(6)) for item in several]
    assert len(taken) == len(set(taken)) == 6 * 6 * 3
    assert {lease.item for lease in DecisionStore(engine(), name).leases("view")} == set(taken)


def test_a_new_file_is_opened_by_many_at_once(tmp_path):
    for attempt in range(30):
        barrier = threading.Barrier(8)

        def append(who, path=tmp_path / f"{attempt}.sqlite", barrier=barrier):
            barrier.wait()
            return DecisionStore(SqliteDatabase(path), "w").append("view", [decision(who)])

        with ThreadPoolExecutor(8) as pool:
            rows = [row for rows in pool.map(append, "abcdefgh") for row in rows]
        assert sorted(rows) == list(range(1, 9))


def test_two_sessions_create_the_tables_of_postgres_at_once(postgres, name):
    """Both have seen an empty database before either may write."""
    database = PostgresDatabase(postgres)
    admin = database.connect()
    admin.autocommit = True
    cursor = admin.cursor()
    cursor.execute("CREATE DATABASE empty")
    empty = urlsplit(postgres)._replace(path="/empty").geturl()
    writer = PostgresDatabase(empty).connect()
    PostgresDatabase(empty).begin(writer.cursor(), True)

    def waiting():
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return cursor.fetchone()[0]

    with ThreadPoolExecutor(2) as pool:
        written = [
            pool.submit(
                DecisionStore(PostgresDatabase(empty), name).append, "view", [decision(who)]
            )
            for who in ("Ann", "Bo")
        ]
        while waiting() < 2 and not any(future.done() for future in written):
            time.sleep(0.01)
        writer.commit()
        assert sorted(row for future in written for row in future.result()) == [1, 2]
    writer.close()
    admin.close()


def test_leases_expire(engine, name, monkeypatch):
    store = DecisionStore(engine(), name)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    assert store.lease("view", "s1", "Ann", ["a", "b", "c"], 10, 2) == ["a", "b"]
    assert store.lease("view", "s2", "Bo", ["a", "b", "c"], 60, 3) == ["c"]
    store.release("s1", ["a"])
    assert store.lease("view", "s2", "Bo", ["a", "b", "c"], 60, 3) == ["a"]
    monkeypatch.setattr(time, "time", lambda: now + 11)
    assert store.lease("view", "s2", "Bo", ["a", "b", "c"], 60, 3) == ["b"], (
        "what was not asked for in time is free again"
    )
    store.release("s2")
    assert store.leases("view") == []


def test_lost_connection_is_reopened(engine, name):
    store = DecisionStore(engine(), name)
    store.append("view", [decision("b1")])
    store.read("view")
    store._writer._connection.close()
    store._reader._connection.close()
    store.append("view", [decision("b2")])
    assert [row.batch for row in store.read("view")] == ["b1", "b2"]


def test_unreachable_database_is_reported_without_its_password():
    store = DecisionStore(PostgresDatabase("postgresql://ann:secret@127.0.0.1:1/pellucid"), "w")
    with pytest.raises(
        ReviewStoreUnavailableError, match=r"database 'pellucid' at 127.0.0.1"
    ) as caught:
        store.read("view")
    assert "secret" not in str(caught.value)
    with pytest.raises(InvalidReviewUrlError, match="mysql scheme"):
        PostgresDatabase("mysql://here")


def test_newer_schema_is_refused(tmp_path):
    path = tmp_path / "reviews.sqlite"
    DecisionStore(SqliteDatabase(path), "w").append("view", [decision("b")])
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ReviewStoreUnavailableError, match="schema version is 99"):
        DecisionStore(SqliteDatabase(path), "w").read("view")


def test_invalid_database_file_is_reported(tmp_path):
    (tmp_path / "reviews.sqlite").write_text("no database, but long enough to be looked at" * 40)
    with pytest.raises(ReviewStoreUnavailableError, match=r"reviews\.sqlite"):
        DecisionStore(SqliteDatabase(tmp_path / "reviews.sqlite"), "w").read("view")


def test_leases_of_a_clock_ahead_hold_nobody_up(engine, name, monkeypatch):
    """Written by a server whose clock is a day ahead, or before the clock was set back."""
    store = DecisionStore(engine(), name)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 86_400)
    assert store.lease("v", "ahead", "Ann", ["a", "b"], 90, 2) == ["a", "b"]
    monkeypatch.setattr(time, "time", lambda: now)
    assert store.leases("v") == []
    assert store.lease("v", "here", "Bob", ["a", "b"], 90, 2) == ["a", "b"]
    assert {lease.session for lease in store.leases("v")} == {"here"}
    store.renew("here", 200)
    assert store.lease("v", "third", "Cem", ["a", "b"], 90, 2) == []
