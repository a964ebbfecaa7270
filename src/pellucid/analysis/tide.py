"""What fixing each kind of mistake would gain in AP, after TIDE (Bolya et al., 2020: "TIDE: A General Toolbox for Identifying Object
Detection Errors"), whose definitions and numbers these are: over all predictions, at one IoU, whatever the thresholds.

Kinds: `cls` the wrong concept at the right place · `loc` the right concept at IoU 0.1 to the version's · `both` neither · `dupe` a
second box on what was found · `bkg` on nothing · `miss` an annotation that none of these reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pellucid.core.tables import NOT_RUN, BoolArray, Float64Array, Int8Array, Int64Array
from pellucid.evaluation.coco_metrics import image_id_ranks, rank_in_group
from pellucid.evaluation.error_causes import BADLY_PLACED, image_pairs, pair_ious
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.match_result import IGNORED, MATCHED

Kind = Literal["cls", "loc", "both", "dupe", "bkg", "miss"]
KINDS: tuple[Kind, ...] = ("cls", "loc", "both", "dupe", "bkg", "miss")
CLS, LOC, BOTH, DUPE, BKG, MISS = range(len(KINDS))
MOST_BOXES = 100
"""Of an image, whatever their concepts; best first."""
GRID = np.array([step / 100 for step in range(101)])


@dataclass(frozen=True)
class Tide:
    """ap: mean over the concepts, at the version's IoU, 0 to 1 · gain: of each kind, how much it would rise were all of them fixed ·
    number: how many there are · false_positives, false_negatives: the gain were there none of them."""

    ap: float
    gain: dict[Kind, float]
    number: dict[Kind, int]
    false_positives: float
    false_negatives: float


@dataclass(frozen=True, eq=False)
class Tried:
    """Predictions that match nothing. rows: of predictions · kind: places in KINDS · target: row of the annotation that would be found
    were the mistake fixed, else -1."""

    rows: Int64Array
    kind: Int8Array
    target: Int64Array


def tide(evaluation: Evaluation, split: int) -> Tide | None:
    """None without an annotation or a prediction that counts."""
    rows = best_boxes(evaluation, split)
    start = evaluation.matchable_starts[split]
    annotated = np.asarray(evaluation.matchable_annotations[start[0] : start[-1]], np.int64)
    if not len(annotated) and not len(rows):
        return None
    table, concepts = evaluation.predictions, len(evaluation.concepts)
    hit = evaluation.state[rows] == MATCHED
    found = np.zeros(len(evaluation.annotations), bool)
    found[evaluation.partner[rows[hit]]] = True
    tried = mistakes(evaluation, rows[~hit], found)
    unreachable = ~found
    unreachable[tried.target[tried.target >= 0]] = False
    missed = annotated[unreachable[annotated]]
    positives = np.bincount(evaluation.annotations.concept[annotated], minlength=concepts)
    place = np.full(len(table), -1, np.int64)
    place[rows] = np.arange(len(rows))
    counted = evaluation.state[rows] != IGNORED
    score, concept = table.score[rows], np.asarray(table.concept[rows], np.int64)
    base = mean_ap(concept[counted], score[counted], hit[counted], np.arange(len(rows))[counted], positives)
    first_wrong = hit.astype(np.int64) * len(rows) + np.arange(len(rows))  # of equal scores TIDE takes the mistakes first here

    gain: dict[Kind, float] = {}
    for kind, name in enumerate(KINDS):
        if kind == MISS:
            fewer = positives - np.bincount(evaluation.annotations.concept[missed], minlength=concepts)
            gain[name] = mean_ap(concept[counted], score[counted], hit[counted], first_wrong[counted], fewer) - base
            continue
        chosen = tried.kind == kind
        mended = credited(evaluation, tried, chosen)
        kept, right, now = counted.copy(), hit.copy(), concept.copy()
        kept[place[tried.rows[chosen]]] = False
        where = place[tried.rows[mended]]
        kept[where] = right[where] = True
        now[where] = evaluation.annotations.concept[tried.target[mended]]
        gain[name] = mean_ap(now[kept], score[kept], right[kept], first_wrong[kept], positives) - base
    number = {name: int((tried.kind == kind).sum()) for kind, name in enumerate(KINDS) if kind != MISS}
    never = positives - np.bincount(evaluation.annotations.concept[annotated[~found[annotated]]], minlength=concepts)
    precise = mean_ap(concept[counted], hit[counted].astype(float), hit[counted], first_wrong[counted], positives) - base
    complete = mean_ap(concept[counted], score[counted], hit[counted], first_wrong[counted], never) - base
    return Tide(base, {name: max(value, 0.0) for name, value in gain.items()}, {**number, "miss": len(missed)}, precise, complete)


def best_boxes(evaluation: Evaluation, split: int) -> Int64Array:
    """Rows of each image's best predictions, by image, then score falling."""
    table = evaluation.predictions
    begin, end = evaluation.all_predictions.split_span(split)
    rows = np.arange(begin, end)
    rows = rows[evaluation.coverage[table.image[begin:end]] != NOT_RUN]
    image = image_id_ranks(evaluation.images)[table.image[rows]]
    rows = rows[np.lexsort((table.order[rows], -table.score[rows], image))]
    return np.asarray(rows[rank_in_group(np.asarray(table.image[rows], np.int64)) < MOST_BOXES])


