"""Label Studio: JSON, JSON-MIN and CSV with boxes in percent and choices; predictions with scores
and `model_version`.

A file is a list of tasks. In JSON a task has `data` and `annotations`; in JSON-MIN the labels are
siblings of `image`.
"""

from __future__ import annotations

import re

from pellucid.core.errors import format_count, summarize_names
from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.dataset import Note, ParsedAnnotations, ParsedPredictions
from pellucid.formats.errors import EmptyPredictionsError, InvalidScoreError, MultipleModelsError
from pellucid.formats.json_rows import is_json_lines
from pellucid.formats.parsing import expect_list, expect_object, parse_number
from pellucid.formats.prediction_builder import PredictionBuilder
from pellucid.formats.probe import AnnotationFormat, PredictionFormat, Probe, ReadOptions
from pellucid.formats.readers.label_studio_brush import decode_brush
from pellucid.formats.readers.label_studio_regions import (
    ResultValue,
    bounding_box,
    is_shape,
    parse_value,
    region_outline,
    result_concepts,
)
from pellucid.formats.readers.label_studio_results import (
    result_image_size,
    task_image_path,
    task_results,
    unread_keys,
)
from pellucid.formats.readers.label_studio_tasks import (
    LOCATED_KEYS,
    choose_choice_keys,
    choose_controls,
    is_csv_export,
    parse_tasks,
)

NAME = "label-studio"
PREDICTIONS_NAME = "label-studio-predictions"
JSON_MIN_KEYS = ('"annotator"', '"annotation_id"', '"lead_time"')
"""Keys beside the labels of a task in JSON-MIN; other programs write one of them at most."""


def matches(probe: Probe) -> bool:
    head = probe.head[:20_000]
    if is_csv_export(head):
        return True
    is_json_export = '"data"' in head and (
        '"annotations"' in head or '"completions"' in head or '"predictions"' in head
    )
    is_json_min_export = sum(key in head for key in JSON_MIN_KEYS) > 1 or (
        "labels" in head and '"original_width"' in head
    )
    is_list = head.startswith("[") or is_json_lines(probe.head)
    return is_list and (is_json_export or is_json_min_export) and '"image_id"' not in head


def has_annotations(probe: Probe) -> bool:
    """Whether the first tasks have annotations, or all fields beside the image are controls."""
    is_min = is_csv_export(probe.head) or '"data"' not in probe.head
    return is_min or re.search(r'"(annotations|completions)"\s*:\s*\[\s*\{', probe.head) is not None


def matches_predictions(probe: Probe) -> bool:
    return matches(probe) and '"predictions"' in probe.head and '"data"' in probe.head


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    builder = DatasetBuilder(str(probe.path), NAME, options.image_folder)
    cancelled_count = outline_count = 0
    tasks = parse_tasks(probe)
    choice_keys = choose_choice_keys(probe.path, tasks, options)
    controls = choose_controls(probe.path, tasks, options)
    for task_index, task in enumerate(tasks):
        location = f"$[{task_index}]"
        results, skipped_count, is_annotated = task_results(
            probe, task, location, choice_keys, controls
        )
        cancelled_count += skipped_count
        image = builder.add_unique_image(
            task_image_path(probe, task, location, options),
            image_id=str(task.get("id", "")),
            annotated=is_annotated,
        )
        for result_value, width, height in results:
            if width and height:
                builder.add_image(task_image_path(probe, task, location, options), width, height)
            outline_count += parse_value(
                builder, probe, image, result_value, width, height, location
            )
        if "data" not in task:
            for key in unread_keys(task, choice_keys):
                builder.skip_key(key)
    builder.add_note(
        "polygons",
        outline_count,
        f"{outline_count:,} outlines and rotated boxes: their upright boxes are those around them",
    )
    builder.add_note(
        "cancelled",
        cancelled_count,
        f"{cancelled_count:,} skipped, cancelled or additional annotations of a task ignored",
    )
    return builder.build(options.kind)


def read_predictions(probe: Probe, options: ReadOptions) -> ParsedPredictions:
    """The predictions of one model. A region's own score is used, else its prediction's."""
    tasks = parse_tasks(probe)
    builder = PredictionBuilder(str(probe.path), PREDICTIONS_NAME, "task")
    model_versions: dict[str, None] = {}
    prediction_count = 0
    counts: list[tuple[int, int, int]] = []
    for task_index, task in enumerate(tasks):
        location = f"$[{task_index}].predictions"
        for prediction_record in expect_list(task.get("predictions"), probe.path, location):
            prediction = expect_object(prediction_record, probe.path, location)
            prediction_count += 1
            model_versions[str(prediction.get("model_version") or "")] = None
            image_path = task_image_path(probe, task, f"$[{task_index}]", options)
            counts.append(
                add_prediction_results(builder, probe, prediction, image_path, task_index, options)
            )
    if len(model_versions) > 1:
        raise MultipleModelsError(probe.path, summarize_names(model_versions))
    if not prediction_count:
        raise EmptyPredictionsError(probe.path, 'no task has "predictions"')
    own_count, shared_count, unread_count = (sum(column) for column in zip(*counts, strict=True))
    predictions = builder.build(options.kind)
    if unread_count:
        message = f"{format_count(unread_count, 'region')} not read: points, or damaged brushes"
        predictions.notes.append(Note("regions_not_read", message, unread_count))
    if options.has_scores and shared_count and (own_count or shared_count > prediction_count):
        message = (
            f"{format_count(shared_count, 'region')} without a score of their own: they have that "
            "of the whole prediction"
        )
        predictions.notes.append(Note("shared_score", message, shared_count))
    return predictions


def add_prediction_results(
    builder: PredictionBuilder,
    probe: Probe,
    prediction: ResultValue,
    image_path: str,
    task_index: int,
    options: ReadOptions,
) -> tuple[int, int, int]:
    """Add the regions or choices of one prediction; values that are no regions are not
    detections. Returns how many have a score of their own, how many that of the prediction, and how
    many regions cannot be read."""
    location = f"$[{task_index}].predictions"
    image_index = builder.add_image(image_path)
    own_count = shared_count = unread_count = 0
    for result_record in expect_list(prediction.get("result"), probe.path, location):
        result = expect_object(result_record, probe.path, location)
        result_value = expect_object(result.get("value"), probe.path, location)
        own_score = result.get("score", result_value.get("score"))
        shared_count += own_score is None
        own_count += own_score is not None
        raw_score = prediction.get("score") if own_score is None else own_score
        if not options.has_scores:
            raw_score = 1
        elif raw_score is None:
            raise InvalidScoreError(probe.path, location, "absent")
        score = parse_number(raw_score, probe.path, location, "score")
        image_size = result_image_size(probe, result, location)
        if "rle" in result_value:
            pixels = decode_brush(result_value["rle"], *map(round, image_size))
            if pixels is None or not pixels.any():
                unread_count += 1
                continue
            for concept in result_concepts(result_value):
                builder.add_mask(image_index, concept, score, pixels, task_index)
            continue
        outline = region_outline(probe, result_value, *image_size, location)
        if not outline and options.kind == "detection":
            unread_count += any(key in result_value for key in LOCATED_KEYS)
            continue
        box = bounding_box(outline) if outline else None
        is_polygon = is_shape(result_value)
        for concept in result_concepts(result_value):
            builder.add(image_index, concept, score, box, task_index, outline if is_polygon else ())
    return own_count, shared_count, unread_count


FORMAT = AnnotationFormat(NAME, matches, read, has_columns=True)
PREDICTION_FORMAT = PredictionFormat(PREDICTIONS_NAME, matches_predictions, read_predictions)
