"""A recorder for ultralytics, which is never imported: its objects are duck-typed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.tables import Float64Array
from pellucid.integrations.recorder import Keep, Recorder, record
from pellucid.integrations.tensors import to_numpy


def ultralytics_callbacks(
    workspace: str | Path, view: str, version: str, iou: float = 0.5, keep: Keep = "last"
) -> Mapping[str, Callable[[Any], None]]:
    """Callbacks for an ultralytics model: `for event, call in ultralytics_callbacks(...).items():
    model.add_callback(event, call)`.

    Freezes the version at once and records what the model says of each image that is validated,
    during `train` and in `val` alone: boxes, masks, oriented boxes or the scores of classes. The
    last validation of a training is that of its best weights; `best` is by ultralytics' fitness.

    Raises:
        RecordedVersionError: the version has predictions already.
    """
    return Recording(record(workspace, view, version, iou, keep)).callbacks()


class Recording:
    """What the callbacks share. They stay with the model: what it does after the training, or after
    the validation, that is recorded is another version's."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.is_training = False
        self.is_done = False
        self.validator: Any = None
        self._paths: dict[bytes, list[str]] = {}
        self._paths_of: tuple[int, str] = (0, "")

    def callbacks(self) -> Mapping[str, Callable[[Any], None]]:
        return {
            "on_train_start": self.start_training,
            "on_val_start": self.start_validation,
            "on_val_end": self.end_validation,
            "teardown": self.finish,  # also of an interrupted training
        }

    def start_training(self, _: Any) -> None:
        self.is_training = True

    def start_validation(self, validator: Any) -> None:
        """Listen to what the validator hands to its metrics: all images, and their predictions
        before they are rounded for a file."""
        self.recorder.start_validation()
        if self.is_done or self.validator is validator:
            return
        update = validator.update_metrics

        def update_and_record(predictions: Any, batch: Mapping[str, Any]) -> None:
            if not self.is_done:
                self.record_batch(validator, predictions, batch)
            update(predictions, batch)

        self.validator = validator
        validator.update_metrics = update_and_record

    def record_batch(self, validator: Any, predictions: Any, batch: Mapping[str, Any]) -> None:
        if "im_file" in batch:
            for index, prediction in enumerate(predictions):
                self.record_objects(validator, prediction, index, batch)
        else:
            self.record_scores(validator, predictions, batch)

    def record_objects(
        self, validator: Any, prediction: Mapping[str, Any], index: int, batch: Mapping[str, Any]
    ) -> None:
        frame = Letterbox(
            tuple(batch["img"].shape[2:]), batch["ori_shape"][index], batch["ratio_pad"][index]
        )
        numbers = to_numpy(prediction["cls"], int)
        if validator.args.single_cls:
            numbers = np.zeros_like(numbers)
        boxes = to_numpy(prediction["bboxes"], float)
        is_oriented = boxes.shape[1] == ORIENTED_NUMBERS
        masks, points = prediction.get("masks"), prediction.get("keypoints")
        self.recorder.add(
            batch["im_file"][index],
            [str(validator.names[number]) for number in numbers.tolist()],
            prediction["conf"],
            None if is_oriented else frame.restore_boxes(boxes),
            frame.restore_masks(to_numpy(masks, float)) if masks is not None else None,
            oriented_corners(frame.restore_sizes(boxes)) if is_oriented else None,
            frame.restore_points(to_numpy(points, float)) if points is not None else None,
        )

    def record_scores(self, validator: Any, scores: Any, batch: Mapping[str, Any]) -> None:
        """Classification: batches do not name their images and may be shuffled, so an image is
        recognised by its pixels, which are the same each time the data set is asked."""
        for pixels, image_scores in zip(batch["img"], to_numpy(scores, float), strict=True):
            paths = self._image_paths(validator, str(pixels.dtype)).get(pixel_key(pixels), [])
            labels = [str(validator.names[number]) for number in range(len(image_scores))]
            for path in paths:
                self.recorder.add(path, labels, image_scores)

    def _image_paths(self, validator: Any, dtype: str) -> dict[bytes, list[str]]:
        """The images of the validated data set by their pixels: equal ones have equal scores."""
        dataset = validator.dataloader.dataset
        if self._paths_of != (id(dataset), dtype):
            self._paths, self._paths_of = {}, (id(dataset), dtype)
            for index, sample in enumerate(dataset.samples):
                pixels = dataset[index]["img"]
                key = pixel_key(pixels.half() if dtype == "torch.float16" else pixels)
                self._paths.setdefault(key, []).append(str(sample[0]))
        return self._paths

    def end_validation(self, validator: Any) -> None:
        if self.is_done:
            return
        self.recorder.end_validation(validator.metrics.fitness)
        if not self.is_training:
            self.finish(validator)

    def finish(self, _: Any) -> None:
        if not self.is_done:
            self.is_done = True
            self.recorder.close()


