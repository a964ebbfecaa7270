"""Which frozen image and which concept a prediction speaks of.

Files name images by path, id, name or stem, and concepts by name, id or position. Each reading is tried on
all keys; the one that explains most is taken, boxes bear witness where two explain as much, and what stays
unexplained is counted, named and left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.columns import Annotations, Flags, Images, Integers, Predictions
from pellucid.errors import NothingMatches, ReferenceAmbiguous, counted, few
from pellucid.formats.source import Note, PredictionSource
from pellucid.understand.matching import overlapping_pairs
from pellucid.workspace.manifests import Concept

UNKNOWN, AMBIGUOUS = -1, -2
WITNESSES = 5_000
"""How many of the most confident boxes are asked which reading is right."""


@dataclass(frozen=True, eq=False)
class Reading:
    """One way to understand keys: its name, and for each key the position found, UNKNOWN or AMBIGUOUS."""

    name: str
    place: Integers

    @property
    def explained(self) -> int:
        return int((self.place >= 0).sum())


def stem(name: str) -> str:
    return os.path.splitext(last_part(name))[0]  # noqa: PTH122 (a path inside the set, not of this machine)


def without_ending(name: str) -> str:
    folder, slash, file = name.rpartition("/")
    return folder + slash + os.path.splitext(file)[0]  # noqa: PTH122


def number_of(name: str) -> str:
    """The integer a numeric stem turns into; '' for others."""
    text = stem(name)
    return str(int(text)) if text.isascii() and text.isdigit() else ""


def image_readings(source: PredictionSource, images: Images, candidates: Flags) -> list[Reading]:
    """The ways in which files name images, the likeliest first."""
    rows = np.flatnonzero(candidates)
    keys, paths = source.image_keys, images.path[rows].tolist()
    by_id = ("id", images.source_id[rows].tolist(), same)
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
    return [Reading(name, lookup([way(key.replace("\\", "/")) for key in keys], names, rows)) for name, names, way in ways]


Way = tuple[str, Sequence[str], Callable[[str], str]]


def same(key: str) -> str:
    return key.removeprefix("./")


def last_part(key: str) -> str:
    return key.rsplit("/", maxsplit=1)[-1]


def below(depth: int) -> Callable[[str], str]:
    """What is left of a path without its first folders; '' where there are not so many."""
    return lambda key: key.split("/", depth)[-1] if key.count("/") >= depth else ""


def lookup(keys: Sequence[str], names: Sequence[str], rows: Sequence[int] | np.ndarray) -> Integers:
    """Each key's row among the names; '' names nothing."""
    places: dict[str, int] = {}
    for name, row in zip(names, rows, strict=True):
        if name:
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


def shared_prefix(keys: Sequence[str], names: Sequence[str]) -> str:
    """What stands before a concept's name in most columns, for instance `p_`."""
    known = set(names)
    prefixes = [key.removesuffix(name) for key in keys for name in known if key.endswith(name) and key != name]
    return max(prefixes, key=prefixes.count, default="")


def plainest(readings: list[Reading]) -> Reading:
    """The reading that explains most keys; of several, the one that at least finds candidates, then the first."""
    return max(readings, key=lambda reading: (reading.explained, int((reading.place == AMBIGUOUS).sum())))


def agreement(source: PredictionSource, image: Reading, concept: Reading, annotations: Annotations, concepts: int) -> tuple[float, int]:
    """The share of the most confident boxes that overlap an annotation (IoU >= 0.5), and how many were asked."""
    rows = np.argsort(-source.score, kind="stable")[:WITNESSES]
    places, names = image.place[source.image[rows]], concept.place[source.concept[rows]]
    kept = (places >= 0) & (names >= 0)
    box = source.box[rows][kept] if source.box is not None else None
    boxes = Predictions(places[kept], names[kept], source.score[rows][kept], box, rows[kept])
    agreeing: set[int] = set()
    for prediction, _, iou in overlapping_pairs(annotations, boxes, concepts):
        agreeing.update(prediction[iou >= 0.5].tolist())
    return len(agreeing) / max(1, len(rows)), len(rows)


def read_references(
    source: PredictionSource, images: Images, candidates: Flags, concepts: Sequence[Concept], annotations: Annotations
) -> tuple[Reading, Reading, list[Note]]:
    """Choose how images and concepts are named; where boxes clearly contradict the plain reading, they win and it is said."""
    image_ways = image_readings(source, images, candidates)
    concept_ways = concept_readings(source, concepts)
    image, concept = plainest(image_ways), plainest(concept_ways)
    if source.box is None or source.unit != "pixels":
        return image, concept, []
    notes = []
    everything = agreement(source, image, concept, annotations, len(concepts))
    for other in rivals(image, image_ways):
        other_share, _ = agreement(source, other, concept, annotations, len(concepts))
        if clearly(other_share, everything):
            notes.append(contradiction("image ids", other, image, other_share, everything[0]))
            image, everything = other, (other_share, everything[1])
    for other in rivals(concept, concept_ways):
        other_share, _ = agreement(source, image, other, annotations, len(concepts))
        if clearly(other_share, everything):
            notes.append(contradiction("category ids", other, concept, other_share, everything[0]))
            concept, everything = other, (other_share, everything[1])
    return image, concept, notes


def rivals(chosen: Reading, ways: list[Reading]) -> list[Reading]:
    """Other readings that explain at least half as much, differently."""
    return [
        other for other in ways
        if other.explained * 2 >= chosen.explained > 0 and (other.place != chosen.place).any()
    ]  # fmt: skip


def clearly(share: float, against: tuple[float, int]) -> bool:
    return against[1] >= 20 and share >= 0.1 and share >= 3 * against[0]


def contradiction(what: str, taken: Reading, left: Reading, share: float, otherwise: float) -> Note:
    text = f"{what} read as {taken.name}: {share:.0%} of confident boxes agree with an annotation, {otherwise:.0%} when read as {left.name}"
    return Note("reading", text, 1, "info")


def refuse_ambiguous(source: PredictionSource, reading: Reading, images: Images) -> None:
    """Raise where a key that explains rows could be several images."""
    doubtful = np.flatnonzero(reading.place == AMBIGUOUS)
    if not len(doubtful):
        return
    key = source.image_keys[doubtful[0]]
    ends = {key, stem(key)}
    candidates = [
        path for path, identity in zip(images.path, images.source_id, strict=True)
        if identity == key or last_part(path) == key or stem(path) in ends or number_of(path) == key
    ]  # fmt: skip
    mend = "Name images by their path, or say which split the file is of with --split."
    raise ReferenceAmbiguous(source.path, key, candidates, mend)


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
