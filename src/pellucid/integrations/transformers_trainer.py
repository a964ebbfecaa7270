"""A recorder for the Trainer of Hugging Face's transformers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pellucid.core.tables import BoolArray, Float64Array
from pellucid.formats.errors import InMemoryDataError
from pellucid.integrations.errors import ImageOrderError
from pellucid.integrations.recorder import Recorder
from pellucid.project import View


def hugging_face_metrics(
    recorder: Recorder,
    images: Sequence[str],
    concepts: Sequence[str] | Mapping[int, str] | None = None,
) -> Callable[[Any], dict[str, float]]:
    """A `compute_metrics` for Hugging Face's Trainer that records evaluations (its callbacks do not
    receive predictions). The scores are softmaxes; of a tagging view, sigmoids.

    Raises (when called): InMemoryDataError: the logits are not images x concepts. ImageOrderError:
    the labels are not those of the images in the view.

    Args:
        images: paths of the evaluation set, in order
        concepts: names of the model's outputs, or `model.config.id2label`; default: the view's
            concepts. Close the recorder after training.
    """
    names = output_names(concepts, recorder.view)

    def compute(eval_prediction: Any) -> dict[str, float]:
        predictions = eval_prediction.predictions
        logits = np.asarray(
            predictions[0] if isinstance(predictions, tuple) else predictions, float
        )
        labels = np.asarray(eval_prediction.label_ids)
        if logits.shape != (len(images), len(names)):
            raise InMemoryDataError(
                f"predictions have shape {logits.shape}; expected {len(images)} images x "
                f"{len(names)} concepts"
            )
        require_labels(recorder.view, images, names, labels)
        recorder.start_validation()
        scores = sigmoid(logits) if recorder.view.kind == "tagging" else softmax(logits)
        for image, image_scores in zip(images, scores, strict=True):
            recorder.add(image, names, image_scores)
        figures = tagging_figures(logits, labels) if labels.ndim > 1 else accuracy(logits, labels)
        recorder.end_validation(*figures.values())
        return figures

    return compute


def output_names(concepts: Sequence[str] | Mapping[int, str] | None, view: View) -> list[str]:
    if isinstance(concepts, Mapping):
        return [str(concepts[number]) for number in sorted(concepts)]
    return list(concepts or [concept.name for concept in view.manifest.concepts])


def require_labels(view: View, images: Sequence[str], names: list[str], labels: Any) -> None:
    """Raises ImageOrderError if most labels are not what the view says of their images: the paths
    or the concepts are then in another order."""
    expected = annotated_names(view)
    stated = [
        {names[label]} if labels.ndim == 1 else {names[i] for i in np.flatnonzero(label > 0)}
        for label in labels
    ]
    compared = [
        (image, concepts)
        for image, concepts in zip(images, stated, strict=True)
        if image in expected
    ]
    disagreeing = [pair for pair in compared if expected[pair[0]] != pair[1]]
    if len(disagreeing) * 2 > len(compared):
        image, concepts = disagreeing[0]
        example = f"{image}: {describe(concepts)}, in the view {describe(expected[image])}"
        raise ImageOrderError(len(disagreeing), len(compared), example)


def describe(concepts: set[str]) -> str:
    return ", ".join(sorted(concepts)) or "nothing"


def annotated_names(view: View) -> dict[str, set[str]]:
    """The concepts of each annotated image, by its path in the view."""
    images, annotations, _ = view.annotation_tables
    names = [concept.name for concept in view.manifest.concepts]
    paths = images.path.tolist()
    stated: dict[str, set[str]] = {path: set() for path in images.path[images.stated > 0].tolist()}
    is_positive = annotations.positive
    for image, concept in zip(
        annotations.image[is_positive].tolist(),
        annotations.concept[is_positive].tolist(),
        strict=True,
    ):
        stated.setdefault(paths[image], set()).add(names[concept])
    return stated


def softmax(logits: Float64Array) -> Float64Array:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def sigmoid(logits: Float64Array) -> Float64Array:
    return np.asarray(np.exp(-np.logaddexp(0, -logits)))


def accuracy(logits: Float64Array, labels: Any) -> dict[str, float]:
    return {"accuracy": float((logits.argmax(axis=1) == labels).mean())}


def tagging_figures(logits: Float64Array, labels: Any) -> dict[str, float]:
    """Micro F1 at a score of 0.5."""
    is_predicted: BoolArray = logits >= 0
    is_positive = labels > 0
    counted = int(is_predicted.sum() + is_positive.sum())
    matched = int((is_predicted & is_positive).sum())
    return {"micro_f1": 2 * matched / counted if counted else 0.0}
