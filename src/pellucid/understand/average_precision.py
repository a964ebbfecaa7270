"""The COCO figures of boxes, equal to pycocotools', without its loops over images.

Matching is done for ten IoUs and four ranges of area on the pairs of boxes that overlap at all; precision is then looked up
at true positives alone, since between them it only falls. The kernel does it in one walk; `tallied` is the same in NumPy.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np

from pellucid import kernel
from pellucid.columns import NOT_RUN, Annotations, Flags, Floats, Images, Longs, Predictions
from pellucid.understand.evaluation import Evaluation
from pellucid.understand.greedy import choose, overlapping_pairs
from pellucid.understand.greedy_in_c import by_run
from pellucid.understand.matching import unverified
from pellucid.understand.orders import best_first

IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
MOST_BOXES = (1, 10, 100)
"""Boxes of an image and concept that are looked at, best first."""
AREAS = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""Square pixels, both ends included."""


@dataclass(frozen=True, eq=False)
class CocoFigures:
    """figures: the twelve, by COCO's names, None where COCO says -1 · ap: AP per concept, NaN where there is no annotation."""

    figures: dict[str, float | None]
    ap: Floats


@dataclass(frozen=True, eq=False)
class Candidates:
    """A split's boxes in the order in which precision is counted: concept, score descending, image, input order.

    start: int64 (concepts + 1,), where each concept's begin.
    """

    predictions: Predictions
    annotations: Annotations
    start: Longs


@dataclass(frozen=True, eq=False)
class Tally:
    """precision: float64 (areas, IoUs, concepts, recalls), the best at that recall or beyond · hits: int64 (areas, caps, IoUs,
    concepts), annotations found · positives: int64 (areas, concepts), annotations that count."""

    precision: Floats
    hits: Longs
    positives: Longs


def coco_figures(evaluation: Evaluation, split: int) -> CocoFigures:
    """AP and AR over the covered images of a split, as pycocotools' `COCOeval` with its default parameters."""
    found = candidates(evaluation, split)
    return figures_of(found, len(evaluation.concepts), len(evaluation.images))


def figures_of(found: Candidates, concepts: int, images: int) -> CocoFigures:
    tally = tallied(found, concepts, images) if kernel.library is None else tallied_in_c(found, concepts, images)
    known = tally.positives > 0
    precision = np.where(known[:, None], tally.precision.mean(axis=-1), np.nan)
    recall = np.where(known[:, None, None], tally.hits / np.maximum(tally.positives, 1)[:, None, None], np.nan)
    return CocoFigures(twelve(precision, recall), np.mean(precision[0], axis=0))


def tallied(found: Candidates, concepts: int, images: int) -> Tally:
    rank = ranks(found.predictions.concept.astype(np.int64) * images + found.predictions.image)
    kept = rank < MOST_BOXES[-1]
    predictions, rank = found.predictions.take(kept), rank[kept]
    start = np.searchsorted(predictions.concept, np.arange(concepts + 1))
    found = Candidates(predictions, found.annotations, start)
    pairs = [np.concatenate(columns) for columns in zip(*close_pairs(found, concepts), strict=True)]
    tally = no_tally(concepts)
    for place, (low, high) in enumerate(AREAS.values()):
        ignored = found.annotations.ignore | outside(areas(found.annotations), low, high)
        tally.positives[place] = np.bincount(found.annotations.concept[~ignored], minlength=concepts)
        for level, iou in enumerate(IOUS):
            hit, passed = matched_at(found, pairs, ignored, low, high, float(iou))
            tally.precision[place, level] = precisions(found, hit, passed, tally.positives[place])
            for cap, most in enumerate(MOST_BOXES):
                tally.hits[place, cap, level] = np.bincount(predictions.concept[hit & (rank < most)], minlength=concepts)
    return tally


def no_tally(concepts: int) -> Tally:
    return Tally(
        np.zeros((len(AREAS), len(IOUS), concepts, len(RECALLS))),
        np.zeros((len(AREAS), len(MOST_BOXES), len(IOUS), concepts), np.int64),
        np.zeros((len(AREAS), concepts), np.int64),
    )


def tallied_in_c(found: Candidates, concepts: int, images: int) -> Tally:
    """The same, bit for bit, by the kernel; concepts on several threads."""
    assert kernel.library is not None
    library, place, integer = kernel.library, kernel.address, kernel.integer
    there = by_run(found.annotations, found.annotations.concept, concepts, images)
    area = np.ascontiguousarray(areas(found.annotations)[there.row])
    image, box = (np.ascontiguousarray(column) for column in (found.predictions.image, found.predictions.box))
    constants = [IOUS, np.array(list(AREAS.values())), RECALLS, np.array(MOST_BOXES, np.int64)]
    settings = kernel.Settings(*(place(constant) for constant in constants))
    structure, tally = there.structure, no_tally(concepts)

    def walk(first: int, last: int) -> None:
        slot, seen = np.full(images, -1, np.int32), np.zeros(images, np.int32)
        kernel.enough(
            library.coco_runs(
                integer(first), integer(last), integer(concepts), place(found.start), place(image), place(box), ctypes.byref(structure),
                place(area), ctypes.byref(settings), place(slot), place(seen), place(tally.precision), place(tally.hits),
                place(tally.positives),
            )
        )  # fmt: skip

    kernel.side_by_side(walk, kernel.pieces(found.start))
    return tally


