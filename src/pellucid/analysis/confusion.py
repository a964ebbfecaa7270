"""What was taken for what: annotated against predicted, with a row and a column for none.

In detection, what the matching within concepts left over is paired across concepts, each box once, the highest IoU first. So a row's sum
is the annotations of its concept, a column's the predictions that count, and off the diagonal lie the tabs Extra (by row) and Missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.browse.selection import Selection
from pellucid.core.tables import BoolArray, Float64Array, Int32Array, Int64Array
from pellucid.evaluation.counts import count_outcomes
from pellucid.evaluation.error_causes import image_pairs, pair_ious
from pellucid.evaluation.evaluation import Evaluation

MOST_ORDERED = 3_000
"""Concepts beyond which they stay as listed: finding the order costs their cube."""


@dataclass(frozen=True, eq=False)
class Confusion:
    """extra: rows of annotations in the tab Extra · instead: int32, the concept predicted in the place of each, none: the number of
    concepts · missing: rows of predictions in the tab Missing · truly: the concept annotated in the place of each · matched: int64, per
    concept, the diagonal."""

    extra: Int64Array
    instead: Int32Array
    missing: Int64Array
    truly: Int32Array
    matched: Int64Array

    def cells(self, evaluation: Evaluation) -> tuple[Int64Array, Int64Array, Int64Array]:
        """Annotated, predicted (none: the number of concepts) and how often, where that is not 0."""
        none = len(self.matched)
        side = none + 1
        annotated = np.asarray(evaluation.annotations.concept[self.extra], np.int64)
        alone = self.truly == none
        keys = np.concatenate([
            np.repeat(np.arange(none) * side + np.arange(none), self.matched), annotated * side + self.instead,
            none * side + evaluation.predictions.concept[self.missing[alone]].astype(np.int64),
        ])  # fmt: skip
        key, number = np.unique(keys, return_counts=True)
        return key // side, key % side, number


def confusion(evaluation: Evaluation, split: int, thresholds: Float64Array) -> Confusion:
    extra = Selection(evaluation, "extra", split, None, thresholds).every()
    missing = Selection(evaluation, "missing", split, None, thresholds).every()
    instead, truly = crossed(evaluation, extra, missing)
    return Confusion(extra, instead, missing, truly, count_outcomes(evaluation, split, thresholds).tp)


def crossed(evaluation: Evaluation, extra: Int64Array, missing: Int64Array) -> tuple[Int32Array, Int32Array]:
    none = len(evaluation.concepts)
    instead, truly = np.full(len(extra), none, np.int32), np.full(len(missing), none, np.int32)
    for one, other in paired(evaluation, extra, missing):
        instead[one] = evaluation.predictions.concept[missing[other]]
        truly[other] = evaluation.annotations.concept[extra[one]]
    return instead, truly


def paired(evaluation: Evaluation, extra: Int64Array, missing: Int64Array) -> list[tuple[Int64Array, Int64Array]]:
    """Places in extra and in missing that belong together: of one image, and for boxes at or over the IoU."""
    if evaluation.kind == "tagging":
        return []
    found = []
    images = len(evaluation.images)
    image = np.asarray(evaluation.predictions.image[missing], np.int64)
    order = np.argsort(image, kind="stable")
    start = np.searchsorted(image[order], np.arange(images + 1))
    for part, mine, others in image_pairs(evaluation.annotations.image[extra], start, order):
        if evaluation.kind == "classification":
            found.append((part[mine], others))
            continue
        value = pair_ious(evaluation, missing[others], extra[part[mine]])
        close = value >= evaluation.iou_threshold
        chosen = each_once(value[close], part[mine[close]], others[close], evaluation, missing)
        found.append((part[mine[close]][chosen], others[close][chosen]))
    return found


def each_once(value: Float64Array, one: Int64Array, other: Int64Array, evaluation: Evaluation, missing: Int64Array) -> BoolArray:
    """Highest IoU first (then the higher score, then as listed), each annotation and each prediction at most once."""
    kept = np.zeros(len(value), bool)
    taken: tuple[set[int], set[int]] = set(), set()
    for place in np.lexsort((other, one, -evaluation.predictions.score[missing[other]], -value)).tolist():
        first, second = int(one[place]), int(other[place])
        if first not in taken[0] and second not in taken[1]:
            kept[place] = True
            taken[0].add(first)
            taken[1].add(second)
    return kept


def clustered(concepts: int, annotated: Int64Array, predicted: Int64Array, number: Int64Array) -> Int64Array:
    """An order of the concepts in which those that are taken for each other lie together: per connected part that of the second
    eigenvector of its graph Laplacian (Fiedler, 1973); parts with most confusions first, concepts without any last, as listed."""
    mixed = (annotated != predicted) & (annotated < concepts) & (predicted < concepts)
    if concepts > MOST_ORDERED or not mixed.any():
        return np.arange(concepts)
    weight = np.zeros((concepts, concepts))
    weight[annotated[mixed], predicted[mixed]] = number[mixed]
    weight += weight.T
    parts = sorted(connected(weight > 0), key=lambda part: (-weight[np.ix_(part, part)].sum(), part[0]))
    return np.concatenate([along(weight[np.ix_(part, part)], part) for part in parts])


def connected(linked: BoolArray) -> list[Int64Array]:
    """The connected parts of a graph, singles in one part at the end."""
    left = set(range(len(linked)))
    parts: list[Int64Array] = []
    alone: list[int] = []
    while left:
        seen, front = set(), {min(left)}
        while front:
            seen |= front
            front = set(np.flatnonzero(linked[sorted(front)].any(axis=0)).tolist()) - seen
        left -= seen
        if len(seen) > 1:
            parts.append(np.array(sorted(seen)))
        else:
            alone += seen
    return [*parts, np.array(sorted(alone), np.int64)] if alone else parts


def along(weight: Float64Array, part: Int64Array) -> Int64Array:
    if len(part) < 3 or not weight.any():
        return part
    scale = 1 / np.sqrt(weight.sum(axis=1))
    _, vectors = np.linalg.eigh(np.eye(len(part)) - weight * scale[:, None] * scale)
    vector = vectors[:, 1] * scale
    return part[np.argsort(vector if vector[np.argmax(np.abs(vector))] > 0 else -vector, kind="stable")]
