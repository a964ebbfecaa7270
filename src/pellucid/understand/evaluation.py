"""A version understood: its predictions in gallery order with their outcomes, ready for every question."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from pellucid.columns import (
    NOT_RUN,
    SPLITS,
    Annotations,
    Bytes,
    Flags,
    Floats,
    Images,
    Integers,
    Kind,
    Longs,
    Predictions,
)
from pellucid.understand.matching import IGNORED, MATCHED, NOT_HIGHEST, WRONG, Staircase, match
from pellucid.understand.runs import Runs, make_runs
from pellucid.understand.thresholds import Counted, Threshold, thresholds_of

VALIDATION = SPLITS.index("validation")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Everything that does not depend on a threshold.

    images are sorted by path, so that an image's position is its rank among ties. predictions are sorted
    by (split, concept, score descending, image, input order); state, partner and iou are theirs (see Matching).
    annotations keep their input order; answer and own (rows of predictions, -1 for none) are theirs.
    """

    kind: Kind
    concepts: tuple[str, ...]
    iou_threshold: float
    images: Images
    coverage: Bytes
    annotations: Annotations
    predictions: Predictions
    state: Bytes
    partner: Integers
    iou: Floats
    answer: Integers
    own: Integers
    staircase: Staircase | None

    @cached_property
    def all_predictions(self) -> Runs:
        """The tab All of each concept."""
        return self._runs(slice(None))

    @cached_property
    def predicted_concepts(self) -> Runs:
        """All, with all concepts chosen: a classification image once, with its predicted concept."""
        if self.kind != "classification":
            return self.all_predictions
        return self._runs(np.flatnonzero(self.state != NOT_HIGHEST))

    @cached_property
    def matched(self) -> Runs:
        return self._runs(np.flatnonzero(self.state == MATCHED))

    @cached_property
    def wrong(self) -> Runs:
        """Predictions that match no annotation; Missing holds those at or over the threshold."""
        return self._runs(np.flatnonzero(self.state == WRONG))

    @cached_property
    def counted_annotations(self) -> Longs:
        """Rows of annotations that a prediction can answer: positive, no ignored region, image run on;
        sorted by (split, concept), then image and input order."""
        rows = np.flatnonzero(self.annotations.positive & ~self.annotations.ignore & self._covered)
        image, concept = self.annotations.image[rows], self.annotations.concept[rows]
        return np.asarray(rows[np.lexsort((rows, image, concept, self.images.split[image]))])

    @cached_property
    def annotation_start(self) -> Longs:
        """int64 (splits, concepts + 1): where each split's and concept's counted annotations begin."""
        rows = self.counted_annotations
        image, concept = self.annotations.image[rows], self.annotations.concept[rows]
        nothing = np.zeros(len(rows))
        return make_runs(rows, self.images.split[image], concept, nothing, image, rows, len(SPLITS), len(self.concepts)).start

    @cached_property
    def answer_score(self) -> Floats:
        """Per annotation the score of the prediction that matched it; -inf where none did."""
        if not len(self.predictions):
            return np.full(len(self.answer), -np.inf)
        return np.where(self.answer >= 0, self.predictions.score[self.answer], -np.inf)

    @property
    def _covered(self) -> Flags:
        return np.asarray(self.coverage[self.annotations.image] != NOT_RUN)

    def _runs(self, rows: slice | Longs) -> Runs:
        table = self.predictions.take(rows)
        places = np.arange(len(self.predictions))[rows]
        return make_runs(
            places, self.images.split[table.image], table.concept, table.score, table.image, table.order,
            len(SPLITS), len(self.concepts),
        )  # fmt: skip

    def annotation_counts(self, split: int) -> Longs:
        """Per concept, the counted annotations of the split."""
        return np.asarray(np.diff(self.annotation_start[split]))

    def counted(self, split: int, concept: int) -> Counted:
        """The concept's counted predictions in the split, for sweeps and figures."""
        begin, end = self.all_predictions.span(split, concept)
        state = self.state[begin:end]
        counts = (state == MATCHED) | (state == WRONG)
        annotations = int(self.annotation_start[split, concept + 1] - self.annotation_start[split, concept])
        return Counted(self.predictions.score[begin:end][counts], state[counts] == MATCHED, annotations)

    @cached_property
    def thresholds(self) -> tuple[Threshold, ...]:
        """Per concept, the cut with the fewest errors on validation."""
        return tuple(thresholds_of([self.counted(VALIDATION, concept) for concept in range(len(self.concepts))]))

    @cached_property
    def optimal(self) -> Floats:
        """The thresholds' values, float64 (concepts,)."""
        return np.array([threshold.value for threshold in self.thresholds])


def evaluate(
    kind: Kind, concepts: tuple[str, ...], images: Images, coverage: Bytes,
    annotations: Annotations, predictions: Predictions, iou: float,
) -> Evaluation:  # fmt: skip
    """Put predictions in gallery order and match them, once for all thresholds.

    images: sorted by path. predictions: any order. iou: the least IoU of a match, 0 to 1 (detection).
    """
    predictions = predictions.take(gallery_order(len(concepts), images, predictions))
    predictions = predictions.replaced(score=predictions.score + 0.0)  # -0.0 is 0.0
    found = match(kind, len(concepts), images, annotations, predictions, iou)
    return Evaluation(
        kind, concepts, iou, images, coverage, annotations, predictions,
        found.state, found.partner, found.iou, found.answer, found.own, found.staircase,
    )  # fmt: skip


def gallery_order(concepts: int, images: Images, predictions: Predictions) -> Longs:
    """Rows by split, concept, score descending, image, input order: one stable sort a key, the least first."""
    order = np.arange(len(predictions))
    if len(order) and (np.diff(predictions.order) < 0).any():
        order = np.argsort(predictions.order, kind="stable")
    order = order[np.argsort(predictions.image[order], kind="stable")]
    order = order[np.argsort(-predictions.score[order], kind="stable")]
    group = images.split[predictions.image[order]].astype(np.int32) * concepts + predictions.concept[order]
    if len(SPLITS) * concepts < np.iinfo(np.int16).max:
        group = group.astype(np.int16)  # which NumPy sorts by its digits
    return order[np.argsort(group, kind="stable")]


STATES: dict[int, Literal["ignored", "matched", "missing", "below"]] = {
    IGNORED: "ignored", MATCHED: "matched", WRONG: "missing", NOT_HIGHEST: "below",
}  # fmt: skip
"""The outcome of a prediction at or over its threshold."""
