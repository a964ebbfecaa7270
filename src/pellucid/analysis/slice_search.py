"""On which kinds of items errors are more (or fewer) frequent than elsewhere, by more than chance.

Conditions on single properties are all tested, for every concept and kind of error, and corrected together for having looked at many
(Benjamini, Hochberg, 1995). Pairs are then looked for inside what was found: does a second condition matter among the items of the first?
Boxes of one image go wrong together, so a difference must hold twice: by Fisher's exact test over items, and by a test whose variance is
taken between images (a ratio estimator's, linearised: Cochran, Sampling Techniques, 1977, 6.12). The larger p-value counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pellucid.analysis.slice_features import Condition, Property
from pellucid.core.tables import BoolArray, Float64Array, Int64Array

SIGNIFICANT = 0.01
"""The share of false discoveries that is put up with; where errors are but chance, how often anything is said at all."""
LEAST_ITEMS, LEAST_IMAGES, LEAST_ERRORS = 12, 5, 5
CUTS = 9
MOST_KINDS = 30
MOST_FIRST = 40
"""Single conditions of a population inside which pairs are looked for."""
MOST_TOLD, MOST_SPARED = 12, 4
"""Slices of a kind of error that are told, with more errors than elsewhere and with fewer."""
LEAST_NEW, NEW = 3.0, 0.3
"""Errors that a slice must explain and those told before do not, and the share of its own that these must be."""
PAIR = 0.7
MOSTLY, MUCH, SHARPER = 0.8, 0.6, 1.5
"""When a pair says it better than the slices around it."""
ALIKE = 0.5
"""Items in common, of all in either, from which two slices say the same."""


@dataclass(frozen=True, eq=False)
class Population:
    """Items of one kind that can go wrong. concept: a position, None for all · error: `extra` (annotations not predicted) or `missing`
    (predictions not annotated) · wrong: which do · image: of each · properties: of each · places: in the population of all concepts."""

    concept: int | None
    error: str
    wrong: BoolArray
    image: Int64Array
    properties: Sequence[Property]
    places: Int64Array


@dataclass(frozen=True, eq=False)
class Slice:
    """conditions: that hold for all its items · items, errors: how many · rate: errors / items · elsewhere: the rate of the population's
    other items of which it is known · interval: of the rate, 95 %, Wilson's, widened as errors come by images · p_adjusted: see the
    module · explained: errors more than there would be at the rate of elsewhere (negative: fewer) · inside, others: which items of the
    population it holds, and which are elsewhere."""

    population: Population
    conditions: tuple[Condition, ...]
    items: int
    errors: int
    rate: float
    elsewhere: float
    interval: tuple[float, float]
    p_adjusted: float
    explained: float
    inside: BoolArray
    others: BoolArray


@dataclass(frozen=True, eq=False)
class Tested:
    population: int
    condition: Condition
    inside: BoolArray
    known: BoolArray
    p: float


def slices(populations: Sequence[Population]) -> list[Slice]:
    """Most errors explained first; slices with fewer errors than elsewhere after those with more."""
    singles = [one for place, population in enumerate(populations) for one in tested(place, population, None)]
    found = significant(singles, populations)
    pairs: list[tuple[Slice, Tested]] = []
    for first in strongest(found):
        place = next(row for row, one in enumerate(populations) if one is first.population)
        pairs += [(first, one) for one in tested(place, first.population, first)]
    return distinct([*found, *significant_pairs(pairs)])


def tested(place: int, population: Population, first: Slice | None) -> list[Tested]:
    """Every condition worth testing; inside a first one, those on other properties."""
    within = np.ones(len(population.wrong), bool) if first is None else first.inside
    wrong = population.wrong[within]
    if min(int(wrong.sum()), int((~wrong).sum())) < LEAST_ERRORS or len(wrong) < 2 * LEAST_ITEMS:
        return []
    taken = set() if first is None else {one.name for one in first.conditions}
    results = []
    for column in population.properties:
        if column.name in taken:
            continue
        known = within & is_known(column)  # of what is unknown nothing follows, not even that it is elsewhere
        part = column.at(known)
        found = conditions(part)
        if not found:
            continue
        inside = np.array([one.holds(part) for one in found])
        for one, flag, p in zip(found, inside, p_values(inside, population.wrong[known], population.image[known]), strict=True):
            if not np.isnan(p):
                whole = np.zeros(len(within), bool)
                whole[known] = flag
                results.append(Tested(place, one, whole, known, float(p)))
    return results


def is_known(column: Property) -> BoolArray:
    return np.asarray(column.values >= 0 if column.labels is not None else ~np.isnan(column.values))


def conditions(column: Property) -> list[Condition]:
    """Under, over and between round cuts that part the items evenly; each of the commoner texts. The outcome is not looked at."""
    if column.labels is not None:
        number = np.bincount(column.values[column.values >= 0].astype(np.int64), minlength=len(column.labels))
        kinds = np.argsort(-number, kind="stable")[:MOST_KINDS]
        return [Condition(column.name, values=(column.labels[kind],)) for kind in kinds.tolist() if number[kind] >= LEAST_ITEMS]
    known = column.values[~np.isnan(column.values)]
    if len(known) < 2 * LEAST_ITEMS:
        return []
    cuts = sorted({rounded(value) for value in np.quantile(known, np.arange(1, CUTS + 1) / (CUTS + 1)).tolist()})
    cuts = [cut for cut in cuts if known.min() < cut <= known.max()]
    ends = [Condition(column.name, high=cut) for cut in cuts] + [Condition(column.name, low=cut) for cut in cuts]
    coarse = cuts[1::2]
    return ends + [Condition(column.name, low, high) for place, low in enumerate(coarse) for high in coarse[place + 1 :]]


def rounded(value: float) -> float:
    """To two digits: a cut is to be read and remembered."""
    return float(f"{value:.2g}")


def p_values(inside: BoolArray, wrong: BoolArray, image: Int64Array) -> Float64Array:
    """Two-sided, a condition (row of `inside`) each; NaN where there are too few items or images on either side to tell."""
    from scipy import stats

    order = np.argsort(image, kind="stable")
    starts = np.flatnonzero(np.append(True, image[order][1:] != image[order][:-1]))
    chosen, bad = inside[:, order].astype(float), wrong[order].astype(float)
    n_in, e_in = (np.add.reduceat(part, starts, axis=1) for part in (chosen, chosen * bad))
    n_all, e_all = (np.add.reduceat(part, starts) for part in (np.ones(len(bad)), bad))
    total_in, errors_in = n_in.sum(axis=1), e_in.sum(axis=1)
    total, errors = float(len(bad)), float(bad.sum())
    total_out = total - total_in
    images_in, images_out = (n_in > 0).sum(axis=1), (n_all - n_in > 0).sum(axis=1)
    enough = np.minimum(total_in, total_out) >= LEAST_ITEMS
    enough &= np.minimum(images_in, images_out) >= LEAST_IMAGES
    found = np.full(len(inside), np.nan)
    if not enough.any():
        return found
    pooled = errors / total
    with np.errstate(divide="ignore", invalid="ignore"):
        pull = (e_in - pooled * n_in) / total_in[:, None] - ((e_all - e_in) - pooled * (n_all - n_in)) / total_out[:, None]
        spread = np.sqrt((pull**2).sum(axis=1) * len(starts) / max(1, len(starts) - 1))
        apart = errors_in / total_in - (errors - errors_in) / total_out
        by_image = 2 * stats.t.sf(np.abs(apart) / spread, np.minimum(images_in, images_out) - 1)
        rough = 2 * stats.norm.sf(np.abs(apart) / np.sqrt(pooled * (1 - pooled) * (1 / total_in + 1 / total_out)))
    found[enough] = np.fmax(by_image, rough)[enough]
    close = np.flatnonzero(enough & (found < 0.1))  # the exact test where it may matter
    more = stats.hypergeom.sf(errors_in[close] - 1, total, errors, total_in[close])
    fewer = stats.hypergeom.cdf(errors_in[close], total, errors, total_in[close])
    found[close] = np.fmax(by_image[close], np.minimum(1, 2 * np.minimum(more, fewer)))
    return found


def adjusted(p: Float64Array) -> Float64Array:
    from scipy import stats

    return np.asarray(stats.false_discovery_control(np.clip(p, 0, 1))) if len(p) else p


def significant(several: list[Tested], populations: Sequence[Population]) -> list[Slice]:
    chances = adjusted(np.array([one.p for one in several]))
    return [
        described(populations[one.population], (one.condition,), one.inside, one.known, float(p))
        for one, p in zip(several, chances, strict=True)
        if p <= SIGNIFICANT
    ]


def significant_pairs(several: list[tuple[Slice, Tested]]) -> list[Slice]:
    """Where the second condition makes it worse than the first alone."""
    chances = adjusted(np.array([one.p for _, one in several]))
    found = []
    for (first, one), p in zip(several, chances, strict=True):
        if p <= SIGNIFICANT:
            made = described(
                first.population, (*first.conditions, one.condition), one.inside, one.known | first.others, max(float(p), first.p_adjusted)
            )
            if abs(made.rate - made.elsewhere) > abs(first.rate - first.elsewhere) and (made.explained > 0) == (first.explained > 0):
                found.append(made)
    return found


def strongest(found: list[Slice]) -> list[Slice]:
    """The singles that explain most, of every population."""
    kept: dict[int, int] = {}
    chosen = []
    for one in sorted(found, key=lambda one: -abs(one.explained)):
        number = kept.get(id(one.population), 0)
        if number < MOST_FIRST:
            kept[id(one.population)] = number + 1
            chosen.append(one)
    return chosen


def described(population: Population, conditions: tuple[Condition, ...], inside: BoolArray, known: BoolArray, p: float) -> Slice:
    """known: items of which it is known whether the conditions hold; elsewhere is where they do not."""
    wrong, others = population.wrong, known & ~inside
    items, errors = int(inside.sum()), int(wrong[inside].sum())
    elsewhere = float(wrong[others].mean()) if others.any() else 0.0
    rate = errors / items
    interval = wilson(rate, items / design_effect(wrong[inside], population.image[inside]))
    return Slice(population, conditions, items, errors, rate, elsewhere, interval, p, errors - items * elsewhere, inside, others)


def design_effect(wrong: BoolArray, image: Int64Array) -> float:
    """How many times the rate's variance is that of as many independent items; at least 1."""
    _, group = np.unique(image, return_inverse=True)
    number, errors = np.bincount(group), np.bincount(group, wrong)
    rate = errors.sum() / number.sum()
    if rate in (0, 1) or len(number) < 2:
        return 1.0
    variance = ((errors - rate * number) ** 2).sum() * len(number) / (len(number) - 1)
    return max(1.0, float(variance / (number.sum() * rate * (1 - rate))))


