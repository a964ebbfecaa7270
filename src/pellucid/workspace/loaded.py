"""One state of a version in memory: whatever is asked of it is answered from here."""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import cached_property
from typing import Any, Literal

import numpy as np

from pellucid.columns import Floats, Longs
from pellucid.images.likeness import likenesses
from pellucid.understand.causes import Neighbours
from pellucid.understand.decisions import Decision, Ledger
from pellucid.understand.evaluation import Evaluation
from pellucid.understand.gallery import Selection, Tab
from pellucid.understand.intervals import Interval, threshold_intervals
from pellucid.understand.mending import telling
from pellucid.understand.mistakes import Suspicion, most_likely_first, suspicion
from pellucid.understand.shown import Shown
from pellucid.understand.similar import chained
from pellucid.workspace.manifests import VersionManifest
from pellucid.workspace.mended import Originals, placed, with_corrections
from pellucid.workspace.reviewed import ReviewedItems, Which
from pellucid.workspace.whereabouts import Whereabouts

SELECTIONS = 24
Order = Literal["score", "mistakes", "similar"]
ORDERS: tuple[Order, ...] = ("score", "mistakes", "similar")
LOOKED_AT = 2_000
"""Items whose pictures are compared; what is less likely a mistake follows after them."""


class Loaded:
    """manifest and evaluation of one generation. folders: that the images' `root` points into."""

    def __init__(
        self, manifest: VersionManifest, evaluation: Evaluation, folders: list[str] | None = None, originals: Originals | None = None,
        corrected: bool = False,
    ) -> None:  # fmt: skip
        self.manifest = manifest
        self.evaluation = evaluation
        self.folders = manifest.folders if folders is None else folders
        self.originals = originals
        self.corrected = corrected
        self.not_applied = 0
        """With corrections: decisions that change nothing, as what they speak of is not there."""
        self.frozen_rows: Longs | None = None
        """With corrections: for each annotation its row as frozen, -1 for a new one."""
        self._selections: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        self._lock = threading.RLock()
        self._mended: tuple[tuple[int, ...], Loaded] | None = None
        self._mended_at = -1

    @cached_property
    def neighbours(self) -> Neighbours:
        return Neighbours(self.evaluation)

    @cached_property
    def whereabouts(self) -> Whereabouts:
        return Whereabouts(self.evaluation.images, self.folders)

    @cached_property
    def intervals(self) -> list[Interval | None]:
        return threshold_intervals(self.evaluation)

    @cached_property
    def suspicion(self) -> Suspicion:
        return suspicion(self.evaluation)

    @cached_property
    def reviewed(self) -> ReviewedItems:
        return ReviewedItems(self.evaluation, self.neighbours, self.whereabouts, None if self.corrected else self.manifest.corrected_to)

    def with_corrections(self, ledger: Ledger) -> Loaded:
        """This version held against its annotations as people have mended them; itself where nothing was."""
        with self._lock:
            if self._mended_at != ledger.head:
                head, decisions = ledger.head, ledger.in_force()
                located = placed(self.whereabouts, decisions)
                key = tuple(one.id for several in telling(self.evaluation.kind, located).values() for one in several)
                if self._mended is None or self._mended[0] != key:  # to agree with the annotations changes nothing
                    self._mended = key, self._mend(decisions, located) if key or self.originals is not None else self
                self._mended_at = head
            assert self._mended is not None
            return self._mended[1]

    def _mend(self, decisions: list[Decision], located: list[tuple[int, Decision]]) -> Loaded:
        evaluation, rows, unfit = with_corrections(self.evaluation, self.originals, located)
        mended = Loaded(self.manifest, evaluation, self.folders, corrected=True)
        mended.frozen_rows = rows
        here = {one.id for _, one in located}
        mended.not_applied = len(unfit) + sum(one.edits and one.id not in here for one in decisions)
        return mended

    def selection(self, tab: Tab, split: int, concept: int | None, thresholds: Floats, reverse: bool) -> Selection:
        """A tab, kept with the order it has worked out for as long as readers are likely to turn its pages."""
        key = (tab, split, concept, reverse, thresholds.tobytes())
        made: Selection = self._kept(key, lambda: Selection(self.evaluation, tab, split, concept, thresholds, reverse))
        return made

    def shown(self, selection: Selection, order: Order = "score", which: Which = "all", ledger: Ledger | None = None) -> Shown:
        """A tab in an order, and of it what is still to be reviewed, or was; ledger: the history of the view."""
        listed = None if order == "score" else self._ordered(selection, order)
        if ledger is None or not ledger.head:
            which = which if which in ("reviewed", "unsure") else "all"
        else:
            self.reviewed.follow(ledger)
        return self.reviewed.part(selection, which, listed)

    def _ordered(self, selection: Selection, order: Order) -> Longs:
        key = (order, selection.tab, selection.split, selection.concept, selection.reverse, selection.thresholds.tobytes())
        rows: Longs = self._kept(key, lambda: self._put_in_order(selection, order))
        return rows

    def _put_in_order(self, selection: Selection, order: Order) -> Longs:
        forward = Selection(self.evaluation, selection.tab, selection.split, selection.concept, selection.thresholds)
        rows = most_likely_first(self.suspicion, selection.shows_annotations, forward.page(0, forward.total))
        if order == "similar":
            first = rows[:LOOKED_AT]
            rows = np.concatenate([first[chained(self._likenesses(selection, first))], rows[LOOKED_AT:]])
        return rows[::-1] if selection.reverse else rows

    def _likenesses(self, selection: Selection, rows: Longs) -> Floats:
        table = self.evaluation.annotations if selection.shows_annotations else self.evaluation.predictions
        places = [self.whereabouts.location(image) for image in table.image[rows].tolist()]
        boxes = [None] * len(rows) if table.box is None else [tuple(box) for box in table.box[rows].tolist()]
        return likenesses(places, boxes)

    def _kept(self, key: tuple[Any, ...], make: Any) -> Any:
        with self._lock:
            if key not in self._selections:
                self._selections[key] = make()
            self._selections.move_to_end(key)
            while len(self._selections) > SELECTIONS:
                self._selections.popitem(last=False)
            return self._selections[key]
