"""What a reader returns: columns, with references to images and concepts as the file makes them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from pellucid.columns import CLOSED, SPLITS, Annotations, Floats, Images, Integers, Kind, Longs, Split, Texts, texts
from pellucid.errors import BoxBad, PathClimbs, ScoreBad, SplitUnknown, counted

Severity = Literal["info", "warning"]


@dataclass(frozen=True)
class Note:
    """Something a reader found that a person should know. kind: a short fixed word for programs."""

    kind: str
    message: str
    count: int = 1
    severity: Severity = "warning"


@dataclass(frozen=True)
class Judgement:
    """A question about a source that was settled by looking at the data.

    question: `boxes`, `category ids`, ... · answer: the reading taken · evidence: a sentence · alternatives: the other readings, with
    what speaks for them · forced: whether the user said so.
    """

    question: str
    answer: str
    evidence: str
    alternatives: list[str] = field(default_factory=list)
    forced: bool = False


BoxUnit = Literal["pixels", "fractions"]
BoxShape = Literal["xywh", "cxcywh"]


@dataclass(frozen=True, eq=False)
class AnnotationSource:
    """concepts: names in the file's order · concept_ids: what the file calls them ('' where names do) ·
    listed: whether the file lists its concepts (else their order is by name) · images: split -1 where not
    stated, width and height 0 where not · folder: where the pictures lie, if the format knows, else None ·
    unit: of the boxes; `fractions` of the picture's size become pixels once that is known."""

    path: str
    format: str
    kind: Kind
    concepts: list[str]
    concept_ids: list[str]
    listed: bool
    images: Images
    annotations: Annotations
    folder: str | None = None
    notes: list[Note] = field(default_factory=list)
    unit: BoxUnit = "pixels"
    judgements: list[Judgement] = field(default_factory=list)


def listed_images(
    names: list[str], split: Any = -1, stated: Any = CLOSED, width: Any = 0, height: Any = 0, ids: list[str] | None = None,
    metadata: Texts | None = None,
) -> Images:  # fmt: skip
    """Images as a file lists them: what it does not say is unknown, and where they lie is found later."""
    number = len(names)

    def column(value: Any, kind: type) -> Any:
        return np.broadcast_to(np.asarray(value, kind), number).copy()

    return Images(
        texts(names), column(split, np.int8), column(width, np.int32), column(height, np.int32), column(-1, np.int32),
        texts(ids or [""] * number), column(stated, np.int8), texts([""] * number) if metadata is None else metadata,
    )  # fmt: skip


ImageNaming = Literal["path", "id", "stem"]
ConceptReading = Literal["name", "id", "position", "column"]


@dataclass(frozen=True, eq=False)
class PredictionSource:
    """image_keys: every image the file names, as it names it · image: index into them, one a row · images_named_by:
    how the format names images, where a key would fit several ways · concept_keys, concept: likewise ·
    concept_reading: names, the annotations' ids, positions from 0, or columns of a wide table ·
    box: [left, top, width, height] in `unit` · record: the row's place in the file · rival: the same file with its columns in
    another order, where that is possible · written: whether boxes stand in the file with left and top, or with their middle."""

    path: str
    format: str
    image_keys: list[str]
    image: Integers
    concept_keys: list[str]
    concept: Integers
    concept_reading: ConceptReading
    score: Floats
    box: Floats | None
    unit: BoxUnit
    record: Longs | range
    record_noun: str = "record"
    notes: list[Note] = field(default_factory=list)
    images_named_by: ImageNaming = "path"
    rival: PredictionSource | None = None
    written: BoxShape = "xywh"

    def place(self, row: int) -> str:
        """Where a row stands in its file, for messages."""
        return f"{self.record_noun} {int(self.record[row])}"


SPLIT_WORDS: dict[str, Split] = {
    "train": "training", "training": "training", "trn": "training", "val": "validation", "valid": "validation",
    "validation": "validation", "dev": "validation", "test": "test", "testing": "test",
}  # fmt: skip


