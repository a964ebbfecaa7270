"""Evaluation in two steps that can be done anywhere: match a shard of images, reduce a stretch of runs.

Images do not touch each other, so a shard of them is matched for itself (`match_shard`). What a shard found of a run is sorted
already; the run as a whole is merged from these (`merged`). Shards hold consecutive images in the order of their paths: of equal
scores, which the gallery orders by image, those of an earlier shard therefore come first, and nothing but scores is compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.columns import SPLITS, Annotations, Bytes, Floats, Images, Integers, Kind, Longs, Predictions, texts
from pellucid.understand.evaluation import Evaluation, evaluate
from pellucid.understand.histogrammed import Scale
from pellucid.understand.orders import order_by_key
from pellucid.understand.outcomes import MATCHED, WRONG, Staircase
from pellucid.understand.thresholds import Counted


@dataclass(frozen=True, eq=False)
class Shard:
    """Consecutive images, and what was annotated and predicted on them.

    first: the place of its first image among all · split, stated: of its images, as in Images · annotations, predictions: their
    images are places among all; any order of predictions · rows: int32, where its annotations stand among all, rising.
    """

    first: int
    split: Bytes
    stated: Bytes
    annotations: Annotations
    rows: Integers
    predictions: Predictions


@dataclass(frozen=True, eq=False)
class MatchedShard:
    """predictions: in gallery order, their images places among all · start: int64 (splits * concepts + 1,), where its runs begin ·
    state, iou: as in Matching · partner: as there, but a row among all annotations · owner: int32, the annotation (among all) of the
    prediction's image and concept, -1 for none; None in detection · rows, staircase: of its annotations."""

    predictions: Predictions
    start: Longs
    state: Bytes
    partner: Integers
    iou: Floats
    owner: Integers | None
    rows: Integers
    staircase: Staircase | None


def plan_shards(predictions: Longs, most: int) -> Longs:
    """Where shards of images begin and end, int64 (shards + 1,), so that none has more than `most` predictions unless one image has.

    predictions: int64 (images,), how many each image has.
    """
    before = np.concatenate([[0], np.cumsum(predictions)])
    edges, images = [0], len(predictions)
    while edges[-1] < images:
        reach = int(np.searchsorted(before, before[edges[-1]] + most, side="right")) - 1
        edges.append(max(edges[-1] + 1, reach))
    return np.array(edges if images else [0, 0], np.int64)


def match_shard(kind: Kind, concepts: int, shard: Shard, iou: float) -> MatchedShard:
    """Put a shard's predictions in gallery order and match them, for all thresholds at once; iou: see `evaluate`."""
    number, first = len(shard.split), np.int32(shard.first)
    blank = texts([""] * number)
    nothing = np.zeros(number, np.int32)
    images = Images(blank, shard.split, nothing, nothing, nothing, blank, shard.stated, blank)
    annotations = shard.annotations.replaced(image=shard.annotations.image - first)
    predictions = shard.predictions.replaced(image=shard.predictions.image - first)
    names = ("",) * concepts
    found = evaluate(kind, names, images, np.zeros(number, np.int8), annotations, predictions, iou, consume=True)
    owner = None if kind == "detection" else owners(found, shard.rows)
    there = np.append(shard.rows, -1).astype(np.int32)
    ordered = found.predictions.replaced(image=found.predictions.image + first)
    return MatchedShard(ordered, run_starts(found), found.state, there[found.partner], found.iou, owner, shard.rows, found.staircase)


def run_starts(found: Evaluation) -> Longs:
    concepts = len(found.concepts)
    key = found.images.split[found.predictions.image].astype(np.int64) * concepts + found.predictions.concept
    return np.asarray(np.searchsorted(key, np.arange(len(SPLITS) * concepts + 1)), np.int64)


def owners(found: Evaluation, rows: Integers) -> Integers:
    owner = np.full(len(found.predictions), -1, np.int32)
    listed = found.own >= 0
    owner[found.own[listed]] = rows[listed]
    return owner


@dataclass(frozen=True)
class Stretch:
    """Neighbouring runs that are reduced together, first up to (not including) last; or of one run the scores at or over `low` and
    under `high`."""

    first: int
    last: int
    low: float = -np.inf
    high: float = np.inf

    @property
    def is_part(self) -> bool:
        return not (np.isneginf(self.low) and np.isposinf(self.high))


def plan_stretches(counts: Longs, most: int) -> list[Stretch]:
    """Stretches of at most `most` rows, in the order of the runs; counts: int64 (runs,). A longer run is a stretch of its own."""
    stretches, first, rows = [], 0, 0
    for run, number in enumerate(counts.tolist()):
        if rows and rows + number > most:
            stretches.append(Stretch(first, run))
            first, rows = run, 0
        rows += number
    stretches.append(Stretch(first, len(counts)))
    return [one for one in stretches if counts[one.first : one.last].any()]


def stretches_with_parts(counts: Longs, rows: int, by_bin: dict[int, tuple[Scale, Longs]]) -> list[Stretch]:
    """Stretches of all runs, those longer than `rows` cut where their scores allow. by_bin: of these, how many rows fall in each bin."""
    found: list[Stretch] = []
    for one in plan_stretches(counts, rows):
        if one.first in by_bin and one.last == one.first + 1:
            found += cut_by_score(one.first, *by_bin[one.first], rows)
        else:
            found.append(one)
    return found


def cut_by_score(run: int, scale: Scale, bins: Longs, rows: int) -> list[Stretch]:
    """A run in ranges of scores, highest first, each of at most `rows` rows unless one bin has more."""
    parts, high, held = [], np.inf, 0
    for place in np.flatnonzero(bins).tolist():
        if held and held + bins[place] > rows:
            low = scale.ceiling(place)
            parts.append(Stretch(run, run + 1, low, high))
            high, held = low, 0
        held += int(bins[place])
    return [*parts, Stretch(run, run + 1, -np.inf, high)]


def merged(run: Integers, score: Floats, runs: int) -> tuple[Integers, Longs]:
    """The order that puts rows by run and in each by score, highest first, ties as they come; and where the runs begin.

    run: int32, rising within each shard's rows; score: descending within each shard's run; the shards one after another. The sort
    of each run is a stable merge sort, which takes rows that are in order already as they are.
    """
    order, start = order_by_key(run, runs)
    for begin, end in zip(start[:-1].tolist(), start[1:].tolist(), strict=True):
        if end - begin > 1:
            rows = order[begin:end]
            order[begin:end] = rows[np.argsort(-score[rows], kind="stable")]
    return order, start


def counted(score: Floats, state: Bytes, annotations: int) -> Counted:
    """A run's counted predictions, for sweeps."""
    counts = (state == MATCHED) | (state == WRONG)
    return Counted(score[counts], state[counts] == MATCHED, annotations)


def gathered_staircase(parts: Sequence[tuple[Integers, Staircase]], annotations: int) -> Staircase:
    """The staircases of shards as one; each with the places of its annotations among all."""
    count = np.zeros(annotations, np.int64)
    for rows, stairs in parts:
        count[rows] = np.diff(stairs.start)
    start = np.concatenate([[0], np.cumsum(count)])
    score, iou = np.empty(start[-1]), np.empty(start[-1])
    for rows, stairs in parts:
        size = np.diff(stairs.start)
        place = np.repeat(start[rows] - stairs.start[:-1], size) + np.arange(len(stairs.score))
        score[place], iou[place] = stairs.score, stairs.iou
    return Staircase(start, score, iou)
