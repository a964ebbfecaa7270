"""Deepomatic Studio: `images` with `annotated_regions` in fractions, as a JSON document or JSON
lines; and predictions, where both `predicted` and `discarded` labels are read, as thresholds are
applied to their scores here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from pellucid.core.errors import MalformedFileError
from pellucid.formats.builder import BoxCoordinates, DatasetBuilder
from pellucid.formats.dataset import ParsedAnnotations, ParsedPredictions, parse_split
from pellucid.formats.errors import EmptyPredictionsError, InvalidRecordError
from pellucid.formats.parsing import (
    expect_list,
    expect_object,
    load_lines,
    parse_json,
    parse_number,
)
from pellucid.formats.prediction_builder import PredictionBuilder
from pellucid.formats.probe import AnnotationFormat, PredictionFormat, Probe, ReadOptions

NAME = "deepomatic"
PREDICTIONS_NAME = "deepomatic-predictions"
CORNER_KEYS = ("xmin", "ymin", "xmax", "ymax")
DeepomaticRecord = dict[str, Any]


class DeepomaticFile(msgspec.Struct):
    images: list[DeepomaticRecord]
    tags: list[str] = []


def matches(probe: Probe) -> bool:
    return probe.head.startswith("{") and '"annotated_regions"' in probe.head


def parse_image_records(probe: Probe) -> tuple[list[DeepomaticRecord], list[str]]:
    """The image records, and the tags if listed."""
    if '"images"' in probe.head:
        document: DeepomaticFile = parse_json(probe.path, DeepomaticFile, "Deepomatic Studio")
        return document.images, document.tags
    image_records = []
    for line_number, line in load_lines(probe.path):
        try:
            image_records.append(msgspec.json.decode(line, type=DeepomaticRecord))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise MalformedFileError(
                probe.path, f"line {line_number} is not a valid JSON object: {error}"
            ) from error
    return image_records, []


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    builder = DatasetBuilder(str(probe.path), NAME, options.image_folder)
    image_records, tags = parse_image_records(probe)
    for image_index, image_record in enumerate(image_records):
        image_path = image_location(probe, image_record, image_index)
        split = parse_split(str(image_record.get("stage") or ""))
        image = builder.add_image(image_path, split=-1 if split is None else split)
        for region_index, region_value in enumerate(
            expect_list(
                image_record.get("annotated_regions"),
                probe.path,
                f"$.images[{image_index}].annotated_regions",
            )
        ):
            location = f"$.images[{image_index}].annotated_regions[{region_index}]"
            region = expect_object(region_value, probe.path, location)
            for tag in expect_list(region.get("tags"), probe.path, location):
                if region.get("region"):
                    builder.add_box(
                        image, str(tag), region_box(probe, region["region"], location), location
                    )
                else:
                    builder.add_tag(image, str(tag))
    return builder.build(options.kind, tags, unit="fractions")


def image_location(probe: Probe, record: DeepomaticRecord, record_index: int) -> str:
    image_path = record.get("location") or record.get("filename") or record.get("image_path")
    if not isinstance(image_path, str):
        raise InvalidRecordError(
            probe.path, f"record {record_index}", "missing location", "Add the path of its image."
        )
    return image_path


def region_box(probe: Probe, region_value: Any, location: str) -> BoxCoordinates:
    region_value = expect_object(region_value, probe.path, location)
    x_min, y_min, x_max, y_max = (
        parse_number(region_value.get(side), probe.path, location, side) for side in CORNER_KEYS
    )
    return x_min, y_min, x_max - x_min, y_max - y_min


def matches_predictions(probe: Probe) -> bool:
    return probe.head[:1] in "{[" and '"predicted"' in probe.head and '"discarded"' in probe.head


def read_predictions(probe: Probe, options: ReadOptions) -> ParsedPredictions:
    document = parse_json(
        probe.path, list[DeepomaticRecord] | DeepomaticRecord, "a Deepomatic prediction"
    )
    builder = PredictionBuilder(str(probe.path), PREDICTIONS_NAME)
    image_records = prediction_records(probe, document)
    for record_index, image_record in enumerate(image_records):
        location = f"record {record_index}"
        record = expect_object(image_record, probe.path, location)
        image_index = builder.add_image(image_location(probe, record, record_index))
        for label in output_labels(probe, record, location):
            score = parse_number(label.get("score"), probe.path, location, "score")
            concept = str(label.get("label_name") or label.get("name") or "")
            region = expect_object(label.get("roi"), probe.path, location).get("bbox")
            box = region_box(probe, region, location) if region else None
            builder.add(image_index, concept, score, box, record_index)
    if not image_records:
        raise EmptyPredictionsError(probe.path, "the file has no records")
    return builder.build(options.kind, "fractions")


def prediction_records(probe: Probe, document: Any) -> list[Any]:
    """One record an image: a list, the list `images`, or the document itself."""
    if isinstance(document, list):
        return document
    return expect_list(document.get("images"), probe.path, "$.images") or [document]


def output_labels(
    probe: Probe, record: DeepomaticRecord, location: str
) -> Iterator[DeepomaticRecord]:
    """The labels of all outputs, also those that the platform discarded by their threshold."""
    for output in expect_list(record.get("outputs"), probe.path, location) or [record]:
        labels = expect_object(
            expect_object(output, probe.path, location).get("labels"), probe.path, location
        )
        for key in ("predicted", "discarded"):
            for label_record in expect_list(labels.get(key), probe.path, location):
                yield expect_object(label_record, probe.path, location)


FORMAT = AnnotationFormat(NAME, matches, read)
PREDICTION_FORMAT = PredictionFormat(PREDICTIONS_NAME, matches_predictions, read_predictions)
