"""Record predictions during validation: plain loops, PyTorch Lightning, Hugging Face's Trainer,
Ultralytics.

A framework is only imported when its function is called. Ultralytics is never imported: its
objects are duck-typed.

with pellucid.record("panels.pellucid", "panels", "yolo-3") as recorder:
    for path, boxes, scores, labels in validate(model):
        recorder.add(path, labels, scores, boxes)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.formats.dataset import Note
from pellucid.formats.errors import InMemoryDataError
from pellucid.formats.tabular.dataframes import format_concept, zip_detections
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


ImagePredictions = Iterable[tuple[Any, Any, Any, Any]]


def lightning_callback(
    workspace: str | Path, view: str, version: str, read: Callable[[Any, Any], ImagePredictions]
) -> Any:
    """A PyTorch Lightning callback that freezes the version when fitting starts and records the
    last validation's predictions.

    read: converts a validation step's outputs and batch to (image, labels, scores, boxes) per
    image; boxes is None except in detection.
    """
    try:
        from lightning.pytorch import Callback
    except ImportError:
        from pytorch_lightning import Callback

    class RecordingCallback(Callback):  # type: ignore[misc]
        recorder: Recorder | None = None

        def setup(self, trainer: Any, module: Any, stage: str) -> None:
            self.recorder = self.recorder or record(workspace, view, version)

        def on_validation_batch_end(
            self,
            trainer: Any,
            module: Any,
            outputs: Any,
            batch: Any,
            batch_idx: int,
            dataloader_idx: int = 0,
        ) -> None:
            assert self.recorder is not None
            for image, labels, scores, boxes in read(outputs, batch):
                self.recorder.add(image, labels, scores, boxes)

        def teardown(self, trainer: Any, module: Any, stage: str) -> None:
            if self.recorder is not None:
                self.recorder.close()

    return RecordingCallback()


def hugging_face_metrics(
    recorder: Recorder, images: Sequence[str], concepts: Sequence[str] | None = None
) -> Callable[[Any], dict[str, float]]:
    """A `compute_metrics` for Hugging Face's Trainer that records the last evaluation (its
    callbacks do not receive predictions).

    images: paths of the evaluation set, in order. concepts: names of the model's outputs; default:
    the view's concepts.
    """

    def compute(eval_prediction: Any) -> dict[str, float]:
        logits = np.asarray(
            eval_prediction.predictions[0]
            if isinstance(eval_prediction.predictions, tuple)
            else eval_prediction.predictions,
            float,
        )
        concept_names = list(
            concepts or [concept.name for concept in recorder.view.manifest.concepts]
        )
        if logits.shape != (len(images), len(concept_names)):
            raise InMemoryDataError(
                f"predictions have shape {logits.shape}; expected {len(images)} images x "
                f"{len(concept_names)} concepts"
            )
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores = exponentials / exponentials.sum(axis=1, keepdims=True)
        for image, image_scores in zip(images, scores, strict=True):
            recorder.add(image, concept_names, image_scores)
        return {
            "accuracy": float(
                (logits.argmax(axis=1) == np.asarray(eval_prediction.label_ids)).mean()
            )
        }

    return compute


def category_names(validator: Any) -> dict[int, str]:
    """Class names by category id in the results: Ultralytics numbers them from 1, and COCO's with
    gaps (`class_map`)."""
    class_names = getattr(validator, "names", {})
    class_map = getattr(validator, "class_map", None)
    pairs = class_names.items() if isinstance(class_names, Mapping) else enumerate(class_names)
    return {
        int(class_map[class_index]) if class_map is not None else int(class_index): str(class_name)
        for class_index, class_name in pairs
    }


def ultralytics_callbacks(
    workspace: str | Path, view: str, version: str
) -> Mapping[str, Callable[[Any], None]]:
    """Callbacks for an ultralytics model: `for event, call in ultralytics_callbacks(...).items():
    model.add_callback(event, call)`.

    Freezes the version when training starts and records the boxes of the last validation.
    """
    recorder: list[Recorder] = []

    def start_recording(_: Any) -> None:
        if not recorder:
            recorder.append(record(workspace, view, version))

    def enable_json_results(validator: Any) -> None:
        start_recording(validator)
        validator.args.save_json = True  # ultralytics only fills `jdict` when it saves JSON

    def record_results(validator: Any) -> None:
        results_by_image: dict[str, list[Mapping[str, Any]]] = {}
        for result in validator.jdict:
            results_by_image.setdefault(
                str(result.get("file_name") or result["image_id"]), []
            ).append(result)
        names_by_id = category_names(validator)
        for image_path, image_results in results_by_image.items():
            boxes = np.array([result["bbox"] for result in image_results], float)
            boxes[:, 2:] += boxes[:, :2]
            labels = [
                names_by_id.get(int(result["category_id"]), format_concept(result["category_id"]))
                for result in image_results
            ]
            recorder[0].add(
                image_path, labels, [result["score"] for result in image_results], boxes
            )

    def finish_recording(_: Any) -> None:
        recorder[0].close()

    return {
        "on_train_start": start_recording,
        "on_val_start": enable_json_results,
        "on_val_end": record_results,
        "on_train_end": finish_recording,
    }
