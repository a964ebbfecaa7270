"""YOLO predictions: label files with a sixth column, the confidence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import Float64Array, Int32Array, Int64Array, string_column
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
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.parsing import is_number
from pellucid.formats.probe import (
    MAX_SAMPLED_FILES,
    AnnotatedShapes,
    PredictionFormat,
    Probe,
    ReadOptions,
)
from pellucid.formats.readers.yolo_label_lines import number_count_error, parse_label_lines
from pellucid.formats.readers.yolo_poses import (
    BOX_FIELDS,
    find_dimensions,
    points_of,
    pose_dimensions,
)

PREDICTIONS_NAME = "yolo-labels"


def matches_predictions(probe: Probe) -> bool:
    """Whether the source is a folder of label files with numeric lines."""
    if not probe.is_dir:
        return False
    label_files = [name for name in probe.files_with_suffix(".txt") if not is_companion_file(name)]
    heads = [probe.load_head(name) for name in label_files[:MAX_SAMPLED_FILES]]
    first_lines = [head.split("\n", maxsplit=1)[0].split() for head in heads if head.strip()]
    if label_files and not first_lines:  # empty files: images without predictions
        return not any(probe.load_head(name).strip() for name in label_files)
    return any(
        len(fields) >= 5 and all(is_number(field) for field in fields) for fields in first_lines
    )


@dataclass(frozen=True, eq=False)
class PredictedLines:
    """The lines of all files.

    Attributes:
        rows: float64 (n, 6), class, box, confidence
        image, line: int, of each
        outlines: polygons as JSON, '' where there is none
        keypoints: as in ParsedPredictions
        tracked_count: track ids that were dropped
    """

    rows: Float64Array
    image: Int32Array
    line: Int64Array
    outlines: list[str]
    keypoints: Float64Array | None
    tracked_count: int


def read_predictions(probe: Probe, options: ReadOptions) -> ParsedPredictions:
    """Label files with a confidence; the image key is the file's path below the folder, without
    suffix."""
    path = probe.path
    files, notes = find_prediction_files(probe)
    image_keys = [file.relative_to(path).with_suffix("").as_posix() for file in files]
    lines = load_lines(files, options.has_scores, options.annotated_shapes)
    check_classes(path, image_keys, lines)
    concept_keys, concept_indexes = encode_texts(
        [str(int(class_number)) for class_number in lines.rows[:, 0]]
    )

    def build_label_source(
        confidence_column: int, box_unit: BoxUnit, boxes: Float64Array
    ) -> LabelSource:
        return LabelSource(
            str(path),
            PREDICTIONS_NAME,
            image_keys,
            lines.image,
            concept_keys,
            concept_indexes,
            "position",
            lines.rows[:, confidence_column],
            boxes,
            box_unit,
            lines.line,
            "line",
            image_key_kind="stem",
            box_shape="xywh" if box_unit == "pixels" else "cxcywh",
            outline=string_column(lines.outlines) if any(lines.outlines) else None,
            outline_unit="fractions" if has_fraction_boxes(lines.rows) else "pixels",
            area=np.full(len(boxes), np.nan) if any(lines.outlines) else None,
            keypoints=lines.keypoints,
        )

    primary = build_label_source(5, "fractions", center_to_corner(lines.rows[:, 1:5]))
    has_boxes_alone = not any(lines.outlines) and lines.keypoints is None
    if has_boxes_alone and options.has_scores and options.score_form is None:
        reject_track_ids(path, lines.rows)
    is_score_last = options.score_form is not None and has_fraction_boxes(lines.rows)
    may_differ = has_boxes_alone and options.has_scores and not is_score_last
    alternative = alternative_source(lines.rows, build_label_source) if may_differ else None
    if alternative is not None and not are_probabilities(lines.rows[:, 5]):
        # The confidence is in the second column, not the sixth.
        primary, alternative = alternative, None
    source = replace(primary, alternative=alternative) if alternative is not None else primary
    if lines.tracked_count:
        message = f"{format_count(lines.tracked_count, 'track id')} after the confidence not read"
        notes.append(Note("track_ids", message, lines.tracked_count, "info"))
    source.notes.extend(notes)
    return validate_predictions(source)


def load_lines(
    files: list[Path], has_scores: bool, shapes_of_view: Callable[[], AnnotatedShapes]
) -> PredictedLines:
    """Boxes, polygons or poses, each with a confidence. has_scores: whether the files hold it.

    Raises:
        InvalidRecordError: a line is none of these.
    """
    places: list[tuple[int, Path, int]] = []
    label_lines: list[list[float]] = []
    for image_index, label_file in enumerate(files):
        for _, line, numbers in parse_label_lines(label_file):
            label_lines.append(numbers)
            places.append((image_index, label_file, line))
    has_shapes = any(len(numbers) > BOX_FIELDS + 2 for numbers in label_lines)
    shapes = shapes_of_view() if has_shapes else AnnotatedShapes()
    dimensions = find_dimensions(label_lines, shapes.keypoint_count)
    length = None if dimensions is None else BOX_FIELDS + shapes.keypoint_count * dimensions
    label_lines, tracked_count = with_confidences(label_lines, has_scores, length)
    if length is None and not shapes.has_masks:
        dimensions = pose_dimensions(label_lines)
    keypoints = predicted_points(label_lines, dimensions, length)
    outlines = [""] * len(label_lines)
    rows = np.zeros((len(label_lines), BOX_FIELDS + 1))
    for index, (numbers, (_, label_file, line)) in enumerate(zip(label_lines, places, strict=True)):
        if length is not None and len(numbers) != length + 1:
            raise number_count_error(label_file, line, len(numbers))
        if len(numbers) == BOX_FIELDS + 1 or keypoints is not None:
            rows[index] = [*numbers[:BOX_FIELDS], numbers[-1]]
        elif is_polygon_with_confidence(numbers):
            outlines[index] = json.dumps([numbers[1:-1]])
            rows[index] = [numbers[0], *polygon_center_box(numbers[1:-1]), numbers[-1]]
        else:
            raise number_count_error(label_file, line, len(numbers))
    return PredictedLines(
        rows,
        np.array([image for image, *_ in places], np.int32),
        np.array([line for *_, line in places], np.int64),
        outlines,
        keypoints,
        tracked_count,
    )


def with_confidences(
    lines: list[list[float]], has_scores: bool, pose_length: int | None
) -> tuple[list[list[float]], int]:
    """Each line with its confidence at the end, 1 without scores, and the number of track ids that
    were left out.

    Args:
        pose_length: the numbers of a pose without a confidence, None for other lines
    """
    # A polygon without a confidence may end at an edge of its image, at 0 or 1.
    are_all_tracked = all(map(is_tracked, lines)) and any(numbers[-1] > 1 for numbers in lines)
    changed, tracked_count = [], 0
    for numbers in lines:
        if pose_length is not None:
            is_with_track = len(numbers) == pose_length + 2
        else:
            is_with_track = is_tracked(numbers) and (are_all_tracked or len(numbers) == 7)
        if is_with_track and has_scores:
            tracked_count += 1
            numbers = numbers[:-1]
        if not has_scores:
            numbers = [*numbers[:pose_length], 1.0]
        changed.append(numbers)
    return changed, tracked_count


def predicted_points(
    label_lines: list[list[float]], dimensions: int | None, pose_length: int | None
) -> Float64Array | None:
    """The keypoints of poses; None if the lines are something else.

    Args:
        dimensions: the numbers of a point, None if there are none
    """
    if dimensions is None:
        return None
    if pose_length is None and are_corners(label_lines):
        return None
    if any(len(numbers) != len(label_lines[0]) for numbers in label_lines):
        return None  # refused line by line
    return points_of(np.array(label_lines)[:, BOX_FIELDS:-1], dimensions)


def reject_track_ids(path: Path, rows: Float64Array) -> None:
    """Raise InvalidRecordError if the last number of every line is a whole one behind a box in
    fractions, and some exceed 1: the ids of tracks, or percentages."""
    last = rows[:, 5]
    if not len(rows) or not has_fraction_boxes(rows):
        return
    if (last == np.floor(last)).all() and last.min() >= 0 and last.max() > 1:
        raise InvalidRecordError(
            path,
            "label files",
            f"the last number of every line is a whole one, up to {last.max():g}: the id of a "
            "track or a percentage, not a confidence from 0 to 1",
            "Write confidences (ultralytics: save_conf=True), or specify --scores percent.",
        )


def has_fraction_boxes(rows: Float64Array) -> bool:
    """Whether the four numbers behind the class are fractions of the image in every line."""
    return bool(((rows[:, 1:5] >= 0) & (rows[:, 1:5] <= MAX_FRACTION)).all())


MAX_FRACTION = 1.05


def check_classes(path: Path, image_keys: list[str], lines: PredictedLines) -> None:
    """Raises InvalidRecordError for the first class that is no index."""
    classes = lines.rows[:, 0]
    is_index = (classes == np.floor(classes)) & (classes >= 0) & (classes < 1e9)
    if not is_index.all():
        row = int(np.argmin(is_index))
        raise InvalidRecordError(
            path,
            f"{image_keys[lines.image[row]]}.txt line {lines.line[row]}",
            f"invalid class {classes[row]:g}",
            "Expected an integer index from 0.",
        )


def find_prediction_files(probe: Probe) -> tuple[list[Path], list[Note]]:
    """The label files of a folder. Lists of names and text files without any number are not label
    files: they are named in a note."""
    files: list[str] = []
    other_files: list[str] = []
    for file_name in probe.files_with_suffix(".txt"):
        head = "" if is_companion_file(file_name) else probe.load_head(file_name)
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


def are_corners(lines: list[list[float]]) -> bool:
    """Whether the lines are oriented boxes."""
    if any(len(numbers) != ORIENTED_BOX_FIELDS for numbers in lines):
        return False
    return bool(are_parallelograms(np.array([numbers[1:-1] for numbers in lines])).all())


def polygon_center_box(polygon: list[float]) -> list[float]:
    """[cx, cy, width, height] of the box around a polygon."""
    xs, ys = polygon[::2], polygon[1::2]
    width, height = max(xs) - min(xs), max(ys) - min(ys)
    return [min(xs) + width / 2, min(ys) + height / 2, width, height]


def is_tracked(numbers: list[float]) -> bool:
    """Whether a line ends with a confidence and the id of a track."""
    if len(numbers) != 7 and (len(numbers) < 9 or len(numbers) % 2 == 0):
        return False
    *_, confidence, track = numbers
    return 0 <= confidence <= 1 and track >= 0 and track == int(track)


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
    if boxes[:, :3].max(initial=0) <= 1 < boxes[:, 3].max(initial=0):
        return None  # a box in fractions with the confidence in percent behind it
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
