"""Label Studio: JSON, JSON-MIN and CSV with boxes in percent and choices; predictions with scores
and `model_version`.

A file is a list of tasks. In JSON a task has `data` and `annotations`; in JSON-MIN the labels are
siblings of `image`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.urls import is_remote
from pellucid.formats.builder import BoxCoordinates, DatasetBuilder
from pellucid.formats.curves import ellipse_outline
from pellucid.formats.dataset import (
    Note,
    ParsedAnnotations,
    ParsedPredictions,
)
from pellucid.formats.errors import (
    EmptyPredictionsError,
    InvalidRecordError,
    InvalidScoreError,
    MultipleModelsError,
)
from pellucid.formats.json_rows import is_json_lines
from pellucid.formats.parsing import expect_list, expect_object, parse_number
from pellucid.formats.prediction_builder import PredictionBuilder
from pellucid.formats.probe import AnnotationFormat, PredictionFormat, Probe, ReadOptions
from pellucid.formats.readers.label_studio_brush import decode_brush
from pellucid.formats.readers.label_studio_tasks import (
    IMAGE_KEYS,
    LOCATED_KEYS,
    TASK_KEYS,
    TaskRecord,
    choose_choice_keys,
    choose_controls,
    is_csv_export,
    is_image_choice,
    parse_tasks,
)

NAME = "label-studio"
PREDICTIONS_NAME = "label-studio-predictions"
ResultValue = dict[str, Any]


def matches(probe: Probe) -> bool:
    head = probe.head[:20_000]
    if is_csv_export(head):
        return True
    is_json_export = '"data"' in head and (
        '"annotations"' in head or '"completions"' in head or '"predictions"' in head
    )
    is_json_min_export = (
        '"annotator"' in head
        or '"lead_time"' in head
        or '"annotation_id"' in head
        or ("labels" in head and '"original_width"' in head)
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


def task_results(
    probe: Probe,
    task: TaskRecord,
    location: str,
    choice_keys: Sequence[str],
    controls: Collection[str],
) -> tuple[list[tuple[ResultValue, float, float]], int, bool]:
    """The results of a task (value, image width and height or 0), the number of ignored
    annotations, and whether the task was annotated. Of several annotations the one that was marked
    as ground truth is read, else the first."""
    annotations = task.get("annotations", task.get("completions"))
    if annotations is None:
        return list(json_min_results(probe, task, location, choice_keys)), 0, True
    annotation_records = [
        expect_object(annotation, probe.path, location)
        for annotation in expect_list(annotations, probe.path, location)
    ]
    completed = [
        annotation
        for annotation in annotation_records
        if not annotation.get("was_cancelled") and not annotation.get("skipped")
    ]
    completed.sort(key=lambda annotation: not annotation.get("ground_truth"))
    results = [
        result
        for annotation in completed[:1]
        for result in annotation_results(probe, annotation, location, controls)
    ]
    return results, len(annotation_records) - len(completed[:1]), bool(completed)


def annotation_results(
    probe: Probe, annotation: ResultValue, location: str, controls: Collection[str]
) -> Iterator[tuple[ResultValue, float, float]]:
    """The values of an annotation, without choices of controls that are no concepts. With
    `Rectangle` beside `Labels` a region comes twice under one id, once without its label."""
    results = [
        result
        for record in expect_list(annotation.get("result"), probe.path, location)
        if isinstance((result := expect_object(record, probe.path, location)).get("value"), dict)
    ]
    labelled = {
        result.get("id")
        for result in results
        if result_concepts(result["value"]) and any(key in result["value"] for key in LOCATED_KEYS)
    }
    named = {
        result.get("id")
        for result in results
        if any(key.endswith("labels") for key in result["value"])
    } - {None}
    for result in results:
        if is_image_choice(result) and str(result["from_name"]) not in controls:
            yield {f"choices of {result['from_name']}": result["value"]["choices"]}, 0, 0
        elif "choices" in result["value"] and result.get("id") in named:
            yield {"choices of regions": result["value"]["choices"]}, 0, 0
        elif result_concepts(result["value"]) or result.get("id") not in labelled - {None}:
            yield result["value"], *result_image_size(probe, result, location)


def result_image_size(probe: Probe, result: ResultValue, location: str) -> tuple[float, float]:
    """The image width and height, 0 if not given."""
    width, height = (
        parse_number(result.get(f"original_{side}") or 0, probe.path, location, side)
        for side in ("width", "height")
    )
    return width, height


def json_min_results(
    probe: Probe, task: TaskRecord, location: str, choice_keys: Sequence[str]
) -> Iterator[tuple[ResultValue, float, float]]:
    """JSON-MIN: regions are lists of objects, a choice is a string or {"choices": [...]}."""
    for key, task_value in task.items():
        if key in (*IMAGE_KEYS, *TASK_KEYS):
            continue
        if isinstance(task_value, list):
            for region in task_value:
                if isinstance(region, dict):
                    yield region, *result_image_size(probe, region, location)
        elif isinstance(task_value, dict) and "choices" in task_value:
            yield task_value, 0, 0
        elif isinstance(task_value, str) and key in choice_keys:
            yield {"choices": [task_value]}, 0, 0


def unread_keys(task: TaskRecord, choice_keys: Sequence[str]) -> list[str]:
    """Keys of a JSON-MIN task that hold neither the image nor an annotation that is read."""
    return [
        key
        for key, task_value in task.items()
        if key not in (*IMAGE_KEYS, *TASK_KEYS)
        and task_value not in (None, "", [])
        and not (
            (isinstance(task_value, list) and any(isinstance(item, dict) for item in task_value))
            or (isinstance(task_value, dict) and "choices" in task_value)
            or (isinstance(task_value, str) and key in choice_keys)
        )
    ]


def task_image_path(probe: Probe, task: TaskRecord, location: str, options: ReadOptions) -> str:
    data = expect_object(task.get("data", task), probe.path, location)
    image_urls = [data[key] for key in IMAGE_KEYS if isinstance(data.get(key), str)]
    image_urls += [
        data_value
        for data_value in data.values()
        if isinstance(data_value, str)
        and re.search(r"\.(jpe?g|png|bmp|tiff?|webp|gif)", data_value, re.I)
    ]
    if not image_urls:
        raise InvalidRecordError(
            probe.path, location, "no image in the task's data", 'Add an "image" key.'
        )
    name = data.get("name")
    if isinstance(name, str) and name and is_end_of_address(name, image_urls[0]):
        return name
    name = image_name_from_url(image_urls[0])
    stored_name = unquote(urlsplit(image_urls[0]).path).rsplit("/", maxsplit=1)[-1]
    folder = options.image_folder
    if folder and not is_remote(folder) and not (Path(folder) / name).is_file():
        return stored_name if (Path(folder) / stored_name).is_file() else name
    return name


def is_end_of_address(name: str, url: str) -> bool:
    """Whether a task's `name` is the path of its image, with which its address ends."""
    address = parse_qs(urlsplit(url).query).get("d", [unquote(urlsplit(url).path)])[0]
    return f"/{address}".endswith(f"/{name}")