def split_named(word: str) -> int | None:
    """The position in SPLITS of what files call a split, a year behind it or not; None for other words."""
    name = SPLIT_WORDS.get(re.sub(r"(19|20)\d\d$", "", word.strip().lower()))
    return None if name is None else SPLITS.index(name)


def split_in(words: Iterable[str]) -> int:
    """The position of the first of the words that names a split; -1 without one."""
    return next((place for word in words if (place := split_named(word)) is not None), -1)


def split_code(word: str, path: object, record: object) -> int:
    """Likewise; raises SplitUnknown."""
    place = split_named(word)
    if place is None:
        raise SplitUnknown(path, record, word)
    return place


def codes(values: Iterable[Any]) -> tuple[list[str], Integers]:
    """Distinct texts in order of appearance, and each value's position among them."""
    seen: dict[str, int] = {}
    found = [seen.setdefault(value, len(seen)) for value in values]
    return list(seen), np.array(found, np.int32)


def codes_of_integers(values: Longs) -> tuple[list[str], Integers]:
    """The same for integers, written as texts; in rising order."""
    if not len(values):
        return [], np.zeros(0, np.int32)
    low, high = int(values.min()), int(values.max())
    if high - low > 20 * len(values) + 1_000_000:
        distinct, found = np.unique(values, return_inverse=True)
        return [str(value) for value in distinct.tolist()], found.astype(np.int32)
    present = np.zeros(high - low + 1, bool)
    present[values - low] = True
    place = np.cumsum(present, dtype=np.int32) - 1
    return [str(value) for value in (np.flatnonzero(present) + low).tolist()], place[values - low]


def image_path(path: object, name: str, home: str | None = None) -> str:
    """The image's path with `/` between folders; refuses one that leads out of the image folder.

    home: that folder; an absolute path that lies in it is taken from there.
    """
    tidy = name.replace("\\", "/")
    if home is not None:
        tidy = tidy.removeprefix(os.path.abspath(home).replace("\\", "/").rstrip("/") + "/")  # noqa: PTH100 (links stay as they are)
    parts = [part for part in tidy.split("/") if part not in ("", ".")]
    absolute = tidy.startswith("/") or tidy[1:3] == ":/"
    if not parts or absolute or ".." in parts or "\0" in tidy or "://" in tidy:
        raise PathClimbs(path, name)
    return "/".join(parts)


LARGEST = 1e150
"""Beyond it sums of scores and areas of boxes are no longer finite."""
PART = 1 << 20
"""Rows looked at at a time: what is worked out on the way is small beside the columns themselves."""


def check_scores(source: PredictionSource) -> None:
    """Every score is a finite number, or the first that is not is named."""
    bad = np.flatnonzero(~(np.abs(source.score) < LARGEST))
    if len(bad):
        raise ScoreBad(source.path, source.place(int(bad[0])), source.score[bad[0]])


def check_boxes(path: object, box: Floats, places: Any) -> list[Note]:
    """Boxes are finite and none is negative; those of zero size are kept, counted and told of.

    places: a function from a row to its place in the file.
    """
    flat = 0
    for begin in range(0, len(box), PART):
        part = box[begin : begin + PART]
        bad = np.flatnonzero(~(np.abs(part) < LARGEST).all(axis=1) | (part[:, 2:] < 0).any(axis=1))
        if len(bad):
            row = begin + int(bad[0])
            raise BoxBad(path, places(row), [float(number) for number in box[row]])
        flat += int((part[:, 2:] == 0).any(axis=1).sum())
    if not flat:
        return []
    return [Note("zero_size", f"{counted(flat, 'box', 'boxes')} of zero width or height: kept, but nothing can match them", flat)]


def checked(source: PredictionSource) -> PredictionSource:
    """The same, its scores and boxes checked; what is odd is added to its notes."""
    check_scores(source)
    if source.box is not None:
        source.notes.extend(check_boxes(source.path, source.box, source.place))
    return source
