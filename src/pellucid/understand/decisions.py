"""What people decided about annotations: rows that are only ever appended, and which of them stand.

A decision is about an item: an image (classification), an image and a concept (tagging), a box (detection). Of several decisions
about one item the last stands, unless it was reverted. Nothing is ever taken back but by a later row.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pellucid.columns import Kind

Box = tuple[float, float, float, float]
Side = Literal["predicted", "annotated"]
Value = Literal["positive", "negative", "unknown"]
VALUES: tuple[Value, ...] = ("positive", "negative", "unknown")
Verdict = Literal["wrong", "right", "unsure"]

Action = Literal["add", "remove", "change", "confirm", "unsure", "comment", "revert", "undo", "redo", "reset"]
EDITS: tuple[Action, ...] = ("add", "remove", "change")
VERDICT_ACTIONS: tuple[Action, ...] = (*EDITS, "confirm", "unsure")
TAKING_BACK: tuple[Action, ...] = ("revert", "undo", "redo")


@dataclass(frozen=True)
class Mark:
    """One annotation as a person states it. box: [left, top, width, height] in pixels, None outside detection ·
    value: `positive`; in tagging also `negative` or `unknown`."""

    concept: str
    box: Box | None = None
    value: Value = "positive"


@dataclass(frozen=True)
class Decision:
    """One row of the history.

    id: rises with time · batch: rows taken in one act · image: its path at that time · content: what the picture held (see
    reviews.contents), '' where it was not there · stamp: of the file then · concept, side, box: the item ·
    before, after: the annotations it took away and gave · version: in which it was seen · reverts: the row that is taken back or
    brought back · nth: which of several equal boxes the item is ·
    corrected: the reviewer looked at the annotations as mended, not as trained.
    """

    id: int
    when: str
    who: str
    batch: str
    action: Action
    image: str = ""
    content: str = ""
    stamp: str = ""
    concept: str = ""
    side: Side = "predicted"
    box: Box | None = None
    before: tuple[Mark, ...] = ()
    after: tuple[Mark, ...] = ()
    reason: str = ""
    version: str = ""
    reverts: int | None = None
    nth: int = 0
    corrected: bool = False

    @property
    def edits(self) -> bool:
        return self.action in EDITS


Key = tuple[object, ...]


def key_in_image(kind: Kind, decision: Decision) -> Key:
    """Two decisions on an image with one key are about one item."""
    if kind == "classification":  # concepts exclude each other: whatever is said of one is said of the image
        return ()
    if kind == "tagging":
        return (decision.concept,)
    return decision.concept, decision.side, decision.box, decision.nth


def item_key(kind: Kind, decision: Decision) -> Key:
    return decision.image, decision.content, *key_in_image(kind, decision)


def in_effect(kind: Kind, decisions: Sequence[Decision]) -> list[Decision]:
    """Of the verdicts on one image that are in force (oldest first), those that say what its annotations are.

    Of an image or a tag the last one says it all. Boxes: a verdict on the annotations as trained replaces what was said of its item
    before; one on the annotations as mended goes on from there.
    """
    found: dict[Key, list[Decision]] = {}
    for one in decisions:
        key = key_in_image(kind, one)
        found[key] = [*found.get(key, []), one] if kind == "detection" and one.corrected else [one]
    return sorted((one for several in found.values() for one in several), key=lambda one: one.id)


@dataclass
class Ledger:
    """The history of a view, folded: which rows stand. Grows with `append`; costs the row."""

    kind: Kind
    rows: dict[int, Decision] = field(default_factory=dict)
    head: int = 0
    """The id of the last row."""
    _order: list[int] = field(default_factory=list)
    _off: set[int] = field(default_factory=set)
    _reverters: dict[int, list[int]] = field(default_factory=dict)
    _about: dict[Key, list[int]] = field(default_factory=dict)
    _done: dict[str, list[tuple[str, list[int]]]] = field(default_factory=dict)
    _undone: dict[str, list[tuple[str, list[int]]]] = field(default_factory=dict)
    _resets: list[int] = field(default_factory=list)

    def append(self, rows: Iterable[Decision]) -> None:
        """Rows that follow, by rising id."""
        for row in rows:
            self.rows[row.id] = row
            self._remember_for_undo(row)
            if row.action == "revert" and row.reverts is not None:
                self._reverters.setdefault(row.reverts, []).append(row.id)
            elif row.action in TAKING_BACK and row.reverts is not None:
                (self._off.add if row.action == "undo" else self._off.discard)(row.reverts)
            elif row.action == "reset":
                self._resets.append(row.id)
            else:
                self._about.setdefault(item_key(self.kind, row), []).append(row.id)
            self._order.append(row.id)
            self.head = row.id

    def verdict_of(self, row: Decision) -> Decision | None:
        """The verdict that a row is, or takes back, or brings back."""
        while row.reverts is not None and row.reverts in self.rows:
            row = self.rows[row.reverts]
        return row if row.action in VERDICT_ACTIONS else None

    def _remember_for_undo(self, row: Decision) -> None:
        done, undone = self._done.setdefault(row.who, []), self._undone.setdefault(row.who, [])
        if row.action in ("undo", "redo"):
            there, here = (done, undone) if row.action == "undo" else (undone, done)
            for place, (batch, rows) in enumerate(there):
                if row.reverts in rows:
                    here.append((batch, rows))
                    del there[place]
                    return
            return
        undone.clear()
        if done and done[-1][0] == row.batch:
            done[-1][1].append(row.id)
        else:
            done.append((row.batch, [row.id]))

    def undoable(self, who: str) -> list[int]:
        """The rows that this person's next undo takes back: one act of theirs."""
        done = self._done.get(who)
        return list(done[-1][1]) if done else []

    def redoable(self, who: str) -> list[int]:
        undone = self._undone.get(who)
        return list(undone[-1][1]) if undone else []

    def is_on(self, row: int) -> bool:
        """Whether a row is in force: neither undone by whoever wrote it, nor reverted by a row that is in force."""
        return row not in self._off and not any(self.is_on(other) for other in self._reverters.get(row, ()))

    def stands(self, row: int) -> bool:
        """Whether a verdict is neither taken back nor replaced by a later one about its item."""
        decision = self.rows[row]
        if decision.action not in VERDICT_ACTIONS or not self.is_on(row):
            return False
        about = self._about[item_key(self.kind, decision)]
        return row == next(one for one in reversed(about) if self.is_on(one) and self.rows[one].action in VERDICT_ACTIONS)

    def _said_of(self, key: Key) -> bool:
        return any(self.is_on(row) and self.rows[row].action in VERDICT_ACTIONS for row in self._about.get(key, ()))

    def about(self, decision: Decision) -> list[Decision]:
        """Everything said of the same item, oldest first."""
        return [self.rows[row] for row in self._about.get(item_key(self.kind, decision), [])]

    def standing(self) -> list[Decision]:
        """The verdicts that stand, oldest first."""
        return [self.rows[row] for row in list(self._order) if self.stands(row)]

    def in_force(self) -> list[Decision]:
        """The verdicts that nobody took back, oldest first, whatever was said of their items later."""
        return [self.rows[row] for row in list(self._order) if self.rows[row].action in VERDICT_ACTIONS and self.is_on(row)]

    def free_twin(self, decision: Decision, twins: Sequence[int]) -> int:
        """Which of several equal boxes a new decision is about: the first that nothing was said of, else the first."""
        key = item_key(self.kind, decision)
        return next((nth for nth in twins if not self._said_of((*key[:-1], nth))), twins[0])

    def since(self, row: int) -> list[Decision]:
        """The rows after that one."""
        return [self.rows[one] for one in self._order[bisect_right(self._order, row) :]]

    def verdicts_by_person(self) -> dict[str, tuple[int, str]]:
        """How many verdicts of each person were not taken back, and when the last was; most first."""
        found: dict[str, tuple[int, str]] = {}
        for row in list(self.rows.values()):
            if row.action in VERDICT_ACTIONS and self.is_on(row.id):
                found[row.who] = found.get(row.who, (0, ""))[0] + 1, row.when
        return dict(sorted(found.items(), key=lambda pair: -pair[1][0]))

    @property
    def last_reset(self) -> int:
        """Verdicts up to this row no longer count as reviewed; what they changed stays changed."""
        return max((row for row in self._resets if self.is_on(row)), default=0)
