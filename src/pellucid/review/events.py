"""Review decisions on annotations: an append-only log, and which of its decisions are current.

A decision is about an item: an image (classification), an image and a concept (tagging), a box
(detection). Of several decisions about one item the last one counts, unless it was reverted. A
decision is only ever undone by a later row.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pellucid.core.tables import Kind

Box = tuple[float, float, float, float]
Side = Literal["predicted", "annotated"]
LabelValue = Literal["positive", "negative", "unknown"]
LABEL_VALUES: tuple[LabelValue, ...] = ("positive", "negative", "unknown")
Verdict = Literal["wrong", "right", "unsure"]

Action = Literal[
    "add", "remove", "change", "confirm", "unsure", "comment", "revert", "undo", "redo", "reset"
]
EDIT_ACTIONS: tuple[Action, ...] = ("add", "remove", "change")
VERDICT_ACTIONS: tuple[Action, ...] = (*EDIT_ACTIONS, "confirm", "unsure")
REVERSAL_ACTIONS: tuple[Action, ...] = ("revert", "undo", "redo")


@dataclass(frozen=True, slots=True)
class Label:
    """One annotation as stated by a reviewer.

    Attributes:
        box: [left, top, width, height] in pixels, None outside detection
        value: `positive`; in tagging also `negative` or `unknown`
        outline: a mask as in Annotations, '' for none
    """

    concept: str
    box: Box | None = None
    value: LabelValue = "positive"
    outline: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """One row of the decision log.

    Attributes:
        id: ascending in time
        batch: groups the decisions of one action
        image: its path at that time
        content: its hash (see reviews.contents), '' if the file was missing
        stamp: of the file then
        concept, side, box: the item
        before, after: the removed and the added annotations
        version: the one displayed
        reverts: id of the row that is undone or redone
        nth: index among identical boxes
        corrected: the reviewer looked at the corrected annotations, not the original ones
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
    before: tuple[Label, ...] = ()
    after: tuple[Label, ...] = ()
    reason: str = ""
    version: str = ""
    reverts: int | None = None
    nth: int = 0
    corrected: bool = False

    @property
    def is_edit(self) -> bool:
        return self.action in EDIT_ACTIONS


def draft_decision(action: Action, **facts: Any) -> Decision:
    """A decision that is not stored yet: id, time, reviewer and batch are set when it is.

    Args:
        facts: other fields of the decision
    """
    return Decision(0, "", "", "", action, **facts)


ItemKey = tuple[object, ...]


def key_in_image(kind: Kind, decision: Decision) -> ItemKey:
    """Decisions on one image with equal keys are about the same item."""
    if (
        kind == "classification"
    ):  # concepts exclude each other: a decision on one is about the image
        return ()
    if kind == "tagging":
        return (decision.concept,)
    return decision.concept, decision.side, decision.box, decision.nth


def item_key(kind: Kind, decision: Decision) -> ItemKey:
    return decision.image, decision.content, *key_in_image(kind, decision)


def effective_decisions(kind: Kind, decisions: Sequence[Decision]) -> list[Decision]:
    """Of the active verdicts on one image (oldest first), those that determine its annotations.

    For an image or a tag, the last one. For boxes, a verdict on the original annotations replaces
    earlier verdicts on its item; a verdict on the corrected annotations is applied on top of them.
    """
    decisions_by_item: dict[ItemKey, list[Decision]] = {}
    for decision in decisions:
        key = key_in_image(kind, decision)
        decisions_by_item[key] = (
            [*decisions_by_item.get(key, []), decision]
            if kind == "detection" and decision.corrected
            else [decision]
        )
    return sorted(
        (decision for item_decisions in decisions_by_item.values() for decision in item_decisions),
        key=lambda decision: decision.id,
    )


