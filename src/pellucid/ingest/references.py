"""Which frozen image and which concept a prediction speaks of.

Files name images by path, id, name or stem, and concepts by name, id or position. These are the ways to read them;
`judging` chooses. What could be several is refused, what stays unexplained is counted, named and left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import BoolArray, Images, Int32Array, Int64Array
from pellucid.formats.dataset import Note, ParsedPredictions
from pellucid.formats.tabular.wide_format import shared_prefix
from pellucid.ingest.errors import AmbiguousReferenceError, NoMatchesError
from pellucid.storage.manifests import Concept

UNKNOWN, AMBIGUOUS = -1, -2
SPARSE = [number for number in range(1, 91) if number not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)]
"""The ids of COCO's 80 concepts among 90 numbers."""


@dataclass(frozen=True, eq=False)
class Reading:
    """One way to understand keys: its name, and for each key the position found, UNKNOWN or AMBIGUOUS."""

    name: str
    place: Int32Array

    @property
    def explained(self) -> int:
        return int((self.place >= 0).sum())

    @property
    def ambiguous(self) -> int:
        return int((self.place == AMBIGUOUS).sum())


def stem(name: str) -> str:
    return os.path.splitext(last_part(name))[0]


def without_ending(name: str) -> str:
    folder, slash, file = name.rpartition("/")
    return folder + slash + os.path.splitext(file)[0]


def number_of(name: str) -> str:
    """The integer a numeric stem turns into; '' for others."""
    text = stem(name)
    return str(int(text)) if text.isascii() and text.isdigit() else ""


Way = tuple[str, Sequence[str], Callable[[str], str]]
"""A name for it, what each image is called, and what of a key is held against that."""


def image_readings(source: ParsedPredictions, images: Images, candidates: BoolArray) -> Iterator[Reading]:
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
    by_path += [(f"path below {format_count(depth, 'folder')}", paths, below(depth)) for depth in range(1, deepest + 1)]
    by_path.append(("file name", [last_part(path) for path in paths], last_part))
    if source.image_key_kind == "stem":
        ways = by_stem
    else:
        by_number = ("file stem without leading zeros", [number_of(path) for path in paths], same)
        plain_stem = ("file stem", [stem(path) for path in paths], stem)
        ways = [by_id, *by_path, *by_stem, plain_stem, by_number]
        if source.image_key_kind == "path":
            ways = [*by_path, by_id, *by_stem, plain_stem, by_number]
    first, *others = (partial(read, way, keys, rows) for way in ways)
    yield first()
    yield from filter(one_to_one, (other() for other in others))


def read(way: Way, keys: Sequence[str], rows: Int64Array) -> Reading:
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


def lookup(keys: Sequence[str], names: Sequence[str], rows: Sequence[int] | np.ndarray) -> Int32Array:
    """Each key's row among the names; '' names nothing, lines are several names of one row."""
    places: dict[str, int] = {}
    for several, row in zip(names, rows, strict=True):
        for name in several.split("\n") if several else ():
            places[name] = AMBIGUOUS if name in places else int(row)
    return np.array([places.get(key, UNKNOWN) for key in keys], np.int32).reshape(-1)


def concept_readings(source: ParsedPredictions, concepts: Sequence[Concept]) -> list[Reading]:
    keys, rows = source.concept_keys, range(len(concepts))
    names = [concept.name for concept in concepts]
    from_zero = Reading("positions from 0", lookup(keys, [str(row) for row in rows], rows))
    from_one = Reading("positions from 1", lookup(keys, [str(row + 1) for row in rows], rows))
    by_alphabet = sorted(rows, key=names.__getitem__)
    alphabetical = Reading("positions in alphabetical order", lookup(keys, [str(row) for row in rows], by_alphabet))
    others = [from_zero, from_one, alphabetical]
    if len(concepts) == len(SPARSE):
        others.append(Reading("COCO's 91 ids", lookup(keys, [str(number) for number in SPARSE], rows)))
    if source.concept_interpretation == "position":
        return others
    by_name = Reading("names", lookup(keys, names, rows))
    if source.concept_interpretation == "column":
        prefix = shared_prefix(keys, names)
        stripped = [key.removeprefix(prefix) for key in keys]
        return [by_name, Reading(f"names after '{prefix}'", lookup(stripped, names, rows))]
    pairs = [(name, row) for row, concept in enumerate(concepts) for name in concept.ids]
    by_id = Reading("ids", lookup(keys, [name for name, _ in pairs], [row for _, row in pairs]))
    return [by_name, by_id, *others] if source.concept_interpretation == "name" else [by_id, by_name, *others]


def most_explaining(readings: Sequence[Reading]) -> Reading:
    """The reading that explains most keys; of several, the one that at least finds candidates, then the first."""
    return max(readings, key=lambda reading: (reading.explained, reading.ambiguous))


def is_plain(own: Reading) -> bool:
    """Whether the format's own way of naming images is the plain one: it explains half of the keys, or is in doubt."""
    return own.ambiguous > 0 or (own.explained > 0 and own.explained * 2 >= len(own.place))


def plain_concepts(ways: Sequence[Reading]) -> Reading:
    """The first of ids and names that explains anything: positions are never taken without a witness."""
    return next((way for way in ways if (way.explained or way.ambiguous) and not way.name.startswith(("positions", "COCO"))), ways[0])


def refuse_ambiguous(
    source: ParsedPredictions, image: Reading, concept: Reading, images: Images, candidates: BoolArray, concepts: Sequence[Concept]
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
        raise AmbiguousReferenceError(source.path, "image", key, several, mend)
    doubtful = np.flatnonzero(concept.place == AMBIGUOUS)
    if len(doubtful):
        key = source.concept_keys[doubtful[0]]
        meant = [one.name for one in concepts if key in one.ids]
        raise AmbiguousReferenceError(source.path, "concept", key, meant, "The annotation files number concepts differently: write names.")


def unexplained(source: ParsedPredictions, image: Reading, concept: Reading, images: Images, concepts: Sequence[Concept]) -> list[Note]:
    """What is left out, counted and named; raises NoMatchesError where that would be everything."""
    if source.image_keys and not image.explained:
        raise NoMatchesError(source.path, "images", source.image_keys, images.path)
    if source.concept_keys and not concept.explained:
        raise NoMatchesError(source.path, "concepts", source.concept_keys, [one.name for one in concepts])
    notes = []
    strangers = [key for key, place in zip(source.image_keys, image.place, strict=True) if place < 0]
    if strangers:
        rows = int((image.place[source.image] < 0).sum())
        text = f"{format_count(rows, 'prediction')} of {format_count(len(strangers), 'image')} not in the version, left out: {summarize_names(strangers)}"
        notes.append(Note("image_unknown", text, rows))
    nameless = [key for key, place in zip(source.concept_keys, concept.place, strict=True) if place < 0]
    if nameless:
        rows = int((concept.place[source.concept] < 0).sum())
        text = f"{format_count(rows, 'prediction')} of {format_count(len(nameless), 'concept')} that the annotations lack, left out: {summarize_names(nameless)}"
        notes.append(Note("concept_unknown", text, rows))
    return notes
