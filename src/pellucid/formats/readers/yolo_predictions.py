"""YOLO predictions: label files with a sixth column, the confidence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import Float64Array, string_column
from pellucid.evaluation.oriented_boxes import are_parallelograms
from pellucid.formats.companion_files import is_companion_file
from pellucid.formats.dataset import (
    BoxUnit,
    Note,
    ParsedPredictions,
    Severity,
    encode_texts,
    validate_predictions,
)
from pellucid.formats.errors import (
    InvalidRecordError,
)
from pellucid.formats.parsing import is_number
from pellucid.formats.probe import (
    MAX_SAMPLED_FILES,
    PredictionFormat,
    Probe,
    ReadOptions,
)
from pellucid.formats.readers.yolo_label_lines import (
    number_count_error,
    pose_error,
    read_label_lines,
)

PREDICTIONS_NAME = "yolo-labels"


def matches_predictions(probe: Probe) -> bool:
    """Whether the source is a folder of label files with numeric lines."""
    if not probe.is_dir:
        return False
    label_files = [name for name in probe.files_with_suffix(".txt") if not is_companion_file(name)]
    heads = [probe.read_head(name) for name in label_files[:MAX_SAMPLED_FILES]]
    first_lines = [head.split("\n", maxsplit=1)[0].split() for head in heads if head.strip()]
    if label_files and not first_lines:  # empty files: images without predictions
        return not any(probe.read_head(name).strip() for name in label_files)
    return any(
        len(fields) >= 5 and all(is_number(field) for field in fields) for fields in first_lines
    )


def read_predictions(probe: Probe, options: ReadOptions) -> ParsedPredictions:
    """Label files with a confidence; the image key is the file's path below the folder, without
    suffix."""
    path = probe.path
    files, notes = find_prediction_files(probe)
    image_keys = [file.relative_to(path).with_suffix("").as_posix() for file in files]
    image_indexes: list[int] = []
    line_records: list[tuple[str, int]] = []
    prediction_rows: list[list[float]] = []
    outlines: list[str] = []
    polygon_lines: list[list[float]] = []
    tracked_count = 0
    for image_index, label_file in enumerate(files):
        for _, line, numbers in read_label_lines(label_file):
            if len(numbers) == 7 and is_tracked(numbers):
                tracked_count += 1
                numbers = numbers[:6]
            outline = ""
            if is_polygon_with_confidence(numbers):
                polygon_lines.append(numbers)
                outline = json.dumps([numbers[1:-1]])
                numbers = [numbers[0], *polygon_center_box(numbers[1:-1]), numbers[-1]]
            if len(numbers) != 6:
                raise number_count_error(label_file, line, len(numbers))
            outlines.append(outline)
            image_indexes.append(image_index)
            line_records.append((image_keys[image_index], line))
            prediction_rows.append(numbers)
    if polygon_lines and all(may_be_pose(numbers) for numbers in polygon_lines):
        raise pose_error(path, len(polygon_lines[0]))
    predictions = np.array(prediction_rows, float).reshape(-1, 6)
    if len(
        fractional := np.flatnonzero(
            ~(
                (predictions[:, 0] == np.floor(predictions[:, 0]))
                & (predictions[:, 0] >= 0)
                & (predictions[:, 0] < 1e9)
            )
        )
    ):
        image_key, line = line_records[fractional[0]]
        raise InvalidRecordError(
            path,
            f"{image_key}.txt line {line}",
            f"invalid class {predictions[fractional[0], 0]:g}",
            "Expected an integer index from 0.",
        )
    concept_keys, concept_indexes = encode_texts(
        [str(int(class_number)) for class_number in predictions[:, 0]]
    )

    def build_label_source(
        confidence_column: int, box_unit: BoxUnit, boxes: Float64Array
    ) -> LabelSource:
        return LabelSource(
            str(path),
            PREDICTIONS_NAME,
            image_keys,
            np.array(image_indexes, np.int32),
            concept_keys,
            concept_indexes,
            "position",
            predictions[:, confidence_column],
            boxes,
            box_unit,
            np.array([line for _, line in line_records], np.int64),
            "line",
            image_key_kind="stem",
            box_shape="xywh" if box_unit == "pixels" else "cxcywh",
            outline=string_column(outlines) if any(outlines) else None,
            outline_unit="fractions",
        )

    primary = build_label_source(5, "fractions", center_to_corner(predictions[:, 1:5]))
    has_boxes_alone = not any(outlines)
    alternative = alternative_source(predictions, build_label_source) if has_boxes_alone else None
    if alternative is not None and not are_probabilities(predictions[:, 5]):
        primary, alternative = (
            alternative,
            None,
        )  # the confidence is in the second column, not the sixth
    source = replace(primary, alternative=alternative) if alternative is not None else primary
    if tracked_count:
        message = f"{format_count(tracked_count, 'track id')} after the confidence not read"
        notes.append(Note("track_ids", message, tracked_count, "info"))
    source.notes.extend(notes)
    return validate_predictions(source)


def find_prediction_files(probe: Probe) -> tuple[list[Path], list[Note]]:
    """The label files of a folder. Lists of names and text files without any number are not label
    files: they are named in a note."""
    files: list[str] = []
    other_files: list[str] = []
    for file_name in probe.files_with_suffix(".txt"):
        head = "" if is_companion_file(file_name) else probe.read_head(file_name)
        has_numbers = any(is_number(line.split()[0]) for line in head.splitlines() if line.strip())
        is_label = not is_companion_file(file_name) and (has_numbers or not head.strip())
        (files if is_label else other_files).append(file_name)
    notes = []
    if other_files:
        message = f"not label files, ignored: {summarize_names(other_files)}"
        is_surprising = any(not is_companion_file(file_name) for file_name in other_files)
        severity: Severity = "warning" if is_surprising else "info"
        notes.append(Note("other_files", message, len(other_files), severity))
    return [probe.path / file_name for file_name in files], notes


MIN_POLYGON_FIELDS = 8
"""A class, three points and a confidence."""


def is_polygon_with_confidence(numbers: list[float]) -> bool:
    """Whether a line is `class x y x y x y ... confidence`, as ultralytics writes masks."""
    return len(numbers) >= MIN_POLYGON_FIELDS and not len(numbers) % 2


ORIENTED_BOX_FIELDS = 10
"""A class, four corners and a confidence."""


def may_be_pose(numbers: list[float]) -> bool:
    """Whether the numbers may be a box followed by key points inside it: all points of a polygon
    hardly ever lie inside the box that its first two points would be. An oriented box is none."""
    if len(numbers) == ORIENTED_BOX_FIELDS:
        corners = np.array([numbers[1:-1]])
        if are_parallelograms(corners).all():
            return False
    x, y, width, height = numbers[1:5]
    return all(
        abs(point_x - x) <= width / 2 + TOLERANCE and abs(point_y - y) <= height / 2 + TOLERANCE
        for point_x, point_y in zip(numbers[5:-1:2], numbers[6:-1:2], strict=True)
        if (point_x, point_y) != (0, 0)  # a point that is not visible
    )


TOLERANCE = 1e-3


def polygon_center_box(polygon: list[float]) -> list[float]:
    """[cx, cy, width, height] of the box around a polygon."""
    xs, ys = polygon[::2], polygon[1::2]
    width, height = max(xs) - min(xs), max(ys) - min(ys)
    return [min(xs) + width / 2, min(ys) + height / 2, width, height]


def is_tracked(numbers: list[float]) -> bool:
    """Whether a line ends with a confidence and the id of a track."""
    return 0 <= numbers[5] <= 1 and numbers[6] >= 0 and numbers[6] == int(numbers[6])


def are_probabilities(scores: Float64Array) -> bool:
    return bool(len(scores)) and bool(((scores >= 0) & (scores <= 1)).all())


def alternative_source(
    predictions: Float64Array,
    build_label_source: Callable[[int, BoxUnit, Float64Array], LabelSource],
) -> LabelSource | None:
    """Columns read as `class confidence ...`, with boxes in pixels or fractions, as other tools
    write; None if impossible."""
    boxes = predictions[:, 2:6]
    if not are_probabilities(predictions[:, 1]) or (boxes[:, 2:] < 0).any():
        return None
    if boxes.max(initial=0) > 2:
        return build_label_source(1, "pixels", boxes)
    return build_label_source(1, "fractions", center_to_corner(boxes))


@dataclass(frozen=True, eq=False)
class LabelSource(ParsedPredictions):
    """Predictions from many files; a record's location is a file and a line."""

    def row_location(self, row: int) -> str:
        return f"{self.image_keys[self.image[row]]}.txt line {int(self.record_numbers[row])}"


def center_to_corner(boxes: Float64Array) -> Float64Array:
    """Convert [cx, cy, width, height] to [left, top, width, height]."""
    return np.stack(
        [boxes[:, 0] - boxes[:, 2] / 2, boxes[:, 1] - boxes[:, 3] / 2, boxes[:, 2], boxes[:, 3]],
        axis=1,
    )


PREDICTION_FORMAT = PredictionFormat(PREDICTIONS_NAME, matches_predictions, read_predictions)
