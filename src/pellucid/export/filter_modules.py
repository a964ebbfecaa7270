"""Python modules that filter a model's output as Pellucid counts predictions: one without
dependencies, and one for each of ultralytics, torchvision and supervision."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pellucid._version import __version__
from pellucid.core.tables import Kind


def filter_module(library: str, origin: str, kind: Kind, thresholds: Mapping[str, float]) -> str:
    """The source of a module with the thresholds by concept and the rule for counted predictions.

    library: one of `filter_libraries`. origin: the view and version, for the comment at the top.
    """
    lines = [f"    {name!r}: {value!r}," for name, value in thresholds.items()]
    return (
        "\n".join(
            [
                f"# Thresholds of {json.dumps(origin, ensure_ascii=False)}, made by pellucid "
                f"{__version__}.",
                *(["import torch", ""] if library == "torchvision" else [""]),
                "THRESHOLDS = {",
                *lines,
                "}",
                CLASS_RULE if kind == "classification" else SCORE_RULE,
            ]
        )
        + LIBRARY_RULES[library, kind]
    )


def filter_libraries(kind: Kind) -> list[str]:
    """The libraries with a filter for a kind of view."""
    return [library for library, rule_kind in LIBRARY_RULES if rule_kind == kind]


SCORE_RULE = '''

def counts(concept, score):
    """Whether a prediction counts: its score reaches its concept's threshold. A class that was not
    evaluated has none, and does not count."""
    if not isinstance(concept, str):
        raise TypeError(f"expected the name of a class, found {concept!r}: look it up in the model")
    return concept in THRESHOLDS and float(score) >= THRESHOLDS[concept]


def keep(concepts, scores):
    """A list of booleans, one per prediction, to filter with."""
    return [counts(concept, score) for concept, score in zip(concepts, scores, strict=True)]
'''
CLASS_RULE = '''

def predicted(scores):
    """The predicted concept of an image, or None: the one with the highest score (of equal ones
    the first), if it reaches its threshold. scores: by concept, in the order of the model's
    classes."""
    concept = max(scores, key=scores.get)
    reached = concept in THRESHOLDS and float(scores[concept]) >= THRESHOLDS[concept]
    return concept if reached else None
'''
ULTRALYTICS_DETECTION = '''

CONFIDENCE = 0.99 * min(THRESHOLDS.values())
"""Pass it to the model, `model.predict(source, conf=CONFIDENCE)`: its default of 0.25 drops
predictions before they reach the filter."""


def filter_result(result):
    """One of the results of `model.predict`, with the predictions that count."""
    objects = result.boxes if result.boxes is not None else result.obb
    concepts = [result.names[int(number)] for number in objects.cls.tolist()]
    return result[keep(concepts, objects.conf.tolist())]
'''
ULTRALYTICS_CLASSIFICATION = '''

def predicted_by(result):
    """The predicted concept of one of the results of `model.predict`, or None."""
    scores = result.probs.data.tolist()
    return predicted({result.names[number]: score for number, score in enumerate(scores)})
'''
TORCHVISION_DETECTION = '''

def filter_output(output, class_names):
    """The dictionary of one image (boxes, labels, scores, masks, ...) with the predictions that
    count.

    class_names: by label, as `weights.meta["categories"]`, where label 0 is the background. Set the
    model's `box_score_thresh` (of RetinaNet and SSD `score_thresh`) below every threshold.
    """
    concepts = [class_names[label] for label in output["labels"].tolist()]
    kept = torch.tensor(keep(concepts, output["scores"].tolist()), dtype=torch.bool)
    return {key: values[kept.to(values.device)] for key, values in output.items()}
'''
TORCHVISION_CLASSIFICATION = '''

def predicted_by(logits, class_names):
    """The predicted concept, or None, of each row of the model's output. class_names: by column, as
    `weights.meta["categories"]`."""
    scores = torch.softmax(logits, dim=1).tolist()
    return [predicted(dict(zip(class_names, row, strict=True))) for row in scores]
'''
TORCHVISION_TAGGING = '''

def predicted_by(logits, class_names):
    """The concepts of each row of the model's output, whose sigmoids are the scores. class_names:
    by column."""
    return [
        [name for name, score in zip(class_names, row, strict=True) if counts(name, score)]
        for row in torch.sigmoid(logits).tolist()
    ]
'''
SUPERVISION_DETECTION = '''

def filter_detections(detections):
    """The `supervision.Detections` that count. They must have `detections["class_name"]`, as its
    connectors give them."""
    return detections[keep(detections["class_name"], detections.confidence)]
'''
LIBRARY_RULES: Mapping[tuple[str, Kind], str] = {
    ("python", "detection"): "",
    ("python", "tagging"): "",
    ("python", "classification"): "",
    ("ultralytics", "detection"): ULTRALYTICS_DETECTION,
    ("ultralytics", "classification"): ULTRALYTICS_CLASSIFICATION,
    ("torchvision", "detection"): TORCHVISION_DETECTION,
    ("torchvision", "classification"): TORCHVISION_CLASSIFICATION,
    ("torchvision", "tagging"): TORCHVISION_TAGGING,
    ("supervision", "detection"): SUPERVISION_DETECTION,
}
