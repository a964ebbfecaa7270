"""From what a file says to what a version holds: references linked, boxes in pixels, coverage known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pellucid.core.errors import InvalidChoiceError, format_count
from pellucid.core.tables import (
    HAS_PREDICTIONS,
    RUN_EMPTY,
    SPLITS,
    Annotations,
    Float64Array,
    Images,
    Int8Array,
    Int64Array,
    Kind,
    Predictions,
    string_column,
)
from pellucid.formats.dataset import (
    CHECK_CHUNK_ROWS,
    Inference,
    Note,
    ParsedAnnotations,
    ParsedPredictions,
)
from pellucid.formats.errors import DuplicateScoreError
from pellucid.images.locations import join_location
from pellucid.images.sizes import display_sizes
from pellucid.ingest.errors import (
    DuplicatePredictionsError,
    ImageSizeRequiredError,
    TooManyPredictionsError,
)
from pellucid.ingest.exif import predicted_as_stored
from pellucid.ingest.inference import Forced, read_references
from pellucid.ingest.references import refuse_ambiguous, unexplained
from pellucid.storage.manifests import Concept

Covered = Literal["split", "listed"]


@dataclass(frozen=True, eq=False)
class Frozen:
    """What a version froze, as far as an import needs it. turned: whether EXIF turns some of its pictures."""

    name: str
    kind: Kind
    concepts: list[Concept]
    folders: list[str]
    images: Images
    coverage: Int8Array
    annotations: Annotations
    turned: bool = False


@dataclass(frozen=True, eq=False)
class Linked:
    """Predictions held against a version: its rows, the new coverage, the concepts (a classifier may know more)."""

    predictions: Predictions
    images: Images
    coverage: Int8Array
    concepts: list[Concept]
    notes: list[Note]
    judgements: list[Inference]


NOTHING_FORCED = Forced()


def link(
    source: ParsedPredictions, frozen: Frozen, split: int | None, covered: Covered, first_order: int, forced: Forced = NOTHING_FORCED
) -> Linked:  # fmt: skip
    """Hold a file's predictions against a frozen version. forced: readings that the user settled."""
    images, concepts = frozen.images, list(frozen.concepts)
    candidates = np.ones(len(images), bool) if split is None else images.split == split
    witnesses = frozen.annotations.take(frozen.annotations.positive)
    references = read_references(source, images, candidates, concepts, witnesses, forced)
    source, image, concept, notes = references.source, references.image, references.concept, references.notes
    source, judged = read_scores(source, forced.scores)
    if frozen.turned:
        source, orientation = predicted_as_stored(source, image.place, images, frozen.folders, witnesses)
        references.judgements.extend(orientation)
    refuse_ambiguous(source, image, concept, images, candidates, concepts)
    place = concept.place.copy()
    if frozen.kind == "classification":
        strangers = new_concepts(source, place, concept.explained, concept.name)
        for row, name in strangers:
            place[row] = len(concepts)
            concepts.append(Concept(name))
        if strangers:
            text = (
                f"{format_count(len(strangers), 'concept')} that no image is annotated with, added: {', '.join(name for _, name in strangers)}"
            )
            notes.append(Note("concept_added", text, len(strangers)))
    reading = type(concept)(concept.name, place)
    notes += unexplained(source, image, reading, images, concepts)
    chosen = (image.place >= 0) & candidates[image.place]
    notes += other_splits(source, image.place, chosen)
    wanted = chosen[source.image]
    wanted &= (place >= 0)[source.concept]
    kept = slice(None) if wanted.all() else np.flatnonzero(wanted)
    rows = image.place[source.image[kept]]
    named = np.unique(image.place[chosen]).astype(np.int64)
    refuse_second_run(source, frozen, named)
    coverage = covered_images(frozen, named, split, covered)
    images, box = predictions_in_pixels(source, kept, rows, images, frozen.folders)
    refuse_too_many(source.path, first_order + len(source.score))
    order = np.arange(first_order, first_order + len(source.score), dtype=np.int32)[kept]
    predictions = Predictions(rows, place[source.concept[kept]], source.score[kept], box, order)
    if box is None:
        refuse_second_score(source, predictions, images, concepts)
    else:
        notes += outside(box, images, rows)
        notes += limits(predictions)
    return Linked(predictions, images, coverage, concepts, [*source.notes, *notes], [*references.judgements, judged])


