"""Embeddings by an ONNX model of the user's choice: images in, a vector for each out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.errors import FileMissingError, MissingDependencyError
from pellucid.core.tables import Float32Array
from pellucid.images.errors import EmbeddingModelError

CHANNELS = 3
MAX_BATCH = 32
INPUT_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
COMMON_NORMALIZATIONS = (
    "ImageNet: --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225; "
    "CLIP: --mean 0.4815,0.4578,0.4082 --std 0.2686,0.2613,0.2758; "
    "0 to 1: --mean 0,0,0 --std 1,1,1"
)


class EmbeddingModel:
    """A model with one input of images and an output of vectors.

    The size of its input and the normalization are those that the file states (the shape of the
    input; `mean` and `std` of its metadata, as JSON or separated by commas), unless given.
    """

    def __init__(
        self,
        path: str | Path,
        size: int | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        """size: side of the input in pixels. mean, std: of red, green and blue, in fractions of
        the full intensity.

        Raises:
            FileMissingError, MissingDependencyError
            EmbeddingModelError: it is no such model, or does not state what is needed.
        """
        self.path = Path(path)
        if not self.path.is_file():
            raise FileMissingError(self.path)
        self._session = open_session(self.path)
        (image_input, *others) = self._session.get_inputs()
        if others:
            names = ", ".join(each.name for each in (image_input, *others))
            remedy = "Export the image encoder alone."
            raise EmbeddingModelError(self.path, f"has several inputs ({names})", remedy)
        self._input = image_input.name
        self._dtype = self._input_type(image_input.type)
        self._is_channels_last, self.size = self._load_shape(image_input.shape, size)
        batch = image_input.shape[0]
        self._batch = batch if isinstance(batch, int) else MAX_BATCH
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.mean = self._load_normalization("mean", metadata, mean)
        self.std = self._load_normalization("std", metadata, std)

    @property
    def key(self) -> str:
        """A text that differs for other weights or preprocessing."""
        digest = hashlib.sha256(self.path.read_bytes())
        digest.update(repr((self.size, self.mean.tolist(), self.std.tolist())).encode())
        return digest.hexdigest()[:32]

    def _input_type(self, type_name: str) -> Any:
        if type_name not in INPUT_TYPES:
            problem = f"its input is {type_name}"
            raise EmbeddingModelError(self.path, problem, "Export a model that takes floats.")
        return INPUT_TYPES[type_name]

    def _load_shape(self, shape: Sequence[Any], size: int | None) -> tuple[bool, int]:
        """Whether channels come last, and the side of the input."""
        if len(shape) != 4 or CHANNELS not in (shape[1], shape[3]):
            remedy = "Export a model that takes images of three channels."
            raise EmbeddingModelError(self.path, f"its input has the shape {shape}", remedy)
        is_channels_last = shape[1] != CHANNELS
        height, width = shape[1:3] if is_channels_last else shape[2:]
        sides = {side for side in (height, width) if isinstance(side, int)}
        if len(sides) > 1 or (size is not None and sides not in (set(), {size})):
            problem = f"its input is of {height} x {width} pixels"
            raise EmbeddingModelError(self.path, problem, "Give the --size of a square input.")
        side = size or next(iter(sides), None)
        if side is None:
            problem = "it does not state the size of its input"
            raise EmbeddingModelError(self.path, problem, "Specify --size, such as --size 224.")
        return is_channels_last, side

    def _load_normalization(
        self, name: str, metadata: dict[str, str], given: Sequence[float] | None
    ) -> Float32Array:
        stated = metadata.get(name)
        if given is None and stated is not None:
            try:
                given = json.loads(stated if "[" in stated else f"[{stated}]")
            except ValueError:
                given = None
        if given is None or len(given) != CHANNELS:
            problem = f"it does not state the {name} of red, green and blue"
            raise EmbeddingModelError(
                self.path, problem, f"Specify --{name} ({COMMON_NORMALIZATIONS})."
            )
        return np.asarray(given, np.float32)

    def embed(self, pixels: np.ndarray) -> Float32Array:
        """float32 (n, d), of length 1. pixels: uint8 (n, size, size, 3).

        Raises:
            EmbeddingModelError: the output is no vector for each image.
        """
        prepared = (pixels.astype(np.float32) / 255 - self.mean) / self.std
        if not self._is_channels_last:
            prepared = prepared.transpose(0, 3, 1, 2)
        prepared = np.ascontiguousarray(prepared, self._dtype)
        parts = []
        for start in range(0, len(prepared), self._batch):
            batch = prepared[start : start + self._batch]
            missing = self._batch - len(batch) if self._batch != MAX_BATCH else 0
            padded = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])
            outputs = self._session.run(None, {self._input: padded})
            parts.append(self._vectors(outputs, len(padded))[: len(batch)])
        vectors = np.concatenate(parts)
        return np.asarray(
            vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        )

    def _vectors(self, outputs: Sequence[Any], count: int) -> Float32Array:
        """The first output with a vector an image; else the mean over the places of a feature map
        or of tokens."""
        arrays = [np.asarray(output, np.float32) for output in outputs]
        for array in arrays:
            if array.ndim == 2 and len(array) == count:
                return array
        for array in arrays:
            if array.ndim == 3 and len(array) == count:
                return np.asarray(array.mean(axis=1))
            if array.ndim == 4 and len(array) == count:
                return np.asarray(array.mean(axis=(2, 3)))
        shapes = ", ".join(str(array.shape) for array in arrays)
        remedy = "Export a model whose output has a vector an image."
        raise EmbeddingModelError(self.path, f"its outputs have the shapes {shapes}", remedy)


def open_session(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError("onnxruntime", "An ONNX model", "onnx") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            path, options, providers=onnxruntime.get_available_providers()
        )
    except Exception as error:  # onnxruntime has an exception class for every status
        problem = str(error).split("\n", maxsplit=1)[0][:200]
        remedy = "Specify an ONNX file that onnxruntime opens."
        raise EmbeddingModelError(path, f"cannot be opened: {problem}", remedy) from error
