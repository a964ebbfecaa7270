"""Kaggle's `PredictionString`: all detections of an image in one cell, as `score x y width height`
(one concept) or `concept score x y x y`; the score may be the last number instead. What the four
numbers of a box mean is decided by evidence.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pellucid.formats.dataset import Note, ParsedPredictions
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.json_rows import row_columns
from pellucid.formats.parsing import decode_utf8, is_number
from pellucid.formats.probe import PredictionFormat, Probe, ReadOptions
from pellucid.formats.tabular.open_tables import open_memory_table
from pellucid.formats.tabular.prediction_table import parse_prediction_table

NAME = "prediction-string"
COLUMN = "predictionstring"
REMEDY = "Write 'score x y width height' or 'concept score xmin ymin xmax ymax' for each detection."


def matches(probe: Probe) -> bool:
    header = probe.head.partition("\n")[0].strip().lower().split(",")
    return len(header) == 2 and header[1].strip('" ') == COLUMN


def read(probe: Probe, options: ReadOptions) -> ParsedPredictions:
    lines = csv.reader(decode_utf8(probe.path).decode().splitlines())
    next(lines)
    cells = [(lines.line_num, row[0], row[1].split()) for row in lines if len(row) == 2]
    size = group_size(probe, [words for _, _, words in cells], options)
    is_last = is_score_last([words for _, _, words in cells], size)
    detections: list[dict[str, Any]] = []
    for line, image, words in cells:
        found = list(cell_detections(probe, f"line {line}", words, size, options, is_last))
        detections += [{"image": image, **each} for each in found] or [{"image": image}]
    reader = open_memory_table(row_columns(detections))
    reader.path = str(probe.path)
    predictions = parse_prediction_table(reader, replace(options, columns={}))
    if is_last:
        message = "PredictionString: the score is the last number of each detection"
        predictions.notes.append(Note("reading", message, 1, "info"))
    return replace(predictions, path=str(probe.path), format=NAME)


def is_score_last(cells: Sequence[Sequence[str]], size: int) -> bool:
    """Whether the last number of every detection can be a score, and the first cannot."""
    firsts = [word for words in cells for word in words[size - 5 :: size]]
    lasts = [word for words in cells for word in words[size - 1 :: size]]
    if not firsts or not are_numbers(firsts) or not are_numbers(lasts):
        return False
    return max(map(float, firsts)) > 1 and all(0 <= float(word) <= 1 for word in lasts)


def group_size(probe: Probe, cells: Sequence[Sequence[str]], options: ReadOptions) -> int:
    """How many words a detection has: six with a concept, five without, in a view of one concept.
    The same in all cells.

    Raises:
        InvalidRecordError: the cells fit neither, or both.
    """
    sizes = [
        size
        for size in (6, 5)
        if all(len(words) % size == 0 for words in cells)
        and (size == 6 or (len(options.concepts) == 1 and all(map(are_numbers, cells))))
    ]
    if len(sizes) == 1:
        return sizes[0]
    if not any(cells):
        return 6
    problem = "cells whose values could be in groups of five or of six"
    if not sizes:
        problem = f"{max(map(len, cells))} values in PredictionString, which are no groups"
    raise InvalidRecordError(probe.path, "PredictionString", f"found {problem}", REMEDY)


def are_numbers(words: Sequence[str]) -> bool:
    return all(map(is_number, words))


def cell_detections(
    probe: Probe,
    location: str,
    words: Sequence[str],
    size: int,
    options: ReadOptions,
    is_last: bool,
) -> Iterator[dict[str, Any]]:
    """The detections of one image.

    Args:
        is_last: whether the score is the last of the five numbers
    """
    for start in range(0, len(words), size):
        *concept, score, x, y, right, bottom = words[start : start + size]
        if is_last:
            x, y, right, bottom, score = score, x, y, right, bottom
        if not are_numbers((score, x, y, right, bottom)):
            problem = f"'{' '.join(words[start : start + size])}' in PredictionString"
            raise InvalidRecordError(probe.path, location, problem, REMEDY)
        yield {
            "label": concept[0] if concept else options.concepts[0],
            "score": float(score),
            "bbox": f"[{x}, {y}, {right}, {bottom}]",
        }


PREDICTION_FORMAT = PredictionFormat(NAME, matches, read)
