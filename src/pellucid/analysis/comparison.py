"""Two versions held side by side on what both were run on, each at its own thresholds.

The unit is what a person annotated: an image (classification), an image and a concept (tagging), a box that is no ignored region
(detection). Only units that both versions froze alike are compared. False alarms, which have no annotation, are counted apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, lgamma, log

import numpy as np

from pellucid.core.tables import (
    EXHAUSTIVE,
    NOT_RUN,
    BoolArray,
    Float64Array,
    Int32Array,
    Int64Array,
)
from pellucid.evaluation.boxes import pairwise_iou
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.match_result import NOT_HIGHEST, WRONG

BOTH_RIGHT, FIXED, BROKEN, STILL_WRONG = 0, 1, 2, 3


@dataclass(frozen=True, eq=False)
class Units:
    """What was compared. image, concept: positions in the first version · row: of the annotation in each version (detection), else -1 ·
    outcome: BOTH_RIGHT, FIXED, BROKEN or STILL_WRONG."""

    image: Int64Array
    concept: Int64Array
    row_a: Int64Array
    row_b: Int64Array
    outcome: Int32Array


@dataclass(frozen=True, eq=False)
class Alarms:
    """False alarms that only one version has: predictions at or over the threshold that match nothing. rows: of its predictions."""

    rows: Int64Array
    concept: Int64Array


@dataclass(frozen=True, eq=False)
class Comparison:
    """gone: false alarms of the first version that the second has not · new: the reverse (concepts as positions in the first version) ·
    concepts: of both, as positions in the first · unlike: annotations of common images that only one version froze · images: in common."""

    units: Units
    gone: Alarms
    new: Alarms
    concepts: Int64Array
    images: int
    unlike: int


@dataclass(frozen=True, eq=False)
class Shared:
    """Where the images and concepts of two versions meet. of_b: per image (concept) of the first, its position in the second, else -1."""

    image_of_b: Int64Array
    concept_of_b: Int64Array


def compare(a: Evaluation, b: Evaluation, split: int, thresholds_a: Float64Array, thresholds_b: Float64Array) -> Comparison:
    """a, b: versions of one view. thresholds: one a concept of each."""
    shared = meet(a, b, split)
    work = {"detection": units_of_boxes, "tagging": units_of_tags, "classification": units_of_images}
    units, unlike = work[a.kind](a, b, shared, thresholds_a, thresholds_b)
    back = meet_back(shared, b)
    ours, theirs = (alarms(one, thresholds) for one, thresholds in ((a, thresholds_a), (b, thresholds_b)))
    gone = without_counterpart(a, ours, b, theirs, shared)
    new = without_counterpart(b, theirs, a, ours, back)
    known = np.flatnonzero(shared.concept_of_b >= 0)
    return Comparison(
        units, Alarms(gone, np.asarray(a.predictions.concept[gone], np.int64)), Alarms(new, back.concept_of_b[b.predictions.concept[new]]),
        known, int((shared.image_of_b >= 0).sum()), unlike,
    )  # fmt: skip


def meet(a: Evaluation, b: Evaluation, split: int) -> Shared:
    """Images of the split that both froze and both were run on; concepts of both, by name."""
    place = {path: row for row, path in enumerate(b.images.path.tolist())}
    found = np.array([place.get(path, -1) for path in a.images.path.tolist()], np.int64).reshape(-1)
    able_b = (b.coverage != NOT_RUN) & (b.images.split == split)
    able = (a.coverage != NOT_RUN) & (a.images.split == split) & (found >= 0)
    able[able] &= able_b[found[able]]
    names = {name: row for row, name in enumerate(b.concepts)}
    return Shared(np.where(able, found, -1), np.array([names.get(name, -1) for name in a.concepts], np.int64).reshape(-1))


def meet_back(shared: Shared, b: Evaluation) -> Shared:
    """The same, from the second version's side."""

    def turned(forward: Int64Array, number: int) -> Int64Array:
        back = np.full(number, -1, np.int64)
        known = np.flatnonzero(forward >= 0)
        back[forward[known]] = known
        return back

    return Shared(turned(shared.image_of_b, len(b.images)), turned(shared.concept_of_b, len(b.concepts)))


def outcomes(right_a: BoolArray, right_b: BoolArray) -> Int32Array:
    return np.where(right_a, np.where(right_b, BOTH_RIGHT, BROKEN), np.where(right_b, FIXED, STILL_WRONG)).astype(np.int32)


Found = tuple[Units, int]


