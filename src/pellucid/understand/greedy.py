"""Greedy matching of boxes in NumPy: the plain statement of it, for where the kernel could not be built and for tests of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.columns import Annotations, Flags, Floats, Longs, Predictions
from pellucid.understand.boxes import iou_of_pairs
from pellucid.understand.outcomes import IGNORED, MATCHED, WRONG, Matching, Staircase

PAIRS_AT_ONCE = 2_000_000
"""Pairs of boxes held in memory at a time: about 400 MB at the widest point."""


def match_boxes(annotations: Annotations, predictions: Predictions, iou: float, concepts: int) -> Matching:
    """Greedy matching within an image and concept, as pycocotools' `evaluateImg` at one IoU.

    Predictions by descending score (ties: input order) each take the free annotation of highest IoU
    (equal: the one listed last) where IoU >= iou. Only a prediction that finds none may fall to an
    ignored region, which absorbs any number.
    """
    state = np.full(len(predictions), WRONG, np.int8)
    partner = np.full(len(predictions), -1, np.int32)
    overlap = np.full(len(predictions), np.nan)
    answer = np.full(len(annotations), -1, np.int32)
    steps = []
    for prediction, annotation, value in overlapping_pairs(annotations, predictions, concepts):
        region = annotations.ignore[annotation]
        steps.append(tuple(column[~region] for column in (prediction, annotation, value)))
        close = value >= iou
        rows, taken, ious = choose(prediction[close], annotation[close], value[close], region[close], region[close])
        partner[rows], overlap[rows] = taken, ious
        absorbed = annotations.ignore[taken]
        state[rows] = np.where(absorbed, IGNORED, MATCHED)
        answer[taken[~absorbed]] = rows[~absorbed]
    stairs = staircase(steps, predictions.score, len(annotations))
    return Matching(state, partner, overlap, answer, np.full(len(annotations), -1, np.int32), stairs)


def overlapping_pairs(annotations: Annotations, predictions: Predictions, concepts: int) -> Iterator[tuple[Longs, Longs, Floats]]:
    """Pairs of one image and concept with IoU over 0, in batches of whole groups.

    predictions: each concept's by descending score, ties of an image in input order, as gallery order has them. Within
    a group they keep that order, annotations are as listed. Groups without annotations are never looked at.
    """
    if annotations.box is None or predictions.box is None or not len(annotations):
        return
    annotated = annotations.image.astype(np.int64) * concepts + annotations.concept
    predicted = predictions.image.astype(np.int64) * concepts + predictions.concept
    by_group = np.argsort(annotated, kind="stable")
    groups, first, size = np.unique(annotated[by_group], return_index=True, return_counts=True)
    place = np.minimum(np.searchsorted(groups, predicted), len(groups) - 1)
    rows = np.flatnonzero(groups[place] == predicted)
    rows = rows[np.argsort(place[rows], kind="stable")]
    place = place[rows]
    pairs_before = np.concatenate([[0], np.cumsum(size[place])])
    begin = 0
    while begin < len(rows):
        end = int(np.searchsorted(pairs_before, pairs_before[begin] + PAIRS_AT_ONCE, side="right")) - 1
        end = max(end, begin + 1)
        end = int(np.searchsorted(place, place[end - 1], side="right"))
        count = size[place[begin:end]]
        prediction = np.repeat(rows[begin:end], count)
        within = np.arange(len(prediction)) - np.repeat(np.cumsum(count) - count, count)
        annotation = by_group[np.repeat(first[place[begin:end]], count) + within]
        value = iou_of_pairs(predictions.box[prediction], annotations.box[annotation], annotations.ignore[annotation])
        some = value > 0
        yield prediction[some], annotation[some], value[some]
        begin = end


def choose(prediction: Longs, annotation: Longs, value: Floats, last: Flags, region: Flags) -> tuple[Longs, Longs, Floats]:
    """Walk the close pairs, best first within each prediction; what is taken is gone, regions never are.

    The pairs of a prediction lie together, in the order in which predictions choose. last: annotations that are taken
    only where no other is left. Pairs whose two boxes have no other choice are settled without walking.
    """
    turn = np.zeros(len(prediction), np.int64)
    turn[1:] = np.cumsum(prediction[1:] != prediction[:-1])
    alone = (np.bincount(turn)[turn] == 1) & (region | (np.bincount(annotation)[annotation] == 1)) if len(turn) else turn == 0
    contested = np.flatnonzero(~alone)
    order = contested[np.lexsort((-annotation[contested], -value[contested], last[contested], turn[contested]))]
    chosen: list[int] = []
    gone: set[int] = set()
    served = -1
    walk = zip(order.tolist(), turn[order].tolist(), annotation[order].tolist(), region[order].tolist(), strict=True)
    for pair, whose, wanted, is_region in walk:
        if whose == served or wanted in gone:
            continue
        served = whose
        chosen.append(pair)
        if not is_region:
            gone.add(wanted)
    picks = np.concatenate([np.flatnonzero(alone), np.array(chosen, np.int64)])
    return prediction[picks], annotation[picks], value[picks]


def staircase(steps: list[tuple[NDArray[Any], ...]], scores: Floats, annotations: int) -> Staircase:
    """Keep, of all overlapping pairs, the best of each score, and of these those that raise (or equal) the best IoU as it rises."""
    if not steps:
        return Staircase(np.zeros(annotations + 1, np.int64), np.zeros(0), np.zeros(0))
    prediction, annotation, value = (np.concatenate(columns) for columns in zip(*steps, strict=True))
    score = scores[prediction]
    order = np.lexsort((value, score, annotation))
    best = np.ones(len(order), bool)
    best[:-1] = (annotation[order][1:] != annotation[order][:-1]) | (score[order][1:] != score[order][:-1])
    order = order[best]
    annotation, value, score = annotation[order], value[order], score[order]
    levels, level = np.unique(value, return_inverse=True)
    height = annotation.astype(np.int64) * (len(levels) + 1) + level
    kept = height >= np.maximum.accumulate(height) if len(height) else np.zeros(0, bool)
    start = np.zeros(annotations + 1, np.int64)
    np.cumsum(np.bincount(annotation[kept], minlength=annotations), out=start[1:])
    return Staircase(start, score[kept], value[kept])