def wilson(rate: float, number: float, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval (1927)."""
    middle = (rate + z * z / (2 * number)) / (1 + z * z / number)
    half = z / (1 + z * z / number) * np.sqrt(rate * (1 - rate) / number + z * z / (4 * number * number))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def distinct(found: list[Slice]) -> list[Slice]:
    """What is worth saying. Over all concepts the strongest condition on each property, unless it picks much the same items as one told
    before; of single concepts, and of pairs, what explains errors that those do not; of slices with fewer errors some that are not the
    reverse of these. Dense ones are preferred to wide ones."""
    kept = []
    for error in ("extra", "missing"):
        several = sorted((one for one in found if one.population.error == error), key=lambda one: -worth(one))
        wide = [one for one in several if one.explained > 0 and one.population.concept is None and len(one.conditions) == 1]
        narrow = [one for one in several if one.explained > 0 and (one.population.concept is not None or len(one.conditions) > 1)]
        spared = [one for one in several if one.explained < 0 and one.population.concept is None and len(one.conditions) == 1]
        told = told_apart(wide, [], MOST_TOLD)
        told += with_news(narrow, told)
        kept += [*told, *told_apart(spared, told, MOST_SPARED)]
    return sorted(kept, key=lambda one: (one.explained <= 0, -abs(one.explained), one.p_adjusted))


def worth(one: Slice) -> float:
    return abs(one.explained) * float(np.sqrt(abs(one.rate - one.elsewhere))) * (1.0 if len(one.conditions) == 1 else PAIR)


def told_apart(several: list[Slice], before: list[Slice], most: int) -> list[Slice]:
    """At most so many, each on a property of its own and of items of its own."""
    told: list[Slice] = []
    for one in several:
        known = [other for other in (*before, *told) if other.population is one.population]
        names = {condition.name for other in known for condition in other.conditions}
        if one.conditions[0].name not in names and not any(says_the_same(one, other) for other in known) and len(told) < most:
            told.append(one)
    return told


def says_the_same(one: Slice, other: Slice) -> bool:
    """Whether two slices of a population have most of their items in common, or one has most of what the other leaves out."""
    if (one.explained > 0) != (other.explained > 0):
        return int((one.inside ^ other.inside).sum()) / len(one.inside) >= ALIKE
    return int((one.inside & other.inside).sum()) / int((one.inside | other.inside).sum()) >= ALIKE


def with_news(several: list[Slice], before: list[Slice]) -> list[Slice]:
    """Those that explain what was not explained before, best first."""
    if not several:
        return []
    covered = np.zeros(1 + max(int(one.population.places.max()) for one in (*several, *before)), bool)
    for one in before:
        if one.rate >= 2 * one.elsewhere:  # a wide slice explains no particular error
            covered[one.population.places[one.inside]] = True
    told: list[Slice] = []
    left = several
    while left and len(told) < MOST_TOLD:
        news = [one.explained if is_sharper(one, [*before, *told]) else new_errors(one, covered) for one in left]
        left = [one for one, new in zip(left, news, strict=True) if new >= max(LEAST_NEW, NEW * one.explained)]
        if left:
            best = max(left, key=lambda one: worth(one) * max(new_errors(one, covered), NEW * one.explained) / one.explained)
            told.append(best)
            covered[best.population.places[best.inside]] = True
            left = [one for one in left if one is not best]
    return told


def is_sharper(one: Slice, told: list[Slice]) -> bool:
    """Whether a pair explains most of what each slice that holds it does, on much fewer items."""
    around = [other for other in told if other.population is one.population and (one.inside & other.inside).sum() >= MOSTLY * one.items]
    pair = len(one.conditions) > 1 and bool(around)
    return pair and all(one.explained >= MUCH * other.explained and one.rate >= SHARPER * other.rate for other in around)


def new_errors(one: Slice, covered: BoolArray) -> float:
    """Errors explained among the items that no slice told before has."""
    new = one.inside & ~covered[one.population.places]
    return float(one.population.wrong[new].sum() - new.sum() * one.elsewhere)


def of_concept(whole: Population, concept: int, rows: Int64Array) -> Population:
    """Those items of a population of all concepts."""
    return replace(
        whole, concept=concept, wrong=whole.wrong[rows], image=whole.image[rows], properties=[one.at(rows) for one in whole.properties],
        places=whole.places[rows],
    )  # fmt: skip
