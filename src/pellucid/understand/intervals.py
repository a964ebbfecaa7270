"""How sure a threshold is: a bootstrap over the validation images (Efron, 1979), percentile interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.columns import NOT_RUN, Flags, Floats, Longs
from pellucid.understand.evaluation import VALIDATION, Evaluation
from pellucid.understand.objectives import Objective, worth
from pellucid.understand.outcomes import MATCHED, WRONG

SAMPLES = 200
COVERAGE = 0.9
MANY = 20_000
"""Predictions of a concept beyond which they are drawn one by one, in BINS of equal size, and not with their images: so many tell so
much that the interval is narrow in any case."""
BINS = 2_048
Interval = tuple[float, float]


def threshold_intervals(evaluation: Evaluation, samples: int = SAMPLES, seed: int = 0) -> list[Interval | None]:
    """For each concept the range in which 90 % of the thresholds lie that other validation sets of as many images would have given.

    Fallback thresholds have that of all concepts together; None where nothing was predicted on validation.
    """
    own = [counted(evaluation, concept) for concept in range(len(evaluation.concepts))]
    fallback = any(one.source == "fallback" for one in evaluation.thresholds)
    lists = [binned(one) if len(one[0]) > MANY else one for one in ([*own, together(own)] if fallback else own)]
    del own
    covered = np.flatnonzero((evaluation.images.split == VALIDATION) & (evaluation.coverage != NOT_RUN))
    place = np.zeros(len(evaluation.images), np.int64)
    place[covered] = np.arange(len(covered))
    chance = np.random.default_rng(seed)
    found = np.full((samples, len(lists)), np.nan)
    for sample in range(samples):
        weight = np.bincount(chance.integers(0, max(1, len(covered)), len(covered)), minlength=len(covered))
        for number, one in enumerate(lists):
            if isinstance(one, Binned):
                found[sample, number] = best_of_bins(one, chance)
            elif len(one[0]):
                found[sample, number] = best_cut(one[0], one[1], weight[place[one[2]]])
    ranges = [percentiles(found[:, number]) for number in range(len(lists))]
    return [ranges[-1] if one.source == "fallback" and fallback else ranges[number] for number, one in enumerate(evaluation.thresholds)]


Lists = tuple[Floats, Flags, Longs]


def counted(evaluation: Evaluation, concept: int) -> Lists:
    """Scores falling, whether they match, and their images."""
    begin, end = evaluation.all_predictions.span(VALIDATION, concept)
    state = evaluation.state[begin:end]
    able = (state == MATCHED) | (state == WRONG)
    table = evaluation.predictions
    return np.asarray(table.score[begin:end][able]), np.asarray(state[able] == MATCHED), np.asarray(table.image[begin:end][able], np.int64)


def counted_nothing() -> Lists:
    return np.zeros(0), np.zeros(0, bool), np.zeros(0, np.int64)


def together(several: list[Lists]) -> Lists:
    score, right, image = (np.concatenate([one[side] for one in several]) for side in range(3))
    order = np.argsort(-score, kind="stable")
    return score[order], right[order], image[order]


def best_cut(score: Floats, right: Flags, weight: Longs) -> float:
    """The lowest cut with the fewest errors, each prediction counting as often as its image was drawn; NaN where none was."""
    drawn = weight > 0
    score, right, weight = score[drawn], right[drawn], weight[drawn]
    if not len(score):
        return np.nan
    last = np.append(score[1:] != score[:-1], True)
    errors = np.concatenate([[0], np.cumsum(np.where(right, -weight, weight))[last]])
    best = len(errors) - 1 - int(np.argmin(errors[::-1]))
    distinct = score[last]
    if best == 0:
        return float(np.nextafter(score[0], np.inf))
    return float(distinct[-1]) if best == len(distinct) else float((distinct[best - 1] + distinct[best]) / 2)


@dataclass(frozen=True, eq=False)
class Binned:
    """Predictions in BINS of equal size, best first: how many of each match and how many do not. cut: the value that includes the first
    0, 1, 2, ... bins."""

    good: Longs
    bad: Longs
    cut: Floats


def binned(one: Lists) -> Binned:
    score, right, _ = one
    edges = np.linspace(0, len(score), BINS + 1).astype(np.int64)
    good = np.add.reduceat(right.astype(np.int64), edges[:-1])
    cut = np.concatenate([[np.nextafter(score[0], np.inf)], score[edges[1:] - 1]])
    return Binned(good, np.diff(edges) - good, cut)


def best_of_bins(one: Binned, chance: np.random.Generator) -> float:
    """The lowest cut with the fewest errors, of predictions drawn one by one; cuts lie between bins."""
    errors = np.concatenate([[0], np.cumsum(chance.poisson(one.bad) - chance.poisson(one.good))])
    return float(one.cut[len(errors) - 1 - int(np.argmin(errors[::-1]))])


def percentiles(values: Floats) -> Interval | None:
    """The middle 90 % of the samples that gave a threshold."""
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    low, high = np.quantile(known, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2], method="inverted_cdf").tolist()
    return float(low), float(high)


def objective_interval(
    evaluation: Evaluation, concept: int | None, objective: Objective, samples: int = SAMPLES, seed: int = 0
) -> Interval | None:
    """The same for a threshold chosen for an objective, of one concept or one for all; None where hardly a sample reaches it."""
    several = [concept] if concept is not None else list(range(len(evaluation.concepts)))
    score, right, image = together([counted(evaluation, place) for place in several] or [counted_nothing()])
    if not len(score):
        return None
    covered = np.flatnonzero((evaluation.images.split == VALIDATION) & (evaluation.coverage != NOT_RUN))
    place = np.zeros(len(evaluation.images), np.int64)
    place[covered] = np.arange(len(covered))
    start = evaluation.annotation_start[VALIDATION]
    rows = np.concatenate([evaluation.counted_annotations[start[one] : start[one + 1]] for one in several])
    annotated = np.bincount(place[evaluation.annotations.image[rows]], minlength=len(covered))
    few = binned((score, right, image)) if len(score) > MANY else None
    chance = np.random.default_rng(seed)
    found = np.full(samples, np.nan)
    for sample in range(samples):
        if few is not None:
            good, bad = chance.poisson(few.good), chance.poisson(few.bad)
            found[sample] = best_of_sums(few.cut, np.cumsum(good), np.cumsum(good + bad), float(chance.poisson(len(rows))), objective)
            continue
        drawn = np.bincount(chance.integers(0, len(covered), len(covered)), minlength=len(covered))
        weight = drawn[place[image]]
        kept = weight > 0
        last = np.append(score[kept][1:] != score[kept][:-1], True)[: int(kept.sum())]
        tp, predicted = (np.cumsum(part[kept])[last] for part in (weight * right, weight))
        cuts = score[kept][last]
        if len(cuts):
            middle = np.append((cuts[:-1] + cuts[1:]) / 2, cuts[-1])
            every = np.concatenate([[np.nextafter(cuts[0], np.inf)], middle])
            found[sample] = best_of_sums(every, tp, predicted, float((drawn * annotated).sum()), objective)
    return percentiles(found) if (~np.isnan(found)).mean() > COVERAGE / 2 else None


def best_of_sums(cuts: Floats, tp: Longs, predicted: Longs, annotations: float, objective: Objective) -> float:
    """cuts: one more than sums, the first predicting nothing. NaN where none reaches the objective."""
    value = worth(objective, np.concatenate([[0.0], tp]), np.concatenate([[0.0], predicted]), max(annotations, float(tp[-1])))
    best = len(value) - 1 - int(np.argmax(value[::-1]))
    return np.nan if np.isneginf(value[best]) else float(cuts[best])
