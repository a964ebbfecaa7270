"""Where a version is weak: slices found over everything that is known of its items, said in sentences."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.columns import Flags, Longs
from pellucid.errors import FilterError
from pellucid.images.looks import COLOURS, LOOKS
from pellucid.understand.evaluation import Evaluation
from pellucid.understand.gallery import Selection
from pellucid.understand.properties import Condition, Property, geometry, of_metadata, of_pictures, of_texts
from pellucid.understand.slices import LEAST_ERRORS, LEAST_ITEMS, Population, Slice, of_concept, slices
from pellucid.workspace.appearance import Appearance
from pellucid.workspace.looked import Looked, at_lines

MOST_ITEMS = 200_000
"""Items of a kind of error that are looked at; of more, those of pictures drawn at random."""


@dataclass(frozen=True)
class FoundSlice:
    """See understand.slices.Slice. where: the conditions, in words · concept: a name, None for all · error: `extra` or `missing`, the tab
    in which its errors are · only: what narrows that tab down to them · population_errors: errors of the concept and kind in all."""

    sentence: str
    where: str
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
    only: tuple[str, ...]

    @property
    def document(self) -> dict[str, Any]:
        return {
            "sentence": self.sentence, "where": self.where, "conditions": [condition_document(one) for one in self.conditions],
            "concept": self.concept,
            "error": self.error, "items": self.items, "errors": self.errors, "rate": self.rate, "elsewhere": self.elsewhere,
            "interval": list(self.interval), "p_adjusted": self.p_adjusted, "explained": self.explained, "only": list(self.only),
        }  # fmt: skip


def condition_document(one: Condition) -> dict[str, Any]:
    ends = {"values": list(one.values)} if one.values is not None else {"low": one.low, "high": one.high}
    return {"property": one.name, **ends}


def find_slices(evaluation: Evaluation, split: int, seen: Appearance | None) -> list[FoundSlice]:
    """seen: what the pictures are like; None while they are unread, then only what the columns tell."""
    everything = [one for error in ("extra", "missing") for one in populations(evaluation, split, error, seen)]
    return [said(evaluation, one) for one in slices(everything)]


def rows_of(evaluation: Evaluation, split: int, error: str) -> Longs:
    """What can go wrong: annotations that can be found, or predictions at or over the optimal thresholds."""
    if error == "extra":
        start = evaluation.annotation_start[split]
        return np.asarray(evaluation.counted_annotations[start[0] : start[-1]], np.int64)
    return np.concatenate([Selection(evaluation, tab, split, None, evaluation.optimal).every() for tab in ("matched", "missing")])


def populations(evaluation: Evaluation, split: int, error: str, seen: Appearance | None) -> list[Population]:
    rows = rows_of(evaluation, split, error)
    table = evaluation.annotations if error == "extra" else evaluation.predictions
    rows = sampled(rows, np.asarray(table.image[rows], np.int64))
    properties = properties_of(evaluation, rows, error == "extra", seen)
    wrong = wrong_ones(evaluation, rows, error)
    whole = Population(None, error, wrong, np.asarray(table.image[rows], np.int64), properties, np.arange(len(rows)))
    concept = table.concept[rows]
    number, errors = np.bincount(concept, minlength=len(evaluation.concepts)), np.bincount(concept, wrong, len(evaluation.concepts))
    worth = np.flatnonzero((number >= 2 * LEAST_ITEMS) & (errors >= LEAST_ERRORS) & (number - errors >= LEAST_ERRORS))
    several = worth.tolist() if len(evaluation.concepts) > 1 else []
    return [whole, *(of_concept(whole, place, np.flatnonzero(concept == place)) for place in several)]


def wrong_ones(evaluation: Evaluation, rows: Longs, error: str) -> np.ndarray:
    if error == "extra":
        return np.asarray(evaluation.answer_score[rows] < evaluation.optimal[evaluation.annotations.concept[rows]])
    return np.asarray(evaluation.partner[rows] < 0) if evaluation.kind == "detection" else np.asarray(evaluation.state[rows] == 2)


def sampled(rows: Longs, image: Longs, seed: int = 0) -> Longs:
    if len(rows) <= MOST_ITEMS:
        return rows
    known = np.unique(image)
    drawn = np.random.default_rng(seed).choice(known, max(1, len(known) * MOST_ITEMS // len(rows)), replace=False)
    return rows[np.isin(image, drawn)]


def properties_of(evaluation: Evaluation, rows: Longs, annotations: bool, seen: Appearance | None) -> list[Property]:
    """Of rows of annotations, or of predictions: of their boxes, of their pictures, and what the user says of these."""
    table = evaluation.annotations if annotations else evaluation.predictions
    image = np.asarray(table.image[rows], np.int64)
    found = []
    if table.box is not None:
        others = rows_near(evaluation, annotations)
        found = geometry(evaluation, rows, annotations, others[np.isin(table.image[others], np.unique(image))])
    found += [Property(one.name, one.values[image], one.labels) for one in of_images(evaluation)]
    if seen is None:
        return found
    boxes = table.box is not None
    return [*found, *of_looks(seen.looked, rows, image, annotations, boxes), seen.group_of(rows, image, annotations, boxes)]


def rows_near(evaluation: Evaluation, annotations: bool) -> Longs:
    """What may crowd an item: annotations that can be found; predictions that count, at or over their thresholds."""
    if annotations:
        return np.asarray(evaluation.counted_annotations, np.int64)
    splits = np.unique(evaluation.images.split)
    return np.concatenate([rows_of(evaluation, int(split), "missing") for split in splits])


def of_images(evaluation: Evaluation) -> list[Property]:
    """One value an image."""
    known = [json.loads(text) if text else {} for text in evaluation.images.metadata.tolist()]
    names = sorted({name for one in known for name in one})
    found = of_pictures(evaluation.images)
    taken = {one.name for one in found} | BUILT_IN
    columns = {(f"your {name}" if name in taken else name): [str(one.get(name, "")) for one in known] for name in names}
    objects = np.bincount(evaluation.annotations.image[evaluation.annotations.positive], minlength=len(evaluation.images)).astype(float)
    return [*found, Property("annotations", objects), *of_metadata(columns)]


BUILT_IN = {
    "size", "share", "aspect", "border", "crowding", "overlap", "annotations", "camera", "taken", "hour", "group", "box colour",
    "picture colour", *(f"{of} {name}" for of in ("box", "picture") for name in LOOKS),
}  # fmt: skip


def of_looks(looked: Looked, rows: Longs, image: Longs, annotations: bool, boxes: bool) -> list[Property]:
    box, picture = looked.places(rows, image, annotations, boxes)
    found = []
    for prefix, line in (("box ", box), ("picture ", picture)) if boxes else (("picture ", picture),):
        values = at_lines(looked.looks, line, np.nan).astype(float)
        found += [Property(prefix + name, values[:, place]) for place, name in enumerate(LOOKS)]
        found.append(Property(prefix + "colour", at_lines(looked.colour, line, -1).astype(np.int64), COLOURS))
    for name, told in (
        ("camera", looked.camera),
        ("taken", [one[:7] for one in looked.taken]),
        ("hour", [one[11:13] for one in looked.taken]),
    ):
        if len(set(told) - {""}) > 1:
            column = as_property(name, told)
            found.append(Property(name, at_lines(column.values, picture, np.nan if column.labels is None else -1), column.labels))
    return found


def as_property(name: str, told: list[str]) -> Property:
    if name == "hour":
        return Property(name, np.array([float(one) if one.isdigit() else np.nan for one in told]))
    return of_texts(name, told)


def matching(evaluation: Evaluation, rows: Longs, annotations: bool, seen: Appearance | None, wanted: Sequence[Condition]) -> Flags:
    """Which rows all the conditions hold for. Raises NarrowingBad for a property that is not known."""
    known = {one.name: one for one in properties_of(evaluation, rows, annotations, seen)}
    holds = np.ones(len(rows), bool)
    for one in wanted:
        if one.name not in known:
            raise FilterError(f"where:{one.words}", f"one of the properties {', '.join(sorted(known))}")
        if (known[one.name].labels is None) != (one.values is None):
            expected = f"where:{one.name}=LOW..HIGH" if known[one.name].labels is None else f"where:{one.name}=VALUE"
            raise FilterError(f"where:{one.words}", expected)
        holds &= one.holds(known[one.name])
    return holds


def of_pixels(name: str) -> bool:
    """Whether pictures must be read to know a property."""
    return name.startswith(("box ", "picture ")) or name in ("camera", "taken", "hour", "group")


MISSED = {"extra": "missed", "missing": "of predictions are not annotated"}
PHRASES = {
    "size": ("the box is {} wide and high", " px"), "share": ("the box takes {} of the picture", " %"),
    "aspect": ("the box is {} times as wide as high", ""), "border": ("the picture's border is {} away", " px"),
    "crowding": ("{} other boxes are in the picture", ""), "overlap": ("another box overlaps it by an IoU of {}", ""),
    "group": ("the item looks like group {}", ""),
    "annotations": ("{} things are annotated in the picture", ""), "hour": ("it was taken at {} o'clock", ""),
    "box blur": ("the box's blur is {} (2 sharp, 4 blurred)", ""), "picture blur": ("the picture's blur is {} (2 sharp, 4 blurred)", ""),
    "width": ("the picture is {} wide", " px"), "height": ("the picture is {} high", " px"),
}  # fmt: skip


def said(evaluation: Evaluation, one: Slice) -> FoundSlice:
    population = one.population
    concept = None if population.concept is None else evaluation.concepts[population.concept]
    total = int(population.wrong.sum())
    where = " and ".join(phrase(condition) for condition in one.conditions)
    words = f"{concept or 'all concepts'}: {percent(one.rate)} {MISSED[population.error]} where {where}, {percent(one.elsewhere)} elsewhere"
    only = tuple(f"where:{condition.words}" for condition in one.conditions)
    return FoundSlice(
        f"{words}; {one.errors:,} of {total:,} errors", where, one.conditions, concept, population.error, one.items, one.errors, one.rate,
        one.elsewhere, one.interval, one.p_adjusted, one.explained, total, only,
    )  # fmt: skip


def percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share == 0 or share >= 0.095 else f"{100 * share:.1f} %"


def phrase(one: Condition) -> str:
    frame, unit = PHRASES.get(one.name, (f"the {one.name} is {{}}", ""))
    if one.values is not None:
        return f"{'the ' if not one.name.startswith('your ') else ''}{one.name} is {' or '.join(one.values)}"
    if one.low is None:
        return frame.format(f"under {one.high:g}{unit}")
    if one.high is None:
        return frame.format(f"{one.low:g}{unit} or more")
    return frame.format(f"{one.low:g} to {one.high:g}{unit}")
