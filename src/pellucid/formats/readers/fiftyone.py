"""FiftyOne's `FiftyOneDataset` export: `samples.json` with label fields, `metadata.json`, and the
images in `data/`.

Boxes are [left, top, width, height] in fractions of the image. Annotations are read from the field
`ground_truth` if present.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from pellucid.core.errors import format_count, summarize_names
from pellucid.formats.builder import BoxCoordinates, DatasetBuilder
from pellucid.formats.dataset import Note, ParsedAnnotations, ParsedPredictions, find_split
from pellucid.formats.errors import AmbiguousFieldError, EmptyPredictionsError, InvalidRecordError
from pellucid.formats.parsing import parse_json, parse_number
from pellucid.formats.prediction_builder import PredictionBuilder
from pellucid.formats.probe import AnnotationFormat, PredictionFormat, Probe, ReadOptions

NAME = "fiftyone"
PREDICTIONS_NAME = "fiftyone-predictions"
GROUND_TRUTH_FIELDS = ("ground_truth", "annotations", "labels", "detections", "label")
LabelRecord = dict[str, Any]


class FiftyOneFile(msgspec.Struct):
    samples: list[dict[str, Any]]


def samples_file(probe: Probe) -> Path:
    return probe.path / "samples.json" if probe.is_dir else probe.path


def matches(probe: Probe) -> bool:
    head = (
        probe.head
        if not probe.is_dir
        else probe.load_head("samples.json")
        if (probe.path / "samples.json").is_file()
        else ""
    )
    return head.startswith("{") and '"samples"' in head and '"filepath"' in head


def label_fields(samples: list[dict[str, Any]]) -> dict[str, bool]:
    """The label fields, each with whether its labels have a confidence."""
    has_confidence: dict[str, bool] = {}
    for sample in samples:
        for field_name, field_value in sample.items():
            if isinstance(field_value, dict) and field_value.get("_cls") in (
                "Detections",
                "Classification",
                "Classifications",
                "Polylines",
            ):
                has_confidence[field_name] = has_confidence.get(field_name, False) or any(
                    label.get("confidence") is not None for label in field_labels(field_value)
                )
    return has_confidence


def field_labels(field: LabelRecord) -> list[LabelRecord]:
    labels = next(
        (
            field[key]
            for key in ("detections", "classifications", "polylines")
            if isinstance(field.get(key), list)
        ),
        None,
    )
    return [field] if labels is None else [label for label in labels if isinstance(label, dict)]


def ground_truth_field(probe: Probe, samples: list[dict[str, Any]]) -> str | None:
    fields = label_fields(samples)
    unscored_fields = [
        field_name for field_name, has_confidence in fields.items() if not has_confidence
    ]
    standard_fields = [
        field_name for field_name in GROUND_TRUTH_FIELDS if field_name in unscored_fields
    ]
    if not standard_fields and len(unscored_fields) > 1:
        raise AmbiguousFieldError(probe.path, "annotations", summarize_names(unscored_fields))
    return next(iter(standard_fields or unscored_fields), None)


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    samples = parse_json(samples_file(probe), FiftyOneFile, "FiftyOne").samples
    builder = DatasetBuilder(str(probe.path), NAME, options.image_folder)
    field = ground_truth_field(probe, samples)
    for sample_index, sample in enumerate(samples):
        value = sample.get(field) if field else None
        image = builder.add_image(
            sample_image_path(probe, sample, sample_index),
            *sample_size(sample),
            find_split(sample.get("tags") or []),
            annotated=value is not None,
        )
        for label_index, label in enumerate(field_labels(value) if isinstance(value, dict) else []):
            location = f"$.samples[{sample_index}].{field}[{label_index}]"
            add_label(builder, probe, image, label, location)
    for note in mask_notes(samples, field):
        builder.add_note(note.kind, note.count, note.message, note.severity)
    return builder.build(options.kind, unit="fractions")


def sample_size(sample: dict[str, Any]) -> tuple[int, int]:
    """Width and height as the sample states them, 0 where it does not."""
    metadata = sample.get("metadata")
    if not isinstance(metadata, dict):
        return 0, 0
    return metadata.get("width") or 0, metadata.get("height") or 0


def add_label(
    builder: DatasetBuilder, probe: Probe, image: int, label: LabelRecord, location: str
) -> None:
    """Add a classification, a detection or a polyline."""
    concept = str(label.get("label") or "")
    if label.get("bounding_box") is not None and label.get("rotation"):
        builder.skip_shape(image, "rotated box")  # FiftyOne does not state the unit
    elif label.get("bounding_box") is not None:
        box = label_box(probe, label, location)
        builder.add_box(image, concept, box, location, ignore=bool(label.get("iscrowd")))
    elif label.get("points"):
        parts = [[(x, y) for x, y in polyline] for polyline in label["points"]]
        if is_area(label):
            builder.add_parts(image, concept, parts, location)
        else:
            points = [point for part in parts for point in part]
            builder.add_outline(image, concept, points, location)
    else:
        builder.add_tag(image, concept)


def is_area(label: LabelRecord) -> bool:
    """Whether a polyline is a polygon."""
    is_closed = label.get("filled") or label.get("closed")
    return bool(is_closed) and all(len(polyline) > 2 for polyline in label["points"])


def mask_notes(samples: list[dict[str, Any]], field: str | None) -> list[Note]:
    """A warning if labels have masks, whose arrays are not read."""
    count = sum(
        label.get("mask") is not None or label.get("mask_path") is not None
        for sample in samples
        if isinstance(value := sample.get(field or ""), dict)
        for label in field_labels(value)
    )
    if not count:
        return []
    message = (
        f"{format_count(count, 'mask')} not read, boxes are: export them from FiftyOne as "
        "COCODetectionDataset"
    )
    return [Note("masks_not_read", message, count)]


def sample_image_path(probe: Probe, sample: dict[str, Any], sample_index: int) -> str:
    path = sample.get("filepath")
    if not isinstance(path, str):
        raise InvalidRecordError(
            probe.path,
            f"$.samples[{sample_index}]",
            "missing filepath",
            "Add the path of its image.",
        )
    posix_path = path.replace("\\", "/")
    return (
        posix_path.split("/data/", 1)[-1]
        if posix_path.startswith("/") and "/data/" in posix_path
        else posix_path.removeprefix("data/").rsplit("//", 1)[-1]
    )


def label_box(probe: Probe, label: LabelRecord, location: str) -> BoxCoordinates:
    bounding_box = label["bounding_box"]
    if not isinstance(bounding_box, list) or len(bounding_box) != 4:
        raise InvalidRecordError(
            probe.path,
            location,
            f"invalid bounding_box {bounding_box!r:.60}",
            "Write [left, top, width, height] in fractions.",
        )
    x, y, width, height = (
        parse_number(side, probe.path, location, "bounding_box") for side in bounding_box
    )
    return x, y, width, height


def matches_predictions(probe: Probe) -> bool:
    return matches(probe) and '"confidence"' in (probe.head or probe.load_head("samples.json"))


def read_predictions(probe: Probe, options: ReadOptions) -> ParsedPredictions:
    samples = parse_json(samples_file(probe), FiftyOneFile, "FiftyOne").samples
    field = prediction_field(probe, samples)
    builder = PredictionBuilder(str(probe.path), PREDICTIONS_NAME, "sample")
    for sample_index, sample in enumerate(samples):
        image_index = builder.add_image(sample_image_path(probe, sample, sample_index))
        field_value = sample.get(field)
        labels = field_labels(field_value) if isinstance(field_value, dict) else []
        for label_index, label in enumerate(labels):
            location = f"$.samples[{sample_index}].{field}[{label_index}]"
            score = parse_number(label.get("confidence"), probe.path, location, "confidence")
            has_box = label.get("bounding_box") is not None
            box = label_box(probe, label, location) if has_box else None
            outline: list[tuple[float, float]] = []
            if not has_box:
                outline = [(x, y) for polyline in label.get("points") or [] for x, y in polyline]
                box = box_around(outline) if outline else None
            is_polygon = bool(outline) and is_area(label) and len(label["points"]) == 1
            concept = str(label.get("label") or "")
            builder.add(
                image_index, concept, score, box, sample_index, outline if is_polygon else ()
            )
    predictions = builder.build(options.kind, "fractions")
    predictions.notes.extend(mask_notes(samples, field))
    return predictions


def box_around(points: list[tuple[float, float]]) -> BoxCoordinates:
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def prediction_field(probe: Probe, samples: list[dict[str, Any]]) -> str:
    """The label field with confidences, `predictions` if there are several.

    Raises:
        EmptyPredictionsError, AmbiguousFieldError: there is none, or no way to choose.
    """
    fields = [name for name, has_confidence in label_fields(samples).items() if has_confidence]
    if not fields:
        raise EmptyPredictionsError(probe.path, "no label has a confidence")
    if len(fields) > 1 and "predictions" not in fields:
        raise AmbiguousFieldError(probe.path, "predictions", summarize_names(fields))
    return "predictions" if "predictions" in fields else fields[0]


FORMAT = AnnotationFormat(NAME, matches, read)
PREDICTION_FORMAT = PredictionFormat(PREDICTIONS_NAME, matches_predictions, read_predictions)
