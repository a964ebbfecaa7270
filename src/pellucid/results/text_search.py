"""Search of images and boxes by a text, with the text half of the model that embedded them."""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path

import msgspec

from pellucid.core.files import atomic_write
from pellucid.core.tables import Float32Array
from pellucid.images.text_model import TextModel
from pellucid.results.embeddings import Embeddings
from pellucid.results.errors import InvalidEmbeddingsError, TextModelMissingError
from pellucid.storage.file_names import TEXT_MODEL_FILE
from pellucid.storage.files import write_lock

KEPT_TEXTS = 256


class TextModelFiles(msgspec.Struct, frozen=True):
    """Where the model and its tokenizer are: they are not copied into the workspace."""

    model: str
    tokenizer: str


class TextSearch:
    """Vectors of texts. The model is opened when the first text is asked for."""

    def __init__(self, files: TextModelFiles) -> None:
        self.files = files
        self._lock = threading.Lock()
        self._model: TextModel | None = None
        self.vector = lru_cache(KEPT_TEXTS)(self._embed)

    def _embed(self, text: str) -> Float32Array:
        """float32 (d,), of length 1. Raises TextModelMissingError, EmbeddingModelError."""
        with self._lock:
            if self._model is None:
                self._model = self._open()
            return self._model.embed(text)

    def _open(self) -> TextModel:
        for file in (self.files.model, self.files.tokenizer):
            if not Path(file).is_file():
                raise TextModelMissingError(Path(file).name)
        return TextModel(self.files.model, self.files.tokenizer)


def save_text_model(
    folder: Path, workspace: Path, embeddings: Embeddings, files: TextModelFiles
) -> None:
    """Keep the text model of a view whose images have these embeddings.

    Raises:
        InvalidEmbeddingsError: it embeds texts into another space.
    """
    vector = TextSearch(files).vector("a photo")
    if len(vector) != embeddings.vector.shape[1]:
        raise InvalidEmbeddingsError(
            files.model,
            f"its vectors have {len(vector):,} numbers, those of the images "
            f"{embeddings.vector.shape[1]:,}",
            "the text model that was trained with the image model",
        )
    with (
        write_lock(workspace),
        atomic_write(folder / TEXT_MODEL_FILE, locked=True) as temp_path,
    ):
        temp_path.write_bytes(msgspec.json.encode(files))


def load_text_model(file: Path) -> TextModelFiles:
    return msgspec.json.decode(file.read_bytes(), type=TextModelFiles)


def load_text_search(folder: Path) -> TextSearch | None:
    """None without a text model; also where its file is damaged, which `verify` reports."""
    file = folder / TEXT_MODEL_FILE
    if not file.is_file():
        return None
    try:
        return TextSearch(load_text_model(file))
    except msgspec.DecodeError:
        return None
