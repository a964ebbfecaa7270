"""Error slices: subsets of the items with an unusual error rate, described in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.analysis.slice_features import (
    Condition,
    Property,
    categorical_property,
    file_properties,
    geometry_properties,
    metadata_properties,
)
from pellucid.analysis.slice_search import (
    MIN_ERRORS,
    Population,
    Slice,
    concept_population,
    discover_slices,
)
from pellucid.analysis.slice_statistics import MIN_ITEMS
from pellucid.browse.selection import TabSelection
from pellucid.core.tables import BoolArray, Int64Array
from pellucid.evaluation.evaluation import Evaluation
from pellucid.images.statistics import COLOUR_NAMES, IMAGE_STATISTICS
from pellucid.results.errors import FilterError
from pellucid.results.image_columns import metadata_columns
from pellucid.results.image_stats import ImageStats, take_lines
from pellucid.results.similarity import Appearance

MAX_ITEMS = 200_000
"""Most items analysed for one type of error; above it, images are sampled at random."""


@dataclass(frozen=True)
class ErrorSlice:
    """See analysis.slice_search.Slice.

    Attributes:
        headline: a sentence
        description: the conditions in words
        concept: name, None for all
        error: `extra` or `missing`, the tab that lists its errors
        only: filters that select them
        population_errors, population_items: all of this concept and type
    """

    headline: str
    description: str
    conditions: tuple[Condition, ...]
    concept: str | None
    error: str
    items: int
    errors: int
    rate: float
    elsewhere: float
    interval: tuple[float, float]
    p_adjusted: float
    explained: float
    population_errors: int
    population_items: int
    only: tuple[str, ...]

    @property
    def sentence(self) -> str:
        return f"{self.headline}; {self.errors:,} of {self.population_errors:,} errors"

    @property
    def document(self) -> dict[str, Any]:
        return {
            "sentence": self.sentence,
            "where": self.description,
            "conditions": [condition_document(condition) for condition in self.conditions],
            "concept": self.concept,
            "error": self.error,
            "items": self.items,
            "errors": self.errors,
            "rate": self.rate,
            "elsewhere": self.elsewhere,
            "interval": list(self.interval),
            "p_adjusted": self.p_adjusted,
            "explained": self.explained,
            "only": list(self.only),
        }


def condition_document(condition: Condition) -> dict[str, Any]:
    bounds = (
        {"values": list(condition.values)}
        if condition.values is not None
        else {"low": condition.low, "high": condition.high}
    )
    return {"property": condition.name, **bounds}


def find_slices(
    evaluation: Evaluation, split: int, appearance: Appearance | None
) -> list[ErrorSlice]:
    """appearance: None while images are unread; then only box and metadata properties are used."""
    all_populations = [
        population
        for error in ("extra", "missing")
        for population in build_populations(evaluation, split, error, appearance)
    ]
    return [
        describe_slice(evaluation, slice_result)
        for slice_result in discover_slices(all_populations)
    ]


def candidate_rows(evaluation: Evaluation, split: int, error: str) -> Int64Array:
    """Items that can be errors: annotations that can be matched, or predictions at or above the
    optimal thresholds."""
    if error == "extra":
        concept_starts = evaluation.matchable_starts[split]
        return np.asarray(
            evaluation.matchable_annotations[concept_starts[0] : concept_starts[-1]], np.int64
        )
    return np.concatenate(
        [
            TabSelection(evaluation, tab, split, None, evaluation.optimal_thresholds).all_rows()
            for tab in ("matched", "missing")
        ]
    )


def build_populations(
    evaluation: Evaluation, split: int, error: str, appearance: Appearance | None
) -> list[Population]:
    item_rows = candidate_rows(evaluation, split, error)
    item_table = evaluation.item_table(error == "extra")
    item_rows = sample_rows(item_rows, np.asarray(item_table.image[item_rows], np.int64))
    properties = item_properties(evaluation, item_rows, error == "extra", appearance)
    if error == "missing" and evaluation.kind != "classification":
        properties = [
            item_property
            for item_property in properties
            if item_property.name not in COUNT_PROPERTIES
        ]
    is_error = error_mask(evaluation, item_rows, error)
    all_concepts = Population(
        None,
        error,
        is_error,
        np.asarray(item_table.image[item_rows], np.int64),
        properties,
        np.arange(len(item_rows)),
    )
    item_concepts = item_table.concept[item_rows]
    item_counts, error_counts = (
        np.bincount(item_concepts, minlength=len(evaluation.concepts)),
        np.bincount(item_concepts, is_error, len(evaluation.concepts)),
    )
    large_concepts = np.flatnonzero(
        (item_counts >= 2 * MIN_ITEMS)
        & (error_counts >= MIN_ERRORS)
        & (item_counts - error_counts >= MIN_ERRORS)
    )
    eligible_concepts = large_concepts.tolist() if len(evaluation.concepts) > 1 else []
    return [
        all_concepts,
        *(
            concept_population(
                all_concepts, concept_index, np.flatnonzero(item_concepts == concept_index)
            )
            for concept_index in eligible_concepts
        ),
    ]


def error_mask(evaluation: Evaluation, item_rows: Int64Array, error: str) -> np.ndarray:
    if error == "extra":
        return np.asarray(
            evaluation.matched_score[item_rows]
            < evaluation.optimal_thresholds[evaluation.annotations.concept[item_rows]]
        )
    return (
        np.asarray(evaluation.partner[item_rows] < 0)
        if evaluation.kind == "detection"
        else np.asarray(evaluation.state[item_rows] == 2)
    )


def sample_rows(item_rows: Int64Array, image_rows: Int64Array, seed: int = 0) -> Int64Array:
    if len(item_rows) <= MAX_ITEMS:
        return item_rows
    unique_images = np.unique(image_rows)
    sampled_images = np.random.default_rng(seed).choice(
        unique_images, max(1, len(unique_images) * MAX_ITEMS // len(item_rows)), replace=False
    )
    return item_rows[np.isin(image_rows, sampled_images)]


def item_properties(
    evaluation: Evaluation,
    item_rows: Int64Array,
    are_annotations: bool,
    appearance: Appearance | None,
) -> list[Property]:
    """Properties of annotation or prediction rows: of their boxes and images, and from the user's
    metadata."""
    item_table = evaluation.item_table(are_annotations)
    image_rows = np.asarray(item_table.image[item_rows], np.int64)
    properties = []
    if item_table.box is not None:
        neighbours = neighbour_candidates(evaluation, are_annotations)
        properties = geometry_properties(
            evaluation,
            item_rows,
            are_annotations,
            neighbours[np.isin(item_table.image[neighbours], np.unique(image_rows))],
        )
    properties += [
        Property(image_property.name, image_property.values[image_rows], image_property.labels)
        for image_property in image_properties(evaluation)
    ]
    if appearance is None:
        return properties
    has_boxes = item_table.box is not None
    return [
        *properties,
        *image_stats_properties(
            appearance.image_stats, item_rows, image_rows, are_annotations, has_boxes
        ),
        appearance.group_property(item_rows, image_rows, are_annotations, has_boxes),
    ]


def neighbour_candidates(evaluation: Evaluation, are_annotations: bool) -> Int64Array:
    """Rows that count as neighbours: annotations that can be matched, or predictions at or above
    their thresholds."""
    if are_annotations:
        return np.asarray(evaluation.matchable_annotations, np.int64)
    splits = np.unique(evaluation.images.split)
    return np.concatenate([candidate_rows(evaluation, int(split), "missing") for split in splits])


def image_properties(evaluation: Evaluation) -> list[Property]:
    """Properties with one value per image."""
    properties = file_properties(evaluation.images)
    used_names = {image_property.name for image_property in properties} | BUILT_IN_PROPERTIES
    user_columns = {
        (f"your {name}" if name in used_names else name): values
        for name, values in metadata_columns(evaluation.images).items()
    }
    object_counts = np.bincount(
        evaluation.annotations.image[evaluation.annotations.positive],
        minlength=len(evaluation.images),
    ).astype(float)
    return [
        *properties,
        Property("annotations", object_counts),
        *metadata_properties(user_columns),
    ]


COUNT_PROPERTIES = ("annotations", "crowding", "overlap")
"""Not tested for false positives: where many objects or tags are, more predictions are true
positives, so that the share of false positives falls by construction."""
BUILT_IN_PROPERTIES = {
    "size",
    "share",
    "aspect",
    "border",
    "crowding",
    "overlap",
    "annotations",
    "camera",
    "taken",
    "hour",
    "group",
    "box colour",
    "picture colour",
    *(f"{subject} {statistic}" for subject in ("box", "picture") for statistic in IMAGE_STATISTICS),
}


def image_stats_properties(
    image_stats: ImageStats,
    item_rows: Int64Array,
    image_rows: Int64Array,
    are_annotations: bool,
    has_boxes: bool,
) -> list[Property]:
    box_lines, picture_lines = image_stats.find_lines(
        item_rows, image_rows, are_annotations, has_boxes
    )
    properties = []
    for prefix, lines in (
        (("box ", box_lines), ("picture ", picture_lines))
        if has_boxes
        else (("picture ", picture_lines),)
    ):
        statistics = take_lines(image_stats.statistics, lines, np.nan).astype(float)
        properties += [
            Property(prefix + statistic, statistics[:, statistic_index])
            for statistic_index, statistic in enumerate(IMAGE_STATISTICS)
        ]
        properties.append(
            Property(
                prefix + "colour",
                take_lines(image_stats.colour, lines, -1).astype(np.int64),
                COLOUR_NAMES,
            )
        )
    for property_name, image_values in (
        ("camera", image_stats.cameras),
        ("taken", [timestamp[:7] for timestamp in image_stats.capture_times]),
        ("hour", [timestamp[11:13] for timestamp in image_stats.capture_times]),
    ):
        if len(set(image_values) - {""}) > 1:
            image_property = parse_property(property_name, image_values)
            properties.append(
                Property(
                    property_name,
                    take_lines(
                        image_property.values,
                        picture_lines,
                        np.nan if image_property.labels is None else -1,
                    ),
                    image_property.labels,
                )
            )
    return properties


def parse_property(property_name: str, raw_values: list[str]) -> Property:
    if property_name == "hour":
        return Property(
            property_name,
            np.array(
                [float(raw_value) if raw_value.isdigit() else np.nan for raw_value in raw_values]
            ),
        )
    return categorical_property(property_name, raw_values)


def match_conditions(
    evaluation: Evaluation,
    item_rows: Int64Array,
    are_annotations: bool,
    appearance: Appearance | None,
    conditions: Sequence[Condition],
) -> BoolArray:
    """Mask of the rows that satisfy all conditions. Raises FilterError for an unknown property."""
    property_by_name = {
        item_property.name: item_property
        for item_property in item_properties(evaluation, item_rows, are_annotations, appearance)
    }
    is_match = np.ones(len(item_rows), bool)
    for condition in conditions:
        if condition.name not in property_by_name:
            raise FilterError(
                f"where:{condition.expression}",
                f"one of the properties {', '.join(sorted(property_by_name))}",
                condition.name,
                property_by_name,
            )
        if (property_by_name[condition.name].labels is None) != (condition.values is None):
            expected = (
                f"where:{condition.name}=LOW..HIGH"
                if property_by_name[condition.name].labels is None
                else f"where:{condition.name}=VALUE"
            )
            raise FilterError(f"where:{condition.expression}", expected)
        is_match &= condition.matches(property_by_name[condition.name])
    return is_match


def needs_pixels(property_name: str) -> bool:
    """Whether images must be read to compute the property."""
    return property_name.startswith(("box ", "picture ")) or property_name in (
        "camera",
        "taken",
        "hour",
        "group",
    )


ERROR_PHRASES = {
    "extra": "of annotations are false negatives",
    "missing": "of predictions are false positives",
}
CONDITION_PHRASES = {
    "size": ("the box size (√area) is {}", " px"),
    "share": ("the box covers {} of the picture", " %"),
    "aspect": ("the box is {} times as wide as high", ""),
    "border": ("the box is {} from the picture's border", " px"),
    "crowding": ("{} other boxes are in the picture", ""),
    "overlap": ("another box overlaps it by an IoU of {}", ""),
    "group": ("the item looks like group {}", ""),
    "annotations": ("the picture has {} annotations", ""),
    "hour": ("the picture was taken at {} o'clock", ""),
    "box blur": ("the box's blur is {} (2 sharp, 4 blurred)", ""),
    "picture blur": ("the picture's blur is {} (2 sharp, 4 blurred)", ""),
    "width": ("the picture is {} wide", " px"),
    "height": ("the picture is {} high", " px"),
}


def describe_slice(evaluation: Evaluation, slice_result: Slice) -> ErrorSlice:
    population = slice_result.population
    concept = None if population.concept is None else evaluation.concepts[population.concept]
    population_errors = int(population.wrong.sum())
    conditions_text = " and ".join(
        describe_condition(condition) for condition in slice_result.conditions
    )
    start = f"{concept}: where" if concept else "Where"
    headline = (
        f"{start} {conditions_text}, {format_percent(slice_result.error_rate)} "
        f"{ERROR_PHRASES[population.error]}, elsewhere {format_percent(slice_result.other_rate)}"
    )
    filters = tuple(f"where:{condition.expression}" for condition in slice_result.conditions)
    return ErrorSlice(
        headline,
        conditions_text,
        slice_result.conditions,
        concept,
        population.error,
        slice_result.item_count,
        slice_result.error_count,
        slice_result.error_rate,
        slice_result.other_rate,
        slice_result.interval,
        slice_result.p_adjusted,
        slice_result.excess_errors,
        population_errors,
        int(slice_result.is_inside.sum() + slice_result.is_outside.sum()),
        filters,
    )


def format_percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share == 0 or share >= 0.095 else f"{100 * share:.1f} %"


def describe_condition(condition: Condition) -> str:
    template, unit = CONDITION_PHRASES.get(condition.name, (f"the {condition.name} is {{}}", ""))
    if condition.values is not None:
        return (
            f"{'the ' if not condition.name.startswith('your ') else ''}{condition.name} is "
            f"{' or '.join(condition.values)}"
        )
    if condition.low is None:
        return template.format(f"under {condition.high:g}{unit}")
    if condition.high is None:
        return template.format(f"{condition.low:g}{unit} or more")
    return template.format(f"{condition.low:g} to {condition.high:g}{unit}")
