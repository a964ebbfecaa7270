"""Kaggle's `PredictionString`: all detections of an image in one cell, as `score x y width height`
(one concept) or `concept score x y x y`. Which of these the four numbers are is decided by
evidence.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pellucid.formats.dataset import ParsedPredictions
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.json_rows import row_columns
from pellucid.formats.parsing import is_number, read_utf8
from pellucid.formats.probe import PredictionFormat, Probe, ReadOptions
from pellucid.formats.tabular.prediction_table import read_prediction_table
from pellucid.formats.tabular.reader import open_memory_table

NAME = "prediction-string"
COLUMN = "predictionstring"
REMEDY = "Write 'score x y width height' or 'concept score xmin ymin xmax ymax' for each detection."


def matches(probe: Probe) -> bool:
    header = probe.head.partition("\n")[0].strip().lower().split(",")
    return len(header) == 2 and header[1].strip('" ') == COLUMN


def read(probe: Probe, options: ReadOptions) -> ParsedPredictions:
    rows = csv.reader(read_utf8(probe.path).decode().splitlines())
    next(rows)
    detections: list[dict[str, Any]] = []
    for image, cell in (row for row in rows if len(row) == 2):
        found = list(cell_detections(probe, f"line {rows.line_num}", cell, options))
        detections += [{"image": image, **each} for each in found] or [{"image": image}]
    reader = open_memory_table(row_columns(detections))
    reader.path = str(probe.path)
    predictions = read_prediction_table(reader, replace(options, columns={}))
    return replace(predictions, path=str(probe.path), format=NAME)


def cell_detections(
    probe: Probe, location: str, cell: str, options: ReadOptions
) -> Iterator[dict[str, Any]]:
    """The detections of one image: groups of six words, or of five where all are numbers and the
    view has one concept."""
    words = cell.split()
    has_concepts = len(options.concepts) != 1 or not all(map(is_number, words))
    size = 6 if has_concepts or len(words) % 5 else 5
    if len(words) % size:
        raise InvalidRecordError(
            probe.path, location, f"found {len(words)} values in PredictionString", REMEDY
        )
    for start in range(0, len(words), size):
        *concept, score, x, y, right, bottom = words[start : start + size]
        if not all(map(is_number, (score, x, y, right, bottom))):
            problem = f"'{' '.join(words[start : start + size])}' in PredictionString"
            raise InvalidRecordError(probe.path, location, problem, REMEDY)
        yield {
            "label": concept[0] if concept else options.concepts[0],
            "score": float(score),
            "bbox": f"[{x}, {y}, {right}, {bottom}]",
        }


PREDICTION_FORMAT = PredictionFormat(NAME, matches, read)
