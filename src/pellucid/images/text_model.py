"""Embeddings of texts by an ONNX model of the user's choice, the other half of one that embeds
images into the same space (such as CLIP)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.errors import FileMissingError, MissingDependencyError
from pellucid.core.tables import Float32Array
from pellucid.images.embedding_model import open_session
from pellucid.images.errors import EmbeddingModelError

IDS, MASK, TYPES = "input_ids", "attention_mask", "token_type_ids"
INTEGER_TYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
DEFAULT_LENGTH = 77
"""Tokens of a text where neither model nor tokenizer states a limit: that of CLIP (Radford et
al., 2021)."""
PADDING_TOKENS = ("<pad>", "[PAD]", "<|endoftext|>", "</s>")
EMBEDDING_OUTPUTS = ("text_embeds", "text_features", "text_embedding", "sentence_embedding")


class TextModel:
    """A model of token ids, with the tokenizer that makes them."""

    def __init__(self, path: str | Path, tokenizer: str | Path) -> None:
        """tokenizer: a `tokenizer.json` as Hugging Face's tokenizers write it.

        Raises:
            FileMissingError, MissingDependencyError
            EmbeddingModelError: it is no such model or tokenizer.
        """
        self.path = Path(path)
        for file in (self.path, Path(tokenizer)):
            if not file.is_file():
                raise FileMissingError(file)
        self._session = open_session(self.path)
        self._inputs = {each.name: each for each in self._session.get_inputs()}
        unknown = sorted(self._inputs.keys() - {IDS, MASK, TYPES})
        if IDS not in self._inputs or unknown:
            names = ", ".join(self._inputs)
            remedy = f"Export the text encoder alone, with {IDS} and {MASK}."
            raise EmbeddingModelError(self.path, f"has the inputs {names}", remedy)
        self._tokenizer = open_tokenizer(Path(tokenizer))
        self._set_length(self._inputs[IDS].shape[-1])

    def _set_length(self, stated: Any) -> None:
        """Cut longer texts, and fill shorter ones where the model takes one length alone."""
        tokenizer = self._tokenizer
        limit = (tokenizer.truncation or {}).get("max_length", DEFAULT_LENGTH)
        tokenizer.enable_truncation(stated if isinstance(stated, int) else limit)
        if not isinstance(stated, int):
            return
        ids = (tokenizer.token_to_id(token) for token in PADDING_TOKENS)
        known = next((token_id for token_id in ids if token_id is not None), 0)
        padding = (tokenizer.padding or {}).get("pad_id", known)
        tokenizer.enable_padding(length=stated, pad_id=padding)

    def embed(self, text: str) -> Float32Array:
        """float32 (d,), of length 1.

        Raises:
            EmbeddingModelError: the output is no vector for a text.
        """
        encoded = self._tokenizer.encode(text)
        columns = {IDS: encoded.ids, MASK: encoded.attention_mask, TYPES: encoded.type_ids}
        feed = {
            name: np.array([columns[name]], INTEGER_TYPES.get(each.type, np.int64))
            for name, each in self._inputs.items()
        }
        names = [each.name for each in self._session.get_outputs()]
        vector = self._vector(names, self._session.run(None, feed))
        return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12))

    def _vector(self, names: Sequence[str], outputs: Sequence[Any]) -> Float32Array:
        by_name = {
            name: np.asarray(output, np.float32)
            for name, output in zip(names, outputs, strict=True)
        }
        ordered = sorted(names, key=lambda name: name not in EMBEDDING_OUTPUTS)
        for name in ordered:
            if by_name[name].ndim == 2 and len(by_name[name]) == 1:
                return np.asarray(by_name[name][0])
        shapes = ", ".join(f"{name} {array.shape}" for name, array in by_name.items())
        remedy = "Export a model whose output has a vector a text, such as text_embeds."
        raise EmbeddingModelError(self.path, f"its outputs have the shapes {shapes}", remedy)


def open_tokenizer(path: Path) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingDependencyError("tokenizers", "Searching by text", "text") from error
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises Exception itself
        problem = f"is no tokenizer: {str(error)[:200]}"
        remedy = "Specify the tokenizer.json of the text model."
        raise EmbeddingModelError(path, problem, remedy) from error
