"""Record predictions during validation, in a loop of your own.

with pellucid.record("panels.pellucid", "panels", "yolo-3") as recorder:
    for path, boxes, scores, labels in validate(model):
        recorder.add(path, labels, scores, boxes)
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from pellucid.core.errors import InvalidChoiceError
from pellucid.core.keypoints import VISIBLE
from pellucid.core.masks import Masks, concat_masks, no_masks
from pellucid.core.tables import Float64Array, string_column
from pellucid.evaluation.mask_runs import measure_masks
from pellucid.formats.dataset import Note, ParsedPredictions
from pellucid.formats.mask_arrays import encode_mask_arrays
from pellucid.formats.prediction_sources import read_predictions
from pellucid.formats.probe import create_read_options
from pellucid.formats.tabular.dataframes import zip_detections
from pellucid.integrations.errors import (
    InvalidBatchError,
    RecordedVersionError,
    UnmeasuredValidationError,
)
from pellucid.integrations.tensors import from_tensor
from pellucid.project import Version, View, Workspace

Keep = Literal["last", "best", "every"]
KEPT_VALIDATIONS: tuple[Keep, ...] = ("last", "best", "every")

ImagePrediction = tuple[str, float | None, tuple[float, ...] | None]


@dataclass
class Validation:
    """One pass over the images.

    Attributes:
        predictions, masks, corners, keypoints: by image
        value: what `best` compares, higher is better
    """

    predictions: dict[str, list[ImagePrediction]] = field(default_factory=dict)
    masks: dict[str, Masks] = field(default_factory=dict)
    corners: dict[str, Float64Array] = field(default_factory=dict)
    keypoints: dict[str, Float64Array] = field(default_factory=dict)
    value: float | None = None


class Recorder:
    """Collects the predictions of a version image by image and adds them on close.

    A loop that validates once calls `add` and `close`. A training that validates repeatedly calls
    `start_validation` and `end_validation` around each pass; an unfinished pass is not kept.
    """

    def __init__(self, view: View, version: str, iou: float = 0.5, keep: Keep = "last") -> None:
        """Freezes the version if it is new.

        keep: `last` validation; the `best`, by the value given to `end_validation`; or `every` one,
        as versions of their own, `VERSION-1`, `VERSION-2`, ...

        Raises:
            RecordedVersionError: there are predictions already: known before training begins.
            InvalidChoiceError: keep is something else.
        """
        if keep not in KEPT_VALIDATIONS:
            raise InvalidChoiceError("keep", keep, KEPT_VALIDATIONS)
        self.view = view
        self.name = version
        self.iou = iou
        self.keep = keep
        self.notes: list[Note] = []
        self._validation = Validation()
        self._kept: Validation | None = None
        self._ended_count = 0
        self._freeze(self._version_name(1))

    def _version_name(self, number: int) -> str:
        return f"{self.name}-{number}" if self.keep == "every" else self.name

    def _freeze(self, name: str) -> None:
        if name not in self.view.versions:
            self.view.start(name, self.iou)
        elif self.view.version(name).manifest.prediction_sources:
            raise RecordedVersionError(self.view.name, name)

    def start_validation(self) -> None:
        """Begin a pass: what was added since the last one ended is dropped."""
        self._validation = Validation()

    def end_validation(self, value: float | None = None) -> None:
        """End a pass. value: how good it was, for `keep="best"`.

        Raises:
            UnmeasuredValidationError: `best` is to be kept and there is no value.
        """
        self._validation.value = None if value is None else float(value)
        ended, self._validation = self._validation, Validation()
        self._ended_count += 1
        if self.keep == "every":
            name = self._version_name(self._ended_count)
            self._freeze(name)
            self._store(name, ended)
        elif self.keep == "last" or self._is_best(ended):
            self._kept = ended

    def _is_best(self, ended: Validation) -> bool:
        if ended.value is None or np.isnan(ended.value):
            raise UnmeasuredValidationError
        best = None if self._kept is None else self._kept.value
        return best is None or ended.value >= best  # of equal ones the last, as ultralytics does

    def add(
        self,
        image: str | Path,
        labels: Any,
        scores: Any,
        boxes: Any = None,
        masks: Any = None,
        corners: Any = None,
        keypoints: Any = None,
    ) -> None:
        """Record the predictions on one image, also if there are none: the model was run on it. A
        second call for the same image replaces the first.

        labels: concept names, or indices from 0 in the view · scores: one float each · boxes: (n,
        4) corners in pixels (x1, y1, x2, y2) · masks: (n, height, width) in the size of the image,
        not 0 on the object · corners: (n, 4, 2) of oriented boxes, in pixels · keypoints: (n,
        points, 2) in pixels, or (n, points, 3) with a visibility; without boxes, the boxes around
        masks, corners or keypoints are taken. Accepts arrays, lists and tensors of any device and
        precision.

        Raises:
            InvalidBatchError: masks, corners or keypoints have another shape or number.
        """
        labels, scores = from_tensor(labels), from_tensor(scores)
        boxes, masks, corners = from_tensor(boxes), from_tensor(masks), from_tensor(corners)
        path, validation = str(image), self._validation
        encoded = None if masks is None else parse_masks(path, masks, len(labels))
        ends = None if corners is None else parse_corners(path, corners, len(labels))
        points = (
            None if keypoints is None else parse_points(path, from_tensor(keypoints), len(labels))
        )
        if boxes is None and encoded is not None:
            boxes = corners_of(measure_masks(encoded).box)
        elif boxes is None and (ends is not None or points is not None):
            places = ends if ends is not None else points
            assert places is not None
            places = places[:, :, :2]
            boxes = np.concatenate([places.min(axis=1), places.max(axis=1)], axis=1)
        validation.predictions[path] = zip_detections(labels, scores, boxes)
        for shapes in (validation.masks, validation.corners, validation.keypoints):
            shapes.pop(path, None)
        if encoded is not None:
            validation.masks[path] = encoded
        if ends is not None:
            validation.corners[path] = ends
        if points is not None:
            validation.keypoints[path] = points

    def close(self) -> Version:
        """Add the kept validation to the version, and print how to look at it. On PellucidError
        nothing is added."""
        kept = self._kept if self._ended_count else self._validation
        if kept is not None and kept.predictions:
            self._store(self.name, kept)
        self._kept, self._validation = None, Validation()
        return self.view.version(self._version_name(max(self._ended_count, 1)))

    def _store(self, name: str, validation: Validation) -> None:
        version = self.view.version(name)
        columns = prediction_columns(self.view, validation)
        has_shapes = bool(validation.masks or validation.corners or validation.keypoints)
        source = with_shapes(self.view, columns, validation) if has_shapes else columns
        self.notes = version.add_predictions(source, covered="listed")
        count = sum(map(len, validation.predictions.values()))
        print(
            f"Recorded {count:,} predictions on {len(validation.predictions):,} images as "
            f"{self.view.name} {name}. Look at them: pellucid serve {self.view.workspace.folder}",
            file=sys.stderr,
        )

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, error_type: Any, error: Any, traceback: Any) -> None:
        """An interrupted training keeps the validations that ended before."""
        if error_type is None or self._ended_count:
            self.close()


def parse_masks(image: str, masks: Any, count: int) -> Masks:
    expected = f"an array of shape ({count}, height, width)"
    try:
        encoded = encode_mask_arrays(masks)
    except ValueError as error:
        raise InvalidBatchError(f"masks of '{image}'", expected) from error
    if len(encoded) != count:
        raise InvalidBatchError(f"masks of '{image}'", f"{expected}, not {len(encoded)} masks")
    return encoded


def parse_corners(image: str, corners: Any, count: int) -> Float64Array:
    points = np.asarray(corners, float)
    if points.size != count * 8:
        expected = f"an array of shape ({count}, 4, 2), not {points.shape}"
        raise InvalidBatchError(f"corners of '{image}'", expected)
    return points.reshape(count, 4, 2)


def parse_points(image: str, keypoints: Any, count: int) -> Float64Array:
    """float64 (n, points, 3); points without a visibility are visible."""
    points = np.asarray(keypoints, float)
    if not count and not points.size:
        return np.zeros((0, 1, 3))
    if points.ndim != 3 or len(points) != count or points.shape[2] not in (2, 3):
        expected = f"an array of shape ({count}, points, 2 or 3), not {points.shape}"
        raise InvalidBatchError(f"keypoints of '{image}'", expected)
    visibility = np.full((*points.shape[:2], 1), float(VISIBLE))
    return points if points.shape[2] == 3 else np.concatenate([points, visibility], axis=2)


def with_shapes(view: View, columns: dict[str, Any], validation: Validation) -> ParsedPredictions:
    """The columns with their masks and oriented boxes, in the same order."""
    concepts = [concept.name for concept in view.manifest.concepts]
    options = create_read_options(view.kind, concepts=concepts)
    parsed = read_predictions(columns, None, options)
    if validation.masks:
        masks = [
            validation.masks.get(image) or no_masks(len(predictions))
            for image, predictions in validation.predictions.items()
        ]
        return replace(parsed, mask=concat_masks(masks))
    if validation.keypoints:
        return replace(parsed, keypoints=join_points(validation))
    outlines = [
        "" if points is None else msgspec.json.encode([points.ravel().tolist()]).decode()
        for image, predictions in validation.predictions.items()
        for points in validation.corners.get(image, [None] * len(predictions))
    ]
    return replace(parsed, outline=string_column(outlines))


def join_points(validation: Validation) -> Float64Array:
    """float64 (n, 3 * points), NaN where a prediction has fewer points."""
    width = max(points.shape[1] for points in validation.keypoints.values()) * 3
    parts = []
    for image, predictions in validation.predictions.items():
        part = np.full((len(predictions), width), np.nan)
        points = validation.keypoints.get(image)
        if points is not None:
            part[:, : points.shape[1] * 3] = points.reshape(len(points), points.shape[1] * 3)
        parts.append(part)
    return np.concatenate(parts)


def prediction_columns(view: View, validation: Validation) -> dict[str, Any]:
    """A row per prediction, and one without a concept per image without predictions."""
    concept_names = [concept.name for concept in view.manifest.concepts]
    rows = [
        (image, *prediction)
        for image, predictions in validation.predictions.items()
        for prediction in predictions or [("", None, None)]
    ]
    columns: dict[str, Any] = {
        "image": [image for image, *_ in rows],
        "concept": [resolve_concept(label, concept_names) for _, label, *_ in rows],
        "score": np.array([np.nan if score is None else score for *_, score, _ in rows], float),
    }
    if view.kind == "detection":
        corners = np.array([box or (np.nan,) * 4 for *_, box in rows], float).reshape(-1, 4)
        sides = ("xmin", "ymin", "xmax", "ymax")
        columns |= {side: corners[:, index] for index, side in enumerate(sides)}
    return columns


def corners_of(box: Float64Array) -> Float64Array:
    """[left, top, width, height] as two corners."""
    return np.concatenate([box[:, :2], box[:, :2] + box[:, 2:]], axis=1)


def resolve_concept(label: str, concept_names: Sequence[str]) -> str:
    """The concept name of a label. A number that is not a concept name is an index."""
    return (
        concept_names[int(label)]
        if label.isdigit() and label not in concept_names and int(label) < len(concept_names)
        else label
    )


def record(
    workspace: str | Path, view: str, version: str, iou: float = 0.5, keep: Keep = "last"
) -> Recorder:
    """Freeze a version and record its predictions during validation. Use it in a `with` statement,
    or call `close` at the end.

    Raises PellucidError if the view does not exist or the version has predictions already.

    Args:
        iou: minimum IoU of a match (detection)
        keep: of several validations, the `last`, the `best` or `every` one, as versions of their
            own
    """
    return Recorder(Workspace(workspace).view(view), version, iou, keep)
