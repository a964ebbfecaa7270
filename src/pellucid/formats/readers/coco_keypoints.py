"""Keypoints in COCO's format: `x, y, visibility` of each point, on annotations and on results."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np

from pellucid.core.errors import format_count
from pellucid.core.keypoints import VISIBLE
from pellucid.formats.dataset import Note, ParsedPredictions, encode_ids, validate_predictions
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.parsing import parse_json
from pellucid.formats.readers.coco_categories import (
    CocoId,
    category_keys,
    interpretation_of,
    require_category,
)
from pellucid.formats.readers.coco_scores import scores_of

Box = list[float]


class KeypointResult(msgspec.Struct):
    image_id: CocoId
    score: float | None = None
    category_id: CocoId | None = None
    category_name: str | None = None
    keypoints: list[float] | None = None
    bbox: list[float] | None = None
    file_name: str | None = None
    segmentation: msgspec.Raw | None = None

    def __post_init__(self) -> None:
        require_category(self)


def check_points(path: Path, location: str, numbers: list[float]) -> list[float]:
    """Finite numbers, three a point. Raises InvalidRecordError."""
    if len(numbers) % 3 or not all(map(math.isfinite, numbers)):
        raise InvalidRecordError(
            path,
            location,
            f"found {len(numbers)} numbers",
            "Write x, y and visibility (0, 1 or 2) of each keypoint, in pixels.",
        )
    return [float(number) for number in numbers]


def with_visibility(numbers: list[float]) -> list[float]:
    """Pairs `x, y` as points that are visible."""
    points = zip(numbers[::2], numbers[1::2], strict=True)
    return [number for x, y in points for number in (x, y, float(VISIBLE))]


def box_of_keypoints(numbers: list[float] | None) -> Box | None:
    """The box around the labelled points of an annotation; None if there is none."""
    if not numbers or len(numbers) % 3:
        return None
    points = np.reshape(numbers, (-1, 3))
    points = points[points[:, 2] > 0, :2]
    if not len(points):
        return None
    low, high = points.min(axis=0), points.max(axis=0)
    return [*low.tolist(), *(high - low).tolist()]


def parse_keypoint_results(path: Path, format_name: str, keypoint_count: int) -> ParsedPredictions:
    """Results with keypoints. A record without a bbox has the box around all its points, as
    pycocotools has it. keypoint_count: of the view's objects, 0 if it is not known.

    Raises:
        MalformedFileError: the file is not a list of such records.
        InvalidRecordError: a record has neither keypoints nor a bbox, or numbers that are none.
    """
    results = parse_json(path, list[KeypointResult], "COCO results")
    has_pairs = keypoint_count > 0 and all(
        len(result.keypoints or []) in (0, 2 * keypoint_count) for result in results
    )
    points = [
        check_points(
            path,
            f"$[{row}].keypoints",
            with_visibility(result.keypoints or []) if has_pairs else result.keypoints or [],
        )
        for row, result in enumerate(results)
    ]
    width = max(map(len, points), default=0)
    keypoints = np.full((len(results), width), np.nan)
    boxes = np.zeros((len(results), 4))
    for row, (result, numbers) in enumerate(zip(results, points, strict=True)):
        keypoints[row, : len(numbers)] = numbers
        boxes[row] = result_box(path, row, result, numbers)
    has_file_names = any(result.file_name is not None for result in results)
    image_keys, image = encode_ids(
        [result.image_id if result.file_name is None else result.file_name for result in results]
    )
    concept_keys, concept = encode_ids(category_keys(results))
    source = ParsedPredictions(
        str(path),
        format_name,
        image_keys,
        image,
        concept_keys,
        concept,
        interpretation_of(concept_keys),
        scores_of(path, results),
        boxes,
        "pixels",
        range(len(results)),
        image_key_kind="path" if has_file_names else "id",
        keypoints=keypoints,
    )
    if masked := sum(result.segmentation is not None for result in results):
        noun = format_count(masked, "segmentation")
        source.notes.append(Note("shapes", f"{noun} not read: keypoints are compared", masked))
    return validate_predictions(source)


def result_box(path: Path, row: int, result: KeypointResult, numbers: list[float]) -> Box:
    if result.bbox:
        if len(result.bbox) == 4:
            return result.bbox
        raise InvalidRecordError(
            path,
            f"$[{row}].bbox",
            f"found {len(result.bbox)} numbers",
            "Write [left, top, width, height] in pixels.",
        )
    if not numbers:
        raise InvalidRecordError(
            path, f"$[{row}]", "has neither keypoints nor bbox", "Write one of them, in pixels."
        )
    coordinates = np.reshape(numbers, (-1, 3))[:, :2]
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    return [*low.tolist(), *(high - low).tolist()]
