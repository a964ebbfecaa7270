"""The tasks of a Label Studio export, as JSON or CSV, and which of their fields are choices.

JSON-MIN and CSV name each field after its control, and choices are plain text like any other.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from pellucid.core.errors import InvalidChoiceError, MalformedFileError
from pellucid.formats.errors import AmbiguousColumnsError
from pellucid.formats.json_rows import is_json_lines, parse_document
from pellucid.formats.limits import MAX_TEXT_BYTES
from pellucid.formats.parsing import decode_utf8, parse_json
from pellucid.formats.probe import Probe, ReadOptions

TaskRecord = dict[str, Any]
IMAGE_KEYS = ("image", "img", "picture", "photo", "url")
"""Keys of the image in a task's data, most likely first."""
TASK_KEYS = ("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time")
CHOICE_KEYS = ("choice", "label", "class")
"""Keys of JSON-MIN whose text is a choice."""
CSV_COLUMNS = {"annotation_id", "annotator", "lead_time"}
"""Columns of every CSV export, beside those of the data and of the controls."""

LOCATED_KEYS = ("rle", "x", "points", "vertices")
"""Keys that locate an object, read or not."""


def is_csv_export(head: str) -> bool:
    return set(head.partition("\n")[0].strip().split(",")) >= CSV_COLUMNS


def parse_tasks(probe: Probe) -> list[TaskRecord]:
    """The tasks, each a dict; of CSV, with the JSON of its cells decoded.

    Raises:
        MalformedFileError: the file is not a list of tasks.
    """
    if is_csv_export(probe.head):
        return csv_tasks(probe.path)
    if is_json_lines(probe.head):
        return [task for task in parse_document(probe.path, probe.head) if isinstance(task, dict)]
    tasks: list[TaskRecord] = parse_json(probe.path, list[TaskRecord], "Label Studio")
    return tasks


def csv_tasks(path: Path) -> list[TaskRecord]:
    csv.field_size_limit(min(MAX_TEXT_BYTES, (1 << 31) - 1))
    rows = csv.DictReader(decode_utf8(path).decode().splitlines(keepends=True))
    tasks = []
    for row in rows:
        cells = {key: value for key, value in row.items() if key and isinstance(value, str)}
        tasks.append(
            {key: decode_cell(path, rows.line_num, cell) for key, cell in cells.items() if cell}
        )
    return tasks


def decode_cell(path: Path, line: int, cell: str) -> Any:
    if cell[:1] not in ("[", "{"):
        return cell
    try:
        return msgspec.json.decode(cell)
    except msgspec.DecodeError as error:
        raise MalformedFileError(path, f"line {line}: invalid JSON in a cell: {error}") from error


def choose_controls(path: Path, tasks: Sequence[TaskRecord], options: ReadOptions) -> set[str]:
    """The controls of choices about whole images, by their names, that are concepts: all of them,
    or those that the user named.

    Raises:
        AmbiguousColumnsError: there are several, and the user named none.
        InvalidChoiceError: the user named one that is not there.
    """
    results = [
        result
        for task in tasks
        if isinstance(annotations := task.get("annotations", task.get("completions")), list)
        for annotation in annotations
        if isinstance(annotation, dict) and isinstance(annotation.get("result"), list)
        for result in annotation["result"]
        if isinstance(result, dict) and isinstance(result.get("value"), dict)
    ]
    controls = dict.fromkeys(str(r["from_name"]) for r in results if is_image_choice(r))
    has_regions = any(key in result["value"] for result in results for key in LOCATED_KEYS)
    if options.kind == "detection" or (options.kind is None and has_regions):
        return {*controls}  # the regions have the concepts
    requested = options.columns.get("concept", ()) if controls else ()
    for name in requested:
        if name not in controls:
            raise InvalidChoiceError("--columns concept", name, tuple(controls))
    if len(controls) > 1 and not requested:
        options_text = ",".join(f"concept={name}" for name in controls)
        raise AmbiguousColumnsError(
            path, "concept", list(controls), f"concept=NAME, or all with {options_text}"
        )
    return {*requested} or {*controls}


def is_image_choice(result: dict[str, Any]) -> bool:
    """Whether a result is a choice that is about the image, not about a region of it."""
    value = result["value"]
    return (
        "choices" in value
        and "from_name" in result
        and not any(key in value for key in LOCATED_KEYS)
    )


def choose_choice_keys(
    path: Path, tasks: Sequence[TaskRecord], options: ReadOptions
) -> tuple[str, ...]:
    """The fields whose text is a choice: those that the user named or that have a usual name; else
    the only field of text whose values recur.

    Raises:
        AmbiguousColumnsError: several fields could be.
        InvalidChoiceError: the user named one that is not there.
    """
    flat_tasks = [task for task in tasks if "data" not in task]
    if not flat_tasks:
        return ()
    keys = dict.fromkeys(key for task in flat_tasks for key in task)
    requested = tuple(options.columns.get("concept", ()))
    for key in requested:
        if key not in keys:
            raise InvalidChoiceError("--columns concept", key, tuple(keys))
    if requested or any(key in CHOICE_KEYS for key in keys):
        return requested or CHOICE_KEYS
    if any(holds_annotations(value) for task in flat_tasks for value in task.values()):
        return ()
    recurring = [
        key for key in keys if key not in (*IMAGE_KEYS, *TASK_KEYS) and recurs(flat_tasks, key)
    ]
    if len(recurring) > 1:
        raise AmbiguousColumnsError(path, "concept", recurring)
    return tuple(recurring)


def holds_annotations(value: Any) -> bool:
    """Whether the value of a field is a list of regions or choices with several values."""
    if isinstance(value, dict):
        return "choices" in value
    return isinstance(value, list) and any(isinstance(item, dict) for item in value)


def recurs(tasks: Sequence[TaskRecord], key: str) -> bool:
    """Whether a field is text in every task that has it, with half as many values as tasks."""
    values = [task[key] for task in tasks if task.get(key) not in (None, "")]
    if not all(isinstance(value, str) for value in values):
        return False
    return len(Counter(values)) * 2 <= len(values)
