"""How many items of each tab and concept satisfy the filters of a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pellucid.browse.selection import Tab
from pellucid.core.tables import Float64Array, Int64Array
from pellucid.evaluation.counts import Histogram, histogram, histogram_of_rows
from pellucid.results.filters import RANKING_KEYS

if TYPE_CHECKING:
    from pellucid.results.results import Results


@dataclass(frozen=True, eq=False)
class FilteredCounts:
    """Counts of the tabs under filters.

    Attributes:
        all: items of the tab All, of one concept or all
        tp, fp, fn: int64, of each concept
        scores: of the items of a tab, in the bins of the whole of All
    """

    all: int
    tp: Int64Array
    fp: Int64Array
    fn: Int64Array
    scores: Histogram


def filter_tab(
    results: Results,
    tab: Tab,
    split: int,
    concept: int | None,
    thresholds: Float64Array,
    filters: tuple[str, ...],
) -> Int64Array:
    """The rows of a tab that satisfy the filters, other than `like` and `text`, which ask for a
    number of items and not for a property. Raises FilterError."""
    clauses = tuple(c for c in filters if c.partition(":")[0] not in RANKING_KEYS)
    selection = results.selection(tab, split, concept, thresholds, False)
    filtered = results.filtered_rows(selection, clauses)
    return np.asarray(selection.all_rows() if filtered is None else filtered, np.int64)


def count_filtered(
    results: Results,
    tab: Tab,
    split: int,
    concept: int | None,
    thresholds: Float64Array,
    filters: tuple[str, ...],
    bins: int,
) -> FilteredCounts:
    """Count the items of every tab that satisfy the filters. See filter_tab.

    tab: whose predictions the scores are of; of All for Extra · concept: of the tab All and of the
    scores; None for all concepts.

    Raises:
        FilterError: a filter cannot be read.
    """

    def rows(tab: Tab, of_concept: int | None) -> Int64Array:
        return filter_tab(results, tab, split, of_concept, thresholds, filters)

    evaluation = results.evaluation
    predicted, annotated = evaluation.predictions.concept, evaluation.annotations.concept
    size = len(evaluation.concepts)
    all_rows = rows("all", concept)
    scored_rows = all_rows if tab in ("all", "extra") else rows(tab, concept)
    whole = histogram(evaluation, split, concept, bins)
    return FilteredCounts(
        len(all_rows),
        np.bincount(predicted[rows("matched", None)], minlength=size),
        np.bincount(predicted[rows("missing", None)], minlength=size),
        np.bincount(annotated[rows("extra", None)], minlength=size),
        histogram_of_rows(evaluation, scored_rows, whole.edges),
    )
