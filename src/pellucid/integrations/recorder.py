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
        self._rows: dict[str, list[tuple[str, float | None, tuple[float, ...] | None]]] = {}

    def add(self, image: str | Path, labels: Any, scores: Any, boxes: Any = None) -> None:
        """What the model said of one image; again for the same image replaces it.

        labels: concepts, or their positions from 0 in the view · scores: float, one each · boxes: (n, 4) corners in pixels of the picture.
        Arrays, lists and tensors on the CPU are taken.
        """
        self._rows[str(image)] = zip_detections(labels, scores, boxes)

    def close(self) -> Version:
        """Add everything to the version; raises PellucidError, with nothing added."""
        version = self.view.version(self.name)
        if self._rows:
            self.notes = version.add_predictions(self._columns(), covered="listed")
            self._rows = {}
        return version

    def _columns(self) -> dict[str, Any]:
        names = [concept.name for concept in self.view.manifest.concepts]
        rows = [(image, *row) for image, found in self._rows.items() for row in found or [("", None, None)]]
        columns: dict[str, Any] = {
            "image": [row[0] for row in rows], "concept": [named(row[1], names) for row in rows],
            "score": np.array([np.nan if row[2] is None else row[2] for row in rows], float),
        }  # fmt: skip
        if self.view.kind == "detection":
            corners = np.array([row[3] or (np.nan,) * 4 for row in rows], float)
            columns |= {side: corners[:, place] for place, side in enumerate(("xmin", "ymin", "xmax", "ymax"))}
        return columns

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self.close()


def named(word: str, names: Sequence[str]) -> str:
    """The concept's name: a number that is no name is a position."""
    return names[int(word)] if word.isdigit() and word not in names and int(word) < len(names) else word


def record(workspace: str | Path, view: str, version: str, iou: float = 0.5) -> Recorder:
    """Freeze a version and gather its predictions while the model validates; use it with `with`, or call `close` at the end.

    iou: the least IoU of a match, in detection. Raises PellucidError where there is no such view.
    """
    return Recorder(Workspace(workspace).view(view), version, iou)


Predicted = Iterable[tuple[Any, Any, Any, Any]]


def lightning_callback(workspace: str | Path, view: str, version: str, read: Callable[[Any, Any], Predicted]) -> Any:
    """A PyTorch Lightning callback that freezes the version when fitting begins and keeps what the last validation said.

    read: from a validation step's outputs and its batch to (image, labels, scores, boxes) of each image; boxes None but in detection.
    """
    try:
        from lightning.pytorch import Callback
    except ImportError:
        from pytorch_lightning import Callback

    class Recording(Callback):  # type: ignore[misc]
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

    return Recording()


def hugging_face_metrics(
    recorder: Recorder, images: Sequence[str], concepts: Sequence[str] | None = None
) -> Callable[[Any], dict[str, float]]:
    """A `compute_metrics` for Hugging Face's Trainer, whose callbacks do not see predictions: it records those of the last evaluation.

    images: the paths of the evaluation set, in its order. concepts: the names of the model's outputs; default: the view's.
    """

    def compute(evaluated: Any) -> dict[str, float]:
        logits = np.asarray(evaluated.predictions[0] if isinstance(evaluated.predictions, tuple) else evaluated.predictions, float)
        names = list(concepts or [concept.name for concept in recorder.view.manifest.concepts])
        if logits.shape != (len(images), len(names)):
            raise InMemoryDataError(f"predictions of shape {logits.shape}, where {len(images)} images by {len(names)} concepts were expected")
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores = shifted / shifted.sum(axis=1, keepdims=True)
        for image, row in zip(images, scores, strict=True):
            recorder.add(image, names, row)
        return {"accuracy": float((logits.argmax(axis=1) == np.asarray(evaluated.label_ids)).mean())}

    return compute


def concepts_of(validator: Any) -> dict[int, str]:
    """The names by the ids that are written: ultralytics numbers concepts from 1 there, and COCO's with gaps (its `class_map`)."""
    names = getattr(validator, "names", {})
    written = getattr(validator, "class_map", None)
    pairs = names.items() if isinstance(names, Mapping) else enumerate(names)
    return {int(written[place]) if written is not None else int(place): str(name) for place, name in pairs}


def ultralytics_callbacks(workspace: str | Path, view: str, version: str) -> Mapping[str, Callable[[Any], None]]:
    """Callbacks for an ultralytics model: `for event, call in ultralytics_callbacks(...).items(): model.add_callback(event, call)`.

    The version is frozen when training begins; the boxes of the last validation are kept.
    """
    recorder: list[Recorder] = []

    def begin(_: Any) -> None:
        if not recorder:
            recorder.append(record(workspace, view, version))

    def before(validator: Any) -> None:
        begin(validator)
        validator.args.save_json = True  # the list of results is only made for its JSON

    def after(validator: Any) -> None:
        results: dict[str, list[Mapping[str, Any]]] = {}
        for one in validator.jdict:
            results.setdefault(str(one.get("file_name") or one["image_id"]), []).append(one)
        names = concepts_of(validator)
        for image, found in results.items():
            boxes = np.array([one["bbox"] for one in found], float)
            boxes[:, 2:] += boxes[:, :2]
            labels = [names.get(int(one["category_id"]), format_concept(one["category_id"])) for one in found]
            recorder[0].add(image, labels, [one["score"] for one in found], boxes)

    def end(_: Any) -> None:
        recorder[0].close()

    return {"on_train_start": begin, "on_val_start": before, "on_val_end": after, "on_train_end": end}
