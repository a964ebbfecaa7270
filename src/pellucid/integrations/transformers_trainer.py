"""A recorder for the Trainer of Hugging Face's transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid.formats.errors import InMemoryDataError
from pellucid.integrations.recorder import Recorder


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
