"""Slice discovery: subsets of items with significantly more (or fewer) errors than the rest.

All conditions on single properties are tested, for every concept and error type, with a joint
correction for multiple testing (Benjamini, Hochberg, 1995). Pairs are then searched within
significant slices: does a second condition matter inside the first? Errors within an image are
correlated, so each difference must pass two tests: Fisher's exact test over items, and a test
with variance between images (linearised ratio estimator: Cochran, Sampling Techniques, 1977,
6.12). The larger p-value is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pellucid.analysis.slice_features import Condition, Property
from pellucid.analysis.slice_statistics import (
    MIN_ITEMS,
    adjust_p_values,
    condition_p_values,
    design_effect,
    wilson_interval,
)
from pellucid.core.tables import BoolArray, Int64Array

FALSE_DISCOVERY_RATE = 0.01
"""Accepted false discovery rate; if errors are random, the probability of reporting anything."""
MIN_ERRORS = 5
QUANTILE_CUTS = 9
MAX_TESTED_CATEGORIES = 30
MAX_FIRST_CONDITIONS = 40
"""Maximum number of single conditions per population within which pairs are searched."""
MAX_WORSE_SLICES, MAX_BETTER_SLICES = 12, 4
"""Maximum number of slices reported per error type: worse and better than the rest."""
MIN_NEW_ERRORS, MIN_NEW_SHARE = 3.0, 0.3
"""Minimum number of errors a slice explains beyond those already reported, and their minimum
share."""
PAIR_WEIGHT = 0.7
MIN_CONTAINED_SHARE, MIN_EXPLAINED_RATIO, MIN_RATE_RATIO = 0.8, 0.6, 1.5
"""Criteria for a pair to replace the broader slices that contain it."""
MAX_SLICE_OVERLAP = 0.5
"""Intersection over union of the items from which two slices are redundant."""


@dataclass(frozen=True, eq=False)
class Population:
    """Items of one error type.

    Attributes:
        concept: an index, None for all
        error: `extra` (annotations not predicted) or `missing` (predictions not annotated)
        wrong, image, properties: per item
        places: indices in the population of all concepts
    """

    concept: int | None
    error: str
    wrong: BoolArray
    image: Int64Array
    properties: Sequence[Property]
    places: Int64Array


@dataclass(frozen=True, eq=False)
class Slice:
    """Items that satisfy conditions, with their rate of errors beside that of the others.

    Attributes:
        conditions: hold for all its items
        error_rate: error_count / item_count
        other_rate: the error rate of the population's other items with known values
        interval: of error_rate, 95 %, Wilson, widened by the design effect
        p_adjusted: see the module
        excess_errors: errors above the expectation at other_rate (negative: fewer)
        is_inside, is_outside: masks over the population's items
    """

    population: Population
    conditions: tuple[Condition, ...]
    item_count: int
    error_count: int
    error_rate: float
    other_rate: float
    interval: tuple[float, float]
    p_adjusted: float
    excess_errors: float
    is_inside: BoolArray
    is_outside: BoolArray


@dataclass(frozen=True, eq=False)
class TestedCondition:
    population_index: int
    condition: Condition
    is_inside: BoolArray
    is_determined: BoolArray
    p_value: float


def discover_slices(populations: Sequence[Population]) -> list[Slice]:
    """Slices by descending excess errors; slices with fewer errors than the rest come last."""
    singles = [
        candidate
        for index, population in enumerate(populations)
        for candidate in evaluate_conditions(index, population, None)
    ]
    single_slices = significant_slices(singles, populations)
    pair_tests: list[tuple[Slice, TestedCondition]] = []
    for first_slice in strongest_slices(single_slices):
        population_index = next(
            index
            for index, population in enumerate(populations)
            if population is first_slice.population
        )
        pair_tests += [
            (first_slice, candidate)
            for candidate in evaluate_conditions(
                population_index, first_slice.population, first_slice
            )
        ]
    return select_distinct([*single_slices, *significant_pair_slices(pair_tests)])


def evaluate_conditions(
    population_index: int, population: Population, first_slice: Slice | None
) -> list[TestedCondition]:
    """Test every candidate condition; within a first slice, those on other properties."""
    is_eligible = (
        np.ones(len(population.wrong), bool) if first_slice is None else first_slice.is_inside
    )
    is_error = population.wrong[is_eligible]
    if (
        min(int(is_error.sum()), int((~is_error).sum())) < MIN_ERRORS
        or len(is_error) < 2 * MIN_ITEMS
    ):
        return []
    used_names = (
        set()
        if first_slice is None
        else {first_condition.name for first_condition in first_slice.conditions}
    )
    results = []
    for item_property in population.properties:
        if item_property.name in used_names:
            continue
        is_determined = is_eligible & has_value(
            item_property
        )  # items with unknown values are in neither group
        known_property = item_property.select(is_determined)
        candidates = candidate_conditions(known_property)
        if not candidates:
            continue
        candidate_masks = np.array([candidate.matches(known_property) for candidate in candidates])
        for condition, candidate_mask, p_value in zip(
            candidates,
            candidate_masks,
            condition_p_values(
                candidate_masks, population.wrong[is_determined], population.image[is_determined]
            ),
            strict=True,
        ):
            if not np.isnan(p_value):
                is_inside = np.zeros(len(is_eligible), bool)
                is_inside[is_determined] = candidate_mask
                results.append(
                    TestedCondition(
                        population_index, condition, is_inside, is_determined, float(p_value)
                    )
                )
    return results


def has_value(item_property: Property) -> BoolArray:
    """Which items have the property at all."""
    return np.asarray(
        item_property.values >= 0
        if item_property.labels is not None
        else ~np.isnan(item_property.values)
    )


def candidate_conditions(item_property: Property) -> list[Condition]:
    """Below, above and between rounded quantile cuts; equal to each frequent category. Does not
    use the outcome."""
    if item_property.labels is not None:
        category_counts = np.bincount(
            item_property.values[item_property.values >= 0].astype(np.int64),
            minlength=len(item_property.labels),
        )
        categories = np.argsort(-category_counts, kind="stable")[:MAX_TESTED_CATEGORIES]
        return [
            Condition(item_property.name, values=(item_property.labels[category],))
            for category in categories.tolist()
            if category_counts[category] >= MIN_ITEMS
        ]
    known_values = item_property.values[~np.isnan(item_property.values)]
    if len(known_values) < 2 * MIN_ITEMS:
        return []
    cuts = sorted(
        {
            round_cut(quantile)
            for quantile in np.quantile(
                known_values, np.arange(1, QUANTILE_CUTS + 1) / (QUANTILE_CUTS + 1)
            ).tolist()
        }
    )
    cuts = [cut for cut in cuts if known_values.min() < cut <= known_values.max()]
    one_sided = [Condition(item_property.name, high=cut) for cut in cuts] + [
        Condition(item_property.name, low=cut) for cut in cuts
    ]
    coarse_cuts = cuts[1::2]
    return one_sided + [
        Condition(item_property.name, low, high)
        for cut_index, low in enumerate(coarse_cuts)
        for high in coarse_cuts[cut_index + 1 :]
    ]


def round_cut(cut: float) -> float:
    """Round to two digits, for readability."""
    return float(f"{cut:.2g}")


def significant_slices(
    tested_conditions: list[TestedCondition], populations: Sequence[Population]
) -> list[Slice]:
    """The conditions that remain significant after the correction for their number."""
    adjusted_p_values = adjust_p_values(
        np.array([candidate.p_value for candidate in tested_conditions])
    )
    return [
        build_slice(
            populations[candidate.population_index],
            (candidate.condition,),
            candidate.is_inside,
            candidate.is_determined,
            float(adjusted_p),
        )
        for candidate, adjusted_p in zip(tested_conditions, adjusted_p_values, strict=True)
        if adjusted_p <= FALSE_DISCOVERY_RATE
    ]


def significant_pair_slices(pair_tests: list[tuple[Slice, TestedCondition]]) -> list[Slice]:
    """Pairs whose second condition increases the difference over the first alone."""
    adjusted_p_values = adjust_p_values(
        np.array([pair_test.p_value for _, pair_test in pair_tests])
    )
    pair_slices = []
    for (first_slice, candidate), adjusted_p in zip(pair_tests, adjusted_p_values, strict=True):
        if adjusted_p <= FALSE_DISCOVERY_RATE:
            pair_slice = build_slice(
                first_slice.population,
                (*first_slice.conditions, candidate.condition),
                candidate.is_inside,
                candidate.is_determined | first_slice.is_outside,
                max(float(adjusted_p), first_slice.p_adjusted),
            )
            if abs(pair_slice.error_rate - pair_slice.other_rate) > abs(
                first_slice.error_rate - first_slice.other_rate
            ) and (pair_slice.excess_errors > 0) == (first_slice.excess_errors > 0):
                pair_slices.append(pair_slice)
    return pair_slices


def strongest_slices(single_slices: list[Slice]) -> list[Slice]:
    """The single-condition slices that explain most errors, per population."""
    count_by_population: dict[int, int] = {}
    selected = []
    for candidate in sorted(
        single_slices, key=lambda single_slice: -abs(single_slice.excess_errors)
    ):
        selected_count = count_by_population.get(id(candidate.population), 0)
        if selected_count < MAX_FIRST_CONDITIONS:
            count_by_population[id(candidate.population)] = selected_count + 1
            selected.append(candidate)
    return selected


def build_slice(
    population: Population,
    conditions: tuple[Condition, ...],
    is_inside: BoolArray,
    is_determined: BoolArray,
    p_value: float,
) -> Slice:
    """is_determined: items whose conditions can be evaluated; other_rate: rate where they fail."""
    is_error, is_outside = population.wrong, is_determined & ~is_inside
    item_count, error_count = int(is_inside.sum()), int(is_error[is_inside].sum())
    other_rate = float(is_error[is_outside].mean()) if is_outside.any() else 0.0
    error_rate = error_count / item_count
    interval = wilson_interval(
        error_rate, item_count / design_effect(is_error[is_inside], population.image[is_inside])
    )
    return Slice(
        population,
        conditions,
        item_count,
        error_count,
        error_rate,
        other_rate,
        interval,
        p_value,
        error_count - item_count * other_rate,
        is_inside,
        is_outside,
    )


def select_distinct(all_slices: list[Slice]) -> list[Slice]:
    """Select the slices to report. Over all concepts: the strongest condition per property,
    unless redundant with a selected slice; for single concepts and pairs: slices that explain
    further errors; of slices with fewer errors: some that are not the complement of these.
    Dense slices are preferred to broad ones."""
    selected = []
    for error in ("extra", "missing"):
        error_slices = sorted(
            (candidate for candidate in all_slices if candidate.population.error == error),
            key=lambda candidate: -slice_priority(candidate),
        )
        broad_slices = [
            candidate
            for candidate in error_slices
            if candidate.excess_errors > 0
            and candidate.population.concept is None
            and len(candidate.conditions) == 1
        ]
        narrow_slices = [
            candidate
            for candidate in error_slices
            if candidate.excess_errors > 0
            and (candidate.population.concept is not None or len(candidate.conditions) > 1)
        ]
        better_slices = [
            candidate
            for candidate in error_slices
            if candidate.excess_errors < 0
            and candidate.population.concept is None
            and len(candidate.conditions) == 1
        ]
        worse_slices = select_dissimilar(broad_slices, [], MAX_WORSE_SLICES)
        worse_slices += select_by_new_errors(narrow_slices, worse_slices)
        selected += [
            *worse_slices,
            *select_dissimilar(better_slices, worse_slices, MAX_BETTER_SLICES),
        ]
    return sorted(
        selected,
        key=lambda candidate: (
            candidate.excess_errors <= 0,
            -abs(candidate.excess_errors),
            candidate.p_adjusted,
        ),
    )


def slice_priority(candidate: Slice) -> float:
    """What slices are sorted by: errors above the expected, and how much more frequent they are."""
    return (
        abs(candidate.excess_errors)
        * float(np.sqrt(abs(candidate.error_rate - candidate.other_rate)))
        * (1.0 if len(candidate.conditions) == 1 else PAIR_WEIGHT)
    )


def select_dissimilar(candidates: list[Slice], reported: list[Slice], limit: int) -> list[Slice]:
    """At most `limit` slices, each with a different property and different items."""
    selected: list[Slice] = []
    for candidate in candidates:
        same_population = [
            earlier
            for earlier in (*reported, *selected)
            if earlier.population is candidate.population
        ]
        used_names = {
            condition.name for earlier in same_population for condition in earlier.conditions
        }
        if (
            candidate.conditions[0].name not in used_names
            and not any(is_redundant(candidate, earlier) for earlier in same_population)
            and len(selected) < limit
        ):
            selected.append(candidate)
    return selected


def is_redundant(candidate: Slice, earlier: Slice) -> bool:
    """Whether two slices of a population share most items, or one is close to the complement of
    the other."""
    if (candidate.excess_errors > 0) != (earlier.excess_errors > 0):
        return (
            int((candidate.is_inside ^ earlier.is_inside).sum()) / len(candidate.is_inside)
            >= MAX_SLICE_OVERLAP
        )
    return (
        int((candidate.is_inside & earlier.is_inside).sum())
        / int((candidate.is_inside | earlier.is_inside).sum())
        >= MAX_SLICE_OVERLAP
    )


def select_by_new_errors(candidates: list[Slice], reported: list[Slice]) -> list[Slice]:
    """Slices that explain errors not explained before, best first."""
    if not candidates:
        return []
    is_covered = np.zeros(
        1 + max(int(candidate.population.places.max()) for candidate in (*candidates, *reported)),
        bool,
    )
    for earlier in reported:
        if (
            earlier.error_rate >= 2 * earlier.other_rate
        ):  # a broad slice explains no particular error
            is_covered[earlier.population.places[earlier.is_inside]] = True
    selected: list[Slice] = []
    remaining = candidates
    while remaining and len(selected) < MAX_WORSE_SLICES:
        new_counts = [
            candidate.excess_errors
            if is_sharper_pair(candidate, [*reported, *selected])
            else count_new_errors(candidate, is_covered)
            for candidate in remaining
        ]
        remaining = [
            candidate
            for candidate, new_count in zip(remaining, new_counts, strict=True)
            if new_count >= max(MIN_NEW_ERRORS, MIN_NEW_SHARE * candidate.excess_errors)
        ]
        if remaining:
            best_candidate = max(
                remaining,
                key=lambda candidate: (
                    slice_priority(candidate)
                    * max(
                        count_new_errors(candidate, is_covered),
                        MIN_NEW_SHARE * candidate.excess_errors,
                    )
                    / candidate.excess_errors
                ),
            )
            selected.append(best_candidate)
            is_covered[best_candidate.population.places[best_candidate.is_inside]] = True
            remaining = [candidate for candidate in remaining if candidate is not best_candidate]
    return selected


def is_sharper_pair(candidate: Slice, reported: list[Slice]) -> bool:
    """Whether a pair explains most errors of each slice that contains it, with far fewer items."""
    containing = [
        broader
        for broader in reported
        if broader.population is candidate.population
        and (candidate.is_inside & broader.is_inside).sum()
        >= MIN_CONTAINED_SHARE * candidate.item_count
    ]
    is_refinement = len(candidate.conditions) > 1 and bool(containing)
    return is_refinement and all(
        candidate.excess_errors >= MIN_EXPLAINED_RATIO * broader.excess_errors
        and candidate.error_rate >= MIN_RATE_RATIO * broader.error_rate
        for broader in containing
    )


def count_new_errors(candidate: Slice, is_covered: BoolArray) -> float:
    """Excess errors among the items not covered by slices selected before."""
    is_new = candidate.is_inside & ~is_covered[candidate.population.places]
    return float(candidate.population.wrong[is_new].sum() - is_new.sum() * candidate.other_rate)


def concept_population(population: Population, concept: int, item_rows: Int64Array) -> Population:
    """The subset of an all-concept population with one concept."""
    return replace(
        population,
        concept=concept,
        wrong=population.wrong[item_rows],
        image=population.image[item_rows],
        properties=[item_property.select(item_rows) for item_property in population.properties],
        places=population.places[item_rows],
    )
