"""Results of Label Studio's tasks, and the image that each task is about."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from pellucid.core.urls import is_remote
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.parsing import expect_list, expect_object, parse_number
from pellucid.formats.probe import Probe, ReadOptions
from pellucid.formats.readers.label_studio_regions import ResultValue, result_concepts
from pellucid.formats.readers.label_studio_tasks import (
    IMAGE_KEYS,
    LOCATED_KEYS,
    TASK_KEYS,
    TaskRecord,
    is_image_choice,
)


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