def units_of_boxes(a: Evaluation, b: Evaluation, shared: Shared, thresholds_a: Float64Array, thresholds_b: Float64Array) -> Found:
    """Boxes that both froze: the same image, concept and sides; of equal ones the first with the first."""
    keys_a, rows_a = box_keys(a, shared.image_of_b >= 0, shared.concept_of_b >= 0, None)
    back = meet_back(shared, b)
    keys_b, rows_b = box_keys(b, back.image_of_b >= 0, back.concept_of_b >= 0, back)
    place = dict(zip(keys_b, rows_b, strict=True))
    pairs = [(row, place[key]) for key, row in zip(keys_a, rows_a, strict=True) if key in place]
    one, other = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    right_a = a.answer_score[one] >= thresholds_a[a.annotations.concept[one]]
    right_b = b.answer_score[other] >= thresholds_b[b.annotations.concept[other]]
    image, concept = (np.asarray(column[one], np.int64) for column in (a.annotations.image, a.annotations.concept))
    return Units(image, concept, one, other, outcomes(right_a, right_b)), len(keys_a) + len(keys_b) - 2 * len(pairs)


def box_keys(evaluation: Evaluation, images: BoolArray, concepts: BoolArray, back: Shared | None) -> tuple[list[tuple[object, ...]], list[int]]:
    """What annotated boxes are known by in both versions, and their rows; images and concepts as the first version numbers them."""
    table = evaluation.annotations
    counted = table.positive & ~table.ignore & images[table.image] & concepts[table.concept]
    rows = np.flatnonzero(counted)
    assert table.box is not None
    image, concept = np.asarray(table.image[rows], np.int64), np.asarray(table.concept[rows], np.int64)
    if back is not None:
        image, concept = back.image_of_b[image], back.concept_of_b[concept]
    seen: dict[tuple[object, ...], int] = {}
    keys: list[tuple[object, ...]] = []
    for key in zip(image.tolist(), concept.tolist(), *table.box[rows].T.tolist(), strict=True):
        nth = seen.get(key, 0)
        seen[key] = nth + 1
        keys.append((*key, nth))
    return keys, rows.tolist()


def units_of_images(a: Evaluation, b: Evaluation, shared: Shared, thresholds_a: Float64Array, thresholds_b: Float64Array) -> Found:
    """Images that both froze with the same concept."""
    stated_a, stated_b = (concept_of_images(one) for one in (a, b))
    rows = np.flatnonzero((shared.image_of_b >= 0) & (stated_a >= 0))
    other = shared.image_of_b[rows]
    same = shared.concept_of_b[stated_a[rows]] == stated_b[other]
    annotated_b = int((stated_b[shared.image_of_b[shared.image_of_b >= 0]] >= 0).sum())
    unlike = max(len(rows), annotated_b) - int(same.sum())
    rows, other = rows[same], other[same]
    right_a, right_b = (
        predicted_concept(one, thresholds)[place] == stated[place]
        for one, thresholds, stated, place in ((a, thresholds_a, stated_a, rows), (b, thresholds_b, stated_b, other))
    )
    none = np.full(len(rows), -1, np.int64)
    return Units(rows, stated_a[rows], none, none, outcomes(right_a, right_b)), unlike


def concept_of_images(evaluation: Evaluation) -> Int64Array:
    found = np.full(len(evaluation.images), -1, np.int64)
    found[evaluation.annotations.image] = evaluation.annotations.concept
    return found


def predicted_concept(evaluation: Evaluation, thresholds: Float64Array) -> Int64Array:
    """The concept that an image is predicted to be, -1 for none."""
    table = evaluation.predictions
    counted = (evaluation.state != NOT_HIGHEST) & (table.score >= thresholds[table.concept])
    found = np.full(len(evaluation.images), -2, np.int64)
    found[table.image[counted]] = table.concept[counted]
    return found


def units_of_tags(a: Evaluation, b: Evaluation, shared: Shared, thresholds_a: Float64Array, thresholds_b: Float64Array) -> Found:
    """Images and concepts of which both froze the same; whether it is there or not."""
    images, concepts = np.flatnonzero(shared.image_of_b >= 0), np.flatnonzero(shared.concept_of_b >= 0)
    stated_a = stated_tags(a)[np.ix_(images, concepts)]
    stated_b = stated_tags(b)[np.ix_(shared.image_of_b[images], shared.concept_of_b[concepts])]
    both = (stated_a == stated_b) & (stated_a >= 0)
    image, concept = np.nonzero(both)
    rows, tags = images[image], concepts[concept]
    right_a = predicted_tags(a, thresholds_a)[rows, tags] == (stated_a[both] == 1)
    right_b = predicted_tags(b, thresholds_b)[shared.image_of_b[rows], shared.concept_of_b[tags]] == (stated_b[both] == 1)
    none = np.full(len(rows), -1, np.int64)
    return Units(rows, tags, none, none, outcomes(right_a, right_b)), int((stated_a != stated_b).sum())


