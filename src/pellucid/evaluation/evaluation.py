"""The evaluation of a version: its predictions in gallery order with their outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from pellucid.core.tables import (
    SPLITS,
    Annotations,
    Float64Array,
    Geometry,
    Images,
    Int8Array,
    Int32Array,
    Int64Array,
    Kind,
    Predictions,
)
from pellucid.evaluation.indexes import PredictionsByImage, RowIndex, build_row_index
from pellucid.evaluation.match_result import IGNORED, MATCHED, NOT_HIGHEST, WRONG, BestOverlapSteps
from pellucid.evaluation.matching import match_predictions
from pellucid.evaluation.sorted_runs import (
    IndirectColumn,
    SortedRuns,
    build_runs,
    count_above_thresholds,
)
from pellucid.evaluation.sorting import gallery_order
from pellucid.evaluation.thresholds import (
    ScoredPredictions,
    Threshold,
    min_error_thresholds,
    unscored_threshold,
)
from pellucid.evaluation.unmatched import UnmatchedIndex, build_unmatched_index

TRAINING = SPLITS.index("training")
VALIDATION = SPLITS.index("validation")

RunsName = Literal["all_predictions", "predicted_concepts", "matched", "wrong"]
RUNS_NAMES: tuple[RunsName, ...] = ("all_predictions", "predicted_concepts", "matched", "wrong")


@dataclass(frozen=True, eq=False)
class EvaluationIndex:
    """Precomputed data of an evaluation.

    Attributes:
        optimal_counts: see Evaluation.optimal_counts
        histograms: see counts.split_histograms
        predictions_by_image: a second copy of columns in that order, if stored
    """

    row_index: RowIndex
    thresholds: tuple[Threshold, ...]
    unmatched_index: UnmatchedIndex
    optimal_counts: dict[RunsName, Int64Array]
    histograms: dict[str, np.ndarray]
    predictions_by_image: PredictionsByImage | None = None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The threshold-independent results, and what is derived from them.

    images are sorted by path, so that an image's index is its rank among ties. predictions are
    sorted by (split, concept, score descending, image, input order); state, partner and iou belong
    to them (see Matching). annotations keep their input order; matched_by and
    same_concept_prediction (prediction rows, -1 if none) belong to them.

    Attributes:
        index: precomputed data derived from these, if any
        known_thresholds: the thresholds, if only they are precomputed
        unannotated_concepts: indexes of the concepts that only predictions name; these predictions
            are ignored (detection, tagging)
    """

    kind: Kind
    concepts: tuple[str, ...]
    iou_threshold: float
    images: Images
    coverage: Int8Array
    annotations: Annotations
    predictions: Predictions
    state: Int8Array
    partner: Int32Array
    iou: Float64Array
    matched_by: Int32Array
    same_concept_prediction: Int32Array
    overlap_steps: BestOverlapSteps | None

    index: EvaluationIndex | None = None
    known_thresholds: tuple[Threshold, ...] | None = None
    unannotated_concepts: tuple[int, ...] = ()

    @property
    def geometry(self) -> Geometry:
        """How the objects of both sides are compared (detection)."""
        if self.annotations.mask is not None and self.predictions.mask is not None:
            return "mask"
        if self.annotations.keypoints is not None and self.predictions.keypoints is not None:
            return "keypoints"
        has_corners = self.annotations.corners is not None and self.predictions.corners is not None
        return "oriented_box" if has_corners else "box"

    @property
    def has_scores(self) -> bool:
        """Whether predictions have scores; without, every one counts."""
        return not len(self.predictions) or bool(np.isfinite(self.predictions.score[0]))

    @cached_property
    def annotated_concepts(self) -> tuple[int, ...]:
        """Indexes of the concepts with figures: all but the unannotated ones."""
        unannotated = set(self.unannotated_concepts)
        return tuple(concept for concept in range(len(self.concepts)) if concept not in unannotated)

    @cached_property
    def row_index(self) -> RowIndex:
        """Rows by split and concept; those of the stored index, if there is one."""
        if self.index is not None:
            return self.index.row_index
        return build_row_index(
            self.kind,
            len(self.concepts),
            self.images,
            self.coverage,
            self.annotations,
            self.predictions,
            self.state,
            self.matched_by,
        )

    @cached_property
    def predictions_by_image(self) -> PredictionsByImage:
        """Predictions in the order of `row_index.prediction_of_image`, without a copy."""
        if self.index is not None and self.index.predictions_by_image is not None:
            return self.index.predictions_by_image
        predictions, prediction_rows = self.predictions, self.row_index.prediction_of_image
        box = None if predictions.box is None else IndirectColumn(predictions.box, prediction_rows)
        return PredictionsByImage(
            IndirectColumn(predictions.concept, prediction_rows),
            IndirectColumn(predictions.score, prediction_rows),
            box,
            IndirectColumn(self.state, prediction_rows),
        )

    @cached_property
    def all_predictions(self) -> SortedRuns:
        """The items of the tab All, per concept."""
        return self._build_runs(None, self.row_index.start, self.row_index.index)

    @cached_property
    def predicted_concepts(self) -> SortedRuns:
        """The tab All with all concepts selected: in classification each image once, with its
        predicted concept."""
        if self.kind != "classification":
            return self.all_predictions
        return self._build_runs(
            self.row_index.predicted, self.row_index.predicted_start, self.row_index.predicted_index
        )

    @cached_property
    def matched(self) -> SortedRuns:
        """The predictions that match an annotation, by split and concept, highest score first."""
        return self._build_runs(
            self.row_index.matched, self.row_index.matched_start, self.row_index.matched_index
        )

    @cached_property
    def wrong(self) -> SortedRuns:
        """Predictions that match no annotation; the tab Missing has those at or above the
        threshold."""
        return self._build_runs(
            self.row_index.wrong, self.row_index.wrong_start, self.row_index.wrong_index
        )

    @property
    def matchable_annotations(self) -> Int32Array:
        """Rows of annotations that a prediction can match: positive, not ignored, image covered by
        the model; sorted by (split, concept), then image and input order."""
        return self.row_index.annotated

    @cached_property
    def matchable_starts(self) -> Int64Array:
        """int64 (splits, concepts + 1): start of the matchable annotations of each split and
        concept."""
        run_starts, concept_count = self.row_index.annotated_start, len(self.concepts)
        return np.stack(
            [
                run_starts[split * concept_count : (split + 1) * concept_count + 1]
                for split in range(len(SPLITS))
            ]
        )

    def item_table(self, are_annotations: bool) -> Annotations | Predictions:
        """The table that the rows of items refer to: of tab Extra the annotations."""
        return self.annotations if are_annotations else self.predictions

    @property
    def matched_score(self) -> Float64Array:
        """Per annotation, the score of the prediction that matched it; -inf if none."""
        return self.row_index.matched_score

    def _build_runs(
        self, table_rows: Int32Array | None, run_starts: Int64Array, score_index: Float64Array
    ) -> SortedRuns:
        predictions = self.predictions
        return build_runs(
            table_rows,
            run_starts,
            len(SPLITS),
            predictions.score,
            predictions.image,
            predictions.order,
            score_index,
        )

    def annotation_counts(self, split: int) -> Int64Array:
        """Per concept, the number of matchable annotations of the split."""
        return np.asarray(np.diff(self.matchable_starts[split]))

    def concept_predictions(self, split: int, concept: int) -> ScoredPredictions:
        """The concept's predictions that count in the split (not ignored), for threshold sweeps
        and metrics."""
        begin, end = self.all_predictions.span(split, concept)
        state = self.state[begin:end]
        is_counted = (state == MATCHED) | (state == WRONG)
        annotation_count = int(
            self.matchable_starts[split, concept + 1] - self.matchable_starts[split, concept]
        )
        return ScoredPredictions(
            self.predictions.score[begin:end][is_counted],
            state[is_counted] == MATCHED,
            annotation_count,
        )

    @cached_property
    def thresholds(self) -> tuple[Threshold, ...]:
        """Per concept, the threshold with the fewest errors on validation."""
        if self.index is not None:
            return self.index.thresholds
        if not self.has_scores:
            return tuple(
                unscored_threshold(self.concept_predictions(VALIDATION, concept))
                for concept in range(len(self.concepts))
            )
        if self.known_thresholds is not None:
            return self.known_thresholds
        return tuple(
            min_error_thresholds(
                [
                    self.concept_predictions(VALIDATION, concept)
                    for concept in range(len(self.concepts))
                ]
            )
        )

    @cached_property
    def optimal_thresholds(self) -> Float64Array:
        """The values of the thresholds, float64 (concepts,)."""
        return np.array([threshold.value for threshold in self.thresholds])

    @cached_property
    def optimal_counts(self) -> dict[RunsName, Int64Array]:
        """Per kind of run, int64 (splits, concepts): number of rows at or above the optimal
        threshold."""
        if self.index is not None:
            return self.index.optimal_counts
        all_concepts = np.arange(len(self.concepts))
        return {
            runs_name: np.stack(
                [
                    count_above_thresholds(
                        getattr(self, runs_name), split, all_concepts, self.optimal_thresholds
                    )
                    for split in range(len(SPLITS))
                ]
            )
            for runs_name in RUNS_NAMES
        }

    def count_above_thresholds(
        self, runs_name: RunsName, split: int, thresholds: Float64Array
    ) -> Int64Array:
        """Per concept, the number of rows of the run at or above its threshold. Only concepts with
        a non-optimal threshold are searched."""
        counts = np.array(self.optimal_counts[runs_name][split])
        changed_concepts = np.flatnonzero(thresholds != self.optimal_thresholds)
        if len(changed_concepts):
            counts[changed_concepts] = count_above_thresholds(
                getattr(self, runs_name), split, changed_concepts, thresholds
            )
        return counts

    @cached_property
    def unmatched_index(self) -> UnmatchedIndex:
        """Unmatched annotations of every split and concept at the optimal thresholds (tab
        Extra)."""
        if self.index is not None:
            return self.index.unmatched_index
        return build_unmatched_index(
            self, None, np.arange(len(self.concepts)), self.optimal_thresholds
        )