def mistakes(evaluation: Evaluation, rows: Int64Array, found: BoolArray) -> Tried:
    """The kind of every prediction that matches nothing. found: per annotation, whether a prediction matches it."""
    kind, target = np.full(len(rows), BKG, np.int8), np.full(len(rows), -1, np.int64)
    annotations, derived, least = evaluation.annotations, evaluation.row_index, evaluation.iou_threshold
    for part, mine, others in image_pairs(evaluation.predictions.image[rows], derived.annotation_image_start, derived.annotation_of_image):
        able = annotations.positive[others] & ~annotations.ignore[others]
        mine, others = mine[able], others[able]
        value = pair_ious(evaluation, rows[part[mine]], others)
        same = annotations.concept[others] == evaluation.predictions.concept[rows[part[mine]]]
        own, own_row = highest(value * same, mine, others, len(part))
        other, other_row = highest(value * ~same, mine, others, len(part))
        used, _ = highest(value * same * found[others], mine, others, len(part))
        any_, _ = highest(value, mine, others, len(part))
        placed = (own >= BADLY_PLACED) & (own <= least)
        named = ~placed & (other >= least)
        again = ~placed & ~named & (used >= least)
        kind[part] = np.select([placed, named, again, any_ <= BADLY_PLACED], [LOC, CLS, DUPE, BKG], BOTH)
        target[part] = np.select([placed, named], [own_row, other_row], -1)
    aimed = np.flatnonzero(target >= 0)
    target[aimed[found[target[aimed]]]] = -1
    return Tried(rows, kind, target)


def highest(value: Float64Array, group: Int64Array, rows: Int64Array, groups: int) -> tuple[Float64Array, Int64Array]:
    """Of each group its highest value and that one's row, of equals the first; 0 and -1 where a group has none. group: rising."""
    best, which = np.zeros(groups), np.full(groups, -1, np.int64)
    if len(value):
        order = np.lexsort((np.arange(len(value)), -value, group))
        first = np.append(True, group[order][1:] != group[order][:-1])
        best[group[order][first]] = value[order][first]
        which[group[order][first]] = rows[order][first]
    return best, which


def credited(evaluation: Evaluation, tried: Tried, chosen: BoolArray) -> Int64Array:
    """Places of those chosen that would find an annotation: of several kinds and tries at one, the highest score; of equals the first."""
    able = np.flatnonzero(tried.target >= 0)
    order = able[np.lexsort((able, -evaluation.predictions.score[tried.rows[able]], tried.target[able]))]
    first = np.append(True, tried.target[order][1:] != tried.target[order][:-1]) if len(order) else np.zeros(0, bool)
    winners = order[first]
    return np.asarray(winners[chosen[winners]])


def mean_ap(concept: Int64Array, score: Float64Array, right: BoolArray, order: Int64Array, positives: Int64Array) -> float:
    """Mean AP, by 101 recalls, over the concepts that have a prediction or an annotation. order: of equal scores."""
    number = np.bincount(concept, minlength=len(positives))
    known = np.flatnonzero((number > 0) | (positives > 0))
    ranked = np.lexsort((order, -score, concept))
    right = right[ranked]
    ends = np.cumsum(number)
    values = [one_ap(right[ends[place] - number[place] : ends[place]], int(positives[place])) for place in known.tolist()]
    return float(np.sum(values) / len(values)) if values else 0.0


def one_ap(right: BoolArray, positives: int) -> float:
    if not positives or not len(right):
        return 0.0
    true = np.cumsum(right)
    precision = np.maximum.accumulate((true / np.arange(1, len(right) + 1))[::-1])[::-1]
    place = np.searchsorted(true / positives, GRID)
    return float(precision[place[place < len(precision)]].sum() / len(GRID))
