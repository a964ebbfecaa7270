"""A tab with some of its items left out, or in an order of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from pellucid.browse.selection import Selection, Tab
from pellucid.core.tables import NOT_RUN, BoolArray, Float64Array, Int64Array
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.match_result import MATCHED, NOT_HIGHEST, WRONG
from pellucid.evaluation.unmatched import best_overlaps, concept_scores


class Shown(Protocol):
    """What a list of items is asked for; see Selection."""

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
class Part:
    """Of a selection."""

    selection: Selection

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
class Listed(Part):
    """Rows of a selection in an order of their own."""

    rows: Int64Array

    @property
    def total(self) -> int:
        return len(self.rows)

    @property
    def threshold_position(self) -> int:
        """How many of the rows are on the near side of the threshold: where it stands, as long as they are in the order of scores."""
        table = self.evaluation.predictions
        over = table.score[self.rows] >= self.thresholds[table.concept[self.rows]]
        return int((~over if self.selection.reverse else over).sum())

    def page(self, offset: int, limit: int) -> Int64Array:
        return self.rows[max(0, offset) : max(0, offset + limit)]


@dataclass(frozen=True, eq=False)
class Without(Part):
    """A selection in its own order without some of its rows. tail: those of them that come at the end after all."""

    left_out: Int64Array
    tail: Int64Array

    @cached_property
    def kept(self) -> int:
        return self.selection.total - len(self.left_out)

    @property
    def total(self) -> int:
        return self.kept + len(self.tail)

    @property
    def threshold_position(self) -> int:
        position = self.selection.threshold_position
        return position - self._left_out_before(position)

    def page(self, offset: int, limit: int) -> Int64Array:
        """Costs the page and the logarithm of what is left out."""
        first, last = max(0, min(offset, self.kept)), max(0, min(offset + limit, self.kept))
        found = [np.zeros(0, np.int64)]
        wanted = last - first
        if wanted > 0 and last + len(self.left_out) <= AT_ONCE:
            rows = self.selection.page(0, last + len(self.left_out))
            found.append(rows[~np.isin(rows, self.left_out)][first:last])
            wanted = 0
        place = self._place_of(first) if wanted else 0
        while wanted > 0:
            rows = self.selection.page(place, wanted + STEP)
            place += len(rows)
            rows = rows[~np.isin(rows, self.left_out)][:wanted]
            wanted -= len(rows)
            found.append(rows)
        found.append(self.tail[max(0, offset - self.kept) : max(0, offset + limit - self.kept)])
        return np.concatenate(found)

    def _place_of(self, position: int) -> int:
        """From which place of the selection on the items at `position` and after lie: by bisection."""
        low, high = position, position + len(self.left_out)
        while low < high:
            middle = (low + high + 1) // 2
            if middle - self._left_out_before(middle) <= position:
                low = middle
            else:
                high = middle - 1
        return low

    def _left_out_before(self, place: int) -> int:
        if place >= self.selection.total:
            return len(self.left_out)
        weight, image, order = self._keys
        own_weight, own_image, own_order = (column[0] for column in keys(self.selection, self.selection.page(place, 1)))
        tied = weight == own_weight
        before = (weight > own_weight) | (tied & (image < own_image)) | (tied & (image == own_image) & (order < own_order))
        if not self.selection.reverse:
            return int(before.sum())
        same = tied & (image == own_image) & (order == own_order)
        return int((~before & ~same).sum())

    @cached_property
    def _keys(self) -> tuple[Float64Array, Int64Array, Int64Array]:
        return keys(self.selection, self.left_out)


STEP = 64
"""Rows fetched beyond a page, in case some are left out."""
AT_ONCE = 4_000
"""Rows up to which a list is read from its beginning rather than searched for where a page begins."""


def keys(selection: Selection, rows: Int64Array) -> tuple[Float64Array, Int64Array, Int64Array]:
    """What a tab's rows are sorted by: weight falling, then image, then input order."""
    evaluation = selection.evaluation
    if not selection.shows_annotations:
        table = evaluation.predictions
        return table.score[rows], np.asarray(table.image[rows], np.int64), np.asarray(table.order[rows], np.int64)
    boxes = evaluation.kind == "detection"
    weight = -best_overlaps(evaluation, rows, selection.thresholds)[0] if boxes else concept_scores(evaluation, rows)
    return weight, np.asarray(evaluation.annotations.image[rows], np.int64), np.asarray(rows, np.int64)


def in_order(selection: Selection, rows: Int64Array) -> Int64Array:
    """Rows of a selection, sorted as it sorts them."""
    weight, image, order = keys(selection, rows)
    rows = rows[np.lexsort((order, image, -weight))]
    return rows[::-1] if selection.reverse else rows


def inside(selection: Selection, rows: Int64Array) -> BoolArray:
    """Which rows (of predictions, in Extra of annotations) a selection holds."""
    evaluation, tab = selection.evaluation, selection.tab
    table = evaluation.annotations if selection.shows_annotations else evaluation.predictions
    found = evaluation.images.split[table.image[rows]] == selection.split
    if selection.concept is not None:
        found &= table.concept[rows] == selection.concept
    threshold = selection.thresholds[table.concept[rows]]
    if tab == "extra":
        annotations = evaluation.annotations
        counted = annotations.positive[rows] & ~annotations.ignore[rows] & (evaluation.coverage[annotations.image[rows]] != NOT_RUN)
        return np.asarray(found & counted & (evaluation.answer_score[rows] < threshold))
    if tab == "all":
        once = evaluation.kind == "classification" and selection.concept is None
        return np.asarray(found & (evaluation.state[rows] != NOT_HIGHEST) if once else found)
    state = MATCHED if tab == "matched" else WRONG
    return np.asarray(found & (evaluation.state[rows] == state) & (evaluation.predictions.score[rows] >= threshold))
