"""Item selection for the four gallery tabs: count, page and threshold position.

All, Matched, Missing: sorted runs of predictions, truncated at the threshold; Extra: sorted
runs of annotations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from pellucid.core.tables import Float64Array, Int64Array
from pellucid.evaluation.evaluation import Evaluation, RunsName
from pellucid.evaluation.sorted_runs import SortedRuns, merge_page
from pellucid.evaluation.unmatched import build_unmatched_runs

Tab = Literal["all", "matched", "missing", "extra"]
TABS: tuple[Tab, ...] = ("all", "matched", "missing", "extra")


@dataclass(frozen=True, eq=False)
class TabSelection:
    """One tab of one split, of one concept (an index) or all (None), at thresholds (one per
    concept)."""

    evaluation: Evaluation
    tab: Tab
    split: int
    concept: int | None
    thresholds: Float64Array
    reverse: bool = False

    @property
    def shows_annotations(self) -> bool:
        """Whether the items are annotations (Extra) rather than predictions (the other tabs)."""
        return self.tab == "extra"

    @cached_property
    def total(self) -> int:
        """How many items the tab has."""
        return int(self._run_lengths.sum())

    def page(self, offset: int, limit: int) -> Int64Array:
        """Rows of the items from `offset`: annotations in Extra, else predictions. Costs only
        the page."""
        start, stop = max(0, min(offset, self.total)), max(0, min(offset + limit, self.total))
        if start >= stop:
            return np.zeros(0, np.int64)
        if self.reverse:
            return self._forward_page(self.total - stop, stop - start)[::-1]
        return self._forward_page(start, stop - start)

    def all_rows(self) -> Int64Array:
        """The rows of all items, unordered. Does not sort."""
        run_begin = self._runs.run_begin[self.split]
        spans = [
            np.arange(run_start, run_start + run_length)
            for run_start, run_length in zip(
                run_begin.tolist(), self._run_lengths.tolist(), strict=True
            )
            if run_length
        ]
        return (
            np.asarray(self._runs.to_table_rows(np.concatenate(spans)), np.int64)
            if spans
            else np.zeros(0, np.int64)
        )

    @property
    def threshold_position(self) -> int:
        """Index of the first item of All below its threshold, by bisection, to jump to.

        In reverse order, the first item at or above it. With all concepts, the thresholds must
        be equal.
        """
        count_above = int(
            np.minimum(
                self.evaluation.count_above_thresholds(
                    self._runs_name, self.split, self.thresholds
                ),
                self._run_lengths,
            ).sum()
        )
        return self.total - count_above if self.reverse else count_above

    def _forward_page(self, offset: int, limit: int) -> Int64Array:
        return merge_page(self._runs, self.split, self._run_lengths, offset, limit)

    @cached_property
    def _runs(self) -> SortedRuns:
        if self.tab == "extra":
            concepts = (
                np.arange(len(self.evaluation.concepts))
                if self.concept is None
                else np.array([self.concept])
            )
            return build_unmatched_runs(
                self.evaluation,
                self.evaluation.unmatched_index,
                self.split,
                concepts,
                self.thresholds,
            )
        runs: SortedRuns = getattr(self.evaluation, self._runs_name)
        return runs

    @property
    def _runs_name(self) -> RunsName:
        """Which runs of predictions the tab takes its items from."""
        if self.tab == "matched":
            return "matched"
        if self.tab == "missing":
            return "wrong"
        return "predicted_concepts" if self.concept is None else "all_predictions"

    @cached_property
    def _run_lengths(self) -> Int64Array:
        """Per concept, the number of rows of its run that belong to the tab."""
        if self.tab in ("all", "extra"):
            lengths = self._runs.lengths(self.split)
        else:
            lengths = self.evaluation.count_above_thresholds(
                self._runs_name, self.split, self.thresholds
            )
        if self.concept is not None:
            lengths = np.where(np.arange(len(lengths)) == self.concept, lengths, 0)
        return np.asarray(lengths)
