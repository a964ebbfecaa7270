"""Errors of integrations."""

from __future__ import annotations

from pellucid.core.errors import PellucidError


class InvalidBatchError(PellucidError):
    def __init__(self, location: str, expected: str) -> None:
        super().__init__(f"{location}: expected {expected}.")


class RecordedVersionError(PellucidError):
    def __init__(self, view: str, version: str) -> None:
        super().__init__(
            f"version '{version}' of view '{view}' has predictions already, so nothing can be "
            "recorded under this name. Choose another name, or remove the version: pellucid remove."
        )


class UnmeasuredValidationError(PellucidError):
    def __init__(self) -> None:
        super().__init__(
            'keep="best" compares validations by a number, but there is none: give it to '
            "end_validation, where higher is better."
        )


class ImageOrderError(PellucidError):
    def __init__(self, disagreeing: int, compared: int, example: str) -> None:
        super().__init__(
            f"the labels of {disagreeing:,} of {compared:,} images are not those of the view "
            f"({example}). Give the paths in the order of the evaluated data set, and the concepts "
            "in the order of the model's outputs (model.config.id2label)."
        )


class SeveralProcessesError(PellucidError):
    def __init__(self, processes: int) -> None:
        super().__init__(
            f"the training runs in {processes} processes, each of which sees a part of the "
            "validation images. Validate in one process, with devices=1."
        )


class UnknownTrackerError(PellucidError):
    exit_status = 2

    def __init__(self, tracker: object) -> None:
        super().__init__(
            f"cannot log to a {type(tracker).__module__}.{type(tracker).__qualname__}. Expected a "
            "run of wandb, the module mlflow, a SummaryWriter of TensorBoard, a Task of ClearML or "
            "an Experiment of Comet."
        )
