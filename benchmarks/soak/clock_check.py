"""Servers whose clocks differ or jump: nobody is handed what another has, and a lease from a
clock ahead holds nobody up."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

from benchmarks.soak.outcomes import Outcomes
from benchmarks.soak.sample import Sample
from pellucid.review.storage.sqlite import SqliteDatabase
from pellucid.review.storage.store import DecisionStore

ITEMS = [f"item {number}" for number in range(40)]
LEASE_SECONDS = 90.0
STEPS = 40
JUMPS = (-86_400.0, -3_600.0, -30.0, 0.0, 0.0, 0.0, 1.0, 30.0, 3_600.0, 86_400.0)


def check(sample: Sample, folder: Path, random: Random, outcomes: Outcomes) -> None:
    store = DecisionStore(SqliteDatabase(folder / "reviews.sqlite"), "w")
    real_time = time.time
    now = real_time()
    held: dict[str, tuple[str, float]] = {}
    """For each item, the session that was handed it last, and when."""
    try:
        time.time = lambda: now
        for step in range(STEPS):
            now += random.choice(JUMPS)
            session = f"session {random.randrange(6)}"
            for item in store.lease("v", session, session, ITEMS, LEASE_SECONDS, 5):
                holder, since = held.get(item, (session, now))
                valid = since <= now < since + LEASE_SECONDS
                outcomes.expect(
                    holder == session or not valid,
                    f"step {step}: {item} was handed to {session} while {holder} had it",
                )
                held[item] = (session, now)
            outcomes.count("clock jumps")
        now += 365 * 86_400
        handed = store.lease("v", "last", "last", ITEMS, LEASE_SECONDS, len(ITEMS))
        outcomes.expect(len(handed) == len(ITEMS), "expired leases hold items back")
    finally:
        time.time = real_time