def stated_tags(evaluation: Evaluation) -> Int32Array:
    """(images, concepts): 1 there, 0 not, -1 unknown."""
    table = evaluation.annotations
    known = np.where(evaluation.images.stated == EXHAUSTIVE, 0, -1).astype(np.int8)
    found = np.repeat(known[:, None], len(evaluation.concepts), axis=1)
    found[table.image, table.concept] = np.where(table.ignore, -1, table.positive)
    return np.asarray(found, np.int32)


def predicted_tags(evaluation: Evaluation, thresholds: Float64Array) -> BoolArray:
    table = evaluation.predictions
    over = table.score >= thresholds[table.concept]
    found = np.zeros((len(evaluation.images), len(evaluation.concepts)), bool)
    found[table.image[over], table.concept[over]] = True
    return found


def alarms(evaluation: Evaluation, thresholds: Float64Array) -> Int64Array:
    """Rows of the predictions at or over the threshold that match nothing."""
    table = evaluation.predictions
    return np.flatnonzero((evaluation.state == WRONG) & (table.score >= thresholds[table.concept]))


def without_counterpart(one: Evaluation, ours: Int64Array, other: Evaluation, theirs: Int64Array, shared: Shared) -> Int64Array:
    """Of our false alarms on common images and concepts, those of which the other version has none at the same place."""
    image, concept = shared.image_of_b[one.predictions.image[ours]], shared.concept_of_b[one.predictions.concept[ours]]
    known = (image >= 0) & (concept >= 0)
    ours, image, concept = ours[known], image[known], concept[known]
    key = image * len(other.concepts) + concept
    their_key = other.predictions.image[theirs].astype(np.int64) * len(other.concepts) + other.predictions.concept[theirs]
    order = np.argsort(their_key, kind="stable")
    theirs, their_key = theirs[order], their_key[order]
    first, last = np.searchsorted(their_key, key), np.searchsorted(their_key, key, side="right")
    if one.predictions.box is None or other.predictions.box is None:
        return np.asarray(ours[first == last])
    count = last - first
    mine = np.repeat(np.arange(len(ours)), count)
    within = np.arange(len(mine)) - np.repeat(np.cumsum(count) - count, count)
    pairs = theirs[np.repeat(first, count) + within]
    our_box, their_box = one.predictions.box[ours[mine]], other.predictions.box[pairs]
    close = pairwise_iou(our_box, their_box, np.zeros(len(mine), bool)) >= one.iou_threshold
    again = np.zeros(len(ours), bool)
    again[mine[close | (our_box == their_box).all(axis=1)]] = True  # a box without area overlaps nothing, itself included
    return np.asarray(ours[~again])


def exact_mcnemar(fixed: int, broken: int) -> float:
    """Two-sided p-value of as many fixed as broken but for chance (McNemar, 1947, exact: the sign test); 1 where none changed."""
    number, fewer = fixed + broken, min(fixed, broken)
    if not number:
        return 1.0
    least = lgamma(number + 1) - number * log(2)
    half = sum(exp(least - lgamma(part + 1) - lgamma(number - part + 1)) for part in range(fewer + 1))
    return min(1.0, 2 * half)


def annotated_rows(found: Comparison, first: Evaluation, own: Evaluation, second: bool) -> Int64Array:
    """Per unit, the row of its annotation in `own`, -1 where the unit is an absence. first: the first version; second: `own` is the
    second, whose images and concepts are numbered otherwise."""
    if own.kind == "detection":
        return found.units.row_b if second else found.units.row_a
    image, concept = found.units.image, found.units.concept
    if second:
        place = {path: row for row, path in enumerate(own.images.path.tolist())}
        image = np.array([place[path] for path in first.images.path[image].tolist()], np.int64).reshape(-1)
        names = {name: row for row, name in enumerate(own.concepts)}
        concept = np.array([names[first.concepts[one]] for one in concept.tolist()], np.int64).reshape(-1)
    table, side = own.annotations, len(own.concepts)
    able = np.flatnonzero(table.positive & ~table.ignore)
    row_of = dict(zip((np.asarray(table.image[able], np.int64) * side + table.concept[able]).tolist(), able.tolist(), strict=True))
    return np.array([row_of.get(key, -1) for key in (image * side + concept).tolist()], np.int64).reshape(-1)
