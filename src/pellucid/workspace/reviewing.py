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
from pellucid.reviews.contents import content_and_stamp
from pellucid.reviews.store import DecisionStore
from pellucid.understand.deciding import TargetItem, Edit, resolve
from pellucid.understand.decisions import REVERSAL_ACTIONS, VERDICT_ACTIONS, Box, Decision, DecisionLog, Side, Verdict, item_key
from pellucid.understand.items import Item
from pellucid.workspace.loaded import Results
from pellucid.workspace.manifests import now

if TYPE_CHECKING:
    from pellucid.workspace.version import Version
    from pellucid.workspace.view import View

MAX_REVIEWER_LENGTH = 100
NO_EDIT = Edit()


@dataclass(frozen=True)
class ItemRef:
    """An item as a reviewer had it before them: image by path, concept, box; side `annotated` for items of the tab Extra · score:
    which tells equal boxes apart."""

    image: str
    concept: str
    side: Side
    box: Box | None = None
    score: float | None = None


@dataclass(frozen=True)
class ReviewOutcome:
    """What an act came to. rows: those now in the history · conflicts: decisions of others on the same items that the reviewer had
    not seen; the later one stands."""

    decisions: list[Decision]
    conflicts: list[Decision]


class Reviews:
    """The decisions on a view: `view.reviews`. Thread-safe; what others decide meanwhile is taken in whenever it is asked."""

    def __init__(self, view: View, store: DecisionStore) -> None:
        self.view = view
        self._store = store
        self._log = DecisionLog(view.kind)
        self._lock = threading.Lock()

    @property
    def log(self) -> DecisionLog:
        """The history up to this moment, folded."""
        with self._lock:
            self._log.append(self._store.read(self.view.name, self._log.head))
            return self._log

    def decide(
        self, version: Version, items: Iterable[Item | ItemRef], verdict: Verdict, who: str, edit: Edit = NO_EDIT, reason: str = "",
        batch: str | None = None, last_seen_id: int | None = None, loaded: Results | None = None,
    ) -> ReviewOutcome:  # fmt: skip
        """Say of items of a version that their annotation is `wrong` (which mends it), `right` (the model erred), or that one is `unsure`.

        change: what the annotation should be, where that does not follow. batch: a name of the act; the same one twice is kept once.
        seen: the last row that the reviewer knew of. loaded: the state of the version they looked at, if not as trained.
        All rows are kept, or none. Raises ItemGone, ConceptNotInView, DecisionImpossible, NobodyNamed, ReviewsUnreachable.
        """
        results = loaded or version.results
        decisions: list[Decision] = []
        for item in items:
            decision = self._make_decision(results, item_ref(item), verdict, edit, decisions)
            decisions.append(replace(decision, version=version.name, reason=reason, corrected=results.corrected))
        return self._append(decisions, who, batch, last_seen_id)

    def _make_decision(self, results: Results, item: ItemRef, verdict: Verdict, edit: Edit, same_batch: Sequence[Decision] = ()) -> Decision:
        """with_it: rows of the same act, which may be about boxes equal to this one."""
        image_index = results.image_locator.find_path(item.image)
        if image_index is None:
            raise ItemNotFoundError(item.image, item.concept)
        resolved = resolve(results.evaluation, results.neighbours, TargetItem(image_index, item.concept, item.side, item.box, item.score), verdict, edit)
        content, file_stamp = content_and_stamp(results.image_locator.location(image_index))
        decision = Decision(
            0, "", "", "", resolved.action, item.image, content, file_stamp, resolved.concept, resolved.side, resolved.box, resolved.before, resolved.after
        )  # fmt: skip
        if len(resolved.duplicates) == 1:
            return replace(decision, nth=resolved.duplicates[0])
        used_duplicates = {earlier.nth for earlier in same_batch if item_key(self.view.kind, replace(earlier, nth=0)) == item_key(self.view.kind, decision)}
        duplicates = [nth for nth in resolved.duplicates if nth not in used_duplicates] or list(resolved.duplicates)
        return replace(decision, nth=self.log.first_free_duplicate(decision, duplicates))

    def comment(self, version: Version, item: Item | ItemRef, who: str, text: str, loaded: Results | None = None) -> ReviewOutcome:
        """A remark about an item, which decides nothing."""
        decision = self._make_decision(loaded or version.results, item_ref(item), "unsure", NO_EDIT)
        return self._append([replace(decision, action="comment", before=(), after=(), reason=text, version=version.name)], who)

    def undo(self, who: str, batch: str | None = None) -> ReviewOutcome:
        """Take back this person's last act; nothing where there is none."""
        return self._undo_or_redo("undo", who, batch)

    def redo(self, who: str, batch: str | None = None) -> ReviewOutcome:
        """Bring back what this person took back last."""
        return self._undo_or_redo("redo", who, batch)

    def _undo_or_redo(self, action: Literal["undo", "redo"], who: str, batch: str | None) -> ReviewOutcome:
        """What is to be taken back is settled by the history as it is when it is taken back."""
        who, batch = validate_reviewer(who), batch or uuid.uuid4().hex
        while True:
            log = self.log
            head = log.head
            decision_ids = log.next_undo(who) if action == "undo" else log.next_redo(who)
            outcome = self._append_if_current([Decision(0, "", "", "", action, reverts=decision_id) for decision_id in decision_ids], who, batch, None, head)
            if outcome is not None:
                return outcome

    def revert(self, decision_id: int, who: str, reason: str = "") -> ReviewOutcome:
        """Take back any row of the history, whoever wrote it. Raises RowUnknown."""
        decision = self.log.decisions.get(decision_id)
        if decision is None or decision.action in REVERSAL_ACTIONS:
            raise HistoryRowNotFoundError(decision_id)
        return self._append([Decision(0, "", "", "", "revert", reverts=decision_id, reason=reason)], who)

    def reset(self, who: str, reason: str = "") -> ReviewOutcome:
        """Another round: nothing counts as reviewed any more. What was mended stays mended."""
        return self._append([Decision(0, "", "", "", "reset", reason=reason)], who)

    def history(self, image: str | None = None, who: str | None = None, day: str | None = None) -> list[Decision]:
        """Every row, oldest first; of images whose path holds a text, by a person, of a day (`2026-11-23`, in UTC)."""
        log = self.log
        return [
            decision for decision in (describe_reverted(log, original) for original in list(log.decisions.values()))
            if (image is None or image in decision.image) and (who is None or decision.who == who) and (day is None or decision.when.startswith(day))
        ]  # fmt: skip

    def lease(self, session: str, who: str, items: Sequence[ItemRef], seconds: float, limit: int) -> list[int]:
        """Take items for a while, those that nobody has yet; their places in `items`."""
        item_indices = {lease_key(item): item_index for item_index, item in reversed(list(enumerate(items)))}  # of equal boxes the first
        leased_keys = self._store.lease(self.view.name, session, validate_reviewer(who), sorted(item_indices, key=item_indices.__getitem__), seconds, limit)
        return [item_indices[key] for key in leased_keys]

    def renew(self, session: str, seconds: float) -> None:
        self._store.renew(session, seconds)

    def release(self, session: str, items: Sequence[ItemRef] | None = None) -> None:
        self._store.release(session, None if items is None else [lease_key(item) for item in items])

    def leased_elsewhere(self, session: str) -> set[str]:
        """Keys of the items that other sessions have before them."""
        return {lease.item for lease in self._store.leases(self.view.name) if lease.session != session}

    def _append(self, decisions: list[Decision], who: str, batch: str | None = None, last_seen_id: int | None = None) -> ReviewOutcome:
        outcome = self._append_if_current(decisions, who, batch, last_seen_id, None)
        assert outcome is not None
        return outcome

    def _append_if_current(self, decisions: list[Decision], who: str, batch: str | None, last_seen_id: int | None, expected_head: int | None) -> ReviewOutcome | None:
        """None where another row follows `after` already."""
        who, batch, timestamp = validate_reviewer(who), batch or uuid.uuid4().hex, now()
        stamped = [replace(decision, who=who, batch=batch, when=timestamp) for decision in decisions]
        for decision in stamped:
            check_storable(decision.reason, decision.image, decision.concept)
        decision_ids = self._store.append(self.view.name, stamped, expected_head)
        if decision_ids is None:
            return None
        log = self.log
        saved = [log.decisions[decision_id] for decision_id in decision_ids]
        return ReviewOutcome(saved, [] if last_seen_id is None else [conflict for decision in saved for conflict in overruled_verdicts(log, decision, last_seen_id)])


