"""A version understood: its predictions in gallery order with their outcomes, ready for every question."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from pellucid.columns import SPLITS, Annotations, Bytes, Floats, Images, Integers, Kind, Longs, Predictions
from pellucid.understand.derived import ByImage, Derived, derive
from pellucid.understand.extra import ExtraLists, extra_lists
from pellucid.understand.matching import match
from pellucid.understand.orders import gallery_order
from pellucid.understand.outcomes import IGNORED, MATCHED, NOT_HIGHEST, WRONG, Staircase
from pellucid.understand.runs import Runs, Through, at_or_over, make_runs
from pellucid.understand.thresholds import Counted, Threshold, thresholds_of

VALIDATION = SPLITS.index("validation")

ListName = Literal["all_predictions", "predicted_concepts", "matched", "wrong"]
LISTS: tuple[ListName, ...] = ("all_predictions", "predicted_concepts", "matched", "wrong")


@dataclass(frozen=True, eq=False)
class Kept:
    """What was worked out before: an evaluation that has it answers at once. over: see Evaluation.over; strips: see counts.strips ·
    by_image: where the columns lie a second time in that order."""

    derived: Derived
    thresholds: tuple[Threshold, ...]
    extra: ExtraLists
    over: dict[ListName, Longs]
    strips: dict[str, np.ndarray]
    by_image: ByImage | None = None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Everything that does not depend on a threshold.

    images are sorted by path, so that an image's position is its rank among ties. predictions are sorted
    by (split, concept, score descending, image, input order); state, partner and iou are theirs (see Matching).
    annotations keep their input order; answer and own (rows of predictions, -1 for none) are theirs.
    kept: what follows from these, where it is known already. chosen: the thresholds, where they alone are.
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

    kept: Kept | None = None
    chosen: tuple[Threshold, ...] | None = None

    @cached_property
    def derived(self) -> Derived:
        if self.kept is not None:
            return self.kept.derived
        return derive(
            self.kind, len(self.concepts), self.images, self.coverage, self.annotations, self.predictions, self.state, self.answer
        )

    @cached_property
    def by_image(self) -> ByImage:
        """Predictions in the order of `derived.prediction_of_image`, without a copy."""
        if self.kept is not None and self.kept.by_image is not None:
            return self.kept.by_image
        table, rows = self.predictions, self.derived.prediction_of_image
        box = None if table.box is None else Through(table.box, rows)
        return ByImage(Through(table.concept, rows), Through(table.score, rows), box, Through(self.state, rows))

    @cached_property
    def all_predictions(self) -> Runs:
        """The tab All of each concept."""
        return self._runs(None, self.derived.start, self.derived.index)

    @cached_property
    def predicted_concepts(self) -> Runs:
        """All, with all concepts chosen: a classification image once, with its predicted concept."""
        if self.kind != "classification":
            return self.all_predictions
        return self._runs(self.derived.predicted, self.derived.predicted_start, self.derived.predicted_index)

    @cached_property
    def matched(self) -> Runs:
        return self._runs(self.derived.matched, self.derived.matched_start, self.derived.matched_index)

    @cached_property
    def wrong(self) -> Runs:
        """Predictions that match no annotation; Missing holds those at or over the threshold."""
        return self._runs(self.derived.wrong, self.derived.wrong_start, self.derived.wrong_index)

    @property
    def counted_annotations(self) -> Integers:
        """Rows of annotations that a prediction can answer: positive, no ignored region, image run on;
        sorted by (split, concept), then image and input order."""
        return self.derived.annotated

    @cached_property
    def annotation_start(self) -> Longs:
        """int64 (splits, concepts + 1): where each split's and concept's counted annotations begin."""
        start, concepts = self.derived.annotated_start, len(self.concepts)
        return np.stack([start[split * concepts : (split + 1) * concepts + 1] for split in range(len(SPLITS))])

    @property
    def answer_score(self) -> Floats:
        """Per annotation the score of the prediction that matched it; -inf where none did."""
        return self.derived.answer_score

    def _runs(self, rows: Integers | None, start: Longs, index: Floats) -> Runs:
        table = self.predictions
        return make_runs(rows, start, len(SPLITS), table.score, table.image, table.order, index)

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
        if self.kept is not None:
            return self.kept.thresholds
        if self.chosen is not None:
            return self.chosen
        return tuple(thresholds_of([self.counted(VALIDATION, concept) for concept in range(len(self.concepts))]))

    @cached_property
    def optimal(self) -> Floats:
        """The thresholds' values, float64 (concepts,)."""
        return np.array([threshold.value for threshold in self.thresholds])

    @cached_property
    def over(self) -> dict[ListName, Longs]:
        """int64 (splits, concepts) for each kind of run: how many of its rows are at or over the optimal threshold."""
        if self.kept is not None:
            return self.kept.over
        every = np.arange(len(self.concepts))
        return {
            name: np.stack([at_or_over(getattr(self, name), split, every, self.optimal) for split in range(len(SPLITS))]) for name in LISTS
        }  # fmt: skip

    def at_or_over(self, name: ListName, split: int, thresholds: Floats) -> Longs:
        """Per concept, how many rows of that run are at or over its threshold. Costs the concepts that have another than the optimal."""
        counts = np.array(self.over[name][split])
        changed = np.flatnonzero(thresholds != self.optimal)
        if len(changed):
            counts[changed] = at_or_over(getattr(self, name), split, changed, thresholds)
        return counts

    @cached_property
    def extra(self) -> ExtraLists:
        """The tab Extra of every split and concept, at the optimal thresholds."""
        if self.kept is not None:
            return self.kept.extra
        return extra_lists(self, None, np.arange(len(self.concepts)), self.optimal)


def evaluate(
    kind: Kind, concepts: tuple[str, ...], images: Images, coverage: Bytes,
    annotations: Annotations, predictions: Predictions, iou: float, consume: bool = False,
) -> Evaluation:  # fmt: skip
    """Put predictions in gallery order and match them, once for all thresholds.

    images: sorted by path. predictions: any order. iou: the least IoU of a match, 0 to 1 (detection). consume: the predictions'
    boxes may be overwritten, as a second copy of tens of millions would not fit.
    """
    order, start = gallery_order(len(concepts), images, predictions)
    predictions = in_order(predictions, order, consume)
    del order
    found = match(kind, len(concepts), images, annotations, predictions, start, iou)
    return Evaluation(
        kind, concepts, iou, images, coverage, annotations, predictions,
        found.state, found.partner, found.iou, found.answer, found.own, found.staircase,
    )  # fmt: skip


def in_order(predictions: Predictions, order: Integers, consume: bool) -> Predictions:
    box = predictions.box
    if box is not None and consume:
        for side in range(4):
            box[:, side] = box[order, side]
    elif box is not None:
        box = box[order]
    score = predictions.score[order]
    score += 0.0  # -0.0 is 0.0
    return Predictions(predictions.image[order], predictions.concept[order], score, box, predictions.order[order])


STATES: dict[int, Literal["ignored", "matched", "missing", "below"]] = {
    IGNORED: "ignored", MATCHED: "matched", WRONG: "missing", NOT_HIGHEST: "below",
}  # fmt: skip
"""The outcome of a prediction at or over its threshold."""
