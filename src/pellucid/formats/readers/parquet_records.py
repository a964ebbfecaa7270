"""Predictions in Parquet files with nested columns, such as the lists of `{label, score}` that
pipelines return: read as the JSON of the same records."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pellucid.formats.dataset import ParsedPredictions
from pellucid.formats.json_rows import describes_object, document_rows, is_score_key
from pellucid.formats.probe import PredictionFormat, Probe, ReadOptions
from pellucid.formats.readers.json_predictions import parse_rows

NAME = "parquet-records"


def matches(probe: Probe) -> bool:
    """Whether the source is a Parquet file with a column of objects, or of lists of them, that
    have a concept or a score."""
    if probe.is_dir or probe.path.suffix.lower() not in (".parquet", ".pq"):
        return False
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        types = [field.type for field in pq.read_schema(probe.path)]
    except (OSError, pa.ArrowInvalid):
        return False
    return any(map(describes_prediction, types))


def describes_prediction(kind: Any) -> bool:
    """Whether a type of Arrow is of objects with a concept or a score, or of lists of them."""
    import pyarrow as pa

    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind = kind.value_type
    if not pa.types.is_struct(kind):
        return False
    return any(is_score_key(field.name) or describes_object(field.name) for field in kind)


def read_predictions(probe: Probe, options: ReadOptions) -> ParsedPredictions:
    """Other objects, such as the pictures of Hugging Face's files, are left out."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [
        field.name
        for field in pq.read_schema(probe.path)
        if describes_prediction(field.type) or not pa.types.is_nested(field.type)
    ]
    records = pq.read_table(probe.path, columns=names).to_pylist()
    predictions = parse_rows(probe, list(document_rows(records)), options)
    return replace(predictions, format=NAME)


PREDICTION_FORMAT = PredictionFormat(NAME, matches, read_predictions)
