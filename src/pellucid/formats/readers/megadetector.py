"""Batch results of MegaDetector and of the species classifiers that read its crops: one JSON file.

Format: https://lila.science/megadetector-output-format
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from pellucid.core.errors import format_count, summarize_names
from pellucid.formats.builder import BoxCoordinates
from pellucid.formats.dataset import Note, ParsedPredictions
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.parsing import parse_json
from pellucid.formats.prediction_builder import PredictionBuilder
from pellucid.formats.probe import PredictionFormat, Probe, ReadOptions

NAME = "megadetector"


class BatchDetection(msgspec.Struct):
    category: str
    conf: float
    bbox: tuple[float, float, float, float] | None = None
    """[left, top, width, height] in fractions of the image."""
    classifications: list[tuple[str, float]] = []


class BatchImage(msgspec.Struct):
    file: str
    detections: list[BatchDetection] | None = None
    failure: str | None = None


class BatchFile(msgspec.Struct):
    images: list[BatchImage]
    detection_categories: dict[str, str]
    classification_categories: dict[str, str] = {}
    info: Any = None


Statement = tuple[str, float, BoxCoordinates | None]


def matches(probe: Probe) -> bool:
    head = probe.head
    return head.startswith("{") and ('"detection_categories"' in head or is_batch(head))


def is_batch(head: str) -> bool:
    """Whether a text begins like such a file whose categories come last."""
    return all(f'"{key}"' in head for key in ("images", "file", "detections", "conf"))


def read(probe: Probe, options: ReadOptions) -> ParsedPredictions:
    """Boxes with their category; with that of the classifier, if the view has one of its concepts.
    In views of images each concept has its highest score.

    An image that failed was not run.
    """
    path = probe.path
    document: BatchFile = parse_json(path, BatchFile, "MegaDetector results")
    builder = PredictionBuilder(str(path), NAME, "image")
    is_classified = bool(set(document.classification_categories.values()) & set(options.concepts))
    failed = []
    for index, image in enumerate(document.images):
        if image.detections is None:
            failed.append(image.file)
            builder.add_failed_image(image.file.replace("\\", "/"))
            continue
        row = builder.add_image(image.file.replace("\\", "/"))
        statements = list(image_statements(document, image, index, is_classified, str(path)))
        if options.kind != "detection":
            statements = highest_scores(statements)
        for concept, score, box in statements:
            builder.add(row, concept, score, box, index)
    parsed = builder.build(options.kind, "fractions")
    if failed:
        noun = format_count(len(failed), "image")
        message = f"{noun} on which the detector failed, not covered: {summarize_names(failed)}"
        parsed.notes.append(Note("failed_images", message, len(failed)))
    return parsed


def image_statements(
    document: BatchFile, image: BatchImage, index: int, is_classified: bool, path: str
) -> Iterator[Statement]:
    """Concept, score and box of each detection. A classifier's score is multiplied with that of the
    box; a box without a classification keeps its own category."""
    for detection in image.detections or []:
        name = document.detection_categories.get(detection.category)
        if name is None:
            raise InvalidRecordError(
                path,
                f"$.images[{index}]",
                f"category '{detection.category}' is not in detection_categories",
                "Name every category.",
            )
        named = [
            (document.classification_categories.get(key), score)
            for key, score in detection.classifications
        ]
        if not is_classified or not named:
            yield name, detection.conf, detection.bbox
            continue
        species, score = max(named, key=lambda pair: pair[1])
        if species is None:
            raise InvalidRecordError(
                path,
                f"$.images[{index}]",
                "a classification is not in classification_categories",
                "Name every category.",
            )
        yield species, detection.conf * score, detection.bbox


def highest_scores(statements: list[Statement]) -> list[Statement]:
    """One statement a concept, about the whole image."""
    highest: dict[str, float] = {}
    for concept, score, _ in statements:
        highest[concept] = max(score, highest.get(concept, score))
    return [(concept, score, None) for concept, score in highest.items()]


PREDICTION_FORMAT = PredictionFormat(NAME, matches, read)
