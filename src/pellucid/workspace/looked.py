"""What the pictures of a split are like, and the boxes in them: read once, and kept beside the version."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from pellucid.columns import NOT_RUN, SPLITS, Longs
from pellucid.images.cache import stamp
from pellucid.images.likeness import LENGTH
from pellucid.images.looks import LOOKS, look
from pellucid.understand.evaluation import Evaluation
from pellucid.understand.gallery import Selection, Tab
from pellucid.workspace.whereabouts import Whereabouts

Singles = NDArray[np.floating[Any]]
READ = 4_000
"""Pictures of a split that are looked at unless more are asked for; drawn at random."""


@dataclass(frozen=True, eq=False)
class Items:
    """Rows of a split that are looked at: annotations that can be found, and predictions at or over the optimal thresholds (in tagging
    and classification their images are what is looked at, and the rows are of images). annotations, predictions: rising."""

    images: Longs
    annotations: Longs
    predictions: Longs


@dataclass(frozen=True, eq=False)
class Looked:
    """images: rows, rising, with a line in each of the columns · then the boxes: of annotations, of predictions, see Items."""

    items: Items
    looks: Singles
    colour: np.ndarray
    likeness: Singles
    camera: list[str]
    taken: list[str]

    def places(self, rows: Longs, images: Longs, annotations: bool, boxes: bool) -> tuple[Longs, Longs]:
        """Of these rows (and their images) the line of the box and of the picture, -1 where it was not looked at."""
        picture = found_at(self.items.images, images)
        if not boxes:
            return picture, picture
        one = self.items.annotations if annotations else self.items.predictions
        begin = len(self.items.images) + (0 if annotations else len(self.items.annotations))
        place = found_at(one, rows)
        return np.where(place >= 0, begin + place, -1), picture


def at_lines(column: np.ndarray, lines: Longs, unknown: float) -> np.ndarray:
    """The column at these lines; `unknown` where a line is -1."""
    if not len(column):
        return np.full((len(lines), *column.shape[1:]), unknown)
    known = lines >= 0
    return np.where(known.reshape(-1, *(1,) * (column.ndim - 1)), column[np.maximum(lines, 0)], unknown)


def found_at(sorted_rows: Longs, rows: Longs) -> Longs:
    if not len(sorted_rows):
        return np.full(len(rows), -1, np.int64)
    place = np.minimum(np.searchsorted(sorted_rows, rows), len(sorted_rows) - 1)
    return np.where(sorted_rows[place] == rows, place, -1)


def chosen_items(evaluation: Evaluation, split: int, most: int, seed: int = 0) -> Items:
    """Of at most so many pictures of the split."""
    images = np.flatnonzero((evaluation.images.split == split) & (evaluation.coverage != NOT_RUN) & (evaluation.images.root >= 0))
    if len(images) > most:
        images = np.sort(np.random.default_rng(seed).choice(images, most, replace=False))
    inside = np.zeros(len(evaluation.images), bool)
    inside[images] = True
    if evaluation.kind != "detection":
        return Items(images, np.zeros(0, np.int64), np.zeros(0, np.int64))
    start = evaluation.annotation_start[split]
    annotations = np.sort(np.asarray(evaluation.counted_annotations[start[0] : start[-1]], np.int64))
    over = [Selection(evaluation, tab, split, None, evaluation.optimal).every() for tab in TABS]
    predictions = np.sort(np.concatenate(over))
    here = inside[evaluation.annotations.image[annotations]], inside[evaluation.predictions.image[predictions]]
    return Items(images, annotations[here[0]], predictions[here[1]])


TABS: tuple[Tab, ...] = ("matched", "missing")
Progress = Callable[[int, int], None]


def look_at(evaluation: Evaluation, items: Items, whereabouts: Whereabouts, progress: Progress) -> Looked:
    """Read the pictures; a picture that cannot be read tells nothing."""
    number = len(items.images) + len(items.annotations) + len(items.predictions)
    looks, colour = np.full((number, len(LOOKS)), np.nan, np.float32), np.full(number, -1, np.int8)
    likeness = np.full((number, LENGTH), np.nan, np.float16)
    camera, taken = [""] * len(items.images), [""] * len(items.images)
    boxes: list[tuple[int, Longs, Any]] = [
        (len(items.images), items.annotations, evaluation.annotations),
        (len(items.images) + len(items.annotations), items.predictions, evaluation.predictions),
    ]
    of_image: list[list[int]] = [[] for _ in items.images]
    sides: dict[int, list[float]] = {}
    for begin, rows, table in boxes:
        if table.box is not None:
            for place, image in enumerate(np.searchsorted(items.images, table.image[rows]).tolist()):
                of_image[image].append(begin + place)
            sides.update(zip(range(begin, begin + len(rows)), table.box[rows].tolist(), strict=True))
    done = 0
    lock = threading.Lock()

    def one(place: int) -> None:
        nonlocal done
        location = whereabouts.location(int(items.images[place]))
        if location is not None:
            seen = look(location, [sides[line] for line in of_image[place]])
            lines = [place, *of_image[place]]
            looks[lines], colour[lines], likeness[lines] = seen.looks, seen.colour, seen.likeness
            camera[place], taken[place] = seen.camera, seen.taken
        with lock:
            done += 1
            progress(done, len(items.images))

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(one, range(len(items.images))))
    return Looked(items, looks, colour, likeness, camera, taken)


def key_of(evaluation: Evaluation, items: Items, whereabouts: Whereabouts) -> str:
    """Changes when the pictures or the boxes do."""
    told = hashlib.blake2b(digest_size=16)
    for part in (items.images, items.annotations, items.predictions):
        told.update(np.ascontiguousarray(part).tobytes() + b"|")
    for rows, table in ((items.annotations, evaluation.annotations), (items.predictions, evaluation.predictions)):
        if table.box is not None:
            told.update(np.ascontiguousarray(table.box[rows]).tobytes())
    for image in items.images.tolist():
        location = whereabouts.location(image)
        told.update((location or "").encode() + stamp(location).encode() if location else b"-")
    return told.hexdigest()


def kept_or_read(evaluation: Evaluation, items: Items, whereabouts: Whereabouts, file: Path | None, progress: Progress) -> Looked:
    """file: where it is kept between runs; None: nowhere."""
    key = key_of(evaluation, items, whereabouts)
    if file is not None and file.is_file():
        with suppress(OSError, ValueError, KeyError, EOFError, BadZipFile), np.load(file) as kept:
            if str(kept["key"]) == key:
                return Looked(items, kept["looks"], kept["colour"], kept["likeness"], kept["camera"].tolist(), kept["taken"].tolist())
    made = look_at(evaluation, items, whereabouts, progress)
    if file is not None:
        with suppress(OSError):  # it can be read again
            begun = file.with_name(f".{file.name}.part")
            with begun.open("wb") as to:
                np.savez(
                    to, key=np.array(key), looks=made.looks, colour=made.colour, likeness=made.likeness,
                    camera=np.array(made.camera, str), taken=np.array(made.taken, str),
                )  # fmt: skip
            begun.replace(file)
    return made


class Looks:
    """Of one loaded version. The pictures of a split are read once, whoever asks; readers may wait, or see how far it is."""

    def __init__(self, evaluation: Evaluation, whereabouts: Whereabouts, folder: Path | None) -> None:
        """folder: where what was read is kept; None: in memory alone."""
        self._evaluation = evaluation
        self._whereabouts = whereabouts
        self._folder = folder
        self._done: dict[tuple[int, int], Looked] = {}
        self._reading: dict[tuple[int, int], threading.Lock] = {}
        self._progress: dict[tuple[int, int], tuple[int, int]] = {}
        self._lock = threading.Lock()

    def read(self, split: int, most: int = READ, progress: Progress | None = None) -> Looked:
        key = split, most
        with self._lock:
            mine = self._reading.setdefault(key, threading.Lock())
        with mine:
            if key not in self._done:
                items = chosen_items(self._evaluation, split, most)
                self._progress[key] = 0, len(items.images)

                def told(done: int, of: int) -> None:
                    self._progress[key] = done, of
                    if progress is not None:
                        progress(done, of)

                file = self._folder / f"looks-{SPLITS[split]}-{most}.npz" if self._folder is not None else None
                self._done[key] = kept_or_read(self._evaluation, items, self._whereabouts, file, told)
                self._progress[key] = len(items.images), len(items.images)
            return self._done[key]

    def ready(self, split: int, most: int = READ) -> Looked | None:
        """What was read, if it was; else it is begun."""
        key = split, most
        if key in self._done:
            return self._done[key]
        with self._lock:
            if key not in self._progress:
                self._progress[key] = 0, 0
                threading.Thread(target=self._begin, args=key, daemon=True, name="pellucid-looks").start()
        return None

    def _begin(self, split: int, most: int) -> None:
        try:
            self.read(split, most)
        except BaseException:
            self._progress.pop((split, most), None)  # so that it is begun again when somebody asks
            raise

    def progress(self, split: int, most: int = READ) -> tuple[int, int]:
        """Pictures read, and to be read."""
        return self._progress.get((split, most), (0, 0))
