"""The four tabs as orders over rows: count, page, position of the threshold.

All, Matched and Missing are sorted runs of predictions, cut at the threshold; Extra is an order over annotations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from pellucid.columns import Floats, Longs
from pellucid.understand.evaluation import Evaluation
from pellucid.understand.runs import Runs, at_or_over, page_of_runs

Tab = Literal["all", "matched", "missing", "extra"]
TABS: tuple[Tab, ...] = ("all", "matched", "missing", "extra")


@dataclass(frozen=True, eq=False)
class Selection:
    """One tab of one split, of one concept (a position) or all (None), at thresholds (one a concept)."""

    evaluation: Evaluation
    tab: Tab
    split: int
    concept: int | None
    thresholds: Floats
    reverse: bool = False

    @property
    def shows_annotations(self) -> bool:
        """Extra's items are annotations; those of the other tabs are predictions."""
        return self.tab == "extra"

    @cached_property
    def total(self) -> int:
        return len(self._extra) if self.tab == "extra" else int(self._lengths.sum())

    def page(self, offset: int, limit: int) -> Longs:
        """Rows of the items at `offset` and on: of predictions, in Extra of annotations. Costs the page."""
        first, last = max(0, min(offset, self.total)), max(0, min(offset + limit, self.total))
        if first >= last:
            return np.zeros(0, np.int64)
        if self.reverse:
            return self._forward(self.total - last, last - first)[::-1]
        return self._forward(first, last - first)

    @property
    def threshold_position(self) -> int:
        """Where the first item of All under its threshold stands: a jump target, by bisection.

        In reverse, where the first item at or over it stands. With all concepts the thresholds must be one value.
        """
        over = int(np.minimum(at_or_over(self._runs, self.split, self.thresholds), self._lengths).sum())
        return self.total - over if self.reverse else over

    def _forward(self, offset: int, limit: int) -> Longs:
        if self.tab == "extra":
            return self._extra[offset : offset + limit]
        return page_of_runs(self._runs, self.split, self._lengths, offset, limit)

    @cached_property
    def _runs(self) -> Runs:
        if self.tab == "matched":
            return self.evaluation.matched
        if self.tab == "missing":
            return self.evaluation.wrong
        return self.evaluation.predicted_concepts if self.concept is None else self.evaluation.all_predictions

    @cached_property
    def _lengths(self) -> Longs:
        """Per concept, how many rows of its run belong to the tab."""
        if self.tab == "all":
            lengths = np.diff(self._runs.start[self.split])
        else:
            lengths = at_or_over(self._runs, self.split, self.thresholds)
        if self.concept is not None:
            lengths = np.where(np.arange(len(lengths)) == self.concept, lengths, 0)
        return np.asarray(lengths)

    @cached_property
    def _extra(self) -> Longs:
        return extra_annotations(self.evaluation, self.split, self.concept, self.thresholds)


def extra_annotations(evaluation: Evaluation, split: int, concept: int | None, thresholds: Floats) -> Longs:
    """Annotations matched by no prediction at or over the threshold, in the order of the tab Extra.

    Boxes: lowest best match first. Images: the image's score for the concept, highest first (none counts as 0).
    Ties: image path, then input order.
    """
    start = evaluation.annotation_start[split]
    begin, end = (start[0], start[-1]) if concept is None else (start[concept], start[concept + 1])
    rows = evaluation.counted_annotations[begin:end]
    rows = rows[evaluation.answer_score[rows] < thresholds[evaluation.annotations.concept[rows]]]
    if evaluation.kind == "detection":
        key, _ = best_match(evaluation, rows, thresholds)
    else:
        key = -own_score(evaluation, rows)
    return rows[np.lexsort((rows, evaluation.annotations.image[rows], key))]


def own_score(evaluation: Evaluation, rows: Longs) -> Floats:
    """The image's score for the annotation's concept; 0 where the model gave none."""
    own = evaluation.own[rows]
    if not len(evaluation.predictions):
        return np.zeros(len(rows))
    return np.where(own >= 0, evaluation.predictions.score[own], 0.0)


def best_match(evaluation: Evaluation, rows: Longs, thresholds: Floats) -> tuple[Floats, Floats]:
    """The highest IoU of each annotation with a same-concept prediction under the threshold, and its score.

    IoU 0 and score NaN where there is none. Of equal IoUs, the higher score.
    """
    stairs = evaluation.staircase
    if stairs is None or not len(stairs.score):
        return np.zeros(len(rows)), np.full(len(rows), np.nan)
    low, end = stairs.start[rows], stairs.start[rows + 1]
    first, high = low.copy(), end.copy()
    wanted = thresholds[evaluation.annotations.concept[rows]]
    while (active := low < high).any():
        middle = (low + high) // 2
        under = stairs.score[np.minimum(middle, len(stairs.score) - 1)] < wanted
        low, high = np.where(active & under, middle + 1, low), np.where(active & ~under, middle, high)
    step = np.maximum(low - 1, 0)
    some = low > first
    return np.where(some, stairs.iou[step], 0.0), np.where(some, stairs.score[step], np.nan)