def candidates(evaluation: Evaluation, split: int) -> Candidates:
    inside = (evaluation.images.split == split) & (evaluation.coverage != NOT_RUN)
    annotations = evaluation.annotations.take(inside[evaluation.annotations.image])
    begin, end = evaluation.all_predictions.whole(split)
    predictions = evaluation.predictions.take(slice(begin, end))
    run = split * len(evaluation.concepts)
    start = evaluation.derived.start[run : run + len(evaluation.concepts) + 1] - begin
    annotations, predictions, start = looked_for(evaluation.images, annotations, predictions, start)
    image_rank = identity_ranks(evaluation.images)
    if (np.diff(image_rank) < 0).any():  # else gallery order is the right one
        order = np.arange(len(predictions), dtype=np.int32)
        ranked = predictions.replaced(image=image_rank[predictions.image].astype(np.int32))
        best_first(order, start, ranked)
        predictions = predictions.take(order)
    return Candidates(predictions, annotations, start)


def looked_for(images: Images, annotations: Annotations, predictions: Predictions, start: Longs) -> tuple[Annotations, Predictions, Longs]:
    """As LVIS: what nobody looked for counts for nothing, and a stated absence is no annotation. start: of the predictions' concepts."""
    unknown = unverified(len(start) - 1, images, annotations, predictions)
    if unknown.any():
        predictions = predictions.take(~unknown)
        start = np.searchsorted(predictions.concept, np.arange(len(start)))
    return annotations.take(annotations.positive), predictions, start


def identity_ranks(images: Images) -> Longs:
    """Among equal scores pycocotools takes images by id; without integer ids the path decides."""
    identities = [identity.split("\n")[0] for identity in images.source_id]
    if all(identity.removeprefix("-").isdecimal() for identity in identities):
        order = np.array(sorted(range(len(images)), key=lambda row: int(identities[row])), np.int64)
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        return rank
    return np.argsort(np.argsort(images.path, kind="stable"), kind="stable")


def ranks(group: Longs) -> Longs:
    """Each row's place within its group, in the order of the rows."""
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    first = np.ones(len(group), bool)
    first[1:] = ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(first)
    place = np.empty(len(group), np.int64)
    place[order] = np.arange(len(group)) - np.repeat(starts, np.diff(np.append(starts, len(group))))
    return place


def close_pairs(found: Candidates, concepts: int) -> list[tuple[Longs, Longs, Floats]]:
    """Pairs that reach the least IoU, grouped by prediction."""
    nothing = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    batches = [nothing]
    for prediction, annotation, value in overlapping_pairs(found.annotations, found.predictions, concepts):
        near = value >= IOUS[0]
        batches.append((prediction[near], annotation[near], value[near]))
    return batches


def areas(annotations: Annotations) -> Floats:
    assert annotations.area is not None
    return annotations.area


def outside(area: Floats, low: float, high: float) -> Flags:
    return np.asarray((area < low) | (area > high))


def matched_at(
    found: Candidates, pairs: list[np.ndarray], ignored: Flags, low: float, high: float, iou: float
) -> tuple[Flags, Flags]:  # fmt: skip
    """Which predictions are true positives, and which are passed over, at one IoU and range of area."""
    prediction, annotation, value = pairs
    near = value >= min(iou, 1 - 1e-10)
    rows, taken, _ = choose(
        prediction[near], annotation[near], value[near], ignored[annotation[near]], found.annotations.ignore[annotation[near]]
    )
    hit = np.zeros(len(found.predictions), bool)
    hit[rows] = ~ignored[taken]
    assert found.predictions.box is not None
    passed = outside(found.predictions.box[:, 2] * found.predictions.box[:, 3], low, high)
    passed[rows] = ignored[taken]
    return hit, passed


def precisions(found: Candidates, hit: Flags, passed: Flags, positives: Longs) -> Floats:
    """Per concept, the best precision at each of the 101 recalls or beyond; 0 where the recall is never reached."""
    counted = np.cumsum(~passed)
    before = np.concatenate([[0], counted])[found.start]
    rows = np.flatnonzero(hit)
    edges = np.searchsorted(rows, found.start)
    result = np.zeros((len(positives), len(RECALLS)))
    for concept in np.flatnonzero(positives):
        first, last = edges[concept], edges[concept + 1]
        if first < last:
            true = np.arange(1, last - first + 1)
            precision = true / (counted[rows[first:last]] - before[concept] + np.spacing(1))
            best = np.maximum.accumulate(precision[::-1])[::-1]
            place = np.searchsorted(true / positives[concept], RECALLS)
            result[concept, place < len(best)] = best[place[place < len(best)]]
    return result


def twelve(precision: Floats, recall: Floats) -> dict[str, float | None]:
    small, medium, large = 1, 2, 3
    return {
        "AP": mean(precision[0]), "AP50": mean(precision[0, 0]), "AP75": mean(precision[0, 5]),
        "APs": mean(precision[small]), "APm": mean(precision[medium]), "APl": mean(precision[large]),
        "AR1": mean(recall[0, 0]), "AR10": mean(recall[0, 1]), "AR100": mean(recall[0, 2]),
        "ARs": mean(recall[small, 2]), "ARm": mean(recall[medium, 2]), "ARl": mean(recall[large, 2]),
    }  # fmt: skip


def mean(values: Floats) -> float | None:
    """Over the concepts that have annotations; None without one."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
