"""Deciding on items of a view, taking back, and what was decided. Every decision is one appended row."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal

from pellucid.errors import ItemNotFoundError, ReviewerMissingError, HistoryRowNotFoundError, InvalidTextError
from pellucid.reviews.contents import content_of
from pellucid.reviews.store import Store
from pellucid.understand.deciding import Asked, Change, resolve
from pellucid.understand.decisions import TAKING_BACK, VERDICT_ACTIONS, Box, Decision, Ledger, Side, Verdict, item_key
from pellucid.understand.items import Item
from pellucid.workspace.loaded import Results
from pellucid.workspace.manifests import now

if TYPE_CHECKING:
    from pellucid.workspace.version import Version
    from pellucid.workspace.view import View

LONGEST_NAME = 100
NO_CHANGE = Change()


@dataclass(frozen=True)
class Seen:
    """An item as a reviewer had it before them: image by path, concept, box; side `annotated` for items of the tab Extra · score:
    which tells equal boxes apart."""

    image: str
    concept: str
    side: Side
    box: Box | None = None
    score: float | None = None


@dataclass(frozen=True)
class Taken:
    """What an act came to. rows: those now in the history · conflicts: decisions of others on the same items that the reviewer had
    not seen; the later one stands."""

    rows: list[Decision]
    conflicts: list[Decision]


class Reviews:
    """The decisions on a view: `view.reviews`. Thread-safe; what others decide meanwhile is taken in whenever it is asked."""

    def __init__(self, view: View, store: Store) -> None:
        self.view = view
        self._store = store
        self._ledger = Ledger(view.kind)
        self._lock = threading.Lock()

    @property
    def ledger(self) -> Ledger:
        """The history up to this moment, folded."""
        with self._lock:
            self._ledger.append(self._store.read(self.view.name, self._ledger.head))
            return self._ledger

    def decide(
        self, version: Version, items: Iterable[Item | Seen], verdict: Verdict, who: str, change: Change = NO_CHANGE, reason: str = "",
        batch: str | None = None, seen: int | None = None, loaded: Results | None = None,
    ) -> Taken:  # fmt: skip
        """Say of items of a version that their annotation is `wrong` (which mends it), `right` (the model erred), or that one is `unsure`.

        change: what the annotation should be, where that does not follow. batch: a name of the act; the same one twice is kept once.
        seen: the last row that the reviewer knew of. loaded: the state of the version they looked at, if not as trained.
        All rows are kept, or none. Raises ItemGone, ConceptNotInView, DecisionImpossible, NobodyNamed, ReviewsUnreachable.
        """
        state = loaded or version.results
        rows: list[Decision] = []
        for item in items:
            row = self._row(state, seen_item(item), verdict, change, rows)
            rows.append(replace(row, version=version.name, reason=reason, corrected=state.corrected))
        return self._append(rows, who, batch, seen)

    def _row(self, state: Results, item: Seen, verdict: Verdict, change: Change, with_it: Sequence[Decision] = ()) -> Decision:
        """with_it: rows of the same act, which may be about boxes equal to this one."""
        image = state.image_locator.row_of(item.image)
        if image is None:
            raise ItemNotFoundError(item.image, item.concept)
        found = resolve(state.evaluation, state.neighbours, Asked(image, item.concept, item.side, item.box, item.score), verdict, change)
        content, mark = content_of(state.image_locator.location(image))
        made = Decision(
            0, "", "", "", found.action, item.image, content, mark, found.concept, found.side, found.box, found.before, found.after
        )  # fmt: skip
        if len(found.twins) == 1:
            return replace(made, nth=found.twins[0])
        taken = {one.nth for one in with_it if item_key(self.view.kind, replace(one, nth=0)) == item_key(self.view.kind, made)}
        twins = [nth for nth in found.twins if nth not in taken] or list(found.twins)
        return replace(made, nth=self.ledger.free_twin(made, twins))

    def comment(self, version: Version, item: Item | Seen, who: str, text: str, loaded: Results | None = None) -> Taken:
        """A remark about an item, which decides nothing."""
        row = self._row(loaded or version.results, seen_item(item), "unsure", NO_CHANGE)
        return self._append([replace(row, action="comment", before=(), after=(), reason=text, version=version.name)], who)

    def undo(self, who: str, batch: str | None = None) -> Taken:
        """Take back this person's last act; nothing where there is none."""
        return self._take_back("undo", who, batch)

    def redo(self, who: str, batch: str | None = None) -> Taken:
        """Bring back what this person took back last."""
        return self._take_back("redo", who, batch)

    def _take_back(self, way: Literal["undo", "redo"], who: str, batch: str | None) -> Taken:
        """What is to be taken back is settled by the history as it is when it is taken back."""
        who, batch = named(who), batch or uuid.uuid4().hex
        while True:
            ledger = self.ledger
            head = ledger.head
            rows = ledger.undoable(who) if way == "undo" else ledger.redoable(who)
            taken = self._append_after([Decision(0, "", "", "", way, reverts=row) for row in rows], who, batch, None, head)
            if taken is not None:
                return taken

    def revert(self, row: int, who: str, reason: str = "") -> Taken:
        """Take back any row of the history, whoever wrote it. Raises RowUnknown."""
        there = self.ledger.rows.get(row)
        if there is None or there.action in TAKING_BACK:
            raise HistoryRowNotFoundError(row)
        return self._append([Decision(0, "", "", "", "revert", reverts=row, reason=reason)], who)

    def reset(self, who: str, reason: str = "") -> Taken:
        """Another round: nothing counts as reviewed any more. What was mended stays mended."""
        return self._append([Decision(0, "", "", "", "reset", reason=reason)], who)

    def history(self, image: str | None = None, who: str | None = None, day: str | None = None) -> list[Decision]:
        """Every row, oldest first; of images whose path holds a text, by a person, of a day (`2026-11-23`, in UTC)."""
        ledger = self.ledger
        return [
            row for row in (told(ledger, one) for one in list(ledger.rows.values()))
            if (image is None or image in row.image) and (who is None or row.who == who) and (day is None or row.when.startswith(day))
        ]  # fmt: skip

    def lease(self, session: str, who: str, items: Sequence[Seen], seconds: float, most: int) -> list[int]:
        """Take items for a while, those that nobody has yet; their places in `items`."""
        keys = {lease_key(item): place for place, item in reversed(list(enumerate(items)))}  # of equal boxes the first
        taken = self._store.lease(self.view.name, session, named(who), sorted(keys, key=keys.__getitem__), seconds, most)
        return [keys[key] for key in taken]

    def renew(self, session: str, seconds: float) -> None:
        self._store.renew(session, seconds)

    def give_back(self, session: str, items: Sequence[Seen] | None = None) -> None:
        self._store.give_back(session, None if items is None else [lease_key(item) for item in items])

    def held_by_others(self, session: str) -> set[str]:
        """Keys of the items that other sessions have before them."""
        return {lease.item for lease in self._store.leases(self.view.name) if lease.session != session}

    def _append(self, rows: list[Decision], who: str, batch: str | None = None, seen: int | None = None) -> Taken:
        taken = self._append_after(rows, who, batch, seen, None)
        assert taken is not None
        return taken

    def _append_after(self, rows: list[Decision], who: str, batch: str | None, seen: int | None, after: int | None) -> Taken | None:
        """None where another row follows `after` already."""
        who, batch, when = named(who), batch or uuid.uuid4().hex, now()
        kept_as = [replace(row, who=who, batch=batch, when=when) for row in rows]
        for row in kept_as:
            refuse_unwritable(row.reason, row.image, row.concept)
        ids = self._store.append(self.view.name, kept_as, after)
        if ids is None:
            return None
        ledger = self.ledger
        kept = [ledger.rows[row] for row in ids]
        return Taken(kept, [] if seen is None else [other for row in kept for other in contradicted(ledger, row, seen)])


