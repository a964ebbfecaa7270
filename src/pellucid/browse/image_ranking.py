"""Images ranked by their errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, overload

import numpy as np

from pellucid.core.errors import InvalidChoiceError
from pellucid.core.tables import (
    NOT_RUN,
    SPLITS,
    Float64Array,
    Images,
    Int32Array,
    Int64Array,
    Split,
)
from pellucid.evaluation.evaluation import Evaluation

ImageOrder = Literal["errors", "fp", "fn", "score"]
IMAGE_ORDERS: tuple[ImageOrder, ...] = ("errors", "fp", "fn", "score")


@dataclass(frozen=True)
class RankedImage:
    """An image with its true positives, false positives and false negatives."""

    image: str
    split: Split
    tp: int
    fp: int
    fn: int
    errors: int


@dataclass(frozen=True, eq=False)
class ImageRanking:
    """The evaluated images of a split, in order.

    Attributes:
        rows: in the image table
        tp, fp, fn: of each
    """

    images: Images
    rows: Int64Array
    tp: Int64Array
    fp: Int64Array
    fn: Int64Array

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[RankedImage]:
        return iter(self.page(0, None))

    @overload
    def __getitem__(self, position: int) -> RankedImage: ...
    @overload
    def __getitem__(self, position: slice) -> list[RankedImage]: ...
    def __getitem__(self, position: int | slice) -> RankedImage | list[RankedImage]:
        """Raises IndexError."""
        if isinstance(position, slice):
            chosen = range(len(self))[position]
            if chosen.step == 1:
                return self.page(chosen.start, len(chosen))
            return [self[index] for index in chosen]
        index = range(len(self))[position]
        return self.page(index, 1)[0]

    def page(self, offset: int, limit: int | None) -> list[RankedImage]:
        """limit: None for all from `offset`."""
        part = slice(offset, None if limit is None else offset + limit)
        return [
            RankedImage(
                str(self.images.path[row]), SPLITS[self.images.split[row]], tp, fp, fn, fp + fn
            )
            for row, tp, fp, fn in zip(
                self.rows[part].tolist(),
                self.tp[part].tolist(),
                self.fp[part].tolist(),
                self.fn[part].tolist(),
                strict=True,
            )
        ]


def rank_images(
    evaluation: Evaluation,
    split: int,
    thresholds: Float64Array,
    order: ImageOrder = "errors",
    concept: int | None = None,
    filtered: CountedRows | None = None,
) -> ImageRanking:
    """The evaluated images of a split by descending number of errors (FP + FN), of false positives,
    of false negatives, or by the score of the highest-scored error. Ties: by errors, then by the
    highest-scored error, then by path.

    Args:
        thresholds: float64 (concepts,)
        concept: only its items count; None: those of all
        filtered: only these items count, and only images with one of them are ranked; None: all
            items
    """
    if order not in IMAGE_ORDERS:
        raise InvalidChoiceError("order", order, IMAGE_ORDERS)
    counted = filtered or count_rows(evaluation, thresholds, concept)
    predictions, annotations = evaluation.predictions, evaluation.annotations
    image_count = len(evaluation.images)
    tp = np.bincount(predictions.image[counted.matched], minlength=image_count)
    fp = np.bincount(predictions.image[counted.wrong], minlength=image_count)
    fn = np.bincount(annotations.image[counted.missed], minlength=image_count)
    top_score = top_error_scores(evaluation, counted)
    is_evaluated = (evaluation.images.split == split) & (evaluation.coverage != NOT_RUN)
    if filtered is not None:
        is_evaluated &= tp + fp + fn > 0
    rows = np.flatnonzero(is_evaluated)
    first_key = {"errors": fp + fn, "fp": fp, "fn": fn, "score": top_score}[order]
    ranked = rows[np.lexsort((rows, -top_score[rows], -(fp + fn)[rows], -first_key[rows]))]
    return ImageRanking(evaluation.images, ranked, tp[ranked], fp[ranked], fn[ranked])


@dataclass(frozen=True, eq=False)
class CountedRows:
    """int64 rows of predictions that match and that are wrong at the thresholds, and of annotations
    that are missed."""

    matched: Int64Array
    wrong: Int64Array
    missed: Int64Array


def count_rows(
    evaluation: Evaluation, thresholds: Float64Array, concept: int | None
) -> CountedRows:
    """The rows that are TP, FP or FN at the thresholds, of one concept or, for None, of all."""
    predictions, annotations = evaluation.predictions, evaluation.annotations

    def above(rows: Int32Array) -> Int64Array:
        score, concepts = predictions.score[rows], predictions.concept[rows]
        is_counted = score >= thresholds[concepts]
        if concept is not None:
            is_counted &= concepts == concept
        return np.asarray(rows[is_counted], np.int64)

    rows = np.asarray(evaluation.matchable_annotations, np.int64)
    if concept is not None:
        rows = rows[annotations.concept[rows] == concept]
    is_missed = evaluation.matched_score[rows] < thresholds[annotations.concept[rows]]
    row_index = evaluation.row_index
    return CountedRows(above(row_index.matched), above(row_index.wrong), rows[is_missed])


def top_error_scores(evaluation: Evaluation, counted: CountedRows) -> Float64Array:
    """The score of the highest-scored error of each image; of a missed concept, the image's own
    score. -inf without one."""
    predictions = evaluation.predictions
    top_score = np.full(len(evaluation.images), -np.inf)
    np.maximum.at(top_score, predictions.image[counted.wrong], predictions.score[counted.wrong])
    own_rows = evaluation.same_concept_prediction[counted.missed]
    has_own = own_rows >= 0
    np.maximum.at(
        top_score,
        evaluation.annotations.image[counted.missed[has_own]],
        predictions.score[own_rows[has_own]],
    )
    return top_score
