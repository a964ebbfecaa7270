"""Predictions in Parquet files with nested columns, such as the lists of `{label, score}` that
pipelines return: read as the JSON of the same records."""

from __future__ import annotations

from dataclasses import replace

from pellucid.formats.dataset import ParsedPredictions
from pellucid.formats.json_rows import document_rows
from pellucid.formats.probe import PredictionFormat, Probe, ReadOptions
from pellucid.formats.readers.json_predictions import parse_rows

NAME = "parquet-records"


def matches(probe: Probe) -> bool:
    """Whether the source is a Parquet file with a column of objects, or of lists of them."""
    if probe.is_dir or probe.path.suffix.lower() not in (".parquet", ".pq"):
        return False
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        types = [field.type for field in pq.read_schema(probe.path)]
    except (OSError, pa.ArrowInvalid):
        return False
    return any(
        pa.types.is_struct(kind) or (pa.types.is_list(kind) and pa.types.is_struct(kind.value_type))
        for kind in types
    )


def read_predictions(probe: Probe, options: ReadOptions) -> ParsedPredictions:
    import pyarrow.parquet as pq

    records = pq.read_table(probe.path).to_pylist()
    predictions = parse_rows(probe, list(document_rows(records)), options)
    return replace(predictions, format=NAME)


PREDICTION_FORMAT = PredictionFormat(NAME, matches, read_predictions)