def image_name_from_url(url: str) -> str:
    """The image name in a URL: the `?d=` parameter of local files, else the last path segment
    without its upload prefix."""
    url_parts = urlsplit(url)
    local_paths = parse_qs(url_parts.query).get("d")
    if local_paths:
        return local_paths[0].lstrip("/")
    if not url_parts.scheme and not url.startswith("/"):
        return url
    return re.sub(r"^[0-9a-f]{8}-", "", unquote(url_parts.path).rsplit("/", maxsplit=1)[-1])


def result_concepts(result_value: ResultValue) -> list[str]:
    """The concepts of a region or a choice: `rectanglelabels`, `polygonlabels`, `labels`, ... or
    `choices`."""
    labels: Any = next(
        (result_value[key] for key in result_value if key.endswith("labels") or key == "choices"),
        [],
    )
    return [str(label) for label in (labels if isinstance(labels, list) else [labels])]


def parse_value(
    builder: DatasetBuilder,
    probe: Probe,
    image: int,
    result_value: ResultValue,
    width: float,
    height: float,
    location: str,
) -> int:
    """Add the tags or boxes of a result; return 1 if an outline was converted to a bounding box.
    What cannot be read is counted."""
    concept_names = result_concepts(result_value)
    is_region = any(key in result_value for key in LOCATED_KEYS)
    if "choices" in result_value and not is_region:
        for concept_name in concept_names:
            builder.add_tag(image, concept_name)
        return 0
    if "rle" in result_value and concept_names:
        pixels = decode_brush(result_value["rle"], round(width), round(height))
        if pixels is not None and pixels.any():
            for concept_name in concept_names:
                builder.add_mask(image, concept_name, pixels, location)
            return 0
    outline = region_outline(probe, result_value, width, height, location)
    if not outline or not concept_names:
        if is_region or concept_names:
            has_concept = bool(concept_names)
            builder.skip_shape(image, shape_name(result_value, has_concept), has_concept)
        else:
            for key in result_value:
                builder.skip_key(key)
        return 0
    for concept_name in concept_names:
        builder.add_outline(
            image,
            concept_name,
            outline,
            location,
            keep_outline=is_shape(result_value),
        )
    return int(is_shape(result_value))


