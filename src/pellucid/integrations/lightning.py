"""A recorder for PyTorch Lightning."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pellucid.integrations.errors import SeveralProcessesError
from pellucid.integrations.recorder import Keep, record

ImagePredictions = Iterable[tuple[Any, Any, Any, Any]]


def lightning_callback(
    workspace: str | Path,
    view: str,
    version: str,
    read: Callable[[Any, Any], ImagePredictions],
    iou: float = 0.5,
    keep: Keep = "last",
    best: Callable[[Any], float] | None = None,
) -> Any:
    """A PyTorch Lightning callback that freezes the version at once and records validations, of
    `fit` and of `validate`.

    read: converts a validation step's outputs and batch to (image, labels, scores, boxes) per
    image; boxes is None except in detection. best: for `keep="best"`, a number where higher is
    better of the trainer's metrics, as `lambda metrics: -metrics["val_loss"]`.

    Raises:
        RecordedVersionError: the version has predictions already.
    """
    try:
        from lightning.pytorch import Callback
    except ImportError:
        from pytorch_lightning import Callback

    recorder = record(workspace, view, version, iou, keep)

    class RecordingCallback(Callback):  # type: ignore[misc]
        def setup(self, trainer: Any, module: Any, stage: str) -> None:
            if trainer.world_size > 1:
                raise SeveralProcessesError(trainer.world_size)

        def on_validation_start(self, trainer: Any, module: Any) -> None:
            recorder.start_validation()

        def on_validation_batch_end(
            self,
            trainer: Any,
            module: Any,
            outputs: Any,
            batch: Any,
            batch_idx: int,
            dataloader_idx: int = 0,
        ) -> None:
            if not trainer.sanity_checking:
                for image, labels, scores, boxes in read(outputs, batch):
                    recorder.add(image, labels, scores, boxes)

        def on_validation_end(self, trainer: Any, module: Any) -> None:
            if not trainer.sanity_checking:
                recorder.end_validation(best(trainer.callback_metrics) if best else None)

        def on_exception(self, trainer: Any, module: Any, exception: BaseException) -> None:
            recorder.close()

        def teardown(self, trainer: Any, module: Any, stage: str) -> None:
            recorder.close()

    return RecordingCallback()