def build_evaluation(
    kind: Kind,
    concepts: tuple[str, ...],
    images: Images,
    coverage: Int8Array,
    annotations: Annotations,
    predictions: Predictions,
    iou_threshold: float,
    unannotated_concepts: tuple[int, ...] = (),
    reuse_boxes: bool = False,
) -> Evaluation:
    """Sort predictions into gallery order and match them, once for all thresholds.

    Args:
        images: sorted by path
        predictions: any order
        iou_threshold: minimum IoU of a match, 0 to 1
        unannotated_concepts: see Evaluation
        reuse_boxes: the predictions' boxes may be overwritten, as a second copy of tens of millions
            would not fit in memory
    """
    prediction_order, run_starts = gallery_order(len(concepts), images, predictions)
    predictions = reorder_predictions(predictions, prediction_order, reuse_boxes)
    del prediction_order
    matching = match_predictions(
        kind,
        len(concepts),
        images,
        annotations,
        predictions,
        run_starts,
        iou_threshold,
        unannotated_concepts,
    )
    return Evaluation(
        kind,
        concepts,
        iou_threshold,
        images,
        coverage,
        annotations,
        predictions,
        matching.state,
        matching.partner,
        matching.iou,
        matching.matched_by,
        matching.same_concept_prediction,
        matching.overlap_steps,
        unannotated_concepts=unannotated_concepts,
    )


def reorder_predictions(
    predictions: Predictions, order: Int32Array, reuse_boxes: bool
) -> Predictions:
    """Predictions in another order.

    Args:
        order: the row of each one in `predictions`
        reuse_boxes: reorder the boxes in place, which saves their memory
    """
    box = predictions.box
    if box is not None and reuse_boxes:
        for side in range(4):
            box[:, side] = box[order, side]
    elif box is not None:
        box = box[order]
    score = predictions.score[order]
    score += 0.0  # turn -0.0 into 0.0
    return Predictions(
        predictions.image[order],
        predictions.concept[order],
        score,
        box,
        predictions.order[order],
        None if predictions.mask is None else predictions.mask[order],
        None if predictions.area is None else predictions.area[order],
        None if predictions.corners is None else predictions.corners[order],
        None if predictions.keypoints is None else predictions.keypoints[order],
    )


STATE_NAMES: dict[int, Literal["ignored", "matched", "missing", "below"]] = {
    IGNORED: "ignored",
    MATCHED: "matched",
    WRONG: "missing",
    NOT_HIGHEST: "below",
}
"""Name of each state, for a prediction at or above its threshold."""