def seen_item(item: Item | Seen) -> Seen:
    if isinstance(item, Seen):
        return item
    side: Side = "annotated" if item.outcome == "extra" else "predicted"
    return Seen(item.image, item.concept, side, item.box, item.score)


def lease_key(item: Seen) -> str:
    text = json.dumps([item.image, item.concept, item.side, item.box], ensure_ascii=False)
    return blake2b(text.encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


def named(who: str) -> str:
    who = " ".join(who.split())
    if not 0 < len(who) <= LONGEST_NAME:
        raise ReviewerMissingError
    refuse_unwritable(who)
    return who


def refuse_unwritable(*words: str) -> None:
    """Raise where a text is none that can be kept: half of a character, or a zero byte."""
    for word in words:
        if "\0" in word or any("\ud800" <= sign <= "\udfff" for sign in word):
            raise InvalidTextError(word)


def contradicted(ledger: Ledger, row: Decision, seen: int) -> list[Decision]:
    """Verdicts of others on the row's item that came before it, after what its reviewer had seen."""
    if row.action not in VERDICT_ACTIONS:
        return []
    return [
        one for one in ledger.about(row)
        if seen < one.id < row.id and one.who != row.who and one.action in VERDICT_ACTIONS and ledger.is_on(one.id)
    ]  # fmt: skip


def told(ledger: Ledger, row: Decision) -> Decision:
    """A row that takes back another tells of what: its image, its concept, and the change turned round."""
    about = ledger.rows.get(row.reverts) if row.reverts is not None else None
    if about is None:
        return row
    about = told(ledger, about)
    before, after = (about.before, about.after) if row.action == "redo" else (about.after, about.before)
    return replace(row, image=about.image, concept=about.concept, side=about.side, box=about.box, before=before, after=after)
