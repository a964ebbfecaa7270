"""Record predictions during validation, in a loop of your own.

with pellucid.record("panels.pellucid", "panels", "yolo-3") as recorder:
    for path, boxes, scores, labels in validate(model):
        recorder.add(path, labels, scores, boxes)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.masks import Masks, concat_masks, no_masks
from pellucid.core.tables import Float64Array
from pellucid.evaluation.mask_runs import measure_masks
from pellucid.formats.dataset import Note, ParsedPredictions
from pellucid.formats.mask_arrays import encode_mask_arrays
from pellucid.formats.probe import create_read_options
from pellucid.formats.registry import read_predictions
from pellucid.formats.tabular.dataframes import zip_detections
from pellucid.integrations.errors import InvalidBatchError
from pellucid.project import Version, View, Workspace


class Recorder:
    """Collects the predictions of a version image by image and adds them on close. Freezes the
    version on creation if it is new."""

    def __init__(self, view: View, version: str, iou: float = 0.5) -> None:
        self.view = view
        self.name = version
        self.notes: list[Note] = []
        if version not in view.versions:
            view.start(version, iou)
        self._predictions: dict[str, list[tuple[str, float | None, tuple[float, ...] | None]]] = {}
        self._masks: dict[str, Masks] = {}

    def add(
        self,
        image: str | Path,
        labels: Any,
        scores: Any,
        boxes: Any = None,
        masks: Any = None,
    ) -> None:
        """Record the predictions on one image. A second call for the same image replaces the first.

        labels: concept names, or indices from 0 in the view · scores: one float each · boxes: (n,
        4) corners in pixels (x1, y1, x2, y2) · masks: (n, height, width) in the size of the image,
        not 0 on the object; without boxes, the boxes around them are taken. Accepts arrays, lists
        and CPU tensors.

        Raises:
            InvalidBatchError: the masks have another shape or number.
        """
        encoded = None if masks is None else self._read_masks(str(image), masks, len(labels))
        if encoded is not None and boxes is None:
            boxes = corners_of(measure_masks(encoded).box)
        self._predictions[str(image)] = zip_detections(labels, scores, boxes)
        self._masks.pop(str(image), None)
        if encoded is not None:
            self._masks[str(image)] = encoded

    def _read_masks(self, image: str, masks: Any, count: int) -> Masks:
        expected = f"an array of shape ({count}, height, width)"
        try:
            encoded = encode_mask_arrays(masks)
        except ValueError as error:
            raise InvalidBatchError(f"masks of '{image}'", expected) from error
        if len(encoded) != count:
            raise InvalidBatchError(f"masks of '{image}'", f"{expected}, not {len(encoded)} masks")
        return encoded

    def close(self) -> Version:
        """Add all recorded predictions to the version. On PellucidError nothing is added."""
        version = self.view.version(self.name)
        if self._predictions:
            source = self._masked_predictions() if self._masks else self._prediction_columns()
            self.notes = version.add_predictions(source, covered="listed")
            self._predictions, self._masks = {}, {}
        return version

    def _masked_predictions(self) -> ParsedPredictions:
        """The columns with the masks, in the same order."""
        concepts = [concept.name for concept in self.view.manifest.concepts]
        options = create_read_options(self.view.kind, concepts=concepts)
        parsed = read_predictions(self._prediction_columns(), None, options)
        masks = concat_masks(
            [
                self._masks.get(image) or no_masks(len(predictions))
                for image, predictions in self._predictions.items()
            ]
        )
        return replace(parsed, mask=masks)

    def _prediction_columns(self) -> dict[str, Any]:
        concept_names = [concept.name for concept in self.view.manifest.concepts]
        prediction_rows = [
            (image_path, *prediction)
            for image_path, image_predictions in self._predictions.items()
            for prediction in image_predictions or [("", None, None)]
        ]
        columns: dict[str, Any] = {
            "image": [prediction_row[0] for prediction_row in prediction_rows],
            "concept": [
                resolve_concept(prediction_row[1], concept_names)
                for prediction_row in prediction_rows
            ],
            "score": np.array(
                [
                    np.nan if prediction_row[2] is None else prediction_row[2]
                    for prediction_row in prediction_rows
                ],
                float,
            ),
        }
        if self.view.kind == "detection":
            corners = np.array(
                [prediction_row[3] or (np.nan,) * 4 for prediction_row in prediction_rows], float
            )
            columns |= {
                side: corners[:, side_index]
                for side_index, side in enumerate(("xmin", "ymin", "xmax", "ymax"))
            }
        return columns

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, error_type: Any, error: Any, traceback: Any) -> None:
        if error_type is None:
            self.close()


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


def record(workspace: str | Path, view: str, version: str, iou: float = 0.5) -> Recorder:
    """Freeze a version and record its predictions during validation. Use it in a `with` statement,
    or call `close` at the end.

    iou: minimum IoU of a match (detection). Raises PellucidError if the view does not exist.
    """
    return Recorder(Workspace(workspace).view(view), version, iou)
