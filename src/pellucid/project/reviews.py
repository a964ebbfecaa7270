"""Reviews of a view: decide on items, undo decisions, read the history. Every decision is one
appended row."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Literal, Protocol, get_args

from pellucid.browse.items import Item
from pellucid.core.errors import InvalidChoiceError
from pellucid.core.tables import Kind
from pellucid.results.results import Results
from pellucid.review.errors import (
    HistoryRowNotFoundError,
    InvalidDecisionError,
    InvalidTextError,
    ItemNotFoundError,
    ReviewerMissingError,
    RoundPermissionError,
)
from pellucid.review.events import (
    REVERSAL_ACTIONS,
    VERDICT_ACTIONS,
    Box,
    Decision,
    DecisionLog,
    Label,
    Side,
    Verdict,
    draft_decision,
    item_key,
)
from pellucid.review.identity import normalize_name
from pellucid.review.resolve import Edit, TargetItem, resolve, validate_box
from pellucid.review.storage.image_hash import content_and_stamp
from pellucid.review.storage.store import DecisionStore
from pellucid.storage.manifests import utc_timestamp

MAX_REVIEWER_LENGTH = 100
NO_EDIT = Edit()


@dataclass(frozen=True)
class ItemRef:
    """Reference to a displayed item: image path, concept, box; side `annotated` for items of the
    tab Extra

    Attributes:
        score: tells identical boxes apart
    """

    image: str
    concept: str
    side: Side
    box: Box | None = None
    score: float | None = None


@dataclass(frozen=True)
class ReviewOutcome:
    """Result of a review action.

    Attributes:
        decisions: the stored ones
        conflicts: decisions of others on the same items that the reviewer had not seen; the later
            decision wins
    """

    decisions: list[Decision]
    conflicts: list[Decision]


class ReviewedView(Protocol):
    """The view whose items are reviewed."""

    @property
    def name(self) -> str: ...
    @property
    def review_key(self) -> str: ...
    @property
    def kind(self) -> Kind: ...


@dataclass(frozen=True)
class RemovedReviews:
    """A removed view, whose decisions can be read."""

    name: str
    kind: Kind
    review_key: str


class ReviewedVersion(Protocol):
    """The version in which a reviewer saw an item."""

    name: str

    def results(self) -> Results: ...


class Reviews:
    """The decisions on a view: `view.reviews`. Thread-safe. Every read includes the latest
    decisions of others."""

    def __init__(self, view: ReviewedView, store: DecisionStore) -> None:
        self.view = view
        self._store = store
        self._log = DecisionLog(view.kind)
        self._lock = threading.Lock()

    @property
    def log(self) -> DecisionLog:
        """The decision log, updated with the latest stored decisions."""
        with self._lock:
            self._log.append(self._store.read(self.view.review_key, self._log.head))
            return self._log

    def decide(
        self,
        version: ReviewedVersion,
        items: Iterable[Item | ItemRef],
        verdict: Verdict,
        who: str,
        edit: Edit = NO_EDIT,
        reason: str = "",
        batch: str | None = None,
        last_seen_id: int | None = None,
        loaded: Results | None = None,
    ) -> ReviewOutcome:
        """Record a verdict on items: the annotation is `wrong` (it gets corrected), `right` (the
        model is wrong), or `unsure`.

        Raises InvalidChoiceError, ItemNotFoundError, UnknownConceptError, InvalidDecisionError,
        ReviewerMissingError, ReviewStoreUnavailableError.

        Args:
            edit: the correct annotation, if the verdict alone does not determine it
            batch: idempotency key of this action
            last_seen_id: the last decision known to the reviewer
            loaded: the results they looked at, if not the original ones. All decisions are stored,
                or none.
        """
        if verdict not in get_args(Verdict):
            raise InvalidChoiceError("verdict", verdict, get_args(Verdict))
        results = loaded or version.results()
        decisions: list[Decision] = []
        for item in items:
            decision = self._make_decision(results, item_ref(item), verdict, edit, decisions)
            decisions.append(
                replace(decision, version=version.name, reason=reason, corrected=results.corrected)
            )
        return self._append(decisions, who, batch, last_seen_id)

    def _make_decision(
        self,
        results: Results,
        item: ItemRef,
        verdict: Verdict,
        edit: Edit,
        same_batch: Sequence[Decision] = (),
    ) -> Decision:
        """same_batch: decisions of the same batch, which may be about boxes identical to this
        one."""
        image_index = results.image_locator.find_path(item.image)
        if image_index is None:
            raise ItemNotFoundError(item.image, item.concept)
        resolved = resolve(
            results.evaluation,
            results.neighbours,
            TargetItem(image_index, item.concept, item.side, item.box, item.score),
            verdict,
            edit,
        )
        content, file_stamp = content_and_stamp(results.image_locator.location(image_index))
        decision = draft_decision(
            resolved.action,
            image=item.image,
            content=content,
            stamp=file_stamp,
            concept=resolved.concept,
            side=resolved.side,
            box=resolved.box,
            before=resolved.before,
            after=resolved.after,
        )
        if len(resolved.duplicates) == 1:
            return replace(decision, nth=resolved.duplicates[0])
        used_duplicates = {
            earlier.nth
            for earlier in same_batch
            if item_key(self.view.kind, replace(earlier, nth=0))
            == item_key(self.view.kind, decision)
        }
        duplicates = [nth for nth in resolved.duplicates if nth not in used_duplicates] or list(
            resolved.duplicates
        )
        return replace(decision, nth=self.log.first_free_duplicate(decision, duplicates))

    def add_box(
        self,
        version: ReviewedVersion,
        image: str,
        concept: str,
        box: Box,
        who: str,
        reason: str = "",
        batch: str | None = None,
    ) -> ReviewOutcome:
        """Add an annotation where neither the model nor the annotators saw an object. image: its
        path. box: left, top, width, height in pixels. batch: see decide.

        Raises:
            ItemNotFoundError, UnknownConceptError, InvalidDecisionError: of the arguments.
            ReviewerMissingError, ReviewStoreUnavailableError
        """
        results = version.results()
        if self.view.kind != "detection":
            raise InvalidDecisionError(
                image, f"the view is a {self.view.kind} view", "Boxes belong to detection views."
            )
        results.concept_index(concept)
        validate_box(image, box)
        image_index = results.image_locator.find_path(image)
        if image_index is None:
            raise ItemNotFoundError(image, concept)
        content, file_stamp = content_and_stamp(results.image_locator.location(image_index))
        decision = draft_decision(
            "add",
            image=image,
            content=content,
            stamp=file_stamp,
            concept=concept,
            side="predicted",
            box=box,
            after=(Label(concept, box),),
            reason=reason,
            version=version.name,
        )
        return self._append([decision], who, batch)

    def comment(
        self,
        version: ReviewedVersion,
        item: Item | ItemRef,
        who: str,
        text: str,
        loaded: Results | None = None,
        batch: str | None = None,
    ) -> ReviewOutcome:
        """Comment on an item without a verdict. batch: see decide."""
        decision = self._make_decision(
            loaded or version.results(), item_ref(item), "unsure", NO_EDIT
        )
        return self._append(
            [
                replace(
                    decision,
                    action="comment",
                    before=(),
                    after=(),
                    reason=text,
                    version=version.name,
                )
            ],
            who,
            batch,
        )

    def undo(self, who: str, batch: str | None = None, may_reset: bool = True) -> ReviewOutcome:
        """Undo this reviewer's last batch of decisions, if there is one.

        may_reset: whether the person may take back a new review round.

        Raises:
            RoundPermissionError: that would take back a round.
        """
        return self._undo_or_redo("undo", who, batch, may_reset)

    def redo(self, who: str, batch: str | None = None, may_reset: bool = True) -> ReviewOutcome:
        """Redo what this reviewer undid last. may_reset and errors: see undo."""
        return self._undo_or_redo("redo", who, batch, may_reset)

    def _undo_or_redo(
        self, action: Literal["undo", "redo"], who: str, batch: str | None, may_reset: bool
    ) -> ReviewOutcome:
        """Retries until no other decision was stored between reading the log and appending, so
        that the permission is checked for what is really undone."""
        who, batch = validate_reviewer(who), batch or uuid.uuid4().hex
        while True:
            log = self.log
            head = log.head
            decision_ids = log.next_undo(who) if action == "undo" else log.next_redo(who)
            check_round_permission(log, decision_ids, may_reset)
            outcome = self._append_if_current(
                [draft_decision(action, reverts=decision_id) for decision_id in decision_ids],
                who,
                batch,
                None,
                head,
            )
            if outcome is not None:
                return outcome

    def revert(
        self,
        decision_id: int,
        who: str,
        reason: str = "",
        may_reset: bool = True,
        batch: str | None = None,
    ) -> ReviewOutcome:
        """Revert any decision of the history, by any reviewer.

        Raises HistoryRowNotFoundError, RoundPermissionError.

        Args:
            may_reset: see undo
            batch: see decide
        """
        decision = self.log.decisions.get(decision_id)
        if decision is None or decision.action in REVERSAL_ACTIONS:
            raise HistoryRowNotFoundError(decision_id)
        check_round_permission(self.log, [decision_id], may_reset)
        return self._append(
            [draft_decision("revert", reverts=decision_id, reason=reason)], who, batch
        )

    def reset(self, who: str, reason: str = "", batch: str | None = None) -> ReviewOutcome:
        """Start a new review round: no item counts as reviewed any more. Corrections are kept.

        Args:
            batch: see decide
        """
        return self._append([draft_decision("reset", reason=reason)], who, batch)

    def history(
        self, image: str | None = None, who: str | None = None, day: str | None = None
    ) -> list[Decision]:
        """All decisions, oldest first. Filters: substring of the image path, reviewer, day
        (`2026-11-23`, in UTC)."""
        log = self.log
        return [
            decision
            for decision in (
                describe_reverted(log, original) for original in list(log.decisions.values())
            )
            if (image is None or image in decision.image)
            and (who is None or decision.who == who)
            and (day is None or decision.when.startswith(day))
        ]

    def lease(
        self, session: str, who: str, items: Sequence[ItemRef], seconds: float, limit: int
    ) -> list[int]:
        """Lease items that no other session has. Returns the indices of the leased items in
        `items`."""
        item_indices = {
            lease_key(item): item_index for item_index, item in reversed(list(enumerate(items)))
        }  # the first of identical boxes
        leased_keys = self._store.lease(
            self.view.review_key,
            session,
            validate_reviewer(who),
            sorted(item_indices, key=item_indices.__getitem__),
            seconds,
            limit,
        )
        return [item_indices[key] for key in leased_keys]

    def renew(self, session: str, seconds: float) -> None:
        self._store.renew(session, seconds)

    def release(self, session: str, items: Sequence[ItemRef] | None = None) -> None:
        self._store.release(session, None if items is None else [lease_key(item) for item in items])

    def find_leased_elsewhere(self, session: str) -> set[str]:
        """Keys of the items leased by other sessions."""
        return {
            lease.item
            for lease in self._store.leases(self.view.review_key)
            if lease.session != session
        }

    def _append(
        self,
        decisions: list[Decision],
        who: str,
        batch: str | None = None,
        last_seen_id: int | None = None,
    ) -> ReviewOutcome:
        outcome = self._append_if_current(decisions, who, batch, last_seen_id, None)
        assert outcome is not None
        return outcome

    def _append_if_current(
        self,
        decisions: list[Decision],
        who: str,
        batch: str | None,
        last_seen_id: int | None,
        expected_head: int | None,
    ) -> ReviewOutcome | None:
        """Returns None if a decision newer than `expected_head` exists."""
        who, batch, timestamp = validate_reviewer(who), batch or uuid.uuid4().hex, utc_timestamp()
        stamped = [
            replace(decision, who=who, batch=batch, when=timestamp) for decision in decisions
        ]
        for decision in stamped:
            check_storable(decision.reason, decision.image, decision.concept)
        decision_ids = self._store.append(self.view.review_key, stamped, expected_head)
        if decision_ids is None:
            return None
        log = self.log
        saved = [log.decisions[decision_id] for decision_id in decision_ids]
        return ReviewOutcome(
            saved,
            []
            if last_seen_id is None
            else [
                conflict
                for decision in saved
                for conflict in find_overruled_verdicts(log, decision, last_seen_id)
            ],
        )


def item_ref(item: Item | ItemRef) -> ItemRef:
    if isinstance(item, ItemRef):
        return item
    side: Side = "annotated" if item.outcome == "extra" else "predicted"
    return ItemRef(item.image, item.concept, side, item.box, item.score)


def lease_key(item: ItemRef) -> str:
    encoded = json.dumps([item.image, item.concept, item.side, item.box], ensure_ascii=False)
    return blake2b(encoded.encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


def validate_reviewer(who: str) -> str:
    check_storable(who)
    who = normalize_name(who)
    if not 0 < len(who) <= MAX_REVIEWER_LENGTH:
        raise ReviewerMissingError
    return who


def check_round_permission(log: DecisionLog, decision_ids: Sequence[int], may_reset: bool) -> None:
    """Raise RoundPermissionError if a round would be taken back or restored and may not be."""
    has_reset = any(
        decision_id in log.decisions and log.decisions[decision_id].action == "reset"
        for decision_id in decision_ids
    )
    if has_reset and not may_reset:
        raise RoundPermissionError


def check_storable(*texts: str) -> None:
    """Raise InvalidTextError if a text contains an unpaired surrogate or a NUL character."""
    for text in texts:
        if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
            raise InvalidTextError(text)


def find_overruled_verdicts(
    log: DecisionLog, decision: Decision, last_seen_id: int
) -> list[Decision]:
    """Verdicts of others on the same item, made before this decision but after the last one its
    reviewer had seen."""
    if decision.action not in VERDICT_ACTIONS:
        return []
    return [
        earlier
        for earlier in log.item_history(decision)
        if last_seen_id < earlier.id < decision.id
        and earlier.who != decision.who
        and earlier.action in VERDICT_ACTIONS
        and log.is_active(earlier.id)
    ]


def describe_reverted(log: DecisionLog, decision: Decision) -> Decision:
    """Fill an undo, redo or revert row with the item of the decision it refers to, and the
    resulting edit."""
    reverted = log.decisions.get(decision.reverts) if decision.reverts is not None else None
    if reverted is None:
        return decision
    reverted = describe_reverted(log, reverted)
    before, after = (
        (reverted.before, reverted.after)
        if decision.action == "redo"
        else (reverted.after, reverted.before)
    )
    return replace(
        decision,
        image=reverted.image,
        concept=reverted.concept,
        side=reverted.side,
        box=reverted.box,
        before=before,
        after=after,
    )
