"""The four tabs as orders over rows: count, page, position of the threshold.

All, Matched and Missing are sorted runs of predictions, cut at the threshold; Extra is sorted runs of annotations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from pellucid.core.tables import Float64Array, Int64Array
from pellucid.evaluation.evaluation import Evaluation, RunsName
from pellucid.evaluation.sorted_runs import SortedRuns, merged_page
from pellucid.evaluation.unmatched import unmatched_runs

Tab = Literal["all", "matched", "missing", "extra"]
TABS: tuple[Tab, ...] = ("all", "matched", "missing", "extra")


@dataclass(frozen=True, eq=False)
class Selection:
    """One tab of one split, of one concept (a position) or all (None), at thresholds (one a concept)."""

    evaluation: Evaluation
    tab: Tab
    split: int
    concept: int | None
    thresholds: Float64Array
    reverse: bool = False

    @property
    def shows_annotations(self) -> bool:
        """Extra's items are annotations; those of the other tabs are predictions."""
        return self.tab == "extra"

    @cached_property
    def total(self) -> int:
        return int(self._lengths.sum())

    def page(self, offset: int, limit: int) -> Int64Array:
        """Rows of the items at `offset` and on: of predictions, in Extra of annotations. Costs the page."""
        first, last = max(0, min(offset, self.total)), max(0, min(offset + limit, self.total))
        if first >= last:
            return np.zeros(0, np.int64)
        if self.reverse:
            return self._forward(self.total - last, last - first)[::-1]
        return self._forward(first, last - first)

    def every(self) -> Int64Array:
        """The rows of all items, in no order. Costs no sorting."""
        begin = self._runs.run_begin[self.split]
        pieces = [np.arange(first, first + number) for first, number in zip(begin.tolist(), self._lengths.tolist(), strict=True) if number]
        return np.asarray(self._runs.to_table_rows(np.concatenate(pieces)), np.int64) if pieces else np.zeros(0, np.int64)

    @property
    def threshold_position(self) -> int:
        """Where the first item of All under its threshold stands: a jump target, by bisection.

        In reverse, where the first item at or over it stands. With all concepts the thresholds must be one value.
        """
        over = int(np.minimum(self.evaluation.count_above_thresholds(self._list, self.split, self.thresholds), self._lengths).sum())
        return self.total - over if self.reverse else over

    def _forward(self, offset: int, limit: int) -> Int64Array:
        return merged_page(self._runs, self.split, self._lengths, offset, limit)

    @cached_property
    def _runs(self) -> SortedRuns:
        if self.tab == "extra":
            concepts = np.arange(len(self.evaluation.concepts)) if self.concept is None else np.array([self.concept])
            return unmatched_runs(self.evaluation, self.evaluation.unmatched_index, self.split, concepts, self.thresholds)
        found: SortedRuns = getattr(self.evaluation, self._list)
        return found

    @property
    def _list(self) -> RunsName:
        """Of which predictions the tab is a part."""
        if self.tab == "matched":
            return "matched"
        if self.tab == "missing":
            return "wrong"
        return "predicted_concepts" if self.concept is None else "all_predictions"

    @cached_property
    def _lengths(self) -> Int64Array:
        """Per concept, how many rows of its run belong to the tab."""
        if self.tab in ("all", "extra"):
            lengths = self._runs.lengths(self.split)
        else:
            lengths = self.evaluation.count_above_thresholds(self._list, self.split, self.thresholds)
        if self.concept is not None:
            lengths = np.where(np.arange(len(lengths)) == self.concept, lengths, 0)
        return np.asarray(lengths)
