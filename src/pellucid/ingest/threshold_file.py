"""Files with a threshold per concept (`--thresholds`)."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from pellucid.core.errors import MalformedFileError
from pellucid.formats.small_files import load_small_text, parse_small_json
from pellucid.formats.tabular.open_tables import is_parquet, open_table

EXPECTED = (
    'expected a JSON object {"CONCEPT": X}, a JSON list of {"concept", "threshold"}, or CSV or '
    "Parquet with the columns concept, threshold"
)


def load_threshold_file(path: str | Path) -> dict[str, float]:
    """The threshold of each concept in the file.

    Raises:
        MalformedFileError: the file is in none of the forms, names a concept twice, or has a
            threshold that is no finite number.
    """
    thresholds: dict[str, float] = {}
    for record, concept, value in threshold_entries(path):
        if concept in thresholds:
            raise MalformedFileError(path, f"{record}: '{concept}' has two thresholds")
        try:
            thresholds[concept] = float(str(value))
        except ValueError:
            thresholds[concept] = math.nan
        if not math.isfinite(thresholds[concept]) or isinstance(value, bool):
            raise MalformedFileError(path, f"{record}: '{value or ''}' is no threshold")
    if not thresholds:
        raise MalformedFileError(path, f"has no thresholds; {EXPECTED}")
    return thresholds


def threshold_entries(path: str | Path) -> Iterator[tuple[str, str, object]]:
    """Where each entry is, its concept and its threshold."""
    if is_parquet(Path(path)):
        return parquet_entries(Path(path))
    text = load_small_text(path)
    return json_entries(path, text) if text.lstrip()[:1] in ("[", "{") else csv_entries(path, text)


def parquet_entries(path: Path) -> Iterator[tuple[str, str, object]]:
    table = open_table(path)
    if not {"concept", "threshold"} <= table.column_types.keys():
        raise MalformedFileError(path, EXPECTED)
    thresholds = table.number_column("threshold")
    for row, concept in enumerate(table.text_column("concept")):
        yield table.row_location(row), str(concept), float(thresholds[row])


def json_entries(path: str | Path, text: str) -> Iterator[tuple[str, str, object]]:
    document = parse_small_json(path, text)
    if isinstance(document, dict):
        document = document.get("thresholds", document)  # as exported
    if isinstance(document, dict):
        document = [{"concept": name, "threshold": value} for name, value in document.items()]
    if not isinstance(document, list):
        raise MalformedFileError(path, EXPECTED)
    for number, entry in enumerate(document, 1):
        if not isinstance(entry, dict) or not {"concept", "threshold"} <= entry.keys():
            raise MalformedFileError(path, f"entry {number}: {EXPECTED}")
        yield f"entry {number}", str(entry["concept"]), entry["threshold"]


def csv_entries(path: str | Path, text: str) -> Iterator[tuple[str, str, object]]:
    reader = csv.DictReader(text.splitlines())
    if not {"concept", "threshold"} <= set(reader.fieldnames or ()):
        raise MalformedFileError(path, EXPECTED)
    for entry in reader:
        yield f"line {reader.line_num}", entry["concept"], entry["threshold"]
