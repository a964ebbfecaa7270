"""Predictions in the JSON of people's own programs: see `json_rows` for the layouts.

COCO's results under a key, or on lines of their own, are read as COCO's results.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.errors import PellucidError, format_count, summarize_names
from pellucid.formats import memory_documents
from pellucid.formats.dataset import Note, ParsedPredictions
from pellucid.formats.errors import InvalidRecordError, UnequalListsError
from pellucid.formats.image_files import is_image_file
from pellucid.formats.json_class_names import with_class_names
from pellucid.formats.json_rows import (
    IMAGE_COLUMN,
    LIST_KEYS,
    document_rows,
    image_key,
    is_record_list,
    named_image_field,
    parse_document,
    reject_repeated_images,
    row_columns,
    with_image_field,
    without_failures,
)
from pellucid.formats.prediction_builder import PredictionBuilder
from pellucid.formats.probe import PredictionFormat, Probe, ReadOptions, probe_source
from pellucid.formats.readers import coco_results
from pellucid.formats.tabular.open_tables import open_memory_table
from pellucid.formats.tabular.prediction_table import (
    explain_prediction_columns,
    has_prediction_columns,
    parse_prediction_table,
)

NAME = "json"
SCORE_PATTERN = re.compile(
    r'"(?:pred_)?(?:scores?|conf|confidences?|probs?|probabilit(?:y|ies))"'
    r'|"\w*(?:scores?|conf|confidences?|probs?|probabilit(?:y|ies)|certainty|objectness)"'
    r"\s*:\s*\[?\s*-?[\d.]",
    re.IGNORECASE,
)
"""The usual keys of scores, and others named like them with numbers."""
SCORES_BY_CONCEPT = re.compile(
    r'(?:"[^"]+"\s*:\s*0\.\d+\s*,\s*){2}|\{(?:"[^"]+"\s*:\s*[01]\.\d+,?\s*){2}\}'
)
"""Several keys in a row with fractions, where no annotations are recognised."""
CHUNK_BYTES = 1 << 20
COUNTED_KEYS = (b'"category_id"', b'"score"')
RESULT_SHAPES = ("bbox", "segmentation", "keypoints", "poly")


def matches(probe: Probe) -> bool:
    """Whether a file, or the files of a folder, hold JSON with scores."""
    if probe.is_dir:
        heads = [probe.load_head(name) for name in probe.sample_with_suffix(".json")]
        return any(map(has_scores, heads))
    return has_scores(probe.head)


def has_scores_by_concept(probe: Probe) -> bool:
    """Whether a file of JSON has a score for each of several keys: `{"cat": 0.1, "dog": 0.9}`."""
    return is_json(probe) and SCORES_BY_CONCEPT.search(probe.head) is not None


def is_json(probe: Probe) -> bool:
    """Whether the source is a file of JSON, or a folder of such files."""
    if probe.is_dir:
        names = probe.sample_with_suffix(".json")
        return bool(names) and all(probe.load_head(name)[:1] in ("{", "[") for name in names)
    return probe.head[:1] in ("{", "[")


def has_scores(head: str) -> bool:
    return head[:1] in "{[" and SCORE_PATTERN.search(head) is not None


def holds_scored_annotations(probe: Probe) -> bool:
    """Whether the annotations of a file of COCO have scores, which people do not give."""
    if probe.is_dir or not probe.head.startswith("{"):
        return False
    counts = dict.fromkeys(COUNTED_KEYS, 0)
    tails = dict.fromkeys(COUNTED_KEYS, b"")
    with probe.path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            for key in COUNTED_KEYS:  # which may be cut in two
                text = tails[key] + chunk
                counts[key] += text.count(key)
                tails[key] = text[1 - len(key) :]
            records, scores = counts.values()
            if scores < records - 1:  # of the last record the score may follow
                return False
    return 0 < records <= scores


def read(probe: Probe, options: ReadOptions) -> ParsedPredictions:
    if probe.is_dir:
        return parse_rows(probe, list(folder_rows(probe)), options)
    document = parse_document(probe.path, probe.head)
    image_field, options = named_image_field(options)
    if image_field:
        document = with_image_field(document, image_field)
    reject_repeated_images(probe.path, document)
    reject_unnamed_scores(probe.path, document)
    records = name_records(document)
    if records and all(map(is_result, records)):
        return parse_coco_records(probe, records, options)
    plain = document if records is None else [without_numbers(record) for record in records]
    rows, notes = with_class_names(probe.path, document, rows_of(probe.path, plain))
    predictions = parse_rows(probe, rows, options)
    return replace(predictions, notes=[*predictions.notes, *notes])


def parse_coco_records(
    probe: Probe, records: Sequence[Mapping[str, Any]], options: ReadOptions
) -> ParsedPredictions:
    with memory_documents.as_file(records) as path:
        try:
            predictions = coco_results.read(probe_source(path), options)
        except PellucidError as error:
            error.args = (str(error).replace(str(path), str(probe.path)),)
            raise
    return replace(predictions, path=str(probe.path), format=NAME)


def parse_rows(
    probe: Probe, rows: Sequence[dict[str, Any]], options: ReadOptions
) -> ParsedPredictions:
    rows, failed = without_failures(rows)
    if rows and all(set(row) == {IMAGE_COLUMN} for row in rows):
        return mark_failed(nothing_found(probe, rows, options), failed)
    if not any(rows):
        raise InvalidRecordError(probe.path, "$", "no predictions found", RECORDS_REMEDY)
    reader = open_memory_table(row_columns(rows))
    reader.path = str(probe.path)
    if not has_prediction_columns(reader, options):
        explain_prediction_columns(reader, options)
        fields = f"fields {summarize_names(reader.column_types, 12)}"
        raise InvalidRecordError(probe.path, "$", fields, RECORDS_REMEDY)
    predictions = parse_prediction_table(reader, options)
    return replace(mark_failed(predictions, failed), path=str(probe.path), format=NAME)


RECORDS_REMEDY = "Write a list of records with image, label, score and, for detection, bbox."


def reject_unnamed_scores(path: Path, document: Any) -> None:
    """Raises InvalidRecordError for numbers by image without the names of their concepts."""
    if not isinstance(document, Mapping):
        return
    for image, entry in document.items():
        if not is_image_file(image) or not isinstance(entry, list) or not entry:
            return
        if not all(isinstance(value, int | float) for value in entry):
            return
    if document:
        raise InvalidRecordError(
            path,
            str(next(iter(document))),
            "numbers without the names of their concepts",
            'Write {"cat": 0.9, "dog": 0.1} for each image, or a table with a column for each.',
        )


def mark_failed(predictions: ParsedPredictions, failed: Collection[str]) -> ParsedPredictions:
    """The predictions, with the images of which the file says that the model failed."""
    if not failed:
        return predictions
    count = format_count(len(failed), "image")
    message = (
        f"{count} without a result ({summarize_names(sorted(failed))}): counted as not run. Write "
        "an empty list where the model found nothing"
    )
    return replace(
        predictions,
        not_run=np.array([key in failed for key in predictions.image_keys], bool),
        notes=[*predictions.notes, Note("failed_images", message, len(failed))],
    )


def folder_rows(probe: Probe) -> Iterator[dict[str, Any]]:
    """The rows of one file per image, which its name gives unless the file does."""
    for file_name in probe.files_with_suffix(".json"):
        path = probe.path / file_name
        document = parse_document(path, probe.load_head(file_name))
        image = Path(file_name).with_suffix("").as_posix()
        if isinstance(document, list) and all(map(names_image, document)):
            yield from rows_of(path, document)
            continue
        if isinstance(document, list):
            document = {"predictions": document}
        if isinstance(document, Mapping) and image_key(document) is None:
            document = {**document, IMAGE_COLUMN: image}
        yield from rows_of(path, document)


def names_image(record: Any) -> bool:
    return isinstance(record, Mapping) and image_key(record) is not None


def rows_of(path: Path, document: Any) -> list[dict[str, Any]]:
    try:
        return list(document_rows(document))
    except UnequalListsError as error:
        raise InvalidRecordError(
            path, "$", str(error), "Write one label, one score and one box for each object."
        ) from error


def nothing_found(
    probe: Probe, rows: Sequence[Mapping[str, Any]], options: ReadOptions
) -> ParsedPredictions:
    """Predictions of a model that was run on these images and found nothing."""
    builder = PredictionBuilder(str(probe.path), NAME)
    for row in rows:
        builder.add_image(str(row[IMAGE_COLUMN]))
    return builder.build(options.kind)


def name_records(document: Any) -> list[dict[str, Any]] | None:
    """The records of a document, with the names of the images and categories that its own tables
    number; None if it is no list of records."""
    tables = document if isinstance(document, Mapping) else {}
    if image_key(tables) is not None:
        return None
    records = next((tables[key] for key in LIST_KEYS if is_record_list(tables.get(key))), document)
    if not isinstance(records, list) or not is_record_list(records):
        return None
    images, names = table_of(tables, "images", "file_name"), table_of(tables, "categories", "name")
    named_rows = []
    for record in records:
        named = dict(record)
        if file_name := images.get(str(record.get("image_id"))):
            named["file_name"] = file_name
        if name := names.get(str(record.get("category_id"))):
            named["category_name"] = name
        named_rows.append(named)
    return named_rows


def without_numbers(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record without the numbers of what it names."""
    numbers = {"image_id": "file_name", "category_id": "category_name"}
    return {key: value for key, value in record.items() if not record.get(numbers.get(key, ""))}


def table_of(tables: Mapping[str, Any], key: str, field: str) -> dict[str, str]:
    """A field of the records of a table, by their ids."""
    rows = tables.get(key)
    if not isinstance(rows, list) or not is_record_list(rows):
        return {}
    return {str(row.get("id")): row[field] for row in rows if isinstance(row.get(field), str)}


def is_result(record: Mapping[str, Any]) -> bool:
    return (
        "image_id" in record
        and ("category_id" in record or "category_name" in record)
        and "score" in record
        and any(record.get(key) is not None for key in RESULT_SHAPES)
    )


PREDICTION_FORMAT = PredictionFormat(NAME, matches, read)
