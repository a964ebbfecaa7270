"""The fold of the history equals the plain reading of its rules, however the rows arrive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.core.tables import KINDS
from pellucid.review.events import VERDICT_ACTIONS, Decision, DecisionLog, Label, item_key

PEOPLE = ["Ann", "Bo"]
PLACES = [
    ("a.jpg", "dent", (0.0, 0.0, 4.0, 4.0)),
    ("a.jpg", "dent", (9.0, 0.0, 4.0, 4.0)),
    ("a.jpg", "rust", (0.0, 0.0, 4.0, 4.0)),
    ("b.jpg", "dent", (0.0, 0.0, 4.0, 4.0)),
]


@st.composite
def histories(draw, kind):
    """Acts as people take them, written by the rules of the interface and not by the fold's."""
    rows, done, undone = [], {who: [] for who in PEOPLE}, {who: [] for who in PEOPLE}

    def write(who, batch, action, **facts):
        rows.append(Decision(len(rows) * 3 + 1, f"t{len(rows)}", who, batch, action, **facts))
        return rows[-1].id

    for number in range(draw(st.integers(0, 14))):
        who, batch = draw(st.sampled_from(PEOPLE)), f"batch-{number}"
        act = draw(
            st.sampled_from(["decide", "decide", "decide", "undo", "redo", "revert", "reset"])
        )
        if act in ("undo", "redo"):
            source, target = (done, undone) if act == "undo" else (undone, done)
            if source[who]:
                ids = source[who].pop()
                for one in ids:
                    write(who, batch, act, reverts=one)
                target[who].append(ids)
            continue
        if act == "revert":
            able = [row.id for row in rows if row.action not in ("undo", "redo", "revert")]
            ids = [write(who, batch, "revert", reverts=draw(st.sampled_from(able)))] if able else []
        elif act == "reset":
            ids = [write(who, batch, "reset")]
        else:
            chosen = draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=2, unique=True))
            action = draw(st.sampled_from(VERDICT_ACTIONS))
            ids = [
                write(
                    who,
                    batch,
                    action,
                    image=image,
                    concept=concept,
                    box=box if kind == "detection" else None,
                    after=(Label(concept, box if kind == "detection" else None),),
                )
                for image, concept, box in chosen
            ]
        if ids:
            done[who].append(ids)
            undone[who].clear()
    return rows, done, undone


def in_force(rows):
    """From the last row to the first: what its own author undid last is out, and so is what a
    row in force reverts."""
    on = {}
    for row in reversed(rows):
        own = [
            other.action
            for other in rows
            if other.reverts == row.id and other.action in ("undo", "redo")
        ]
        reverted = any(
            other.reverts == row.id and other.action == "revert" and on[other.id] for other in rows
        )
        on[row.id] = not reverted and own[-1:] != ["undo"]
    return on


@pytest.mark.parametrize("kind", KINDS)
def test_valid_decisions_after_undo_and_redo(kind):
    @given(data=st.data())
    def holds(data):
        rows, done, undone = data.draw(histories(kind))
        ledger = DecisionLog(kind)
        cut = data.draw(st.integers(0, len(rows)))
        ledger.append(rows[:cut])
        ledger.current_decisions()
        ledger.append(rows[cut:])
        on = in_force(rows)
        assert {row.id: ledger.is_active(row.id) for row in rows} == on
        last = {}
        for row in rows:
            if row.action in VERDICT_ACTIONS and on[row.id]:
                last[item_key(kind, row)] = row.id
        assert [row.id for row in ledger.current_decisions()] == sorted(last.values())
        assert [row.id for row in ledger.active_decisions()] == [
            row.id for row in rows if row.action in VERDICT_ACTIONS and on[row.id]
        ]
        for cut in range(len(rows) + 1):
            assert ledger.newer_decisions(rows[cut - 1].id if cut else 0) == rows[cut:]
        assert ledger.last_reset == max(
            (row.id for row in rows if row.action == "reset" and on[row.id]), default=0
        )
        for who in PEOPLE:
            assert ledger.next_undo(who) == (done[who][-1] if done[who] else [])
            assert ledger.next_redo(who) == (undone[who][-1] if undone[who] else [])

    holds()


@given(data=st.data())
def test_undo_all_and_redo_all_restores_the_state(data):
    rows, _, _ = data.draw(histories("detection"))
    ledger = DecisionLog("detection")
    ledger.append(rows)
    for who in PEOPLE:
        before = [row.id for row in ledger.current_decisions()]
        steps = 0
        while ids := ledger.next_undo(who):
            steps += 1
            ledger.append(
                [
                    Decision(
                        ledger.head + place + 1, "t", who, f"undo-{steps}", "undo", reverts=row
                    )
                    for place, row in enumerate(ids)
                ]
            )
        assert not [row for row in ledger.current_decisions() if row.who == who]
        for step in range(steps):
            ids = ledger.next_redo(who)
            ledger.append(
                [
                    Decision(ledger.head + place + 1, "t", who, f"redo-{step}", "redo", reverts=row)
                    for place, row in enumerate(ids)
                ]
            )
        assert [row.id for row in ledger.current_decisions()] == before
