"""List views: a tab with some items excluded, or in another order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from pellucid.browse.selection import Tab, TabSelection
from pellucid.core.tables import NOT_RUN, BoolArray, Float64Array, Int64Array
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.match_result import MATCHED, NOT_HIGHEST, WRONG
from pellucid.evaluation.unmatched import best_overlaps, concept_scores


class ListView(Protocol):
    """Interface of a list of gallery items; see TabSelection."""

    @property
    def evaluation(self) -> Evaluation: ...
    @property
    def tab(self) -> Tab: ...
    @property
    def thresholds(self) -> Float64Array: ...
    @property
    def shows_annotations(self) -> bool: ...
    @property
    def total(self) -> int: ...
    @property
    def threshold_position(self) -> int: ...
    def page(self, offset: int, limit: int) -> Int64Array: ...


@dataclass(frozen=True, eq=False)
class _SelectionView:
    """Base of the views of one selection."""

    selection: TabSelection

    @property
    def evaluation(self) -> Evaluation:
        return self.selection.evaluation

    @property
    def tab(self) -> Tab:
        return self.selection.tab

    @property
    def thresholds(self) -> Float64Array:
        return self.selection.thresholds

    @property
    def shows_annotations(self) -> bool:
        return self.selection.shows_annotations


@dataclass(frozen=True, eq=False)
class OrderedView(_SelectionView):
    """Rows of a selection in a custom order."""

    ordered_rows: Int64Array

    @property
    def total(self) -> int:
        return len(self.ordered_rows)

    @property
    def threshold_position(self) -> int:
        """The number of rows before the threshold, which is its position if the rows are sorted
        by score."""
        predictions = self.evaluation.predictions
        is_above = (
            predictions.score[self.ordered_rows]
            >= self.thresholds[predictions.concept[self.ordered_rows]]
        )
        return int((~is_above if self.selection.reverse else is_above).sum())

    def page(self, offset: int, limit: int) -> Int64Array:
        return self.ordered_rows[max(0, offset) : max(0, offset + limit)]


@dataclass(frozen=True, eq=False)
class FilteredView(_SelectionView):
    """A selection without its excluded rows, in its order.

    Attributes:
        tail_rows: excluded rows appended at the end
    """

    excluded_rows: Int64Array
    tail_rows: Int64Array

    @cached_property
    def kept_count(self) -> int:
        return self.selection.total - len(self.excluded_rows)

    @property
    def total(self) -> int:
        return self.kept_count + len(self.tail_rows)

    @property
    def threshold_position(self) -> int:
        position = self.selection.threshold_position
        return position - self._count_excluded_before(position)

    def page(self, offset: int, limit: int) -> Int64Array:
        """Costs the page size plus the logarithm of the number of excluded rows."""
        start, stop = (
            max(0, min(offset, self.kept_count)),
            max(0, min(offset + limit, self.kept_count)),
        )
        pieces = [np.zeros(0, np.int64)]
        remaining = stop - start
        if remaining > 0 and stop + len(self.excluded_rows) <= SCAN_LIMIT:
            selection_rows = self.selection.page(0, stop + len(self.excluded_rows))
            pieces.append(selection_rows[~np.isin(selection_rows, self.excluded_rows)][start:stop])
            remaining = 0
        base_offset = self._base_offset(start) if remaining else 0
        while remaining > 0:
            selection_rows = self.selection.page(base_offset, remaining + PAGE_OVERFETCH)
            base_offset += len(selection_rows)
            selection_rows = selection_rows[~np.isin(selection_rows, self.excluded_rows)][
                :remaining
            ]
            remaining -= len(selection_rows)
            pieces.append(selection_rows)
        pieces.append(
            self.tail_rows[
                max(0, offset - self.kept_count) : max(0, offset + limit - self.kept_count)
            ]
        )
        return np.concatenate(pieces)

    def _base_offset(self, position: int) -> int:
        """The offset in the selection of the item at `position` of this view, by bisection."""
        low, high = position, position + len(self.excluded_rows)
        while low < high:
            middle = (low + high + 1) // 2
            if middle - self._count_excluded_before(middle) <= position:
                low = middle
            else:
                high = middle - 1
        return low

    def _count_excluded_before(self, base_offset: int) -> int:
        if base_offset >= self.selection.total:
            return len(self.excluded_rows)
        weights, images, input_orders = self._excluded_keys
        offset_weight, offset_image, offset_input_order = (
            key[0] for key in sort_keys(self.selection, self.selection.page(base_offset, 1))
        )
        is_tied = weights == offset_weight
        is_before = (
            (weights > offset_weight)
            | (is_tied & (images < offset_image))
            | (is_tied & (images == offset_image) & (input_orders < offset_input_order))
        )
        if not self.selection.reverse:
            return int(is_before.sum())
        is_same = is_tied & (images == offset_image) & (input_orders == offset_input_order)
        return int((~is_before & ~is_same).sum())

    @cached_property
    def _excluded_keys(self) -> tuple[Float64Array, Int64Array, Int64Array]:
        return sort_keys(self.selection, self.excluded_rows)


PAGE_OVERFETCH = 64
"""Extra rows fetched with each page, because some may be excluded."""
SCAN_LIMIT = 4_000
"""Row limit up to which a list is scanned from the start instead of bisected for the page's
start."""


def sort_keys(
    selection: TabSelection, selection_rows: Int64Array
) -> tuple[Float64Array, Int64Array, Int64Array]:
    """Sort keys of a tab's rows: weight (descending), image, input order."""
    evaluation = selection.evaluation
    if not selection.shows_annotations:
        predictions = evaluation.predictions
        return (
            predictions.score[selection_rows],
            np.asarray(predictions.image[selection_rows], np.int64),
            np.asarray(predictions.order[selection_rows], np.int64),
        )
    has_boxes = evaluation.kind == "detection"
    weight = (
        -best_overlaps(evaluation, selection_rows, selection.thresholds)[0]
        if has_boxes
        else concept_scores(evaluation, selection_rows)
    )
    return (
        weight,
        np.asarray(evaluation.annotations.image[selection_rows], np.int64),
        np.asarray(selection_rows, np.int64),
    )


