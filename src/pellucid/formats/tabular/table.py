"""CSV and Parquet tables: one row per annotation or prediction (long format), or one row per image
(wide format).

Long: `image, concept[, split]`, with a box, `ignore` or `value`; predictions with a `score`.
Wide: one 0/1 column per concept, or a list `a|b`; predictions with one score column per concept.
Cells that list all boxes of an image, and their concepts, are read as one row per box.
"""

from __future__ import annotations

from pellucid.formats.dataset import ParsedAnnotations, ParsedPredictions
from pellucid.formats.probe import AnnotationFormat, PredictionFormat, Probe, ReadOptions
from pellucid.formats.tabular.annotation_table import (
    explain_annotation_columns,
    has_annotation_columns,
    parse_annotation_table,
)
from pellucid.formats.tabular.box_lists import open_rows
from pellucid.formats.tabular.column_roles import assign_roles
from pellucid.formats.tabular.long_format import NAME
from pellucid.formats.tabular.prediction_table import (
    explain_prediction_columns,
    has_prediction_columns,
    parse_prediction_table,
)
from pellucid.formats.tabular.text_files import COMMENT_MARK, DELIMITERS
from pellucid.formats.tabular.wide_annotations import flag_texts

NO_OPTIONS = ReadOptions()
SAMPLED_ROWS = 2_000
"""Rows read to recognise a table; reading it is always complete."""


def is_text_table(probe: Probe) -> bool:
    """Whether the source is Parquet, or text with a delimiter in its first line, comments left
    out, that is neither JSON nor XML."""
    if probe.is_dir or probe.head[:1] in "{[<":
        return False
    lines = probe.head.split("\n")
    plain_lines = (line for line in lines if line.strip() and not line.startswith(COMMENT_MARK))
    header_line = next(plain_lines, lines[0])
    return probe.head.startswith("PAR1") or (
        "\0" not in probe.head and any(delimiter in header_line for delimiter in DELIMITERS)
    )


def matches(probe: Probe, options: ReadOptions = NO_OPTIONS) -> bool:
    return is_text_table(probe) and has_annotation_columns(
        open_rows(probe.path, SAMPLED_ROWS), options
    )


def matches_predictions(probe: Probe, options: ReadOptions = NO_OPTIONS) -> bool:
    return is_text_table(probe) and has_prediction_columns(
        open_rows(probe.path, SAMPLED_ROWS), options
    )


def explain_mismatch(probe: Probe, options: ReadOptions, are_predictions: bool) -> None:
    """Raise the error that says what a table lacks; nothing for another file."""
    if not is_text_table(probe):
        return
    reader = open_rows(probe.path)
    if are_predictions:
        explain_prediction_columns(reader, options)
    else:
        explain_annotation_columns(reader, options)


def contains_scores(probe: Probe) -> bool:
    """Whether a table has predictions: a score column, or numbers other than 0 and 1 where
    annotations would have one column per concept."""
    if not is_text_table(probe):
        return False
    reader = open_rows(probe.path, SAMPLED_ROWS)
    roles = assign_roles(reader, "annotations")
    if roles.score is not None:
        return True
    if roles.concept is not None:
        return False
    columns = reader.drop_index_columns(roles.unassigned_columns(reader))
    return any(
        reader.is_numeric(column) and any(is_fraction(text) for text in texts)
        for column in columns
        for texts in [flag_texts(reader, column)]
    )


def is_fraction(text: str) -> bool:
    """Whether a number has decimals that are not zero; decimals may follow a comma."""
    return ("." in text or "," in text) and text not in ("0.0", "1.0", "-1.0")


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    return parse_annotation_table(open_rows(probe.path), options)


def read_predictions(probe: Probe, options: ReadOptions) -> ParsedPredictions:
    return parse_prediction_table(open_rows(probe.path), options)


FORMAT = AnnotationFormat(NAME, matches, read)
PREDICTION_FORMAT = PredictionFormat(NAME, matches_predictions, read_predictions)