ORIENTED_NUMBERS = 5
"""Center, size and angle."""


@dataclass(frozen=True)
class Letterbox:
    """How an image lies in the model's input.

    Attributes:
        input_size, image_size: (height, width) in pixels
        ratio_pad: ((scale, scale), (left, top))
    """

    input_size: tuple[int, ...]
    image_size: tuple[int, int]
    ratio_pad: Any

    @property
    def scale(self) -> float:
        return float(self.ratio_pad[0][0])

    @property
    def offset(self) -> Float64Array:
        """Left, top."""
        return np.array(self.ratio_pad[1], float)

    def restore_points(self, points: Float64Array) -> Float64Array:
        """float64 (n, points, 2 or 3), cut at the edges of the image."""
        restored = points.copy()
        height, width = self.image_size
        xy = (points[:, :, :2] - self.offset) / self.scale
        restored[:, :, :2] = np.clip(xy, 0, (width, height))
        return restored

    def restore_boxes(self, boxes: Float64Array) -> Float64Array:
        """float64 (n, 4), two corners."""
        return self.restore_points(boxes.reshape(-1, 2, 2)).reshape(-1, 4)

    def restore_sizes(self, boxes: Float64Array) -> Float64Array:
        """float64 (n, 5), center, size and angle."""
        restored = boxes.copy()
        restored[:, :2] -= self.offset
        restored[:, :4] /= self.scale
        return restored

    def restore_masks(self, masks: Float64Array) -> Any:
        """bool (n, height, width).

        Args:
            masks: over the whole input, of any resolution; sampled linearly, as the input was
        """
        columns = self._samples(1, masks.shape[2])
        rows = self._samples(0, masks.shape[1])
        return np.einsum("hr,nrc,wc->nhw", rows, masks, columns, optimize=True) > 0.5

    def _samples(self, axis: int, cells: int) -> Float64Array:
        """float64 (pixels, cells), the weights of the cells of a mask in each pixel of the image.

        Args:
            axis: 0 for rows
        """
        pixels = np.arange(self.image_size[axis]) + 0.5
        places = pixels * self.scale + self.offset[1 - axis]
        positions = np.clip(places * cells / self.input_size[axis] - 0.5, 0, cells - 1)
        weights = 1 - np.abs(positions[:, None] - np.arange(cells))
        return np.asarray(np.maximum(weights, 0))


def pixel_key(pixels: Any) -> bytes:
    return hashlib.blake2b(to_numpy(pixels.cpu(), None).tobytes(), digest_size=16).digest()


def oriented_corners(boxes: Float64Array) -> Float64Array:
    """float64 (n, 4, 2).

    Args:
        boxes: float64 (n, 5), center, size and angle in radians, clockwise on the screen
    """
    center, size, angle = boxes[:, None, :2], boxes[:, 2:4], boxes[:, 4]
    across = np.stack([np.cos(angle), np.sin(angle)], axis=1) * size[:, :1] / 2
    down = np.stack([-np.sin(angle), np.cos(angle)], axis=1) * size[:, 1:] / 2
    offsets = np.stack([-across - down, across - down, across + down, down - across], axis=1)
    return np.asarray(center + offsets)
