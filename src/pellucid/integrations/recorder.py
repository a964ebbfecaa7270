"""Recording predictions while a model validates: a plain loop, PyTorch Lightning, Hugging Face's Trainer, ultralytics.

None of these is imported before its own function is called, and ultralytics never: what it hands over is recognised by its shape.

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
    """Predictions of one version, gathered image by image and added at the end. The version is frozen when the recorder is made."""

    def __init__(self, view: View, version: str, iou: float = 0.5) -> None:
        self.view = view
        self.name = version
        self.notes: list[Note] = []
        if version not in view.versions:
            view.start(version, iou)
        self._predictions: dict[str, list[tuple[str, float | None, tuple[float, ...] | None]]] = {}

    def add(self, image: str | Path, labels: Any, scores: Any, boxes: Any = None) -> None:
        """What the model said of one image; again for the same image replaces it.

        labels: concepts, or their positions from 0 in the view · scores: float, one each · boxes: (n, 4) corners in pixels of the picture.
        Arrays, lists and tensors on the CPU are taken.
        """
        self._predictions[str(image)] = zip_detections(labels, scores, boxes)

    def close(self) -> Version:
        """Add everything to the version; raises PellucidError, with nothing added."""
        version = self.view.version(self.name)
        if self._predictions:
            self.notes = version.add_predictions(self._prediction_columns(), covered="listed")
            self._predictions = {}
        return version

    def _prediction_columns(self) -> dict[str, Any]:
        concept_names = [concept.name for concept in self.view.manifest.concepts]
        prediction_rows = [(image_path, *prediction) for image_path, image_predictions in self._predictions.items() for prediction in image_predictions or [("", None, None)]]
        columns: dict[str, Any] = {
            "image": [prediction_row[0] for prediction_row in prediction_rows], "concept": [resolve_concept(prediction_row[1], concept_names) for prediction_row in prediction_rows],
            "score": np.array([np.nan if prediction_row[2] is None else prediction_row[2] for prediction_row in prediction_rows], float),
        }  # fmt: skip
        if self.view.kind == "detection":
            corners = np.array([prediction_row[3] or (np.nan,) * 4 for prediction_row in prediction_rows], float)
            columns |= {side: corners[:, side_index] for side_index, side in enumerate(("xmin", "ymin", "xmax", "ymax"))}
        return columns

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, error_type: Any, error: Any, traceback: Any) -> None:
        if error_type is None:
            self.close()


def resolve_concept(label: str, concept_names: Sequence[str]) -> str:
    """The concept's name: a number that is no name is a position."""
    return concept_names[int(label)] if label.isdigit() and label not in concept_names and int(label) < len(concept_names) else label


def record(workspace: str | Path, view: str, version: str, iou: float = 0.5) -> Recorder:
    """Freeze a version and gather its predictions while the model validates; use it with `with`, or call `close` at the end.

    iou: the least IoU of a match, in detection. Raises PellucidError where there is no such view.
    """
    return Recorder(Workspace(workspace).view(view), version, iou)


ImagePredictions = Iterable[tuple[Any, Any, Any, Any]]


def lightning_callback(workspace: str | Path, view: str, version: str, read: Callable[[Any, Any], ImagePredictions]) -> Any:
    """A PyTorch Lightning callback that freezes the version when fitting begins and keeps what the last validation said.

    read: from a validation step's outputs and its batch to (image, labels, scores, boxes) of each image; boxes None but in detection.
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
            self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
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
    """A `compute_metrics` for Hugging Face's Trainer, whose callbacks do not see predictions: it records those of the last evaluation.

    images: the paths of the evaluation set, in its order. concepts: the names of the model's outputs; default: the view's.
    """

    def compute(eval_prediction: Any) -> dict[str, float]:
        logits = np.asarray(eval_prediction.predictions[0] if isinstance(eval_prediction.predictions, tuple) else eval_prediction.predictions, float)
        concept_names = list(concepts or [concept.name for concept in recorder.view.manifest.concepts])
        if logits.shape != (len(images), len(concept_names)):
            raise InMemoryDataError(f"predictions of shape {logits.shape}, where {len(images)} images by {len(concept_names)} concepts were expected")
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores = exponentials / exponentials.sum(axis=1, keepdims=True)
        for image, image_scores in zip(images, scores, strict=True):
            recorder.add(image, concept_names, image_scores)
        return {"accuracy": float((logits.argmax(axis=1) == np.asarray(eval_prediction.label_ids)).mean())}

    return compute


def category_names(validator: Any) -> dict[int, str]:
    """The names by the ids that are written: ultralytics numbers concepts from 1 there, and COCO's with gaps (its `class_map`)."""
    class_names = getattr(validator, "names", {})
    class_map = getattr(validator, "class_map", None)
    pairs = class_names.items() if isinstance(class_names, Mapping) else enumerate(class_names)
    return {int(class_map[class_index]) if class_map is not None else int(class_index): str(class_name) for class_index, class_name in pairs}


def ultralytics_callbacks(workspace: str | Path, view: str, version: str) -> Mapping[str, Callable[[Any], None]]:
    """Callbacks for an ultralytics model: `for event, call in ultralytics_callbacks(...).items(): model.add_callback(event, call)`.

    The version is frozen when training begins; the boxes of the last validation are kept.
    """
    recorder: list[Recorder] = []

    def start_recording(_: Any) -> None:
        if not recorder:
            recorder.append(record(workspace, view, version))

    def enable_json_results(validator: Any) -> None:
        start_recording(validator)
        validator.args.save_json = True  # the list of results is only made for its JSON

    def record_results(validator: Any) -> None:
        results_by_image: dict[str, list[Mapping[str, Any]]] = {}
        for result in validator.jdict:
            results_by_image.setdefault(str(result.get("file_name") or result["image_id"]), []).append(result)
        names_by_id = category_names(validator)
        for image_path, image_results in results_by_image.items():
            boxes = np.array([result["bbox"] for result in image_results], float)
            boxes[:, 2:] += boxes[:, :2]
            labels = [names_by_id.get(int(result["category_id"]), format_concept(result["category_id"])) for result in image_results]
            recorder[0].add(image_path, labels, [result["score"] for result in image_results], boxes)

    def finish_recording(_: Any) -> None:
        recorder[0].close()

    return {"on_train_start": start_recording, "on_val_start": enable_json_results, "on_val_end": record_results, "on_train_end": finish_recording}
