"""MMDetection inference JSON: one file per image with `bboxes` (corners in pixels), `labels` (0-based indices) and `scores`.

Results of its `--format-only` option are in the COCO results format.
"""

from __future__ import annotations

import msgspec
import numpy as np

from pellucid.errors import InvalidRecordError
from pellucid.formats.look import PredictionFormat, Probe, ReadOptions, list_files
from pellucid.formats.parsed import parse_json
from pellucid.formats.source import ParsedPredictions, encode_texts, validate_predictions

NAME = "mmdetection"


class MMDetectionFile(msgspec.Struct):
    labels: list[int]
    scores: list[float]
    bboxes: list[tuple[float, float, float, float]] | None = None


def matches(probe: Probe) -> bool:
    heads = (
        [probe.head]
        if not probe.is_dir
        else [probe.read_head(file_name) for file_name in probe.files_with_suffix(".json")[:3]]
    )
    return any(head.startswith("{") and '"labels"' in head and '"scores"' in head for head in heads)


def read(probe: Probe, options: ReadOptions) -> ParsedPredictions:
    files = list(list_files(probe, ".json"))
    image_keys = [
        (file.relative_to(probe.path) if probe.is_dir else file.relative_to(file.parent))
        .with_suffix("")
        .as_posix()
        for file in files
    ]
    image: list[int] = []
    labels: list[str] = []
    scores: list[float] = []
    boxes: list[tuple[float, float, float, float]] = []
    for image_index, file in enumerate(files):
        document: MMDetectionFile = parse_json(file, MMDetectionFile, "MMDetection")
        corners = document.bboxes or [(0.0, 0.0, 0.0, 0.0)] * len(document.labels)
        if not len(document.labels) == len(document.scores) == len(corners):
            counts = f"{len(document.labels)} labels, {len(document.scores)} scores, {len(corners)} bboxes"
            raise InvalidRecordError(file, "$", f"found {counts}", "Their numbers must match.")
        image += [image_index] * len(document.labels)
        labels += [str(label) for label in document.labels]
        scores += document.scores
        boxes += corners
    concept_keys, concept = encode_texts(labels)
    box = None
    if options.kind == "detection":
        box = np.array(boxes, float).reshape(-1, 4)
        box[:, 2:] -= box[:, :2]
    source = ParsedPredictions(
        str(probe.path),
        NAME,
        image_keys,
        np.array(image, np.int32),
        concept_keys,
        concept,
        "position",
        np.array(scores, float),
        box,
        "pixels",
        np.arange(len(image)),
        image_key_kind="stem",
    )
    return validate_predictions(source)


PREDICTION_FORMAT = PredictionFormat(NAME, matches, read)
