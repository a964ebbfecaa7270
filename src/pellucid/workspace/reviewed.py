"""Which items of a loaded version are decided on, kept up as decisions come."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pellucid.columns import Bytes, Longs
from pellucid.understand.causes import Neighbours
from pellucid.understand.decisions import Decision, Ledger
from pellucid.understand.evaluation import Evaluation
from pellucid.understand.gallery import Selection
from pellucid.understand.reviewed import NEW, REVIEWED, UNSURE, InImage, reviewed_in_image
from pellucid.understand.shown import Listed, Shown, Without, in_order, inside
from pellucid.workspace.whereabouts import Whereabouts

Which = Literal["all", "new", "reviewed", "unsure"]
WHICH: tuple[Which, ...] = ("all", "new", "reviewed", "unsure")


@dataclass(frozen=True, eq=False)
class Decided:
    """Rows that are decided on, rising, and their states (REVIEWED, UNSURE)."""

    rows: Longs
    states: Bytes


class ReviewedItems:
    """Thread-safe. A decision costs the images it is about."""

    def __init__(self, evaluation: Evaluation, neighbours: Neighbours, whereabouts: Whereabouts, applied_to: int | None) -> None:
        """applied_to: the last decision that the evaluation's annotations take into account; None: all there are."""
        self._evaluation = evaluation
        self._applied_to = applied_to
        self._neighbours = neighbours
        self._whereabouts = whereabouts
        self._head = 0
        self._reset = 0
        self._verdicts: dict[int, dict[int, Decision]] = {}
        self._in_image: dict[int, InImage] = {}
        self._decided: dict[bool, Decided] = {}
        self._lock = threading.Lock()

    def follow(self, ledger: Ledger) -> None:
        """Take in what was decided since."""
        with self._lock:
            if ledger.head == self._head:
                return
            rows = ledger.since(self._head)
            touched = set()
            for row in rows:
                verdict = ledger.verdict_of(row)
                image = None if verdict is None else self._whereabouts.find(verdict)
                if verdict is not None and image is not None:
                    self._verdicts.setdefault(image, {})[verdict.id] = verdict
                    touched.add(image)
            if ledger.last_reset != self._reset:
                self._reset = ledger.last_reset
                touched = set(self._verdicts)
            for image in touched:
                known = self._verdicts[image].values()
                verdicts = [one for one in known if one.id > self._reset and one.id <= rows[-1].id and ledger.is_on(one.id)]
                self._in_image[image] = reviewed_in_image(self._evaluation, self._neighbours, image, verdicts, self._applied_to)
            self._head = rows[-1].id if rows else self._head
            self._decided.clear()

    def state(self, image: int, row: int, annotation: bool) -> tuple[int, int]:
        """Of one row: its state, and the id of the decision; NEW and 0 for none."""
        found = self._in_image.get(image)
        if found is None:
            return NEW, 0
        return (found.annotations if annotation else found.predictions).get(row, (NEW, 0))

    def decided(self, annotations: bool) -> Decided:
        with self._lock:
            if annotations not in self._decided:
                pairs = sorted(
                    (row, state)
                    for one in self._in_image.values()
                    for row, (state, _) in (one.annotations if annotations else one.predictions).items()
                )
                rows, states = np.array([row for row, _ in pairs], np.int64), np.array([state for _, state in pairs], np.int8)
                self._decided[annotations] = Decided(rows, states)
            return self._decided[annotations]

    def part(self, selection: Selection, which: Which, listed: Longs | None) -> Shown:
        """The items of a tab that are new (those somebody was unsure of at the end), reviewed, or unsure; or all of them.

        listed: its rows in an order of their own.
        """
        if which == "all":
            return selection if listed is None else Listed(selection, listed)
        decided = self.decided(selection.shows_annotations)
        here = inside(selection, decided.rows)
        rows, states = decided.rows[here], decided.states[here]
        unsure = rows[states == UNSURE]
        if which == "new":
            if listed is None:
                return Without(selection, rows, in_order(selection, unsure))
            return Listed(selection, np.concatenate([listed[~np.isin(listed, rows)], listed[np.isin(listed, unsure)]]))
        wanted = unsure if which == "unsure" else rows[states == REVIEWED]
        return Listed(selection, in_order(selection, wanted) if listed is None else listed[np.isin(listed, wanted)])

    def counts(self, selection: Selection) -> tuple[Longs, Longs]:
        """Per concept, how many items of a tab (of all concepts) are reviewed, and of how many somebody was unsure."""
        decided = self.decided(selection.shows_annotations)
        here = inside(selection, decided.rows)
        table = self._evaluation.annotations if selection.shows_annotations else self._evaluation.predictions
        concept, states = table.concept[decided.rows[here]], decided.states[here]
        number = len(self._evaluation.concepts)
        reviewed, unsure = (np.bincount(concept[states == state], minlength=number) for state in (REVIEWED, UNSURE))
        return reviewed, unsure
