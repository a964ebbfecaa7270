"""Which frozen image and which concept a prediction speaks of.

Files name images by path, id, name or stem, and concepts by name, id or position. The format's own way is taken
unless it fails; another is taken where boxes bear witness to it, and it is said. What could be several is refused,
what stays unexplained is counted, named and left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from pellucid.columns import Annotations, Flags, Floats, Images, Integers, Longs, Predictions
from pellucid.errors import NothingMatches, ReferenceAmbiguous, counted, few
from pellucid.formats.source import Note, PredictionSource
from pellucid.formats.wide import shared_prefix
from pellucid.understand.greedy import overlapping_pairs
from pellucid.workspace.manifests import Concept

UNKNOWN, AMBIGUOUS = -1, -2
WITNESSES = 5_000
"""How many of the most confident boxes are asked which reading is right."""
MORE, MUCH_MORE = 1.1, 3.0
"""How many times as many boxes must agree with another reading: one that explains every key where the plain one does
not needs less (of COCO's 80 concepts numbered from 1, eleven keep their ids), one that explains as much needs more."""
ENOUGH = 20
"""How many are needed to overrule the plain reading where that explains as much."""


@dataclass(frozen=True, eq=False)
class Reading:
    """One way to understand keys: its name, and for each key the position found, UNKNOWN or AMBIGUOUS."""

    name: str
    place: Integers

    @property
    def explained(self) -> int:
        return int((self.place >= 0).sum())

    @property
    def ambiguous(self) -> int:
        return int((self.place == AMBIGUOUS).sum())


def stem(name: str) -> str:
    return os.path.splitext(last_part(name))[0]  # noqa: PTH122 (a path inside the set, not of this machine)


def without_ending(name: str) -> str:
    folder, slash, file = name.rpartition("/")
    return folder + slash + os.path.splitext(file)[0]  # noqa: PTH122


def number_of(name: str) -> str:
    """The integer a numeric stem turns into; '' for others."""
    text = stem(name)
    return str(int(text)) if text.isascii() and text.isdigit() else ""


Way = tuple[str, Sequence[str], Callable[[str], str]]
"""A name for it, what each image is called, and what of a key is held against that."""


def image_readings(source: PredictionSource, images: Images, candidates: Flags) -> Iterator[Reading]:
    """The ways in which files name images, the likeliest first, each worked out when it is asked for.

    Where a name could be several images, the candidates decide.
    """
    rows = np.flatnonzero(candidates)
    keys, paths = source.image_keys, images.path.tolist()
    by_id = ("id", images.source_id.tolist(), same)
    by_stem: list[Way] = [
        ("path without ending", [without_ending(path) for path in paths], same),
        ("file stem", [stem(path) for path in paths], last_part),
    ]
    by_path: list[Way] = [("path", paths, same)]
    deepest = min(12, max((key.count("/") for key in keys), default=0))
    by_path += [(f"path below {counted(depth, 'folder')}", paths, below(depth)) for depth in range(1, deepest + 1)]
    by_path.append(("file name", [last_part(path) for path in paths], last_part))
    if source.images_named_by == "stem":
        ways = by_stem
    else:
        by_number = ("file stem without leading zeros", [number_of(path) for path in paths], same)
        plain_stem = ("file stem", [stem(path) for path in paths], stem)
        ways = [by_id, *by_path, *by_stem, plain_stem, by_number]
        if source.images_named_by == "path":
            ways = [*by_path, by_id, *by_stem, plain_stem, by_number]
    first, *others = (partial(read, way, keys, rows) for way in ways)
    yield first()
    yield from filter(one_to_one, (other() for other in others))


def read(way: Way, keys: Sequence[str], rows: Longs) -> Reading:
    """Keys read in one way; rows: the candidates."""
    name, names, meaning = way
    meant = [meaning(key.replace("\\", "/")) for key in keys]
    place = lookup(meant, names, range(len(names)))
    if (place < 0).any():
        inside = lookup(meant, [names[row] for row in rows.tolist()], rows)
        place = np.where(place >= 0, place, inside).astype(np.int32)
    return Reading(name, place)


def one_to_one(reading: Reading) -> bool:
    """Two names of one file that would be one image are no way of naming images."""
    found = reading.place[reading.place >= 0]
    return len(np.unique(found)) == len(found)


def same(key: str) -> str:
    return key.removeprefix("./")


def last_part(key: str) -> str:
    return key.rsplit("/", maxsplit=1)[-1]


def below(depth: int) -> Callable[[str], str]:
    """What is left of a path without its first folders; '' where there are not so many."""
    return lambda key: key.split("/", depth)[-1] if key.count("/") >= depth else ""


def lookup(keys: Sequence[str], names: Sequence[str], rows: Sequence[int] | np.ndarray) -> Integers:
    """Each key's row among the names; '' names nothing, lines are several names of one row."""
    places: dict[str, int] = {}
    for several, row in zip(names, rows, strict=True):
        for name in several.split("\n") if several else ():
            places[name] = AMBIGUOUS if name in places else int(row)
    return np.array([places.get(key, UNKNOWN) for key in keys], np.int32).reshape(-1)


def concept_readings(source: PredictionSource, concepts: Sequence[Concept]) -> list[Reading]:
    keys, rows = source.concept_keys, range(len(concepts))
    names = [concept.name for concept in concepts]
    from_zero = Reading("positions from 0", lookup(keys, [str(row) for row in rows], rows))
    if source.concept_reading == "position":
        return [from_zero]
    by_name = Reading("names", lookup(keys, names, rows))
    if source.concept_reading == "column":
        prefix = shared_prefix(keys, names)
        stripped = [key.removeprefix(prefix) for key in keys]
        return [by_name, Reading(f"names after '{prefix}'", lookup(stripped, names, rows))]
    pairs = [(name, row) for row, concept in enumerate(concepts) for name in concept.ids]
    by_id = Reading("ids", lookup(keys, [name for name, _ in pairs], [row for _, row in pairs]))
    from_one = Reading("positions from 1", lookup(keys, [str(row + 1) for row in rows], rows))
    return [by_name, by_id, from_zero, from_one] if source.concept_reading == "name" else [by_id, by_name, from_zero, from_one]


def most_explaining(readings: Sequence[Reading]) -> Reading:
    """The reading that explains most keys; of several, the one that at least finds candidates, then the first."""
    return max(readings, key=lambda reading: (reading.explained, reading.ambiguous))


def is_plain(own: Reading) -> bool:
    """Whether the format's own way of naming images is the plain one: it explains half of the keys, or is in doubt."""
    return own.ambiguous > 0 or (own.explained > 0 and own.explained * 2 >= len(own.place))


def plain_concepts(ways: Sequence[Reading]) -> Reading:
    """The first of ids and names that explains anything: positions are never taken without a witness."""
    return next((way for way in ways if (way.explained or way.ambiguous) and not way.name.startswith("positions")), ways[0])


def agreement(
    source: PredictionSource, rows: Longs, image: Reading, concept: Reading, annotations: Annotations, concepts: int
) -> float:  # fmt: skip
    """The share of these rows, by descending score, whose box overlaps an annotation (IoU >= 0.5)."""
    places, names = image.place[source.image[rows]], concept.place[source.concept[rows]]
    kept = (places >= 0) & (names >= 0)
    box = source.box[rows][kept] if source.box is not None else None
    boxes = Predictions(places[kept], names[kept], source.score[rows][kept], box, rows[kept].astype(np.int32))
    near = annotations.take(np.isin(annotations.image, boxes.image))
    agreeing: set[int] = set()
    for prediction, _, iou in overlapping_pairs(near, boxes, concepts):
        agreeing.update(prediction[iou >= 0.5].tolist())
    return len(agreeing) / max(1, len(rows))


def read_references(
    source: PredictionSource, images: Images, candidates: Flags, concepts: Sequence[Concept], annotations: Annotations
) -> tuple[Reading, Reading, list[Note]]:
    """Choose how images and concepts are named; where boxes clearly contradict the plain reading, they win and it is said."""
    ways = image_readings(source, images, candidates)
    own = next(ways)
    image_ways = [own] if is_plain(own) else [own, *ways]
    image = own if is_plain(own) else most_explaining(image_ways)
    concept_ways = concept_readings(source, concepts)
    concept = most_explaining(concept_ways) if source.concept_reading == "column" else plain_concepts(concept_ways)
    notes = [] if image is own else [Note("reading", f"images known by their {image.name}", 1, "info")]
    if source.box is None or source.unit != "pixels":
        return image, concept, notes
    rows = most_confident(source.score)
    asked = len(rows)
    share = agreement(source, rows, image, concept, annotations, len(concepts))
    if share * MUCH_MORE <= 1:  # else no other could be much better
        image_ways.extend(ways)
    for other in rivals(image, image_ways):
        other_share = agreement(source, rows, other, concept, annotations, len(concepts))
        if asked >= ENOUGH and clearly(other_share, share, MUCH_MORE):
            notes = [contradiction("image ids", other, image, other_share, share)]
            image, share = other, other_share
    for other in rivals(concept, concept_ways):
        other_share = agreement(source, rows, image, other, annotations, len(concepts))
        complete = concept.explained < other.explained == len(other.place)
        if clearly(other_share, share, MORE if complete else MUCH_MORE):
            taken, left = (other, concept) if complete or asked >= ENOUGH else (concept, other)
            notes.append(contradiction("category ids", taken, left, *((other_share, share) if taken is other else (share, other_share))))
            concept, share = (other, other_share) if taken is other else (concept, share)
    return image, concept, notes


def most_confident(score: Floats) -> Longs:
    """Rows of the highest scores, best first; of equal ones, those listed first."""
    if len(score) > WITNESSES:
        least = np.partition(score, len(score) - WITNESSES)[len(score) - WITNESSES]
        rows = np.flatnonzero(score >= least)
    else:
        rows = np.arange(len(score))
    return rows[np.argsort(-score[rows], kind="stable")][:WITNESSES]


def rivals(chosen: Reading, ways: Sequence[Reading]) -> list[Reading]:
    """Other readings that explain at least half as much, differently."""
    return [
        other for other in ways
        if other.explained and other.explained * 2 >= chosen.explained and (other.place != chosen.place).any()
    ]  # fmt: skip


def clearly(share: float, otherwise: float, times: float) -> bool:
    return share >= 0.1 and share >= times * otherwise


def contradiction(what: str, taken: Reading, left: Reading, share: float, otherwise: float) -> Note:
    text = f"{what} read as {taken.name}: {share:.0%} of confident boxes agree with an annotation, {otherwise:.0%} when read as {left.name}"
    return Note("reading", text, 1, "info" if share >= otherwise else "warning")


def refuse_ambiguous(
    source: PredictionSource, image: Reading, concept: Reading, images: Images, candidates: Flags, concepts: Sequence[Concept]
) -> None:
    """Raise where a key could be several images, or several concepts."""
    doubtful = np.flatnonzero(image.place == AMBIGUOUS)
    if len(doubtful):
        key = source.image_keys[doubtful[0]]
        ends = {key, stem(key)}
        several = [
            path for path, identity in zip(images.path[candidates], images.source_id[candidates], strict=True)
            if key in identity.split("\n") or last_part(path) == last_part(key) or stem(path) in ends or number_of(path) == key
        ]  # fmt: skip
        mend = "Name images by their path, or say which split the file is of with --split."
        raise ReferenceAmbiguous(source.path, "image", key, several, mend)
    doubtful = np.flatnonzero(concept.place == AMBIGUOUS)
    if len(doubtful):
        key = source.concept_keys[doubtful[0]]
        meant = [one.name for one in concepts if key in one.ids]
        raise ReferenceAmbiguous(source.path, "concept", key, meant, "The annotation files number concepts differently: write names.")


def unexplained(source: PredictionSource, image: Reading, concept: Reading, images: Images, concepts: Sequence[Concept]) -> list[Note]:
    """What is left out, counted and named; raises NothingMatches where that would be everything."""
    if source.image_keys and not image.explained:
        raise NothingMatches(source.path, "images", source.image_keys, images.path)
    if source.concept_keys and not concept.explained:
        raise NothingMatches(source.path, "concepts", source.concept_keys, [one.name for one in concepts])
    notes = []
    strangers = [key for key, place in zip(source.image_keys, image.place, strict=True) if place < 0]
    if strangers:
        rows = int((image.place[source.image] < 0).sum())
        text = f"{counted(rows, 'prediction')} of {counted(len(strangers), 'image')} not in the version, left out: {few(strangers)}"
        notes.append(Note("image_unknown", text, rows))
    nameless = [key for key, place in zip(source.concept_keys, concept.place, strict=True) if place < 0]
    if nameless:
        rows = int((concept.place[source.concept] < 0).sum())
        text = f"{counted(rows, 'prediction')} of {counted(len(nameless), 'concept')} that the annotations lack, left out: {few(nameless)}"
        notes.append(Note("concept_unknown", text, rows))
    return notes