def read_scores(source: ParsedPredictions, forced: str | None) -> tuple[ParsedPredictions, Inference]:
    """What the scores are. They are kept as written, since thresholds are for the user's own model, unless the user says otherwise."""
    low, high = (float(source.score.min()), float(source.score.max())) if len(source.score) else (0.0, 1.0)
    if forced == "percent":
        return replace(source, score=source.score / 100), Inference("scores", "percent", "divided by 100, as asked", [], True)
    if forced == "logits":
        return replace(source, score=0.5 * (1 + np.tanh(source.score / 2))), Inference(
            "scores", "logits", "through the logistic function, as asked", [], True
        )
    what = "probabilities" if low >= 0 and high <= 1 else "percent" if low >= 0 and high <= 100 else "logits"
    text = f"scores go from {low:.4g} to {high:.4g}"
    if what != "probabilities":
        source.notes.append(Note("scores", f"{text}: kept as they are (--scores {what} makes probabilities of them)", 1, "info"))
    return source, Inference("scores", what, text)


FLOOR, CAPPED = 0.01, 3
MOST = np.iinfo(np.int32).max
"""Predictions of a version: their places are kept in 32 bits."""


def limits(predictions: Predictions) -> list[Note]:
    """What an export left out: scores under a floor, boxes beyond a number an image. Thresholds cannot see it."""
    if len(predictions) < 100:
        return []
    notes = []
    floor = float(predictions.score.min())
    if FLOOR <= floor < 1:
        text = f"no prediction scores under {floor:g}: no threshold can be searched for below that"
        notes.append(Note("score_floor", text, 1, "info"))
    boxes = np.bincount(predictions.image)
    most, images = int(boxes.max()), int((boxes == boxes.max()).sum())
    if images >= CAPPED and most >= 10:
        text = f"{format_count(images, 'image')} have exactly {most} boxes, and none has more: their lowest scores may have been cut off"
        notes.append(Note("box_cap", text, images, "info"))
    return notes


def other_splits(source: ParsedPredictions, place: np.ndarray, chosen: np.ndarray) -> list[Note]:
    """Predictions for images of another split than the one asked for, and files that speak of no image at all."""
    left = (place >= 0) & ~chosen
    if left.any():
        rows = int(left[source.image].sum())
        text = f"{format_count(rows, 'prediction')} of {format_count(int(left.sum()), 'image')} of other splits than the one asked for, left out"
        return [Note("other_split", text, rows)]
    if not len(place):
        return [Note("no_image_named", "the file names no image: only a split named with --split counts as run", 1)]
    return []


def new_concepts(source: ParsedPredictions, place: np.ndarray, explained: int, reading: str) -> list[tuple[int, str]]:
    """A classifier's concepts that the view lacks: leaving them out would change which is highest."""
    if not explained or source.concept_interpretation == "position":
        return []
    prefix = reading.partition("'")[2].removesuffix("'") if reading.startswith("names after") else ""
    if source.concept_interpretation == "column" and (not prefix or prefix[-1].isalnum()):
        return []  # `p_fox` is a concept; `pred` beside `p0` and `p1` is none
    return [(row, key.removeprefix(prefix)) for row, key in enumerate(source.concept_keys) if place[row] < 0 and key.startswith(prefix)]


def refuse_second_run(source: ParsedPredictions, frozen: Frozen, named: Int64Array) -> None:
    again = named[frozen.coverage[named] == HAS_PREDICTIONS]
    if len(again):
        raise DuplicatePredictionsError(source.path, frozen.name, frozen.images.path[again], len(again))


def covered_images(frozen: Frozen, named: Int64Array, split: int | None, covered: Covered) -> Int8Array:
    """The model was run on every image of the splits that the file speaks of, unless it lists them all."""
    coverage = frozen.coverage.copy()
    if covered == "split":
        spoken = [split] if split is not None else np.unique(frozen.images.split[named])
        coverage[np.isin(frozen.images.split, spoken) & (coverage != HAS_PREDICTIONS)] = RUN_EMPTY
    coverage[named] = HAS_PREDICTIONS
    return coverage