def item_ref(item: Item | ItemRef) -> ItemRef:
    if isinstance(item, ItemRef):
        return item
    side: Side = "annotated" if item.outcome == "extra" else "predicted"
    return ItemRef(item.image, item.concept, side, item.box, item.score)


def lease_key(item: ItemRef) -> str:
    encoded = json.dumps([item.image, item.concept, item.side, item.box], ensure_ascii=False)
    return blake2b(encoded.encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


def validate_reviewer(who: str) -> str:
    who = " ".join(who.split())
    if not 0 < len(who) <= MAX_REVIEWER_LENGTH:
        raise ReviewerMissingError
    check_storable(who)
    return who


def check_storable(*texts: str) -> None:
    """Raise where a text is none that can be kept: half of a character, or a zero byte."""
    for text in texts:
        if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
            raise InvalidTextError(text)


def overruled_verdicts(log: DecisionLog, decision: Decision, last_seen_id: int) -> list[Decision]:
    """Verdicts of others on the row's item that came before it, after what its reviewer had seen."""
    if decision.action not in VERDICT_ACTIONS:
        return []
    return [
        earlier for earlier in log.item_history(decision)
        if last_seen_id < earlier.id < decision.id and earlier.who != decision.who and earlier.action in VERDICT_ACTIONS and log.is_active(earlier.id)
    ]  # fmt: skip


def describe_reverted(log: DecisionLog, decision: Decision) -> Decision:
    """A row that takes back another tells of what: its image, its concept, and the change turned round."""
    reverted = log.decisions.get(decision.reverts) if decision.reverts is not None else None
    if reverted is None:
        return decision
    reverted = describe_reverted(log, reverted)
    before, after = (reverted.before, reverted.after) if decision.action == "redo" else (reverted.after, reverted.before)
    return replace(decision, image=reverted.image, concept=reverted.concept, side=reverted.side, box=reverted.box, before=before, after=after)
