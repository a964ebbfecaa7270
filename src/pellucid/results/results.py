"""The results of a version, held in memory, with cached derived results."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pellucid.analysis.tide import Tide, tide
from pellucid.browse.label_errors import Suspicion, most_likely_first, suspicion
from pellucid.browse.list_views import Shown, in_order
from pellucid.browse.selection import Selection, Tab
from pellucid.browse.similarity_order import chained
from pellucid.core.tables import Float64Array, Int64Array
from pellucid.evaluation.bootstrap import Interval, threshold_intervals
from pellucid.evaluation.error_causes import ImageRows
from pellucid.evaluation.evaluation import Evaluation
from pellucid.images.descriptors import likenesses
from pellucid.results.embeddings import Embeddings
from pellucid.results.image_stats import ImageStatsCache
from pellucid.results.similarity import Appearance
from pellucid.results.slices import ErrorSlice, find_slices
from pellucid.review.apply import group_effective_decisions
from pellucid.review.corrected import OriginalAnnotations, correct_evaluation, locate_decisions
from pellucid.review.events import Decision, DecisionLog
from pellucid.review.image_locator import ImageLocator
from pellucid.review.index import ReviewFilter, ReviewIndex
from pellucid.storage.manifests import VersionManifest

CACHE_SIZE = 24
Order = Literal["score", "mistakes", "similar"]
ORDERS: tuple[Order, ...] = ("score", "mistakes", "similar")
SIMILARITY_LIMIT = 2_000
"""Most items sorted by similarity; items less likely to be label errors follow in their own order."""


class Results:
    """Manifest and evaluation of one generation. folders: indexed by the images' `root`. folder: of the version, where image
    statistics are cached; None: no cache on disk."""

    def __init__(
        self, manifest: VersionManifest, evaluation: Evaluation, folders: list[str] | None = None, originals: OriginalAnnotations | None = None,
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
        """With corrections: decisions that cannot be applied because their image or annotation no longer exists."""
        self.frozen_rows: Int64Array | None = None
        """With corrections: the row of each annotation in the frozen table, -1 for a new annotation."""
        self._cache: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        self._lock = threading.RLock()
        self._corrected_results: tuple[tuple[int, ...], Results] | None = None
        self._corrected_head = -1

    @cached_property
    def neighbours(self) -> ImageRows:
        return ImageRows(self.evaluation)

    @cached_property
    def image_locator(self) -> ImageLocator:
        return ImageLocator(self.evaluation.images, self.folders)

    @cached_property
    def intervals(self) -> list[Interval | None]:
        return threshold_intervals(self.evaluation)

    @cached_property
    def suspicion(self) -> Suspicion:
        return suspicion(self.evaluation)

    def slices(self, split: int, appearance: Appearance | None, picture_limit: int = 0) -> list[ErrorSlice]:
        """Slices with a higher error rate. appearance: see find_slices. picture_limit: part of the cache key if not the default."""
        key = "slices", split, appearance is None, picture_limit
        with self._lock:
            cached_slices = self._cache.get(key)
        if cached_slices is None:
            cached_slices = find_slices(self.evaluation, split, appearance)
        error_slices: list[ErrorSlice] = self._get_or_compute(key, lambda: cached_slices)
        return error_slices

    def tide(self, split: int) -> Tide | None:
        """AP gained by fixing each type of error (TIDE)."""
        tide_figures: Tide | None = self._get_or_compute(("tide", split), lambda: tide(self.evaluation, split))
        return tide_figures

    @cached_property
    def image_stats_cache(self) -> ImageStatsCache:
        return ImageStatsCache(self.evaluation, self.image_locator, self._folder)

    def appearance(self, split: int) -> Appearance:
        """Features of the items of a split; reads pictures that are not cached."""
        image_stats = self.image_stats_cache.read(split)  # outside the lock: it may take minutes, and must not block other requests
        split_appearance: Appearance = self._get_or_compute(("appearance", split), lambda: Appearance(self.evaluation, image_stats, self.embeddings))
        return split_appearance

    @cached_property
    def reviewed_items(self) -> ReviewIndex:
        return ReviewIndex(self.evaluation, self.neighbours, self.image_locator, None if self.corrected else self.manifest.corrected_to)

    def apply_corrections(self, decision_log: DecisionLog) -> Results:
        """Results evaluated against the corrected annotations; self if there are no corrections."""
        with self._lock:
            if self._corrected_head != decision_log.head:
                head, decisions = decision_log.head, decision_log.active_decisions()
                located_decisions = locate_decisions(self.image_locator, decisions)
                decision_ids = tuple(decision.id for image_decisions in group_effective_decisions(self.evaluation.kind, located_decisions).values() for decision in image_decisions)
                if self._corrected_results is None or self._corrected_results[0] != decision_ids:  # decisions that confirm annotations change nothing
                    self._corrected_results = decision_ids, self._build_corrected(decisions, located_decisions) if decision_ids or self.originals is not None else self
                self._corrected_head = head
            assert self._corrected_results is not None
            return self._corrected_results[1]

    def _build_corrected(self, decisions: list[Decision], located_decisions: list[tuple[int, Decision]]) -> Results:
        evaluation, frozen_rows, inapplicable_ids = correct_evaluation(self.evaluation, self.originals, located_decisions)
        corrected_results = Results(self.manifest, evaluation, self.folders, corrected=True, embeddings=self.embeddings)
        corrected_results.frozen_rows = frozen_rows
        located_ids = {decision.id for _, decision in located_decisions}
        corrected_results.not_applied = len(inapplicable_ids) + sum(decision.is_edit and decision.id not in located_ids for decision in decisions)
        return corrected_results

    def selection(self, tab: Tab, split: int, concept: int | None, thresholds: Float64Array, reverse: bool) -> Selection:
        """The selection of a tab, cached with its order."""
        key = (tab, split, concept, reverse, thresholds.tobytes())
        selection: Selection = self._get_or_compute(key, lambda: Selection(self.evaluation, tab, split, concept, thresholds, reverse))
        return selection

    def list_view(
        self, selection: Selection, order: Order = "score", review_filter: ReviewFilter = "all", decision_log: DecisionLog | None = None, filtered_rows: Int64Array | None = None
    ) -> Shown:
        """A tab in the given order, filtered by review state. decision_log: of the view. filtered_rows: the rows left by
        the filters, in the tab's default order."""
        if order == "score":
            ordered_rows = filtered_rows
        else:
            ordered_rows = self._rows_in_order(selection, order) if filtered_rows is None else self._sort_rows(selection, order, filtered_rows)
        if decision_log is None or not decision_log.head:
            review_filter = review_filter if review_filter in ("reviewed", "unsure") else "all"
        else:
            self.reviewed_items.update(decision_log)
        return self.reviewed_items.filter_selection(selection, review_filter, ordered_rows)

    def _rows_in_order(self, selection: Selection, order: Order) -> Int64Array:
        key = (order, selection.tab, selection.split, selection.concept, selection.reverse, selection.thresholds.tobytes())
        item_rows: Int64Array = self._get_or_compute(key, lambda: self._sort_rows(selection, order, selection.every()))
        return item_rows

    def _sort_rows(self, selection: Selection, order: Order, item_rows: Int64Array) -> Int64Array:
        item_rows = most_likely_first(self.suspicion, selection.shows_annotations, in_order(replace(selection, reverse=False), item_rows))
        if order == "similar":
            likeliest_rows = item_rows[:SIMILARITY_LIMIT]
            item_rows = np.concatenate([likeliest_rows[chained(self._descriptors(selection, likeliest_rows))], item_rows[SIMILARITY_LIMIT:]])
        return item_rows[::-1] if selection.reverse else item_rows

    def _descriptors(self, selection: Selection, item_rows: Int64Array) -> Float64Array:
        item_table = self.evaluation.annotations if selection.shows_annotations else self.evaluation.predictions
        picture_locations = [self.image_locator.location(image_row) for image_row in item_table.image[item_rows].tolist()]
        boxes = [None] * len(item_rows) if item_table.box is None else [tuple(box) for box in item_table.box[item_rows].tolist()]
        return likenesses(picture_locations, boxes)

    def filter_rows(self, selection: Selection, filters: tuple[str, ...], dependencies: object, compute: Callable[[], Int64Array]) -> Int64Array:
        """Rows of a tab left by the filters, cached. dependencies: the state of other data that the filters use."""
        key = (filters, dependencies, selection.tab, selection.split, selection.concept, selection.reverse, selection.thresholds.tobytes())
        with self._lock:
            cached_rows = self._cache.get(key)
        item_rows: Int64Array = compute() if cached_rows is None else cached_rows
        self._get_or_compute(key, lambda: item_rows)
        return item_rows

    def _get_or_compute(self, key: tuple[Any, ...], compute: Any) -> Any:
        with self._lock:
            if key not in self._cache:
                self._cache[key] = compute()
            self._cache.move_to_end(key)
            while len(self._cache) > CACHE_SIZE:
                self._cache.popitem(last=False)
            return self._cache[key]