def is_shape(result_value: ResultValue) -> bool:
    """Whether a region is more than an upright box."""
    return (
        "points" in result_value or "radiusX" in result_value or bool(result_value.get("rotation"))
    )


def shape_name(result_value: ResultValue, has_concept: bool) -> str:
    """The kind of a region that cannot be read: `brush`, `keypoint`, ..."""
    if not has_concept:
        return "region without a label"
    if "rle" in result_value:
        return "brush"
    labels = next((key for key in result_value if key.endswith("labels")), "region")
    return labels.removesuffix("labels") or "region"


def region_outline(
    probe: Probe, result_value: ResultValue, width: float, height: float, location: str
) -> list[tuple[float, float]]:
    """The outline in pixels; empty if the value is not a region."""
    is_ellipse = {"x", "y", "radiusX", "radiusY"} <= result_value.keys()
    is_box = {"x", "y", "width", "height"} <= result_value.keys()
    if "points" not in result_value and not is_ellipse and not is_box:
        return []
    if not width or not height:
        raise InvalidRecordError(
            probe.path,
            location,
            "region without original_width and original_height",
            "Boxes are in percent: export the size.",
        )

    def percent_to_pixels(x: Any, y: Any) -> tuple[float, float]:
        return parse_number(x, probe.path, location, "x") * width / 100, parse_number(
            y, probe.path, location, "y"
        ) * height / 100

    if "points" in result_value:
        points = [
            expect_list(point, probe.path, location)
            for point in expect_list(result_value["points"], probe.path, location)
        ]
        return [percent_to_pixels(point[0], point[1]) for point in points if len(point) >= 2]
    angle = math.radians(
        parse_number(result_value.get("rotation") or 0, probe.path, location, "rotation")
    )
    x_min, y_min = percent_to_pixels(result_value["x"], result_value["y"])
    if is_ellipse:
        radii = percent_to_pixels(result_value["radiusX"], result_value["radiusY"])
        return ellipse_outline((x_min, y_min), radii, math.degrees(angle))
    box_width, box_height = percent_to_pixels(result_value["width"], result_value["height"])
    # a box turns about its upper left corner
    return [
        (
            x_min + dx * math.cos(angle) - dy * math.sin(angle),
            y_min + dx * math.sin(angle) + dy * math.cos(angle),
        )
        for dx, dy in ((0, 0), (box_width, 0), (box_width, box_height), (0, box_height))
    ]


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


def bounding_box(outline: list[tuple[float, float]]) -> BoxCoordinates:
    """The [left, top, width, height] around the points."""
    xs, ys = zip(*outline, strict=True)
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


FORMAT = AnnotationFormat(NAME, matches, read, has_columns=True)
PREDICTION_FORMAT = PredictionFormat(PREDICTIONS_NAME, matches_predictions, read_predictions)