def annotations_in_pixels(found: ParsedAnnotations, images: Images, folders: list[str]) -> tuple[Images, Annotations]:
    annotations = found.annotations
    if found.unit == "pixels" or annotations.box is None:
        return images, annotations
    images = with_sizes(images, np.unique(annotations.image).astype(np.int64), folders, found.path, "boxes are fractions of it")
    scale = np.stack([images.width, images.height, images.width, images.height], axis=1)[annotations.image].astype(float)
    box = annotations.box * scale
    outline = (
        None if annotations.outline is None else string_column([scaled(one, *row[:2]) for one, row in zip(annotations.outline, scale, strict=True)])
    )
    return images, annotations.replace(box=box, area=box[:, 2] * box[:, 3], outline=outline)


def scaled(outline: str, width: float, height: float) -> str:
    """An outline in fractions as one in pixels."""
    if not outline:
        return ""
    return json.dumps([[number * (height if place % 2 else width) for place, number in enumerate(part)] for part in json.loads(outline)])


def predictions_in_pixels(
    source: ParsedPredictions, kept: Int64Array | slice, rows: np.ndarray, images: Images, folders: Sequence[str]
) -> tuple[Images, Float64Array | None]:
    if source.box is None:
        return images, None
    if source.unit == "pixels":
        return images, source.box[kept]
    images = with_sizes(images, np.unique(rows), folders, source.path, "boxes are fractions of it")
    scale = np.stack([images.width, images.height, images.width, images.height], axis=1)[rows].astype(float)
    return images, source.box[kept] * scale


def with_sizes(images: Images, rows: Int64Array, folders: Sequence[str], path: str, why: str) -> Images:
    """The images with the size of `rows` known, read from the pictures' headers where it was not."""
    rows = rows[(images.width[rows] <= 0) | (images.height[rows] <= 0)]
    if not len(rows):
        return images
    width, height = images.width.copy(), images.height.copy()
    places = [join_location(folders[images.root[row]], images.path[row]) if images.root[row] >= 0 else "" for row in rows]
    for row, size in zip(rows, display_sizes(places), strict=True):
        if size is None:
            raise ImageSizeRequiredError(path, images.path[row], why)
        width[row], height[row] = size
    return images.replace(width=width, height=height)


def refuse_too_many(path: str, number: int) -> None:
    if number > MOST:
        raise TooManyPredictionsError(path, number, MOST)


def refuse_second_score(source: ParsedPredictions, predictions: Predictions, images: Images, concepts: Sequence[Concept]) -> None:
    key = predictions.image.astype(np.int64) * len(concepts) + predictions.concept
    values, first, count = np.unique(key, return_index=True, return_counts=True)
    if len(values) < len(key):
        row = first[count > 1][0]
        raise DuplicateScoreError(source.path, images.path[predictions.image[row]], concepts[predictions.concept[row]].name)


def outside(box: Float64Array, images: Images, rows: np.ndarray) -> list[Note]:
    """Boxes that reach over a pixel out of their picture: kept as they are, counted and told of."""
    number = 0
    for begin in range(0, len(box), CHECK_CHUNK_ROWS):
        part, owner = box[begin : begin + CHECK_CHUNK_ROWS], rows[begin : begin + CHECK_CHUNK_ROWS]
        width, height = images.width[owner], images.height[owner]
        right, bottom = part[:, 0] + part[:, 2], part[:, 1] + part[:, 3]
        over = (part[:, 0] < -1) | (part[:, 1] < -1) | (right > width + 1) | (bottom > height + 1)
        number += int((over & (width > 0)).sum())
    text = f"{format_count(number, 'box reaches', 'boxes reach')} over the edge of the picture: kept"
    return [Note("outside", text, number)] if number else []


def split_position(split: str | None) -> int | None:
    """The position in SPLITS of a split's own name; raises InvalidChoiceError."""
    if split is not None and split not in SPLITS:
        raise InvalidChoiceError("split", split, SPLITS)
    return None if split is None else SPLITS.index(split)
