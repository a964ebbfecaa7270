"""MMDetection's JSON of inference: a file a picture with `bboxes` (corners, pixels), `labels` (positions from 0) and `scores`.

(Its `--format-only` results are COCO results.)
"""

from __future__ import annotations

import msgspec
import numpy as np

from pellucid.errors import RecordBad
from pellucid.formats.look import Asked, Look, PredictionFormat, files_of
from pellucid.formats.parsed import parsed_json
from pellucid.formats.source import PredictionSource, checked, codes

NAME = "mmdetection"


class MMDetectionFile(msgspec.Struct):
    labels: list[int]
    scores: list[float]
    bboxes: list[tuple[float, float, float, float]] | None = None


def matches(probe: Look) -> bool:
    heads = [probe.head] if not probe.is_dir else [probe.head_of(file_name) for file_name in probe.ending(".json")[:3]]
    return any(head.startswith("{") and '"labels"' in head and '"scores"' in head for head in heads)


def read(probe: Look, options: Asked) -> PredictionSource:
    files = list(files_of(probe, ".json"))
    image_keys = [(file.relative_to(probe.path) if probe.is_dir else file.relative_to(file.parent)).with_suffix("").as_posix() for file in files]
    image: list[int] = []
    labels: list[str] = []
    scores: list[float] = []
    boxes: list[tuple[float, float, float, float]] = []
    for image_index, file in enumerate(files):
        document: MMDetectionFile = parsed_json(file, MMDetectionFile, "MMDetection")
        corners = document.bboxes or [(0.0, 0.0, 0.0, 0.0)] * len(document.labels)
        if not len(document.labels) == len(document.scores) == len(corners):
            counts = f"{len(document.labels)} labels, {len(document.scores)} scores, {len(corners)} bboxes"
            raise RecordBad(file, "$", f"it has {counts}", "Write as many of each.")
        image += [image_index] * len(document.labels)
        labels += [str(label) for label in document.labels]
        scores += document.scores
        boxes += corners
    concept_keys, concept = codes(labels)
    box = None
    if options.kind == "detection":
        box = np.array(boxes, float).reshape(-1, 4)
        box[:, 2:] -= box[:, :2]
    source = PredictionSource(
        str(probe.path), NAME, image_keys, np.array(image, np.int32), concept_keys, concept, "position", np.array(scores, float), box, "pixels",
        np.arange(len(image)), images_named_by="stem",
    )  # fmt: skip
    return checked(source)


PREDICTION_FORMAT = PredictionFormat(NAME, matches, read)
