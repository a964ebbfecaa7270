"""Record predictions during validation, in a loop of your own.

with pellucid.record("panels.pellucid", "panels", "yolo-3") as recorder:
    for path, boxes, scores, labels in validate(model):
        recorder.add(path, labels, scores, boxes)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.formats.dataset import Note
from pellucid.formats.tabular.dataframes import zip_detections
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

    def add(self, image: str | Path, labels: Any, scores: Any, boxes: Any = None) -> None:
        """Record the predictions on one image. A second call for the same image replaces the first.

        labels: concept names, or indices from 0 in the view · scores: one float each · boxes: (n,
        4) corners in pixels (x1, y1, x2, y2). Accepts arrays, lists and CPU tensors.
        """
        self._predictions[str(image)] = zip_detections(labels, scores, boxes)

    def close(self) -> Version:
        """Add all recorded predictions to the version. On PellucidError nothing is added."""
        version = self.view.version(self.name)
        if self._predictions:
            self.notes = version.add_predictions(self._prediction_columns(), covered="listed")
            self._predictions = {}
        return version

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
