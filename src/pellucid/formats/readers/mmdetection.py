"""MMDetection inference JSON: one file per image with `bboxes` (corners in pixels), `labels`
(0-based indices), `scores` and, of instance segmentation, `masks` (COCO's run lengths).

Results of its `--format-only` option are in the COCO results format.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pellucid.evaluation.mask_runs import measure_masks
from pellucid.formats.builder import BoxCoordinates
from pellucid.formats.dataset import ConceptInterpretation, ParsedPredictions
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.mask_arrays import encode_mask_arrays
from pellucid.formats.parsing import parse_json
from pellucid.formats.prediction_builder import NO_BOX, PredictionBuilder
from pellucid.formats.probe import PredictionFormat, Probe, ReadOptions, list_files
from pellucid.formats.readers.coco_masks import EncodedMask, check_run_lengths

NAME = "mmdetection"


class MMDetectionFile(msgspec.Struct):
    labels: list[int | str]
    scores: list[float]
    bboxes: list[tuple[float, float, float, float]] | None = None
    masks: list[EncodedMask] | None = None


@dataclass(frozen=True)
class PredictedObject:
    """An object of a prediction of MMDetection.

    Attributes:
        corners: left, top, right, bottom in pixels; NO_BOX of a classifier
        mask: if stated
    """

    label: int | str
    score: float
    corners: BoxCoordinates
    mask: EncodedMask | None


def matches(probe: Probe) -> bool:
    heads = (
        [probe.head]
        if not probe.is_dir
        else [probe.load_head(file_name) for file_name in probe.sample_with_suffix(".json")]
    )
    return any(map(is_result, heads))


def is_result(head: str) -> bool:
    """Whether a file begins like MMDetection's: it calls its boxes `bboxes`."""
    has_keys = all(f'"{key}"' in head for key in ("labels", "scores"))
    return head.startswith("{") and has_keys and '"boxes"' not in head


def read(probe: Probe, options: ReadOptions) -> ParsedPredictions:
    builder = PredictionBuilder(str(probe.path), NAME)
    base_folder = probe.path if probe.is_dir else probe.path.parent
    record_number, has_names = 0, False
    for file in list_files(probe, ".json"):
        image_key = file.relative_to(base_folder).with_suffix("").as_posix()
        image_index = builder.add_image(image_key)
        for predicted in image_predictions(file):
            x_min, y_min, x_max, y_max = predicted.corners
            box = (x_min, y_min, x_max - x_min, y_max - y_min)
            has_names = has_names or isinstance(predicted.label, str)
            builder.add(image_index, str(predicted.label), predicted.score, box, record_number)
            if predicted.mask is not None:
                builder.attach_mask(encode_mask_arrays([msgspec.to_builtins(predicted.mask)]))
            record_number += 1
    interpretation: ConceptInterpretation = "name" if has_names else "position"
    predictions = builder.build(options.kind, concepts=interpretation, image_key_kind="stem")
    if predictions.mask is not None:
        pixels = measure_masks(predictions.mask).pixels
        check_run_lengths(probe.path, predictions.mask, pixels)
    return predictions


def image_predictions(file: Path) -> Iterator[PredictedObject]:
    document: MMDetectionFile = parse_json(file, MMDetectionFile, "MMDetection")
    labels, scores = document.labels, document.scores
    corners = document.bboxes or [NO_BOX] * len(labels)
    masks: Sequence[EncodedMask | None] = document.masks or [None] * len(labels)
    if not len(labels) == len(scores) == len(corners) == len(masks):
        counts = f"{len(labels)} labels, {len(scores)} scores, {len(corners)} bboxes"
        counts += f", {len(masks)} masks" if document.masks else ""
        raise InvalidRecordError(file, "$", f"found {counts}", "Their numbers must match.")
    return map(PredictedObject, labels, scores, corners, masks)


PREDICTION_FORMAT = PredictionFormat(NAME, matches, read)
