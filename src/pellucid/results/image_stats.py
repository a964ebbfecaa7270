"""Statistics and descriptors of the images of a split and of their boxes, cached in the version's
folder."""

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

from pellucid.browse.selection import Tab, TabSelection
from pellucid.core.files import atomic_write
from pellucid.core.tables import NOT_RUN, SPLITS, Annotations, Int64Array, Predictions
from pellucid.evaluation.evaluation import Evaluation
from pellucid.images.crop_cache import image_stamp
from pellucid.images.descriptors import DESCRIPTOR_LENGTH
from pellucid.images.statistics import IMAGE_STATISTICS, load_measurements
from pellucid.review.image_locator import ImageLocator

FloatArray = NDArray[np.floating[Any]]
DEFAULT_IMAGE_LIMIT = 4_000
"""Default number of images of a split that are read, sampled at random."""


@dataclass(frozen=True, eq=False)
class ItemSample:
    """Sampled rows of a split: annotations that can be matched, and predictions at or above the
    optimal thresholds. In tagging and classification only images are sampled.

    Attributes:
        annotations, predictions: sorted row indexes
    """

    images: Int64Array
    annotations: Int64Array
    predictions: Int64Array


@dataclass(frozen=True, eq=False)
class ImageStats:
    """Each column has one line per image, then one per annotation box, then one per prediction
    box; see ItemSample."""

    items: ItemSample
    statistics: FloatArray
    colour: np.ndarray
    descriptors: FloatArray
    cameras: list[str]
    capture_times: list[str]

    def find_lines(
        self, item_rows: Int64Array, image_rows: Int64Array, are_annotations: bool, has_boxes: bool
    ) -> tuple[Int64Array, Int64Array]:
        """The lines of the box and of the image of each row, -1 where it was not sampled."""
        picture_lines = find_positions(self.items.images, image_rows)
        if not has_boxes:
            return picture_lines, picture_lines
        sampled_rows = self.items.annotations if are_annotations else self.items.predictions
        first_line = len(self.items.images) + (
            0 if are_annotations else len(self.items.annotations)
        )
        positions = find_positions(sampled_rows, item_rows)
        return np.where(positions >= 0, first_line + positions, -1), picture_lines


def take_lines(line_values: np.ndarray, lines: Int64Array, fill_value: float) -> np.ndarray:
    """Values of a column at the given lines; `fill_value` where a line is -1."""
    if not len(line_values):
        return np.full((len(lines), *line_values.shape[1:]), fill_value)
    is_sampled = lines >= 0
    return np.where(
        is_sampled.reshape(-1, *(1,) * (line_values.ndim - 1)),
        line_values[np.maximum(lines, 0)],
        fill_value,
    )


def find_positions(sorted_rows: Int64Array, query_rows: Int64Array) -> Int64Array:
    if not len(sorted_rows):
        return np.full(len(query_rows), -1, np.int64)
    positions = np.minimum(np.searchsorted(sorted_rows, query_rows), len(sorted_rows) - 1)
    return np.where(sorted_rows[positions] == query_rows, positions, -1)


def sample_items(evaluation: Evaluation, split: int, image_limit: int, seed: int = 0) -> ItemSample:
    """Sample at most `image_limit` images of the split, and their boxes."""
    images = np.flatnonzero(
        (evaluation.images.split == split)
        & (evaluation.coverage != NOT_RUN)
        & (evaluation.images.root >= 0)
    )
    if len(images) > image_limit:
        images = np.sort(np.random.default_rng(seed).choice(images, image_limit, replace=False))
    is_sampled = np.zeros(len(evaluation.images), bool)
    is_sampled[images] = True
    if evaluation.kind != "detection":
        return ItemSample(images, np.zeros(0, np.int64), np.zeros(0, np.int64))
    concept_starts = evaluation.matchable_starts[split]
    annotations = np.sort(
        np.asarray(
            evaluation.matchable_annotations[concept_starts[0] : concept_starts[-1]], np.int64
        )
    )
    rows_above_threshold = [
        TabSelection(evaluation, tab, split, None, evaluation.optimal_thresholds).all_rows()
        for tab in PREDICTION_TABS
    ]
    predictions = np.sort(np.concatenate(rows_above_threshold))
    in_sample = (
        is_sampled[evaluation.annotations.image[annotations]],
        is_sampled[evaluation.predictions.image[predictions]],
    )
    return ItemSample(images, annotations[in_sample[0]], predictions[in_sample[1]])


PREDICTION_TABS: tuple[Tab, ...] = ("matched", "missing")
ProgressCallback = Callable[[int, int], None]


def measure_images(
    evaluation: Evaluation,
    items: ItemSample,
    image_locator: ImageLocator,
    progress: ProgressCallback,
) -> ImageStats:
    """Read the images; the values of unreadable images stay undefined (NaN, -1 or '')."""
    image_count = len(items.images)
    line_count = image_count + len(items.annotations) + len(items.predictions)
    stats = ImageStats(
        items,
        np.full((line_count, len(IMAGE_STATISTICS)), np.nan, np.float32),
        np.full(line_count, -1, np.int8),
        np.full((line_count, DESCRIPTOR_LENGTH), np.nan, np.float16),
        [""] * image_count,
        [""] * image_count,
    )
    boxes_by_image = group_boxes(evaluation, items)
    done_count = 0
    lock = threading.Lock()

    def measure_image(index: int) -> None:
        nonlocal done_count
        location = image_locator.location(int(items.images[index]))
        if location is not None:
            boxes = boxes_by_image[index]
            measured = load_measurements(location, list(boxes.values()))
            lines = [index, *boxes]
            stats.statistics[lines] = measured.statistics
            stats.colour[lines] = measured.colours
            stats.descriptors[lines] = measured.descriptors
            stats.cameras[index], stats.capture_times[index] = measured.camera, measured.taken
        with lock:
            done_count += 1
            progress(done_count, image_count)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(measure_image, range(image_count)))
    return stats


