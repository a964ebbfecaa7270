"""LabelMe files with a score for each shape, as X-AnyLabeling and similar tools write a model's
predictions."""

from __future__ import annotations

import re

from pellucid.formats.dataset import Note, ParsedPredictions
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.parsing import parse_json
from pellucid.formats.prediction_builder import PredictionBuilder
from pellucid.formats.probe import PredictionFormat, Probe, ReadOptions, list_files, load_head
from pellucid.formats.readers.labelme import (
    LabelMeFile,
    circle_outline,
    clean_image_path,
    is_foreign,
    is_json,
)

NAME = "labelme-results"
SCORE = re.compile(r'"score"\s*:\s*-?\d')
AREAS = ("circle", "polygon", "oriented_rectangle")


def matches(probe: Probe) -> bool:
    """Whether shapes of a file, or of some files of a folder, have scores."""
    heads = (
        [probe.head]
        if not probe.is_dir
        else [probe.load_head(name) for name in probe.sample_with_suffix(".json")]
    )
    return any(is_json(head) and SCORE.search(head) is not None for head in heads)


def read(probe: Probe, options: ReadOptions) -> ParsedPredictions:
    """Rectangles and outlines with scores.

    Raises:
        InvalidRecordError: a shape has no score.
    """
    builder = PredictionBuilder(str(probe.path), NAME, "shape")
    skipped = 0
    for file in list_files(probe, ".json"):
        if probe.is_dir and is_foreign(load_head(file)):
            continue
        document: LabelMeFile = parse_json(file, LabelMeFile, "LabelMe")
        image = builder.add_image(clean_image_path(document.imagePath))
        for index, shape in enumerate(document.shapes):
            if len(shape.points) < 2 or shape.shape_type == "mask":
                skipped += 1
                continue
            if shape.score is None:
                raise InvalidRecordError(
                    file, f"$.shapes[{index}]", "no score", "Give each shape the model's score."
                )
            is_circle = shape.shape_type == "circle" and len(shape.points) == 2
            points = circle_outline(shape.points) if is_circle else shape.points
            xs, ys = zip(*points, strict=True)
            box = (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
            outline = points if shape.shape_type in AREAS else ()
            builder.add(image, shape.label, shape.score, box, index, outline)
    predictions = builder.build("detection")
    if skipped:
        message = f"{skipped:,} masks and shapes without points not read"
        predictions.notes.append(Note("shapes_not_read", message, skipped))
    return predictions


FORMAT = PredictionFormat(NAME, matches, read)