@dataclass
class DecisionLog:
    """The decisions of a view and which of them are current. `append` takes constant time per
    decision."""

    kind: Kind
    decisions: dict[int, Decision] = field(default_factory=dict)
    head: int = 0
    """The id of the last decision."""
    _ordered_ids: list[int] = field(default_factory=list)
    _undone_ids: set[int] = field(default_factory=set)
    _reverting_ids: dict[int, list[int]] = field(default_factory=dict)
    _ids_by_item: dict[ItemKey, tuple[int, ...]] = field(default_factory=dict)
    """Most items have one decision: a tuple takes half the memory of a list."""
    _undo_stacks: dict[str, list[list[int]]] = field(default_factory=dict)
    """The ids of each batch of a reviewer, the last one on top."""
    _redo_stacks: dict[str, list[list[int]]] = field(default_factory=dict)
    _reset_ids: list[int] = field(default_factory=list)
    _comment_ids: list[int] = field(default_factory=list)

    def append(self, decisions: Iterable[Decision]) -> None:
        """Add later decisions, in ascending order of id."""
        for decision in decisions:
            self.decisions[decision.id] = decision
            self._update_undo_stacks(decision)
            if decision.action == "revert" and decision.reverts is not None:
                self._reverting_ids.setdefault(decision.reverts, []).append(decision.id)
            elif decision.action in REVERSAL_ACTIONS and decision.reverts is not None:
                (self._undone_ids.add if decision.action == "undo" else self._undone_ids.discard)(
                    decision.reverts
                )
            elif decision.action == "reset":
                self._reset_ids.append(decision.id)
            else:
                key = item_key(self.kind, decision)
                self._ids_by_item[key] = (*self._ids_by_item.get(key, ()), decision.id)
                if decision.action == "comment":
                    self._comment_ids.append(decision.id)
            self._ordered_ids.append(decision.id)
            self.head = decision.id

    def until(self, decision_id: int) -> DecisionLog:
        """The log as it was after the decision `decision_id`."""
        earlier = DecisionLog(self.kind)
        earlier.append(
            self.decisions[earlier_id]
            for earlier_id in self._ordered_ids[: bisect_right(self._ordered_ids, decision_id)]
        )
        return earlier

    def original_verdict(self, decision: Decision) -> Decision | None:
        """The verdict itself, or the one that an undo, redo or revert refers to; None if there is
        none."""
        while decision.reverts is not None and decision.reverts in self.decisions:
            decision = self.decisions[decision.reverts]
        return decision if decision.action in VERDICT_ACTIONS else None

    def _update_undo_stacks(self, decision: Decision) -> None:
        undo_stack, redo_stack = (
            self._undo_stacks.setdefault(decision.who, []),
            self._redo_stacks.setdefault(decision.who, []),
        )
        if decision.action in ("undo", "redo"):
            source, target = (
                (undo_stack, redo_stack) if decision.action == "undo" else (redo_stack, undo_stack)
            )
            for batch_index, decision_ids in enumerate(source):
                if decision.reverts in decision_ids:
                    target.append(decision_ids)
                    del source[batch_index]
                    return
            return
        redo_stack.clear()
        if undo_stack and self.decisions[undo_stack[-1][0]].batch == decision.batch:
            undo_stack[-1].append(decision.id)
        else:
            undo_stack.append([decision.id])

    def next_undo(self, who: str) -> list[int]:
        """Ids of the decisions that this reviewer's next undo affects: one batch."""
        undo_stack = self._undo_stacks.get(who)
        return list(undo_stack[-1]) if undo_stack else []

    def next_redo(self, who: str) -> list[int]:
        redo_stack = self._redo_stacks.get(who)
        return list(redo_stack[-1]) if redo_stack else []

    def is_active(self, decision_id: int) -> bool:
        """Whether a decision is active: neither undone by its reviewer nor reverted by an active
        row."""
        return decision_id not in self._undone_ids and not any(
            self.is_active(reverting_id)
            for reverting_id in self._reverting_ids.get(decision_id, ())
        )

    def is_current(self, decision_id: int) -> bool:
        """Whether a decision is an active verdict without a later active verdict on the same
        item."""
        decision = self.decisions[decision_id]
        if decision.action not in VERDICT_ACTIONS or not self.is_active(decision_id):
            return False
        item_ids = self._ids_by_item[item_key(self.kind, decision)]
        return decision_id == next(
            other_id
            for other_id in reversed(item_ids)
            if self.is_active(other_id) and self.decisions[other_id].action in VERDICT_ACTIONS
        )

    def _has_verdict(self, key: ItemKey) -> bool:
        return any(
            self.is_active(decision_id) and self.decisions[decision_id].action in VERDICT_ACTIONS
            for decision_id in self._ids_by_item.get(key, ())
        )

    def item_history(self, decision: Decision) -> list[Decision]:
        """All decisions and comments on the same item, oldest first."""
        return [
            self.decisions[decision_id]
            for decision_id in self._ids_by_item.get(item_key(self.kind, decision), ())
        ]

    def comments_on(self, image: str) -> list[Decision]:
        """The comments on items of an image that were not undone, oldest first."""
        return [
            self.decisions[comment_id]
            for comment_id in list(self._comment_ids)
            if self.decisions[comment_id].image == image and self.is_active(comment_id)
        ]

    def current_decisions(self) -> list[Decision]:
        """The current verdicts, oldest first."""
        return [
            self.decisions[decision_id]
            for decision_id in list(self._ordered_ids)
            if self.is_current(decision_id)
        ]

    def active_decisions(self) -> list[Decision]:
        """The verdicts that were not undone or reverted, oldest first, including superseded
        ones."""
        return [
            self.decisions[decision_id]
            for decision_id in list(self._ordered_ids)
            if self.decisions[decision_id].action in VERDICT_ACTIONS and self.is_active(decision_id)
        ]

    def additions(self, image: str) -> list[Label]:
        """What current decisions add to an image, given by its path."""
        return [
            label
            for decision in list(self.decisions.values())
            if decision.action == "add" and decision.image == image and self.is_current(decision.id)
            for label in decision.after
        ]

    def first_free_duplicate(self, decision: Decision, duplicates: Sequence[int]) -> int:
        """Which of several identical boxes a new decision is about: the first without a verdict,
        else the first."""
        key = item_key(self.kind, decision)
        return next(
            (nth for nth in duplicates if not self._has_verdict((*key[:-1], nth))), duplicates[0]
        )

    def newer_decisions(self, decision_id: int) -> list[Decision]:
        """The decisions with ids greater than `decision_id`."""
        return [
            self.decisions[newer_id]
            for newer_id in self._ordered_ids[bisect_right(self._ordered_ids, decision_id) :]
        ]

    def verdicts_by_reviewer(self) -> dict[str, tuple[int, str]]:
        """Per reviewer, the number of active verdicts and the time of the last one; most verdicts
        first."""
        verdicts: dict[str, tuple[int, str]] = {}
        for decision in list(self.decisions.values()):
            if decision.action in VERDICT_ACTIONS and self.is_active(decision.id):
                verdicts[decision.who] = verdicts.get(decision.who, (0, ""))[0] + 1, decision.when
        return dict(sorted(verdicts.items(), key=lambda pair: -pair[1][0]))

    @property
    def last_reset(self) -> int:
        """Id of the last active reset. Earlier verdicts do not count as reviewed, but their edits
        stay applied."""
        return max(
            (decision_id for decision_id in self._reset_ids if self.is_active(decision_id)),
            default=0,
        )