def group_boxes(evaluation: Evaluation, items: ItemSample) -> list[dict[int, list[float]]]:
    """The boxes of each image, by their line of the statistics."""
    groups: list[dict[int, list[float]]] = [{} for _ in items.images]
    line = len(items.images)
    tables: list[tuple[Int64Array, Annotations | Predictions]] = [
        (items.annotations, evaluation.annotations),
        (items.predictions, evaluation.predictions),
    ]
    for rows, table in tables:
        if table.box is not None:
            image_indexes = np.searchsorted(items.images, table.image[rows]).tolist()
            boxes = np.asarray(table.box[rows]).tolist()
            for place, (index, box) in enumerate(zip(image_indexes, boxes, strict=True)):
                groups[index][line + place] = box
        line += len(rows)
    return groups


def stats_cache_key(evaluation: Evaluation, items: ItemSample, image_locator: ImageLocator) -> str:
    """A hash that changes if the images or the boxes change."""
    digest = hashlib.blake2b(digest_size=16)
    for item_rows in (items.images, items.annotations, items.predictions):
        digest.update(np.ascontiguousarray(item_rows).tobytes() + b"|")
    for box_rows, item_table in (
        (items.annotations, evaluation.annotations),
        (items.predictions, evaluation.predictions),
    ):
        if item_table.box is not None:
            digest.update(np.ascontiguousarray(item_table.box[box_rows]).tobytes())
    for image_row in items.images.tolist():
        location = image_locator.location(image_row)
        digest.update(
            (location or "").encode() + image_stamp(location).encode() if location else b"-"
        )
    return digest.hexdigest()


def load_or_measure(
    evaluation: Evaluation,
    items: ItemSample,
    image_locator: ImageLocator,
    cache_file: Path | None,
    progress: ProgressCallback,
) -> ImageStats:
    """cache_file: None disables caching on disk."""
    key = stats_cache_key(evaluation, items, image_locator)
    if cache_file is not None and cache_file.is_file():
        with (
            suppress(OSError, ValueError, KeyError, EOFError, BadZipFile),
            np.load(cache_file) as arrays,
        ):
            if str(arrays["key"]) == key:
                return ImageStats(
                    items,
                    arrays["looks"],
                    arrays["colour"],
                    arrays["likeness"],
                    arrays["camera"].tolist(),
                    arrays["taken"].tolist(),
                )
    image_stats = measure_images(evaluation, items, image_locator, progress)
    if cache_file is not None:
        with (
            suppress(OSError),  # the cache is optional
            atomic_write(cache_file, locked=False) as temp_path,
            temp_path.open("wb") as stream,
        ):
            np.savez(
                stream,
                key=np.array(key),
                looks=image_stats.statistics,
                colour=image_stats.colour,
                likeness=image_stats.descriptors,
                camera=np.array(image_stats.cameras, str),
                taken=np.array(image_stats.capture_times, str),
            )
    return image_stats


class ImageStatsCache:
    """Image statistics of one version. The images of a split are read once; callers can wait, or
    poll the progress."""

    def __init__(
        self, evaluation: Evaluation, image_locator: ImageLocator, folder: Path | None
    ) -> None:
        """folder: of the cache files; None: cache in memory only."""
        self._evaluation = evaluation
        self._image_locator = image_locator
        self._folder = folder
        self._stats: dict[tuple[int, int], ImageStats] = {}
        self._read_locks: dict[tuple[int, int], threading.Lock] = {}
        self._progress: dict[tuple[int, int], tuple[int, int]] = {}
        self._lock = threading.Lock()

    def read(
        self,
        split: int,
        image_limit: int = DEFAULT_IMAGE_LIMIT,
        progress: ProgressCallback | None = None,
    ) -> ImageStats:
        key = split, image_limit
        with self._lock:
            read_lock = self._read_locks.setdefault(key, threading.Lock())
        with read_lock:
            if key not in self._stats:
                items = sample_items(self._evaluation, split, image_limit)
                self._progress[key] = 0, len(items.images)

                def report_progress(done_count: int, total: int) -> None:
                    self._progress[key] = done_count, total
                    if progress is not None:
                        progress(done_count, total)

                cache_file = (
                    self._folder / f"looks-{SPLITS[split]}-{image_limit}.npz"
                    if self._folder is not None
                    else None
                )
                self._stats[key] = load_or_measure(
                    self._evaluation, items, self._image_locator, cache_file, report_progress
                )
                self._progress[key] = len(items.images), len(items.images)
            return self._stats[key]

    def get_or_start(self, split: int, image_limit: int = DEFAULT_IMAGE_LIMIT) -> ImageStats | None:
        """Return the statistics if available; otherwise start reading in the background and return
        None."""
        key = split, image_limit
        if key in self._stats:
            return self._stats[key]
        with self._lock:
            if key not in self._progress:
                self._progress[key] = 0, 0
                threading.Thread(
                    target=self._load_in_background, args=key, daemon=True, name="pellucid-looks"
                ).start()
        return None

    def _load_in_background(self, split: int, image_limit: int) -> None:
        try:
            self.read(split, image_limit)
        except BaseException:
            self._progress.pop((split, image_limit), None)  # so that the next request starts again
            raise

    def progress(self, split: int, image_limit: int = DEFAULT_IMAGE_LIMIT) -> tuple[int, int]:
        """Number of images read, and total number."""
        return self._progress.get((split, image_limit), (0, 0))
