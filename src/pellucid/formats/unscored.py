"""Predictions without scores: a second annotator, a vision-language model, another data set. They
are read as annotations are, or as results that lack their scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pellucid.core.errors import format_count
from pellucid.core.masks import Shape, create_masks, encode_counts
from pellucid.core.outlines import parse_keypoints, parse_outlines
from pellucid.core.tables import NO_SCORE, UNANNOTATED, Float64Array, StringArray, string_column
from pellucid.formats import memory_documents
from pellucid.formats.dataset import Note, ParsedAnnotations, ParsedPredictions
from pellucid.formats.errors import AmbiguousSeparatorError
from pellucid.formats.parsing import parse_json
from pellucid.formats.probe import ReadOptions, probe_source
from pellucid.formats.readers import coco_results, label_studio, yolo_predictions

ReadAnnotations = Callable[[Any, str | None, ReadOptions], ParsedAnnotations]
ReadPredictions = Callable[[Any, str | None, ReadOptions], ParsedPredictions]


def parse_unscored(
    source: Any,
    format: str | None,
    options: ReadOptions,
    parse_annotations: ReadAnnotations,
    read_scored: ReadPredictions,
) -> ParsedPredictions:
    """The objects, tags or classes that a source states, with NO_SCORE for each.

    Args:
        parse_annotations, read_scored: the readers of sources of both kinds
    """
    if isinstance(source, str | Path) and "://" not in str(source) and format is None:
        probe = probe_source(source)
        if coco_results.matches(probe):
            records: list[dict[str, Any]] = parse_json(Path(source), list[Any], "COCO results")
            parsed = parse_results(records, options, read_scored)
            return replace(parsed, path=str(source))
        if yolo_predictions.matches_predictions(probe) and not has_settings(Path(source)):
            return without_scores(yolo_predictions.read_predictions(probe, options))
        if label_studio.matches_predictions(probe) and not label_studio.has_annotations(probe):
            return without_scores(label_studio.read_predictions(probe, options))
    if memory_documents.is_result_list(source):
        return parse_results(source, options, read_scored)
    try:
        return as_predictions(parse_annotations(source, format, options))
    except AmbiguousSeparatorError as error:
        text = str(error).partition(" Specify --separator")[0]
        error.args = (f"{text} Write one concept per row.",)
        raise


def has_settings(folder: Path) -> bool:
    """Whether label files are part of a data set that names its classes."""
    return any(folder.glob("*.y*ml"))


def parse_results(
    records: list[dict[str, Any]], options: ReadOptions, read_scored: ReadPredictions
) -> ParsedPredictions:
    """COCO results, with or without scores."""
    scored = [{**record, "score": 1.0} for record in records]
    if not scored:
        with memory_documents.as_file(scored) as path:
            return read_scored(path, coco_results.NAME, replace(options, has_scores=True))
    return without_scores(read_scored(scored, None, replace(options, has_scores=True)))


def without_scores(parsed: ParsedPredictions) -> ParsedPredictions:
    return replace(parsed, score=np.full(len(parsed.score), NO_SCORE), alternative=None)


def as_predictions(stated: ParsedAnnotations) -> ParsedPredictions:
    """What annotations state, as predictions. Ignored regions and absent concepts are left out; an
    annotated image with nothing on it is one on which nothing was predicted."""
    table = stated.annotations
    rows = np.flatnonzero(table.positive & ~table.ignore)
    image_rows = np.flatnonzero(stated.images.stated != UNANNOTATED)
    position = np.full(len(stated.images), -1, np.int32)
    position[image_rows] = np.arange(len(image_rows))
    outlines = None if table.outline is None else table.outline[rows]
    shapes = parse_outlines(outlines, len(rows))
    encoded = [shape if isinstance(shape, dict) else None for shape in shapes]
    notes = list(stated.notes)
    if left_out := int(table.ignore.sum()):
        message = f"{format_count(left_out, 'ignored region')} left out: not a prediction"
        notes.append(Note("ignored_regions", message, left_out, "info"))
    return ParsedPredictions(
        stated.path,
        stated.format,
        stated.images.path[image_rows].tolist(),
        position[table.image[rows]],
        list(stated.concepts),
        table.concept[rows],
        "name",
        np.full(len(rows), NO_SCORE),
        None if table.box is None else table.box[rows],
        stated.unit,
        rows.astype(np.int64),
        "annotation",
        notes,
        box_shapes=stated.box_shapes,
        mask=encode_masks(encoded) if any(encoded) else None,
        outline=polygon_texts(shapes),
        outline_unit=stated.unit,
        keypoints=find_points(outlines),
    )


def encode_masks(shapes: list[dict[str, Any] | None]) -> Any:
    sizes = [(0, 0) if shape is None else shape["size"] for shape in shapes]
    height, width = np.array(sizes, np.int32).T.copy()
    return create_masks(
        ["" if shape is None else counts_text(shape) for shape in shapes], height, width
    )


def counts_text(shape: dict[str, Any]) -> str:
    counts = shape["counts"]
    return encode_counts(counts) if isinstance(counts, list) else str(counts)


def polygon_texts(shapes: list[Shape]) -> StringArray | None:
    texts = [
        msgspec.json.encode(shape).decode() if isinstance(shape, list) else "" for shape in shapes
    ]
    return string_column(texts) if any(texts) else None


def find_points(outlines: StringArray | None) -> Float64Array | None:
    """float64 (n, 3 * points), NaN where an object has none; None if none has any."""
    stated = [parse_keypoints(outline) for outline in ([] if outlines is None else outlines)]
    width = max((len(points.keypoints) for points in stated if points), default=0)
    if not width:
        return None
    numbers = np.full((len(stated), width), np.nan)
    for row, points in enumerate(stated):
        if points is not None:
            numbers[row, : len(points.keypoints)] = points.keypoints
    return numbers
