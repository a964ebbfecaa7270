"""Images ranked by their errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

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
    """The evaluated images of a split, in order. rows: in the image table · tp, fp, fn: of each."""

    images: Images
    rows: Int64Array
    tp: Int64Array
    fp: Int64Array
    fn: Int64Array

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[RankedImage]:
        return iter(self.page(0, None))

    def __getitem__(self, position: int) -> RankedImage:
        """Raises IndexError."""
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
) -> ImageRanking:
    """The evaluated images of a split by descending number of errors (FP + FN), of false
    positives, of false negatives, or by the score of the highest-scored error. Ties: by errors,
    then by the highest-scored error, then by path.

    thresholds: float64 (concepts,). concept: only its items count; None: those of all.
    """
    if order not in IMAGE_ORDERS:
        raise InvalidChoiceError("order", order, IMAGE_ORDERS)
    predictions, annotations = evaluation.predictions, evaluation.annotations
    row_index, image_count = evaluation.row_index, len(evaluation.images)

    def above(rows: Int32Array) -> Int64Array:
        score, concepts = predictions.score[rows], predictions.concept[rows]
        is_counted = score >= thresholds[concepts]
        if concept is not None:
            is_counted &= concepts == concept
        return np.asarray(rows[is_counted], np.int64)

    def count(images: Int32Array) -> Int64Array:
        return np.bincount(images, minlength=image_count)

    matched_rows, wrong_rows = above(row_index.matched), above(row_index.wrong)
    annotation_rows = np.asarray(evaluation.matchable_annotations, np.int64)
    if concept is not None:
        annotation_rows = annotation_rows[annotations.concept[annotation_rows] == concept]
    is_missed = (
        evaluation.answer_score[annotation_rows] < thresholds[annotations.concept[annotation_rows]]
    )
    missed_rows = annotation_rows[is_missed]
    fp = count(predictions.image[wrong_rows])
    fn = count(annotations.image[missed_rows])
    tp = count(predictions.image[matched_rows])
    top_score = np.full(image_count, -np.inf)
    np.maximum.at(top_score, predictions.image[wrong_rows], predictions.score[wrong_rows])
    own_rows = evaluation.own[missed_rows]  # the image's own score of a missed concept
    has_own = own_rows >= 0
    np.maximum.at(
        top_score,
        annotations.image[missed_rows[has_own]],
        predictions.score[own_rows[has_own]],
    )
    is_evaluated = (evaluation.images.split == split) & (evaluation.coverage != NOT_RUN)
    rows = np.flatnonzero(is_evaluated)
    first_key = {"errors": fp + fn, "fp": fp, "fn": fn, "score": top_score}[order]
    ranked = rows[np.lexsort((rows, -top_score[rows], -(fp + fn)[rows], -first_key[rows]))]
    return ImageRanking(evaluation.images, ranked, tp[ranked], fp[ranked], fn[ranked])
