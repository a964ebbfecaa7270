"""A recorder for PyTorch Lightning."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pellucid.integrations.recorder import Recorder, record

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
