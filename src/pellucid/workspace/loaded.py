"""One state of a version in memory: whatever is asked of it is answered from here."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
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
from pellucid.understand.shown import Shown, in_order
from pellucid.understand.similar import chained
from pellucid.understand.tide import Tide, tide
from pellucid.workspace.appearance import Appearance
from pellucid.workspace.embeddings import Embeddings
from pellucid.workspace.looked import Looks
from pellucid.workspace.manifests import VersionManifest
from pellucid.workspace.mended import Originals, placed, with_corrections
from pellucid.workspace.reviewed import ReviewedItems, Which
from pellucid.workspace.sliced import FoundSlice, find_slices
from pellucid.workspace.whereabouts import Whereabouts

SELECTIONS = 24
Order = Literal["score", "mistakes", "similar"]
ORDERS: tuple[Order, ...] = ("score", "mistakes", "similar")
LOOKED_AT = 2_000
"""Items whose pictures are compared; what is less likely a mistake follows after them."""


class Loaded:
    """manifest and evaluation of one generation. folders: that the images' `root` points into. folder: the version's own, in which what
    its pictures look like is kept; None: nowhere."""

    def __init__(
        self, manifest: VersionManifest, evaluation: Evaluation, folders: list[str] | None = None, originals: Originals | None = None,
        corrected: bool = False, folder: Path | None = None, embeddings: Embeddings | None = None,
    ) -> None:  # fmt: skip
        self.manifest = manifest
        self.evaluation = evaluation
        self.folders = manifest.folders if folders is None else folders
        self.originals = originals
        self.corrected = corrected
        self.embeddings = embeddings
        self._folder = folder
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

    def slices(self, split: int, seen: Appearance | None, pictures: int = 0) -> list[FoundSlice]:
        """Where errors are more frequent than elsewhere; seen: see find_slices. pictures: looked at, where others than usual."""
        key = "slices", split, seen is None, pictures
        with self._lock:
            known = self._selections.get(key)
        if known is None:
            known = find_slices(self.evaluation, split, seen)
        found: list[FoundSlice] = self._kept(key, lambda: known)
        return found

    def tide(self, split: int) -> Tide | None:
        """What fixing each kind of mistake would gain."""
        found: Tide | None = self._kept(("tide", split), lambda: tide(self.evaluation, split))
        return found

    @cached_property
    def looks(self) -> Looks:
        return Looks(self.evaluation, self.whereabouts, self._folder)

    def appearance(self, split: int) -> Appearance:
        """How the items of a split look; reads its pictures where they were not read before."""
        looked = self.looks.read(split)  # not under the lock: it may take minutes, and others turn pages meanwhile
        found: Appearance = self._kept(("appearance", split), lambda: Appearance(self.evaluation, looked, self.embeddings))
        return found

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
        mended = Loaded(self.manifest, evaluation, self.folders, corrected=True, embeddings=self.embeddings)
        mended.frozen_rows = rows
        here = {one.id for _, one in located}
        mended.not_applied = len(unfit) + sum(one.edits and one.id not in here for one in decisions)
        return mended

    def selection(self, tab: Tab, split: int, concept: int | None, thresholds: Floats, reverse: bool) -> Selection:
        """A tab, kept with the order it has worked out for as long as readers are likely to turn its pages."""
        key = (tab, split, concept, reverse, thresholds.tobytes())
        made: Selection = self._kept(key, lambda: Selection(self.evaluation, tab, split, concept, thresholds, reverse))
        return made

    def shown(
        self, selection: Selection, order: Order = "score", which: Which = "all", ledger: Ledger | None = None, only: Longs | None = None
    ) -> Shown:
        """A tab in an order, and of it what is still to be reviewed, or was; ledger: the history of the view. only: the rows that it is
        narrowed down to, in the tab's own order."""
        if order == "score":
            listed = only
        else:
            listed = self._ordered(selection, order) if only is None else self._put_in_order(selection, order, only)
        if ledger is None or not ledger.head:
            which = which if which in ("reviewed", "unsure") else "all"
        else:
            self.reviewed.follow(ledger)
        return self.reviewed.part(selection, which, listed)

    def _ordered(self, selection: Selection, order: Order) -> Longs:
        key = (order, selection.tab, selection.split, selection.concept, selection.reverse, selection.thresholds.tobytes())
        rows: Longs = self._kept(key, lambda: self._put_in_order(selection, order, selection.every()))
        return rows

    def _put_in_order(self, selection: Selection, order: Order, rows: Longs) -> Longs:
        rows = most_likely_first(self.suspicion, selection.shows_annotations, in_order(replace(selection, reverse=False), rows))
        if order == "similar":
            first = rows[:LOOKED_AT]
            rows = np.concatenate([first[chained(self._likenesses(selection, first))], rows[LOOKED_AT:]])
        return rows[::-1] if selection.reverse else rows

    def _likenesses(self, selection: Selection, rows: Longs) -> Floats:
        table = self.evaluation.annotations if selection.shows_annotations else self.evaluation.predictions
        places = [self.whereabouts.location(image) for image in table.image[rows].tolist()]
        boxes = [None] * len(rows) if table.box is None else [tuple(box) for box in table.box[rows].tolist()]
        return likenesses(places, boxes)

    def narrowed(self, selection: Selection, only: tuple[str, ...], others: object, make: Callable[[], Longs]) -> Longs:
        """What a tab is narrowed down to, kept as its orders are. others: the state of what else it depends on."""
        key = (only, others, selection.tab, selection.split, selection.concept, selection.reverse, selection.thresholds.tobytes())
        with self._lock:
            known = self._selections.get(key)
        rows: Longs = make() if known is None else known
        self._kept(key, lambda: rows)
        return rows

    def _kept(self, key: tuple[Any, ...], make: Any) -> Any:
        with self._lock:
            if key not in self._selections:
                self._selections[key] = make()
            self._selections.move_to_end(key)
            while len(self._selections) > SELECTIONS:
                self._selections.popitem(last=False)
            return self._selections[key]
