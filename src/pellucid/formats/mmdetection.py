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


class File(msgspec.Struct):
    labels: list[int]
    scores: list[float]
    bboxes: list[tuple[float, float, float, float]] | None = None


def is_it(look: Look) -> bool:
    heads = [look.head] if not look.is_dir else [look.head_of(name) for name in look.ending(".json")[:3]]
    return any(head.startswith("{") and '"labels"' in head and '"scores"' in head for head in heads)


def read(look: Look, asked: Asked) -> PredictionSource:
    files = list(files_of(look, ".json"))
    keys = [(file.relative_to(look.path) if look.is_dir else file.relative_to(file.parent)).with_suffix("").as_posix() for file in files]
    image: list[int] = []
    labels: list[str] = []
    scores: list[float] = []
    boxes: list[tuple[float, float, float, float]] = []
    for row, file in enumerate(files):
        found: File = parsed_json(file, File, "MMDetection")
        corners = found.bboxes or [(0.0, 0.0, 0.0, 0.0)] * len(found.labels)
        if not len(found.labels) == len(found.scores) == len(corners):
            counts = f"{len(found.labels)} labels, {len(found.scores)} scores, {len(corners)} bboxes"
            raise RecordBad(file, "$", f"it has {counts}", "Write as many of each.")
        image += [row] * len(found.labels)
        labels += [str(label) for label in found.labels]
        scores += found.scores
        boxes += corners
    concept_keys, concept = codes(labels)
    box = None
    if asked.kind == "detection":
        box = np.array(boxes, float).reshape(-1, 4)
        box[:, 2:] -= box[:, :2]
    source = PredictionSource(
        str(look.path), NAME, keys, np.array(image, np.int32), concept_keys, concept, "position", np.array(scores, float), box, "pixels",
        np.arange(len(image)), images_named_by="stem",
    )  # fmt: skip
    return checked(source)


PREDICTION_FORMAT = PredictionFormat(NAME, is_it, read)