def sort_selection_rows(selection: TabSelection, selection_rows: Int64Array) -> Int64Array:
    """Rows of a selection in the selection's order."""
    weight, image, input_order = sort_keys(selection, selection_rows)
    selection_rows = selection_rows[np.lexsort((input_order, image, -weight))]
    return selection_rows[::-1] if selection.reverse else selection_rows


def selection_mask(selection: TabSelection, candidate_rows: Int64Array) -> BoolArray:
    """Which rows (annotations in Extra, else predictions) belong to a selection."""
    evaluation, tab = selection.evaluation, selection.tab
    item_table = evaluation.item_table(selection.shows_annotations)
    mask = evaluation.images.split[item_table.image[candidate_rows]] == selection.split
    if selection.concept is not None:
        mask &= item_table.concept[candidate_rows] == selection.concept
    threshold = selection.thresholds[item_table.concept[candidate_rows]]
    if tab == "extra":
        annotations = evaluation.annotations
        is_matchable = (
            annotations.positive[candidate_rows]
            & ~annotations.ignore[candidate_rows]
            & (evaluation.coverage[annotations.image[candidate_rows]] != NOT_RUN)
        )
        return np.asarray(
            mask & is_matchable & (evaluation.matched_score[candidate_rows] < threshold)
        )
    if tab == "all":
        highest_only = evaluation.kind == "classification" and selection.concept is None
        return np.asarray(
            mask & (evaluation.state[candidate_rows] != NOT_HIGHEST) if highest_only else mask
        )
    state = MATCHED if tab == "matched" else WRONG
    return np.asarray(
        mask
        & (evaluation.state[candidate_rows] == state)
        & (evaluation.predictions.score[candidate_rows] >= threshold)
    )


def sort_by_size(selection: TabSelection, rows: Int64Array) -> Int64Array:
    """The largest boxes first; ties, and items without boxes, in the tab's order.

    Args:
        rows: in that order
    """
    evaluation = selection.evaluation
    table = evaluation.item_table(selection.shows_annotations)
    if table.box is None:
        return rows
    sides = np.asarray(table.box[rows, 2:], np.float64)
    return rows[np.argsort(-sides[:, 0] * sides[:, 1], kind="stable")]


def sort_by_margin(selection: TabSelection, rows: Int64Array) -> Int64Array:
    """Predictions by their score minus their own concept's threshold, highest first; ties by image,
    then input order. Annotations stay in their order."""
    if selection.shows_annotations:
        return rows
    predictions = selection.evaluation.predictions
    margins = predictions.score[rows] - selection.thresholds[predictions.concept[rows]]
    return rows[np.lexsort((predictions.order[rows], predictions.image[rows], -margins))]
