"""Is a score of 0.8 right eight times in ten? The reliability curve, and the expected calibration error (Naeini et al., 2015)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.core.tables import Float64Array, Int64Array
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.match_result import MATCHED, WRONG
from pellucid.evaluation.sorted_runs import IndirectColumn

BINS = 15


@dataclass(frozen=True, eq=False)
class Calibration:
    """edges: float64 (bins + 1,), 0 to 1 · number: int64 (bins,), predictions that count · right: those that match · mean_score: float64,
    NaN in an empty bin · error: the mean distance between score and share of right ones, weighed by number (ECE).

    A bin holds scores from its lower edge up to, not including, its upper one; the last includes it.
    """

    edges: Float64Array
    number: Int64Array
    right: Int64Array
    mean_score: Float64Array
    error: float

    @property
    def share(self) -> Float64Array:
        return np.asarray(np.divide(self.right, self.number, out=np.full(len(self.number), np.nan), where=self.number > 0))


def calibration(evaluation: Evaluation, split: int, concept: int | None, bins: int = BINS) -> Calibration | None:
    """Of the predictions that can match: boxes, scored images of a tag, images' highest concepts. None where scores are no probabilities
    (outside 0 to 1), or there are none."""
    runs = evaluation.predicted_concepts if concept is None or evaluation.kind == "classification" else evaluation.all_predictions
    begin, end = runs.split_span(split) if concept is None else runs.span(split, concept)
    score, state = np.asarray(runs.score[begin:end]), IndirectColumn(evaluation.state, runs.table_rows)[slice(begin, end)]
    counts = (state == MATCHED) | (state == WRONG)
    score, right = score[counts], state[counts] == MATCHED
    if not len(score) or score.min() < 0 or score.max() > 1:
        return None
    return calibrated(score, right.astype(float), bins)


def calibrated(score: Float64Array, right: Float64Array, bins: int) -> Calibration:
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, score, side="right") - 1, 0, bins - 1)
    number = np.bincount(place, minlength=bins)
    hits, sums = (np.bincount(place, values, minlength=bins) for values in (right, score))
    mean = np.divide(sums, number, out=np.full(bins, np.nan), where=number > 0)
    return Calibration(edges, number, hits.astype(np.int64), mean, float(np.abs(hits - sums).sum() / len(score)))
