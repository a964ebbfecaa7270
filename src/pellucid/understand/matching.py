"""Which prediction answers which annotation, for each kind of view.

A lower score never takes an annotation from a higher one, so the outcome of a prediction does not
depend on the threshold: one pass here serves every threshold, curve and tab.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.columns import OPEN, UNANNOTATED, Annotations, Bytes, Flags, Floats, Images, Integers, Kind, Longs, Predictions
from pellucid.understand.boxes import iou_of_pairs

IGNORED, MATCHED, WRONG, NOT_HIGHEST = 0, 1, 2, 3
"""State of a prediction, whatever the threshold: takes no part; answers an annotation; answers none;
a score that is not its image's highest (classification)."""

PAIRS_AT_ONCE = 2_000_000
"""Pairs of boxes held in memory at a time: about 400 MB at the widest point."""


@dataclass(frozen=True, eq=False)
class Staircase:
    """For every annotation the best IoU among the predictions under any threshold.

    Steps lie by annotation, score ascending; each is a prediction that overlaps at least as well as all
    lower-scored ones, so the last step under a threshold is the best match there.
    start: int64 (annotations + 1,), where each annotation's steps begin.
    """

    start: Longs
    score: Floats
    iou: Floats


@dataclass(frozen=True, eq=False)
class Matching:
    """state: int8 per prediction · partner: the annotation it matched or that absorbed it, else -1 ·
    iou: with the partner, else NaN · answer: per annotation, the prediction that matched it, else -1 ·
    own: per annotation of an image, the prediction of that image and concept, else -1."""

    state: Bytes
    partner: Integers
    iou: Floats
    answer: Integers
    own: Integers
    staircase: Staircase | None


def match(kind: Kind, concepts: int, images: Images, annotations: Annotations, predictions: Predictions, iou: float) -> Matching:
    """Match every prediction once. `iou` (0 to 1) is used in detection alone."""
    if kind == "detection":
        return match_boxes(annotations, predictions, iou, concepts)
    own_annotation, own_prediction = same_image_and_concept(annotations, predictions, concepts)
    if kind == "classification":
        state = classified(images, predictions, own_annotation >= 0)
    else:
        state = tagged(images, annotations, predictions, own_annotation)
    matched = state == MATCHED
    partner = np.where(matched, own_annotation, -1).astype(np.int32)
    answer = np.full(len(annotations), -1, np.int32)
    answer[partner[matched]] = np.flatnonzero(matched)
    return Matching(state, partner, np.full(len(state), np.nan), answer, own_prediction, None)


def same_image_and_concept(annotations: Annotations, predictions: Predictions, concepts: int) -> tuple[Integers, Integers]:
    """Per prediction the annotation of the same image and concept, and the reverse; -1 where there is none."""
    annotated = annotations.image.astype(np.int64) * concepts + annotations.concept
    predicted = predictions.image.astype(np.int64) * concepts + predictions.concept
    return positions(annotated, predicted), positions(predicted, annotated)


def positions(keys: Longs, wanted: Longs) -> Integers:
    """Where each wanted key stands in `keys` (unique, any order); -1 where it does not."""
    if not len(keys):
        return np.full(len(wanted), -1, np.int32)
    order = np.argsort(keys, kind="stable")
    place = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
    found = order[place]
    return np.where(keys[found] == wanted, found, -1).astype(np.int32)


def classified(images: Images, predictions: Predictions, agrees: np.ndarray) -> Bytes:
    """An image's predicted concept is the one with the highest score; ties: the concept listed first."""
    order = np.lexsort((predictions.concept, -predictions.score, predictions.image))
    image = predictions.image[order]
    first = np.ones(len(order), bool)
    first[1:] = image[1:] != image[:-1]
    highest = order[first]
    state = np.full(len(predictions), NOT_HIGHEST, np.int8)
    state[highest] = np.where(agrees[highest], MATCHED, WRONG)
    nobody = images.stated[predictions.image[highest]] == UNANNOTATED
    state[highest[nobody]] = IGNORED
    return state


def tagged(images: Images, annotations: Annotations, predictions: Predictions, own: Integers) -> Bytes:
    """Each concept alone: positive, negative or unknown; an unknown takes no part."""
    stated = images.stated[predictions.image]
    listed = own >= 0
    positive = listed.copy()
    positive[listed] = annotations.positive[own[listed]]
    unknown = ~listed & ((stated == UNANNOTATED) | (stated == OPEN))
    unknown[listed] = annotations.ignore[own[listed]]
    return np.where(unknown, IGNORED, np.where(positive, MATCHED, WRONG)).astype(np.int8)


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
    """Keep, of all overlapping pairs, those that raise (or equal) the best IoU as the score rises."""
    if not steps:
        return Staircase(np.zeros(annotations + 1, np.int64), np.zeros(0), np.zeros(0))
    prediction, annotation, value = (np.concatenate(columns) for columns in zip(*steps, strict=True))
    score = scores[prediction]
    order = np.lexsort((value, score, annotation))
    annotation, value, score = annotation[order], value[order], score[order]
    levels, level = np.unique(value, return_inverse=True)
    height = annotation.astype(np.int64) * (len(levels) + 1) + level
    kept = height >= np.maximum.accumulate(height) if len(height) else np.zeros(0, bool)
    start = np.zeros(annotations + 1, np.int64)
    np.cumsum(np.bincount(annotation[kept], minlength=annotations), out=start[1:])
    return Staircase(start, score[kept], value[kept])
